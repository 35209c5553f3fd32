// Where others are in use beside the queue or topic that a flood is for, its requests pass a few at
// a time, in the order in which they came. On one workerd all of them share a thread, and whoever
// asks for something else stands behind every one that has been let in. Clients that wait send
// nothing meanwhile. See docs/decisions/0024.
//
// A request waits for the one that is so many before it, whose promise is its own.

import { stepsBack } from './clock.js';
import { within } from './within.js';

/** Requests about one queue or topic that are let in at a time. */
const INSIDE_MAX = 4;
/** Who is not answered by then waits for something itself, a message for example. */
const INSIDE_MS_MAX = 10;
/** Who was not let in by then goes in. */
const WAIT_MS_MAX = 1_000;
/** Queues and topics that have a turnstile. The oldest one is given up for another. */
const TURNSTILES_MAX = 64;

/** @type {Map<string, Turnstile>} by what the requests are about */
const turnstiles = new Map();
/** How often the clock had been set back when that was looked at last. */
let steps = 0;

class Turnstile {
  constructor() {
    /** Who went into each lane last: settled when they are out, `null` when that is known. */
    this.lanes = new Array(INSIDE_MAX).fill(null);
    this.next = 0;
  }

  async pass(run) {
    const lane = this.next;
    this.next = (lane + 1) % INSIDE_MAX;
    const before = this.lanes[lane];
    let leave;
    const left = new Promise((resolve) => (leave = resolve));
    this.lanes[lane] = left;
    if (before !== null) await within(before, WAIT_MS_MAX);
    const answer = run();
    // An answer that is there at once takes a turn of the event loop all the same.
    await within(answer instanceof Promise ? answer : scheduler.wait(0), INSIDE_MS_MAX);
    leave();
    if (this.lanes[lane] === left) this.lanes[lane] = null;
    return answer;
  }
}

/**
 * Has a request answered once it is let in.
 * @template T
 * @param {string} subject what it is about
 * @param {() => T} run
 * @returns {Promise<Awaited<T>>}
 */
export function pass(subject, run) {
  // Timers of the requests before stand still, and so does whoever waits for them.
  if (steps !== stepsBack()) turnstiles.clear();
  steps = stepsBack();
  let turnstile = turnstiles.get(subject);
  if (turnstile === undefined) {
    if (turnstiles.size >= TURNSTILES_MAX) turnstiles.delete(turnstiles.keys().next().value);
    turnstile = new Turnstile();
    turnstiles.set(subject, turnstile);
  }
  return turnstile.pass(run);
}
