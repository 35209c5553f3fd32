// Reports of refusals: the edge counts what it refused by itself, and the counts travel with its
// next call to the queue. Where no call comes, they are sent after a second.

import { fetchObject, fetchShared } from './call.js';
import { readCalls } from './frames.js';
import { log } from './log.js';
import { targetOf } from './place.js';

const INTERVAL_MS = 1_000;
/** For so long after its last sign of life whoever sends reports is taken to be there. */
const BUSY_MS = 3 * INTERVAL_MS;
/** The platform gives work that outlasts its request 30 s; a later refusal takes over. */
const ROUNDS_MAX = 20;

/** Until when somebody sends reports. Not a flag: the request that does may be cancelled. */
let busyUntil = 0;

/** Whether somebody sends reports at this instant; not who said so before the clock went back. */
export const reportsAreScheduled = (now) => now < busyUntil && busyUntil - now <= BUSY_MS;

/**
 * Sees to it that reports are sent, when there are any.
 * @param {import("./core.js").Core} core
 * @param {object} env
 * @param {ExecutionContext} ctx
 * @param {() => string | null} placeOfRequest where it came in: a relay there takes reports in
 * @param {() => void} settle tells the core of refusals that it does not know of yet
 */
export function scheduleReports(core, env, ctx, placeOfRequest, settle) {
  const now = Date.now();
  if (reportsAreScheduled(now)) return;
  settle();
  if (core.exports.edge_has_reports() === 0) return;
  busyUntil = now + BUSY_MS;
  ctx.waitUntil(sendReports(core, env, placeOfRequest(), settle));
}

async function sendReports(core, env, place, settle) {
  for (let round = 0; round < ROUNDS_MAX && core.exports.edge_has_reports() !== 0; round++) {
    busyUntil = Date.now() + BUSY_MS;
    await scheduler.wait(INTERVAL_MS);
    settle();
    for (const call of readCalls(core, core.exports.edge_report(Date.now()))) {
      try {
        await (await send(env, call, place)).body?.cancel();
      } catch (error) {
        log('warn', 'report_lost', { error });
      }
    }
  }
  busyUntil = 0;
}

function send(env, call, place) {
  if (place === null) return fetchObject(env.QUEUE, call);
  return fetchShared(targetOf(env, call.object, place), call.command, 1);
}
