// npm run neighbour: what a flood of one queue does to another one. A publisher with one message
// every few milliseconds measures its latency, alone and beside a flood, in turns, so that what the
// machine does otherwise falls on both. The same for two objects of a bare Worker on the same
// runtime, one that stores nothing and one that stores a row a request: what the platform itself
// does. `-- --connections N`, `-- --seconds S`, `-- --rounds N`, `-- --port P`.

import net from 'node:net';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { parseArgs } from 'node:util';
import { startServer } from '../tests/harness/server.mjs';
import { Connection } from './load/connection.mjs';
import { Histogram } from './load/histogram.mjs';
import { startWorker } from './servers/workers.mjs';

/** Between two publishes of the queue that is measured. */
const PACE_MS = 5;
/** The flood gets going, and ends, outside what is measured. */
const SETTLE_MS = 500;
const BODY = 'x'.repeat(256);
/** So many times the latency alone is what a neighbour may make of it. */
const GOAL = 2;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const postTo = (path) =>
  Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
  );

/** In a thread of its own, so that what floods does not delay what measures. */
async function flood({ port, path, connections }) {
  const request = postTo(path);
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

async function measure({ port, quiet }, seconds) {
  const histogram = new Histogram();
  const request = postTo(quiet);
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
  connection.close();
  return histogram;
}

/** The same, while another queue is flooded. */
async function beside({ port, flooded: path, ...it }, connections, seconds) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { port, path, connections } });
  await pause(SETTLE_MS);
  const histogram = await measure({ port, ...it }, seconds);
  const answered = new Promise((resolve) => worker.on('message', resolve));
  worker.postMessage('end');
  return { histogram, flooded: (await answered) / (seconds + SETTLE_MS / 1000) };
}

/** What is compared: each has its turn in each round. */
async function subjects(port) {
  const server = await startServer({ port });
  const configure = {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"capacity":{"max_messages":10000000}}',
  };
  for (const queue of ['flooded', 'quiet']) {
    await fetch(`${server.url}/v1/queues/${queue}`, configure);
  }
  const bare = await startWorker('pair', port === 0 ? await freePort() : port + 1);
  const of = (name, it, flooded, quiet) => ({
    name, port: it.port, stop: () => it.stop(), flooded, quiet, rate: 0,
    alone: new Histogram(), crowded: new Histogram(),
  });
  const messages = (queue) => `/v1/queues/${queue}/messages`;
  return [
    of('two queues', server, messages('flooded'), messages('quiet')),
    of('two bare objects', bare, '/flooded', '/quiet'),
    of('two bare objects that store a row', bare, '/flooded-row?row', '/quiet-row?row'),
  ];
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function main() {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      port: { type: 'string', default: '0' },
    },
  });
  const [connections, seconds, rounds, port] = ['connections', 'seconds', 'rounds', 'port']
    .map((name) => Number(values[name]));
  const all = await subjects(port);
  for (const it of all) await measure(it, 1);
  for (let round = 0; round < rounds; round += 1) {
    for (const it of all) {
      it.alone.add((await measure(it, seconds)).counts);
      const { histogram, flooded } = await beside(it, connections, seconds);
      it.crowded.add(histogram.counts);
      it.rate += flooded / rounds;
    }
  }
  for (const it of all) await it.stop();
  for (const it of all) report(connections, it);
}

function report(connections, { name, alone, crowded, rate }) {
  const line = (when, it) => {
    const [p50, p99] = [0.5, 0.99].map((share) => it.quantile(share).toFixed(2));
    console.log(`  ${when.padEnd(28)} p50 ${p50} ms   p99 ${p99} ms`);
  };
  console.log(`${name}: the flooded one answers ${Math.round(rate)} requests a second, ` +
    `${connections} at a time`);
  line('alone', alone);
  line('beside the flood', crowded);
  const times = crowded.quantile(0.99) / alone.quantile(0.99);
  console.log(`  p99 beside the flood is ${times.toFixed(1)} times as long; the goal is ${GOAL}`);
}

await (isMainThread ? main() : flood(workerData));
