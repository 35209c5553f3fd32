// The calls that an object makes to others: a few at a time, each answered or failed.

import { fetchObject, fetchShared } from './call.js';
import { FOR_DIRECTORY, FOR_QUEUE, FOR_RELAY, FOR_TOPIC } from './frames.js';
import { log } from './log.js';
import { relay } from './place.js';
import { OVERLOADED_VERDICT, VERDICT_HEADER } from './problem.js';

/** Calls to other objects at a time: with a client's own they stay below the platform's six. */
const CALLS_MAX = 4;
/** A call of a relay that takes longer has failed. */
const CALL_MS_MAX = 10_000;
/** Any other: some wait ten seconds by themselves, and the core gives up what is lost after thirty. */
const LOST_MS_MAX = 20_000;
/** Kinds of objects, by whom a call is for. */
const NAMESPACES = { [FOR_QUEUE]: 'QUEUE', [FOR_DIRECTORY]: 'DIRECTORY', [FOR_TOPIC]: 'TOPIC' };
/** What became of a call. */
const FAILED = 0;
const ANSWERED = 1;
const OVERLOADED = 2;

/**
 * What became of a call.
 * @typedef {object} Answer
 * @property {import('./core.js').Core | null} core the instance that made the call
 * @property {number} number
 * @property {number} outcome
 * @property {Uint8Array} body
 */

/** The calls of one object. */
export class Calls {
  /**
   * @param {object} env
   * @param {string} name of the object
   * @param {(answer: Answer) => void} answered
   */
  constructor(env, name, answered) {
    this.env = env;
    this.name = name;
    this.answered = answered;
    /** Calls that have not started. */
    this.waiting = [];
    this.open = 0;
  }

  /** Calls that a turn of this instance made; they start in order. */
  start(calls, core) {
    for (const call of calls) this.waiting.push({ call, core });
    this.pump();
  }

  /** Makes none of those that have not started. */
  drop() {
    this.waiting.length = 0;
  }

  pump() {
    while (this.open < CALLS_MAX && this.waiting.length > 0) {
      this.open += 1;
      this.make(this.waiting.shift());
    }
  }

  async make({ call, core }) {
    let outcome = FAILED;
    let body = new Uint8Array(0);
    // A timer of its own, and not a signal's: one that is left over keeps the object awake.
    const ending = new AbortController();
    const late = () => ending.abort(new Error('it was not answered in time'));
    const timer = setTimeout(late, call.shared > 0 ? CALL_MS_MAX : LOST_MS_MAX);
    try {
      const response = await this.send(call, ending.signal);
      const isOverloaded = response.headers.get(VERDICT_HEADER) === OVERLOADED_VERDICT;
      body = new Uint8Array(await response.arrayBuffer());
      if (response.ok) outcome = ANSWERED;
      else if (isOverloaded) outcome = OVERLOADED;
    } catch (error) {
      log('warn', 'call_failed', { object: this.name, to: call.object, error });
    }
    clearTimeout(timer);
    this.open -= 1;
    this.answered({ core, number: call.number, outcome, body });
    this.pump();
  }

  send({ to, shared, object, command }, signal) {
    if (shared > 0) {
      const toRelay = to === FOR_RELAY;
      const target = toRelay ? relay(this.env, object) : { namespace: this.env.QUEUE, object };
      return fetchShared(target, command, shared, signal);
    }
    return fetchObject(this.env[NAMESPACES[to]], { object, command }, signal);
  }
}
