// Reports of refusals: the edge counts what it refused by itself, and the counts travel with its
// next call to the queue. Where no call comes, they are sent after a second.

import { fetchObject } from './call.js';
import { readCalls } from './frames.js';

const INTERVAL_MS = 1_000;
/** The platform gives work that outlasts its request 30 s; a later refusal takes over. */
const ROUNDS_MAX = 20;

/** Until when somebody sends reports. Not a flag: the request that does may be cancelled. */
let busyUntil = 0;

/**
 * Sees to it that reports are sent, when there are any.
 * @param {import("./core.js").Core} core
 * @param {object} env
 * @param {ExecutionContext} ctx
 */
export function scheduleReports(core, env, ctx) {
  const now = Date.now();
  if (now < busyUntil || core.exports.edge_has_reports() === 0) return;
  busyUntil = now + 3 * INTERVAL_MS;
  ctx.waitUntil(sendReports(core, env));
}

async function sendReports(core, env) {
  for (let round = 0; round < ROUNDS_MAX && core.exports.edge_has_reports() !== 0; round++) {
    busyUntil = Date.now() + 3 * INTERVAL_MS;
    await scheduler.wait(INTERVAL_MS);
    for (const call of readCalls(core, core.exports.edge_report(Date.now()))) {
      try {
        await (await fetchObject(env.QUEUE, call)).body?.cancel();
      } catch (error) {
        console.warn(`a report of refusals was lost: ${error}`);
      }
    }
  }
  busyUntil = 0;
}
