// npm run neighbour: what a flood of one queue does to another one: of publishes, of batches, of
// pulls that find nothing, of refusals from memory. A publisher with one message every few
// milliseconds measures its latency, alone and beside each flood, in turns, so that what the machine
// does otherwise falls on all. The same beside a flood of another server: what the cores that all of
// them share make of it, clients included. And for two objects of a bare Worker on the same runtime, one
// that stores nothing and one that stores a row a request: what the platform itself does.
// `-- --connections N`, `-- --seconds S`, `-- --rounds N`, `-- --port P`.

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

const postTo = (path, body = BODY, headers = '') =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}` +
  `Content-Length: ${body.length}\r\n\r\n${body}`;
const sendJson = (path, value) =>
  postTo(path, JSON.stringify(value), 'Content-Type: application/json\r\n');

const BATCH = { messages: Array.from({ length: 10 }, () => ({ body: BODY.slice(0, 128) })) };

/** In a thread of its own, so that what floods does not delay what measures. */
async function flood({ port, text, connections }) {
  const request = Buffer.from(text);
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
  const request = Buffer.from(quiet);
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
async function beside({ port, floodPort, flood: text, ...it }, connections, seconds) {
  const workerData = { port: floodPort, text, connections };
  const worker = new Worker(new URL(import.meta.url), { workerData });
  await pause(SETTLE_MS);
  const histogram = await measure({ port, ...it }, seconds);
  const answered = new Promise((resolve) => worker.on('message', resolve));
  worker.postMessage('end');
  return { histogram, flooded: (await answered) / (seconds + SETTLE_MS / 1000) };
}

/** What is compared: each has its turn in each round. */
async function subjects(port) {
  const server = await startServer({ port });
  const configure = (queue, max_messages) =>
    fetch(`${server.url}/v1/queues/${queue}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ capacity: { max_messages } }),
    });
  for (const queue of ['flooded', 'empty', 'quiet']) await configure(queue, 10_000_000);
  await configure('full', 1);
  const messages = (queue) => `/v1/queues/${queue}/messages`;
  await fetch(server.url + messages('full'), { method: 'POST', body: BODY });
  const bare = await startWorker('pair', port === 0 ? await freePort() : port + 1);
  const of = (it, name, flood, quiet) => ({
    name, port: it.port, floodPort: it.port, stop: () => it.stop(), flood, quiet: postTo(quiet), rate: 0,
    alone: new Histogram(), crowded: new Histogram(),
  });
  const queues = (what, flood) => of(server, `a queue beside ${what}`, flood, messages('quiet'));
  return [
    queues('publishes', postTo(messages('flooded'))),
    queues('batches of ten', sendJson(`${messages('flooded')}/batch`, BATCH)),
    queues('pulls that find nothing', sendJson(`${messages('empty')}/pull`, { batch_size: 1 })),
    queues('refusals', postTo(messages('full'))),
    { ...queues('requests to another server', postTo('/flooded')), floodPort: bare.port },
    of(bare, 'a bare object beside requests', postTo('/flooded'), '/quiet'),
    of(bare, 'the same where each stores a row', postTo('/flooded-row?row'), '/quiet-row?row'),
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
  for (const it of [all.at(0), all.at(-1)]) await it.stop();
  for (const it of all) report(connections, it);
}

function report(connections, { name, alone, crowded, rate }) {
  const line = (when, it) => {
    const [p50, p99] = [0.5, 0.99].map((share) => it.quantile(share).toFixed(2));
    console.log(`  ${when.padEnd(28)} p50 ${p50} ms   p99 ${p99} ms`);
  };
  console.log(`${name}: ${Math.round(rate)} of them a second, ${connections} at a time`);
  line('alone', alone);
  line('beside the flood', crowded);
  const times = crowded.quantile(0.99) / alone.quantile(0.99);
  console.log(`  p99 beside the flood is ${times.toFixed(1)} times as long; the goal is ${GOAL}`);
}

await (isMainThread ? main() : flood(workerData));
