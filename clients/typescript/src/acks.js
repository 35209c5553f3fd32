// Settling leases: acks, retries and extensions that come together go out as one call, and each
// gets an answer of its own.

import { Bag } from './bag.js';
import { EXTEND, FINISH, RETRY, acknowledgementOf, entryBytes, readAckErrors } from './batch.js';
import { Collector } from './collector.js';
import { LeaseExpiredError, TidegateError } from './errors.js';
import { badRequest, errorOf } from './problem.js';
import { mayBeDone } from './retry.js';
import { wholeNumber } from './publication.js';
import { decode, encode } from './text.js';

/** What the server takes; see its docs/LIMITS.md. */
const RESULT_BYTES_MAX = 16_384;
const DELAY_MS_MAX = 604_800_000;
const LEASE_MS_MIN = 100;
const LEASE_MS_MAX = 43_200_000;

const DEFAULTS = { lingerMs: 0, itemsMax: 1000, bytesMax: 1_048_576, inFlightMax: 4 };
/** In JSON, the list that an operation's entries go to, and the name of its time. */
const LISTS = {
  [FINISH]: ['acks'],
  [RETRY]: ['retries', 'delay_ms'],
  [EXTEND]: ['extends', 'visibility_timeout_ms'],
};

/** One thing that is asked of a lease. */
class Entry {
  /** In the bag of those that are not decided. */
  place = 0;
  result;
  timeMs;
  release = false;
  /** Whether nobody works on the message any more. */
  isLast = false;
  bytes = 0;
  resolve;
  reject;

  /**
   * @param {import('./batch.js').Lease} lease
   * @param {number} operation
   */
  constructor(lease, operation) {
    this.lease = lease;
    this.operation = operation;
    /** @type {Promise<void>} */
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

export class Acks {
  #http;
  #path;
  #collector;
  /** @type {Bag<Entry>} */
  #undecided = new Bag();
  /**
   * Who may have a call of their own that a batch can go with.
   * @type {Set<import('./consumer.js').Consumer>}
   */
  carriers = new Set();

  /**
   * @param {import('./http.js').Http} http
   * @param {string} path of the queue's messages
   * @param {{ lingerMs?: number, batchSizeMax?: number }} [options]
   */
  constructor(http, path, { lingerMs = DEFAULTS.lingerMs, batchSizeMax = DEFAULTS.itemsMax } = {}) {
    this.#http = http;
    this.#path = `${path}/ack`;
    const itemsMax = Math.min(wholeNumber('ackBatchSizeMax', batchSizeMax) || 1, DEFAULTS.itemsMax);
    const limits = { ...DEFAULTS, lingerMs: wholeNumber('ackLingerMs', lingerMs), itemsMax };
    this.#collector = new Collector(limits, (batch) => this.#send(batch));
  }

  /**
   * @param {import('./batch.js').Lease} lease that is not settled
   * @param {number} operation
   * @param {object} what
   * @param {unknown} [what.result]
   * @param {boolean} [what.release]
   * @param {number} [what.delayMs]
   * @param {number} [what.ms]
   * @param {boolean} [what.isLast]
   * @returns {Promise<void>}
   */
  ask(lease, operation, { result, release, delayMs, ms, isLast }) {
    const entry = new Entry(lease, operation);
    try {
      if (result !== undefined) entry.result = resultOf(result);
      if (delayMs !== undefined) entry.timeMs = inRange('delayMs', delayMs, 0, DELAY_MS_MAX);
      if (ms !== undefined) entry.timeMs = inRange('ms', ms, LEASE_MS_MIN, LEASE_MS_MAX);
    } catch (error) {
      return Promise.reject(error);
    }
    entry.release = release === true;
    entry.isLast = isLast === true;
    entry.bytes = entryBytes(entry);
    if (operation !== EXTEND) lease.isSettled = true;
    this.#undecided.add(entry);
    // What one lease is asked goes one after the other, so that each has its own answer.
    const add = () => this.#collector.add(entry);
    if (lease.asked) lease.asked.then(add, add);
    else this.#collector.add(entry);
    lease.asked = entry.promise;
    return entry.promise;
  }

  /** Waits until all that was asked up to now is answered. */
  async flush() {
    this.#collector.sendNow();
    await Promise.allSettled(this.#undecided.all().map((entry) => entry.promise));
  }

  #end(entry, error) {
    const { lease } = entry;
    this.#undecided.delete(entry);
    if (lease.asked === entry.promise) lease.asked = undefined;
    if (error === undefined) {
      entry.resolve();
      return;
    }
    // Whoever can try again, may.
    if (entry.operation !== EXTEND) lease.isSettled = error.type === 'lease-expired';
    entry.reject(error);
  }

  async #sendApart(batch) {
    const half = Math.ceil(batch.length / 2);
    await this.#sendAlone(batch.slice(0, half), false);
    await this.#sendAlone(batch.slice(half), false);
  }

  async #send(batch) {
    batch.sort((a, b) => a.operation - b.operation);
    let uncertain = false;
    for (const carrier of this.carriers) {
      const answer = carrier.carry(batch);
      if (!answer) continue;
      try {
        const errors = await answer;
        if (errors) return this.#answered(batch, errors, uncertain);
      } catch (error) {
        uncertain = mayBeDone(error);
      }
      break;
    }
    await this.#sendAlone(batch, uncertain);
  }

