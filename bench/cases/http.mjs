// Requests a second over HTTP: the platform's limits, the queue that comes with workerd, and
// Tidegate. All servers run throughout, idle but for the one whose turn it is, and the rounds
// alternate.

import { textBody } from '../body.mjs';
import { BATCH_TYPE, MessageWriter, batchOf } from '../../clients/typescript/src/batch.js';
import { encodeRequest } from '../load/connection.mjs';
import { generate } from '../load/generator.mjs';
import { cpuMs } from '../servers/process.mjs';
import { Tidegate } from '../servers/tidegate.mjs';
import { startWorker } from '../servers/workers.mjs';

const SECTION = 'HTTP';
const PORTS = { hello: 9851, hop: 9852, queue: 9853, tidegate: 9854 };
const CONNECTIONS = [1, 16, 64, 256];
const BATCH = 100;
const BODY = textBody(128);
const QUEUE = 'bench';
const FULL_QUEUE = 'full';

/** @param {import('../sections.mjs').Context} context */
export async function measureHttp(context) {
  const { book } = context;
  const servers = {};
  try {
    servers.hello = await startWorker('hello', PORTS.hello);
    servers.hop = await startWorker('hop', PORTS.hop);
    servers.queue = await startWorker('queue', PORTS.queue).catch((error) => {
      book.skip('workerd’s own queue', error.message);
    });
    servers.tidegate = await Tidegate.start(PORTS.tidegate);
    await measureAll(servers, context);
  } finally {
    for (const server of Object.values(servers)) await server?.stop();
  }
}

async function measureAll(servers, { plan, book, say }) {
  const cases = [...limits(), ...(servers.queue ? ownQueue() : []), ...ours()];
  await servers.tidegate.createQueue(FULL_QUEUE, { capacity: { max_messages: 1 } });
  await servers.tidegate.publish(FULL_QUEUE, BODY);
  for (let round = 1; round <= plan.rounds; round += 1) {
    await servers.tidegate.createQueue(QUEUE);
    const { id } = await servers.tidegate.publish(QUEUE, BODY);
    for (const item of cases) {
      say(`round ${round} of ${plan.rounds}: ${item.title}`);
      await measure(item, servers[item.server], { plan, book, known: id });
    }
  }
}

async function measure(item, server, { plan, book, known }) {
  const { warmUpMs, durationMs } = plan;
  const requests = [item.request(known)];
  const { connections, expect, items = 1 } = item;
  const load = { port: server.port, requests, connections, warmUpMs, durationMs, expect };
  let cpuBefore;
  const outcome = await generate(load, { onBegin: () => (cpuBefore = cpuMs(server.pid)) });
  const cpuAfter = cpuMs(server.pid);
  const figure = { section: SECTION, id: item.id, title: item.title, of: item.of };
  const unit = items > 1 ? 'msg/s' : 'req/s';
  book.add({ ...figure, unit }, outcome.perSecond * items);
  if (cpuBefore === undefined) return;
  const micros = ((cpuAfter - cpuBefore) * 1000) / (outcome.done * items);
  const cpu = { id: `${item.id}/cpu`, title: `${item.title}: CPU time`, of: item.of };
  const each = items > 1 ? 'µs/msg' : 'µs/req';
  book.add({ ...figure, ...cpu, of: item.of && `${item.of}/cpu`, unit: each }, micros);
}

function limits() {
  const request = () => encodeRequest('POST', '/', BODY);
  const rest = { connections: 64, expect: 200, request };
  return [
    { id: 'http/hello', title: 'hello: a Worker that answers by itself', server: 'hello', ...rest },
    {
      id: 'http/hop',
      title: 'hop: a Worker that calls an empty object',
      server: 'hop',
      of: 'http/hello',
      ...rest,
    },
  ];
}

function ownQueue() {
  const rest = { server: 'queue', connections: 64, expect: 202 };
  return [
    {
      id: 'http/queue',
      title: 'workerd’s own queue: one message a request',
      of: 'http/hop',
      request: () => encodeRequest('POST', '/', BODY),
      ...rest,
    },
    {
      id: 'http/queue-batch',
      title: `workerd’s own queue: ${BATCH} messages a request`,
      items: BATCH,
      request: () => encodeRequest('POST', '/batch', batchBody()),
      ...rest,
    },
  ];
}

function ours() {
  const server = 'tidegate';
  const path = `/v1/queues/${QUEUE}/messages`;
  return [
    ...CONNECTIONS.map((connections) => ({
      id: `http/publish-${connections}`,
      title: `publish one, ${connections} connection${connections > 1 ? 's' : ''}`,
      server,
      connections,
      expect: 202,
      of: 'http/hop',
      request: () => encodeRequest('POST', path, BODY, 'text/plain'),
    })),
    {
      id: 'http/publish-batch',
      title: `publish ${BATCH} a request, 64 connections`,
      server,
      connections: 64,
      expect: 200,
      items: BATCH,
      of: 'http/queue-batch',
      request: () => binaryBatch(`${path}/batch`),
    },
    {
      id: 'http/refuse',
      title: 'refusal at a full queue',
      server,
      connections: 64,
      expect: 429,
      of: 'http/hello',
      request: () => encodeRequest('POST', `/v1/queues/${FULL_QUEUE}/messages`, BODY, 'text/plain'),
    },
    {
      id: 'http/state',
      title: 'state of one message',
      server,
      connections: 64,
      expect: 200,
      of: 'http/hop',
      request: (id) => encodeRequest('GET', `${path}/${id}`),
    },
  ];
}

/** As the client library sends it. */
function binaryBatch(path) {
  const writer = new MessageWriter();
  const body = batchOf(Array.from({ length: BATCH }, () => writer.write(BODY)));
  return encodeRequest('POST', path, body, BATCH_TYPE, BATCH_TYPE);
}

function batchBody() {
  return JSON.stringify({ messages: Array.from({ length: BATCH }, () => ({ body: BODY })) });
}
