// Latency of a publish at half the rate that the server can do. Requests come at even intervals
// whatever the server does, and each counts from when it was due.

import { textBody } from '../body.mjs';
import { encodeRequest } from '../load/connection.mjs';
import { generate } from '../load/generator.mjs';
import { Tidegate } from '../servers/tidegate.mjs';
import { startWorker } from '../servers/workers.mjs';

const SECTION = 'Latency at half load';
const PORTS = { hop: 9852, tidegate: 9854 };
const CONNECTIONS = 64;
const QUEUE = 'bench';
const BODY = textBody(128);
const QUANTILES = [
  ['p50', 'p50'],
  ['p99', 'p99'],
  ['p999', 'p99.9'],
];

/** @param {import('../sections.mjs').Context} context */
export async function measureLatency(context) {
  const servers = {};
  try {
    servers.hop = await startWorker('hop', PORTS.hop);
    servers.tidegate = await Tidegate.start(PORTS.tidegate);
    await measureAll(servers, context);
  } finally {
    for (const server of Object.values(servers)) await server?.stop();
  }
}

async function measureAll(servers, { plan, book, say }) {
  const path = `/v1/queues/${QUEUE}/messages`;
  const cases = [
    { name: 'hop', port: PORTS.hop, expect: 200, request: encodeRequest('POST', '/', BODY) },
    {
      name: 'publish',
      port: PORTS.tidegate,
      expect: 202,
      request: encodeRequest('POST', path, BODY, 'text/plain'),
    },
  ];
  for (let round = 1; round <= plan.rounds; round += 1) {
    await servers.tidegate.createQueue(QUEUE);
    for (const { name, port, expect, request } of cases) {
      say(`round ${round} of ${plan.rounds}: ${name}`);
      const load = { port, requests: [request], connections: CONNECTIONS, expect, ...times(plan) };
      const { perSecond } = await generate(load);
      const { ms } = await generate({ ...load, perSecond: perSecond / 2 });
      record(book, name, ms);
    }
  }
}

function times({ warmUpMs, durationMs }) {
  return { warmUpMs, durationMs };
}

function record(book, name, ms) {
  for (const [key, label] of QUANTILES) {
    const figure = {
      id: `latency/${name}/${key}`,
      section: SECTION,
      title: `${name === 'hop' ? 'hop' : 'publish one'}: ${label}`,
      unit: 'ms',
      of: name === 'hop' ? undefined : `latency/hop/${key}`,
    };
    book.add(figure, ms[key]);
  }
}