  #answered(batch, errors, uncertain) {
    for (let n = 0; n < batch.length; n += 1) {
      const error = errors.get(n);
      this.#end(batch[n], error && Object.assign(error, { uncertain }));
    }
  }

  async #sendAlone(batch, wasTried) {
    try {
      const { json, bytes, uncertain } = await this.#http.batch(this.#path, {
        binary: () => acknowledgementOf(batch),
        text: () => JSON.stringify(listsOf(batch)),
      });
      const errors = bytes ? readAckErrors(bytes) : errorsOf(json, batch);
      this.#answered(batch, errors, uncertain || wasTried);
    } catch (error) {
      // One that cannot be read spoils the call for all; it shall not.
      if (error.type === 'bad-request' && batch.length > 1) await this.#sendApart(batch);
      else for (const entry of batch) this.#end(entry, error);
    }
  }
}

/**
 * @param {Entry[]} batch
 * @returns {Record<string, object[]>} as they stand in JSON
 */
export function listsOf(batch) {
  const document = {};
  for (const { operation, lease, result, release, timeMs } of batch) {
    const [list, time] = LISTS[operation];
    const entry = { lease_id: lease.id };
    if (result !== undefined) entry.result = JSON.parse(decode(result));
    if (release) entry.release = true;
    if (timeMs !== undefined) entry[time] = timeMs;
    (document[list] ??= []).push(entry);
  }
  return document;
}

/**
 * @param {any} json an answer
 * @param {Entry[]} batch
 * @returns {Map<number, TidegateError>} by the place of the entry that was refused
 */
export function errorsOf(json, batch) {
  if (!Array.isArray(json?.errors)) {
    const detail = 'an acknowledgement was answered without its errors';
    throw new TidegateError({ type: 'unexpected-answer', detail });
  }
  const byLease = new Map(json.errors.map(({ lease_id: id, error }) => [id, error]));
  const errors = new Map();
  if (byLease.size === 0) return errors;
  batch.forEach(({ lease }, n) => {
    if (byLease.has(lease.id)) errors.set(n, errorOf(byLease.get(lease.id)));
  });
  return errors;
}

function resultOf(result) {
  const json = JSON.stringify(result);
  if (json === undefined) {
    throw badRequest('result', `${typeof result} cannot be written as JSON`);
  }
  const bytes = encode(json);
  if (bytes.length > RESULT_BYTES_MAX) {
    throw badRequest('result', `a result has at most ${RESULT_BYTES_MAX} bytes as JSON`);
  }
  return bytes;
}

function inRange(name, value, least, most) {
  wholeNumber(name, value);
  if (value < least || value > most) throw badRequest(name, `this is from ${least} to ${most} ms`);
  return value;
}

/** @returns {LeaseExpiredError} of a lease that was used up by this very process */
export function settledAlready() {
  const detail = 'the message was settled already: acknowledged, released or given back';
  return new LeaseExpiredError({ type: 'lease-expired', detail });
}
