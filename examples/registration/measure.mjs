// Measures what a user waits for, each way: node examples/registration/measure.mjs
// against a Tidegate on http://127.0.0.1:8787, or where TIDEGATE_URL says.

import { pathToFileURL } from 'node:url';
import { Tidegate } from '../../clients/typescript/index.js';
import { World, services } from './registration.mjs';
import { openServer } from './server.mjs';

const WAYS = ['serial', 'parallel', 'tidegate'];
const SERVED_MS_MAX = 30_000;

/**
 * @param {string} url of the Tidegate
 * @param {number} rounds registrations of each way
 * @returns {Promise<{ waits: Record<string, number[]>, world: World }>} times in ms, by way, in
 *   ascending order; and what was done once all services were through
 */
export async function measure(url, rounds) {
  const registered = new Tidegate({ url }).topic(`users/registered-${Date.now().toString(36)}`);
  const world = new World();
  const stop = new AbortController();
  const { ended } = await services(world, registered, stop.signal);
  const server = await openServer(world, registered);
  const waits = { serial: [], parallel: [], tidegate: [] };
  // The first of each way opens connections; it is done and not counted.
  for (let round = 0; round <= rounds; round += 1) {
    // In turn, so that whatever else the machine does meets all of them alike.
    for (const way of WAYS) {
      const took = await timed(() => register(`${server.url}/${way}`, `${way}-${round}`));
      if (round > 0) waits[way].push(took);
    }
  }
  await untilServed(world);
  stop.abort();
  await ended;
  server.close();
  await registered.delete();
  for (const times of Object.values(waits)) times.sort((a, b) => a - b);
  return { waits, world };
}

async function register(url, name) {
  const response = await fetch(url, { method: 'POST', body: name });
  await response.arrayBuffer();
  if (response.status !== 201) throw new Error(`${url} answered ${response.status}`);
}

async function timed(act) {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** Until everybody has both messages, whichever way they came. */
async function untilServed({ users, mails, texts }) {
  const deadline = performance.now() + SERVED_MS_MAX;
  while (mails.length < users.size || texts.length < users.size) {
    if (performance.now() > deadline) throw new Error('not everybody was served');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** @param {number[]} times in ascending order */
export const median = (times) => times[Math.floor(times.length / 2)];

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const rounds = Number(process.env.ROUNDS ?? 100);
  const { waits, world } = await measure(process.env.TIDEGATE_URL ?? 'http://127.0.0.1:8787', rounds);
  console.log('way         fastest    median       p95');
  for (const [way, times] of Object.entries(waits)) {
    const p95 = times[Math.floor(times.length * 0.95)];
    const columns = [times[0], median(times), p95].map((ms) => `${ms.toFixed(1)} ms`);
    console.log(way.padEnd(9), ...columns.map((column) => column.padStart(9)));
  }
  const { users, mails, texts } = world;
  console.log(`${users.size} users, ${mails.length} mails, ${texts.length} text messages`);
}
