// npm run subscriptions: what a topic's durable subscriptions do to its publisher. A publisher that
// publishes one message after the other, at half the pace it could, to a topic without subscriptions
// and to others with many, in turns, so that what the machine does otherwise falls on all of them.
// Each block begins when everything before it has been handed on.
// `-- --subscriptions N`, `-- --publishes N` a block, `-- --rounds N`.

import { parseArgs } from 'node:util';
import { startServer } from '../../tests/harness/server.mjs';
import { Connection } from '../load/connection.mjs';
import { Histogram } from '../load/histogram.mjs';
import { allHandedOn, call, subscribeAll } from './topic.mjs';

const BODY = 'x'.repeat(256);
/** So many times the latency without subscriptions is what they may make of it. */
const GOAL = 1.2;
/** What is published before anything is measured. */
const WARM_UP = 300;
/** A publisher with time: the handing on of one message is mostly over before the next. */
const SLOW_PACE_MS = 100;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One after the other, each begun `paceMs` after the one before, or when that was answered. */
async function publish(connection, topic, count, paceMs) {
  const histogram = new Histogram();
  const request = Buffer.from(
    `POST /v1/topics/${topic}/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `Content-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  );
  for (let n = 0; n < count; n += 1) {
    const began = performance.now();
    const status = await new Promise((resolve, reject) => {
      connection.onAnswer = resolve;
      connection.onFailure = reject;
      connection.send(request);
    });
    if (status !== 202) throw new Error(`a publish to ${topic} was answered ${status}`);
    const took = performance.now() - began;
    histogram.record(took);
    await pause(Math.max(0, paceMs - took));
  }
  return histogram;
}

async function measure(server, cases, { publishes, rounds, paceMs }) {
  const connection = await Connection.open(server.port);
  const sums = new Map(cases.map((it) => [it, new Histogram()]));
  for (let round = 0; round < rounds; round += 1) {
    for (const it of cases) {
      const block = await publish(connection, it, publishes, paceMs);
      sums.get(it).add(block.counts);
      await allHandedOn(server.url, it);
    }
  }
  connection.close();
  return sums;
}

function report(title, sums) {
  console.log(title);
  const [none] = sums.values();
  for (const [name, it] of sums) {
    const shares = [0.5, 0.9, 0.99].map((share) => {
      const times = (it.quantile(share) / none.quantile(share)).toFixed(2);
      return `p${share * 100} ${it.quantile(share).toFixed(2)} ms (${times} ×)`;
    });
    console.log(`  ${name.padEnd(8)} ${shares.join('   ')}`);
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      subscriptions: { type: 'string', default: '1000' },
      publishes: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '5' },
    },
  });
  const [subscriptions, publishes, rounds] = ['subscriptions', 'publishes', 'rounds']
    .map((name) => Number(values[name]));
  const server = await startServer();
  for (const topic of ['none', 'queues', 'pulled']) {
    await call(server.url, 'PUT', `/v1/topics/${topic}`, {});
  }
  await subscribeAll(server.url, 'queues', subscriptions, (n) => ({ target: { queue: `q${n}` } }));
  await subscribeAll(server.url, 'pulled', subscriptions, () => ({}));
  const cases = ['none', 'queues', 'pulled'];
  await measure(server, cases, { publishes: 1, rounds: 1, paceMs: 0 });
  const connection = await Connection.open(server.port);
  const alone = (await publish(connection, 'none', WARM_UP, 0)).quantile(0.5);
  connection.close();
  const title = `A publisher and ${subscriptions} durable subscriptions (the goal is ${GOAL} ×)`;
  const half = await measure(server, cases, { publishes, rounds, paceMs: 2 * alone });
  report(`${title}, every ${(2 * alone).toFixed(1)} ms, half of what it could:`, half);
  const slow = { publishes: Math.ceil(publishes / 10), rounds, paceMs: SLOW_PACE_MS };
  report(`The same, every ${SLOW_PACE_MS} ms:`, await measure(server, cases, slow));
  await server.stop();
}

await main();
