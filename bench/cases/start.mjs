// The cold start: from the spawn of the process to its first answer, for a bare Worker and for
// Tidegate with an empty directory, in turns.

import { encodeRequest } from '../load/connection.mjs';
import { firstAnswer } from '../load/first-answer.mjs';
import { Tidegate } from '../servers/tidegate.mjs';
import { spawnWorker } from '../servers/workers.mjs';

const PORTS = { hello: 9851, tidegate: 9854 };
const HELLO = encodeRequest('GET', '/');
const HEALTH = encodeRequest('GET', '/healthz');
const PUBLISH = encodeRequest('POST', '/v1/queues/first/messages', 'first', 'text/plain');

/** @param {import('../sections.mjs').Context} context */
export async function measureStart({ plan, book, say }) {
  const figure = { section: 'Bundle and start', unit: 'ms' };
  const cases = [
    [{ id: 'start/hello', title: 'cold start: hello' }, spawnHello, HELLO],
    [
      { id: 'start/tidegate', title: 'cold start: Tidegate, first answer', of: 'start/hello' },
      spawnTidegate,
      HEALTH,
    ],
    [
      { id: 'start/publish', title: 'cold start: Tidegate, first publish', of: 'start/hello' },
      spawnTidegate,
      PUBLISH,
    ],
  ];
  for (let start = 1; start <= plan.starts; start += 1) {
    say(`start ${start} of ${plan.starts}`);
    for (const [what, spawn, request] of cases) {
      const began = performance.now();
      const server = spawn();
      try {
        book.add({ ...figure, ...what }, (await firstAnswer(server.port, request)) - began);
      } finally {
        await server.stop();
      }
    }
  }
}

function spawnHello() {
  return spawnWorker('hello', PORTS.hello);
}

function spawnTidegate() {
  return new Tidegate(PORTS.tidegate);
}
