// A part of the crowd, in a Web Worker: every buyer is a real POST with a key of its own, and as
// many are under way at a time as was asked for. Tells the page in tallies, not one by one.

import { TidegateError } from "/client/index.js";
import { openClient } from "../../client.js";

const TALLY_EVERY_MS = 100;

/**
 * @typedef {object} Orders what a part of the crowd is told
 * @property {string} queue
 * @property {string | null} token
 * @property {number} first number of its first attempt
 * @property {number} end number after its last attempt
 * @property {number} tries attempts of each buyer, one right after the other
 * @property {number} concurrency
 *
 * @typedef {object} Tally what happened since the last one
 * @property {number} edge refused by the Worker itself
 * @property {number} object refused by the queue's object
 * @property {number} limited of those, because the buyer has had a share
 * @property {number} errors
 * @property {string | null} lastError
 * @property {{ id: string, key: string, atMs: number }[]} admitted
 * @property {boolean} isOver whether it was the last
 */

const newTally = () => ({
  edge: 0,
  object: 0,
  limited: 0,
  errors: 0,
  lastError: null,
  admitted: [],
  isOver: false,
});

self.addEventListener("message", ({ data }) => run(data), { once: true });

/** @param {Orders} orders */
async function run({ queue, token, first, end, tries, concurrency }) {
  const client = openClient({ token: () => token, tries: 1 });
  // As that many browsers would: each attempt a request of its own, and a refusal costs least
  // where it cannot be the repeat of what was accepted.
  const shop = client.queue(queue, {
    idempotent: false,
    batchMessagesMax: 1,
    batchesInFlightMax: concurrency,
  });
  let tally = newTally();
  let toldAt = performance.now();
  let next = first;
  const tell = () => {
    self.postMessage(tally);
    tally = newTally();
    toldAt = performance.now();
  };
  const buyer = async () => {
    while (next < end) {
      const key = `buyer-${Math.floor(next++ / tries) + 1}`;
      const count = await attempt(shop, key);
      count(tally);
      if (performance.now() - toldAt >= TALLY_EVERY_MS) tell();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, buyer));
  tally.isOver = true;
  tell();
}

/** One buyer's request; resolves to what it adds to the tally of the moment. */
async function attempt(shop, key) {
  try {
    const { id } = await shop.publish(`${key} buys one`, { contentType: "text/plain", key });
    return (tally) => tally.admitted.push({ id, key, atMs: Date.now() });
  } catch (error) {
    return (tally) => countRefusal(tally, error);
  }
}

function countRefusal(tally, error) {
  const decidedBy = error instanceof TidegateError ? error.decidedBy : null;
  if (decidedBy === "edge" || decidedBy === "object") {
    tally[decidedBy] += 1;
    if (error.type === "key-limit") tally.limited += 1;
    return;
  }
  tally.errors += 1;
  tally.lastError = error.status ? `${error.status} ${error.message}` : error.message;
}
