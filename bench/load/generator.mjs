// Puts an HTTP server under load from threads of their own and says what came of it. Owns the
// threads; what a thread does is in thread.mjs.

import { once } from 'node:events';
import os from 'node:os';
import { Worker } from 'node:worker_threads';
import { Histogram } from './histogram.mjs';

/** The server has one thread, so one core is left to it. */
const THREADS_MAX = Math.max(1, Math.min(4, os.availableParallelism() - 1));

/**
 * @typedef {object} Load
 * @property {number} port
 * @property {Uint8Array[]} requests sent in turn
 * @property {number} connections
 * @property {number} warmUpMs under load, but not counted
 * @property {number} durationMs
 * @property {number} [perSecond] requests a second; as many as are answered when absent
 * @property {number} expect the only status that is right
 */

/**
 * @typedef {object} Outcome
 * @property {number} done answers while it was measured
 * @property {number} perSecond
 * @property {{ p50: number, p99: number, p999: number }} ms latencies
 */

/**
 * @param {Load} load
 * @param {{ onBegin?: () => void }} [options] `onBegin` is called as soon as warming up is over
 * @returns {Promise<Outcome>}
 */
export async function generate(load, { onBegin } = {}) {
  const threads = Math.min(THREADS_MAX, load.connections);
  let begun = false;
  const begin = () => {
    if (!begun) onBegin?.();
    begun = true;
  };
  const parts = await Promise.all(
    Array.from({ length: threads }, (_, index) => runThread(share(load, threads, index), begin)),
  );
  return sum(parts, load.expect);
}

function share(load, threads, index) {
  const connections =
    Math.floor(load.connections / threads) + (index < load.connections % threads ? 1 : 0);
  const perSecond = load.perSecond === undefined ? undefined : load.perSecond / threads;
  return { ...load, connections, perSecond };
}

async function runThread(load, begin) {
  const thread = new Worker(new URL('./thread.mjs', import.meta.url), { workerData: load });
  const result = new Promise((resolve, reject) => {
    thread.on('error', reject);
    thread.on('message', (message) => (message.began ? begin() : resolve(message)));
  });
  const gone = once(thread, 'exit');
  const outcome = await result;
  await gone;
  return outcome;
}

function sum(parts, expect) {
  const histogram = new Histogram();
  let done = 0;
  let perSecond = 0;
  for (const part of parts) {
    histogram.add(part.counts);
    done += part.done;
    perSecond += part.done / (part.ms / 1000);
    for (const [status, count] of part.statuses) {
      if (status !== expect) {
        throw new Error(`${count} answers with status ${status}, where ${expect} was expected`);
      }
    }
  }
  if (done === 0) throw new Error('no answer came while it was measured');
  return {
    done,
    perSecond,
    ms: {
      p50: histogram.quantile(0.5),
      p99: histogram.quantile(0.99),
      p999: histogram.quantile(0.999),
    },
  };
}
