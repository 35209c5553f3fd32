// A deep backlog against an empty queue: what publishing and pulling take, how long a restart
// takes, and how much memory the server has.

import { textBody } from '../body.mjs';
import { drainBatches, publishBatches } from '../load/batches.mjs';
import { encodeRequest } from '../load/connection.mjs';
import { firstAnswer } from '../load/first-answer.mjs';
import { generate } from '../load/generator.mjs';
import { removeDirectory, residentBytes, temporaryDirectory } from '../servers/process.mjs';
import { Tidegate } from '../servers/tidegate.mjs';

const SECTION = 'Deep backlog';
const PORT = 9856;
const DEEP = 'deep';
const SHALLOW = 'shallow';
const BODY = textBody(128);
const FILL = { batch: 1000, connections: 2 };
const DRAIN = { batch: 100, connections: 2 };
const CONNECTIONS = 64;

/** @param {import('../sections.mjs').Context} context */
export async function measureDepth({ plan, book, say }) {
  const directory = temporaryDirectory();
  let server = await Tidegate.start(PORT, { directory });
  try {
    await server.createQueue(DEEP);
    say(`publishing ${plan.depth} messages`);
    await publishBatches({ port: PORT, queue: DEEP, body: BODY, count: plan.depth, ...FILL });
    for (let round = 1; round <= plan.rounds; round += 1) {
      say(`round ${round} of ${plan.rounds}`);
      await server.createQueue(SHALLOW);
      await measureRound(plan, book, round);
    }
    record(book, 'memory', 'memory of the server', 'MiB', mebibytes(server.pid));
    for (let round = 1; round <= plan.rounds; round += 1) {
      say(`restart ${round} of ${plan.rounds}`);
      await server.stop();
      const began = performance.now();
      server = new Tidegate(PORT, { directory });
      await measureRestart(server, began, book);
    }
  } finally {
    await server.stop();
    removeDirectory(directory);
  }
}

/** Who comes first alternates: the second finds the server warmer. */
async function measureRound(plan, book, round) {
  const queues = [
    [SHALLOW, 'empty'],
    [DEEP, `${plan.depth.toLocaleString('en')} deep`],
  ];
  for (const [queue, title] of round % 2 ? queues : queues.reverse()) {
    const of = (what) => (queue === DEEP ? `depth/${what}/${SHALLOW}` : undefined);
    const published = await publishRate(queue, plan);
    record(book, `publish/${queue}`, `publish one, ${title}`, 'req/s', published, of('publish'));
    // What is pulled has to be there, so for as long the empty queue is not quite empty.
    if (queue === SHALLOW) {
      await publishBatches({ port: PORT, queue, body: BODY, count: plan.drain, ...FILL });
    }
    const began = performance.now();
    await drainBatches({ port: PORT, queue, count: plan.drain, ...DRAIN });
    const pulled = plan.drain / ((performance.now() - began) / 1000);
    record(book, `pull/${queue}`, `pull and ack, ${title}`, 'msg/s', pulled, of('pull'));
  }
}

async function publishRate(queue, { warmUpMs, durationMs }) {
  const requests = [encodeRequest('POST', `/v1/queues/${queue}/messages`, BODY, 'text/plain')];
  const load = { port: PORT, requests, connections: CONNECTIONS, expect: 202 };
  return (await generate({ ...load, warmUpMs, durationMs })).perSecond;
}

async function measureRestart(server, began, book) {
  const up = await firstAnswer(PORT, encodeRequest('GET', '/healthz'));
  const request = encodeRequest('POST', `/v1/queues/${DEEP}/messages/pull`, '{"batch_size":1}');
  const pulled = await firstAnswer(PORT, request);
  const first = 'first message after a restart';
  record(book, 'restart', `${first}, from the start of the process`, 'ms', pulled - began);
  record(book, 'restart/queue', `${first}, from when the server answers`, 'ms', pulled - up);
  record(book, 'restart/memory', 'memory after a restart', 'MiB', mebibytes(server.pid));
}

function record(book, id, title, unit, value, of) {
  book.add({ id: `depth/${id}`, section: SECTION, title, unit, of }, value);
}

function mebibytes(pid) {
  const bytes = residentBytes(pid);
  return bytes && bytes / 1_048_576;
}
