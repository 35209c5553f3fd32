// npm run subscriptions:many: 10 topics with 1,000 durable subscriptions each, of which every second
// feeds a queue and the others are pulled. Says how long making them takes and how much memory the
// server has; publishes, and reads from every subscription what it was handed.
// `-- --topics N`, `-- --subscriptions N` a topic, `-- --messages N` to each topic.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startServer } from '../../tests/harness/server.mjs';
import { allHandedOn, atOnce, call, subscribeAll } from './topic.mjs';

/** The physical memory of a process, in bytes; where the system does not say: not a number. */
function memoryOf(pid) {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line[1]) * 1024;
  } catch {
    return NaN;
  }
}

const seconds = (since) => ((performance.now() - since) / 1000).toFixed(1);
const megabytes = (pid) => (memoryOf(pid) / 1e6).toFixed(0);
const feedsQueue = (n) => n % 2 === 0;

/** Reads what one subscription was handed; throws unless it is everything, once and in order. */
async function check(url, topic, n, messages) {
  const of = feedsQueue(n)
    ? `/v1/queues/${topic}-q${n}/messages`
    : `/v1/topics/${topic}/subscriptions/s${n}`;
  const bodies = [];
  while (bodies.length < messages) {
    const pulled = await call(url, 'POST', `${of}/pull`, { batch_size: 100 });
    if (pulled.messages.length === 0) break;
    bodies.push(...pulled.messages.map((it) => it.body));
  }
  const expected = Array.from({ length: messages }, (_, k) => `${topic} ${k}`);
  if (bodies.join() !== expected.join()) {
    throw new Error(`${of} has ${bodies.length} messages of ${messages}: ${bodies.join()}`);
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      topics: { type: 'string', default: '10' },
      subscriptions: { type: 'string', default: '1000' },
      messages: { type: 'string', default: '5' },
    },
  });
  const [topics, subscriptions, messages] = ['topics', 'subscriptions', 'messages']
    .map((name) => Number(values[name]));
  const server = await startServer();
  const { url } = server;
  const names = Array.from({ length: topics }, (_, n) => `t${n}`);
  const target = (topic, n) => (feedsQueue(n) ? { target: { queue: `${topic}-q${n}` } } : {});
  console.log(`The server alone has ${megabytes(server.pid)} MB.`);
  const began = performance.now();
  for (const topic of names) {
    await subscribeAll(url, topic, subscriptions, (n) => target(topic, n));
  }
  console.log(
    `${topics * subscriptions} subscriptions of ${topics} topics made in ${seconds(began)} s; ` +
      `the server has ${megabytes(server.pid)} MB.`,
  );
  const published = performance.now();
  const took = [];
  for (let k = 0; k < messages; k += 1) {
    for (const topic of names) {
      const body = { messages: [{ body: `${topic} ${k}` }] };
      const asked = performance.now();
      await call(url, 'POST', `/v1/topics/${topic}/messages/batch`, body);
      took.push(performance.now() - asked);
    }
  }
  took.sort((a, b) => a - b);
  const at = (share) => took[Math.floor(share * (took.length - 1))].toFixed(1);
  console.log(
    `${messages} messages published to each topic in ${seconds(published)} s: ` +
      `median ${at(0.5)} ms, the longest ${at(1)} ms.`,
  );
  for (const topic of names) await allHandedOn(url, topic);
  console.log(
    `All were handed on after ${seconds(published)} s; ` +
      `the server has ${megabytes(server.pid)} MB.`,
  );
  for (const topic of names) await atOnce(subscriptions, (n) => check(url, topic, n, messages));
  console.log('Every subscription got every message, once and in order.');
  await server.stop();
}

await main();
