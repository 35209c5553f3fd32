// What a message costs on Cloudflare: rows, object requests, requests and CPU time, counted here
// and turned into dollars by the price list. Batches go over one connection, where nothing shares
// their commits, and over several, where what arrives together does.

import { textBody } from '../body.mjs';
import { drainBatches, publishBatches } from '../load/batches.mjs';
import { encodeRequest } from '../load/connection.mjs';
import { generate } from '../load/generator.mjs';
import { cpuMs } from '../servers/process.mjs';
import { Tidegate } from '../servers/tidegate.mjs';

const SECTION = 'Cost';
const PORT = 9855;
const QUEUE = 'cost';
const BATCH = 100;
const BODY = textBody(128);

/** Dollars a million (Workers paid plan, beyond what is included). */
export const PRICES = {
  requests: 0.3,
  cpuMs: 0.02,
  objectRequests: 0.15,
  rowsWritten: 1.0,
  rowsRead: 0.001,
};

/** Titles and units of what is counted, each for one message. */
const COUNTED = {
  rowsWritten: ['rows written', 'rows/msg'],
  rowsRead: ['rows read', 'rows/msg'],
  objectRequests: ['object requests', 'req/msg'],
  commits: ['commits', 'commits/msg'],
  requests: ['requests', 'req/msg'],
  cpuMs: ['CPU time', 'ms/msg'],
};

const CONNECTIONS = 8;

const CASES = [
  ['batched', `batches of ${BATCH}, 1 connection`, (plan) => batched(plan, 1)],
  [
    'batched-many',
    `batches of ${BATCH}, ${CONNECTIONS} connections`,
    (plan) => batched(plan, CONNECTIONS),
  ],
  ['single', 'publish one, 64 connections', single],
  ['single-out', `publish one, out in batches of ${BATCH}`, singleAndOut],
  ['refused', 'refused, full queue', refused],
];

/** Compiled code is what is measured, not its compilation. */
const WARM_UP_MESSAGES = 5000;

/** @param {import('../sections.mjs').Context} context */
export async function measureCost({ plan, book, say }) {
  const server = await Tidegate.start(PORT);
  try {
    await server.createQueue(QUEUE);
    await batched({ drain: WARM_UP_MESSAGES }, 1);
    await single({ durationMs: plan.warmUpMs });
    for (let round = 1; round <= plan.rounds; round += 1) {
      say(`round ${round} of ${plan.rounds}`);
      for (const [name, title, run] of CASES) {
        const isFull = name === 'refused';
        await server.createQueue(QUEUE, isFull ? { capacity: { max_messages: 1 } } : undefined);
        if (isFull) await server.publish(QUEUE, BODY);
        record(book, name, title, await count(server, () => run(plan)));
      }
    }
  } finally {
    await server.stop();
  }
}

/** Runs it, and divides what it took by the messages that it says it handled. */
async function count(server, run) {
  const before = await server.counters(QUEUE);
  const cpuBefore = cpuMs(server.pid);
  const { requests, messages } = await run();
  const cpuAfter = cpuMs(server.pid);
  const after = await server.counters(QUEUE);
  const accepted = after.accepted - before.accepted;
  const each = (value) => value / (messages ?? accepted);
  return {
    rowsWritten: each(after.rowsWritten - before.rowsWritten),
    rowsRead: each(after.rowsRead - before.rowsRead),
    objectRequests: each(after.objectRequests - before.objectRequests),
    commits: each(after.commits - before.commits),
    requests: each(requests ?? accepted),
    cpuMs: cpuBefore === undefined ? undefined : each(cpuAfter - cpuBefore),
  };
}

function record(book, name, title, counted) {
  for (const [key, [what, unit]] of Object.entries(COUNTED)) {
    const figure = { id: `cost/${name}/${key}`, section: SECTION, unit };
    book.add({ ...figure, title: `${title}: ${what}` }, counted[key]);
  }
  const dollars = Object.entries(PRICES)
    .map(([key, price]) => (counted[key] ?? 0) * price)
    .reduce((sum, part) => sum + part, 0);
  const figure = { id: `cost/${name}/dollars`, section: SECTION, title: `${title}: price` };
  book.add({ ...figure, unit: '$/million' }, dollars);
}

async function batched({ drain }, connections) {
  const work = { port: PORT, queue: QUEUE, batch: BATCH, connections, count: drain };
  const requests = (await publishBatches({ ...work, body: BODY })) + (await drainBatches(work));
  return { requests, messages: drain };
}

/** Nothing is warmed up apart: what is counted has to be all that was accepted. */
async function single({ durationMs }) {
  await generate(publishing(202, durationMs));
  return {};
}

async function singleAndOut(plan) {
  await single(plan);
  const server = `http://127.0.0.1:${PORT}/v1/queues/${QUEUE}`;
  const { depth } = await (await fetch(server)).json();
  const work = { port: PORT, queue: QUEUE, batch: BATCH, connections: 1, count: depth };
  const requests = depth + (await drainBatches(work));
  return { requests, messages: depth };
}

async function refused({ durationMs }) {
  const { done } = await generate(publishing(429, durationMs));
  return { requests: done, messages: done };
}

function publishing(expect, durationMs) {
  const request = encodeRequest('POST', `/v1/queues/${QUEUE}/messages`, BODY, 'text/plain');
  const load = { port: PORT, requests: [request], connections: 64, warmUpMs: 0 };
  return { ...load, durationMs, expect };
}
