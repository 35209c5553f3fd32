// npm run neighbour: what a flood of one queue does to another one. A publisher with one message
// every few milliseconds measures its latency, alone and beside a flood, in turns, so that what the
// machine does otherwise falls on both. `-- --connections N`, `-- --seconds S`, `-- --rounds N`.

import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { parseArgs } from 'node:util';
import { startServer } from '../tests/harness/server.mjs';
import { Connection } from './load/connection.mjs';
import { Histogram } from './load/histogram.mjs';

/** Between two publishes of the queue that is measured. */
const PACE_MS = 5;
/** The flood gets going, and ends, outside what is measured. */
const SETTLE_MS = 500;
const BODY = 'x'.repeat(256);
/** So many times the latency alone is what a neighbour may make of it. */
const GOAL = 2;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const publishTo = (queue) =>
  Buffer.from(
    `POST /v1/queues/${queue}/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
  );

/** In a thread of its own, so that what floods does not delay what measures. */
async function flood({ port, connections }) {
  const request = publishTo('flooded');
  let answers = 0;
  let goesOn = true;
  parentPort.on('message', () => (goesOn = false));
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const ended = open.map(
    (connection) =>
      new Promise((resolve) => {
        connection.onFailure = resolve;
        connection.onAnswer = () => {
          answers += 1;
          if (goesOn) connection.send(request);
          else resolve();
        };
        connection.send(request);
      }),
  );
  await Promise.all(ended);
  parentPort.postMessage(answers);
  process.exit();
}

async function measure(port, seconds) {
  const histogram = new Histogram();
  const request = publishTo('quiet');
  const connection = await Connection.open(port);
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const began = performance.now();
    await new Promise((resolve, reject) => {
      connection.onAnswer = resolve;
      connection.onFailure = reject;
      connection.send(request);
    });
    const took = performance.now() - began;
    histogram.record(took);
    await pause(Math.max(0, PACE_MS - took));
  }
  connection.onFailure = () => {};
  connection.close?.();
  return histogram;
}

/** The same, while another queue is flooded. */
async function beside(port, connections, seconds) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { port, connections } });
  await pause(SETTLE_MS);
  const histogram = await measure(port, seconds);
  const answered = new Promise((resolve) => worker.on('message', resolve));
  worker.postMessage('end');
  return { histogram, flooded: (await answered) / (seconds + SETTLE_MS / 1000) };
}

async function main() {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
    },
  });
  const [connections, seconds, rounds] = ['connections', 'seconds', 'rounds']
    .map((name) => Number(values[name]));
  const server = await startServer();
  const configure = { method: 'PUT', body: '{"capacity":{"max_messages":10000000}}' };
  for (const queue of ['flooded', 'quiet']) {
    await fetch(`${server.url}/v1/queues/${queue}`, configure);
  }
  await measure(server.port, 1);
  const [alone, crowded] = [new Histogram(), new Histogram()];
  let flooded = 0;
  for (let round = 0; round < rounds; round += 1) {
    alone.add((await measure(server.port, seconds)).counts);
    const one = await beside(server.port, connections, seconds);
    crowded.add(one.histogram.counts);
    flooded += one.flooded / rounds;
  }
  await server.stop();
  report(connections, alone, crowded, flooded);
}

function report(connections, alone, crowded, flooded) {
  const line = (name, it) => {
    const [p50, p99] = [0.5, 0.99].map((share) => it.quantile(share).toFixed(2));
    console.log(`${name.padEnd(28)} p50 ${p50} ms   p99 ${p99} ms`);
  };
  const rate = Math.round(flooded);
  console.log(`The other queue takes ${rate} publishes a second, ${connections} at a time.`);
  line('alone', alone);
  line('beside the flood', crowded);
  const times = crowded.quantile(0.99) / alone.quantile(0.99);
  console.log(`p99 beside the flood is ${times.toFixed(1)} times as long; the goal is ${GOAL}`);
}

await (isMainThread ? main() : flood(workerData));
