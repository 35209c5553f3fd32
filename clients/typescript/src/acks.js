// Settling leases: acks, retries and extensions that come together go out as one call, and each
// gets an answer of its own.

import { Collector } from './collector.js';
import { LeaseExpiredError, TidegateError } from './errors.js';
import { badRequest, errorOf } from './problem.js';
import { wholeNumber } from './publication.js';
import { byteLength } from './text.js';

/** What the server takes; see its docs/LIMITS.md. */
const RESULT_BYTES_MAX = 16_384;
const DELAY_MS_MAX = 604_800_000;
const LEASE_MS_MIN = 100;
const LEASE_MS_MAX = 43_200_000;

const DEFAULTS = { lingerMs: 0, itemsMax: 1000, bytesMax: 1_048_576, inFlightMax: 4 };
/** Which list of the call a kind of entry goes to. */
const LISTS = { ack: 'acks', retry: 'retries', extend: 'extends' };

export class Acks {
  #http;
  #path;
  #collector;
  #undecided = new Set();
  /** The entry of each lease that is not answered yet: there is one at a time. */
  #byLease = new Map();

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
   * @param {string} leaseId
   * @param {unknown} result any JSON; undefined: none
   * @param {boolean} release
   */
  ack(leaseId, result, release) {
    const json = result === undefined ? undefined : JSON.stringify(result);
    if (result !== undefined && json === undefined) {
      throw badRequest('result', `${typeof result} cannot be written as JSON`);
    }
    if (json !== undefined && byteLength(json) > RESULT_BYTES_MAX) {
      throw badRequest('result', `a result has at most ${RESULT_BYTES_MAX} bytes as JSON`);
    }
    const members = json === undefined ? '' : `,"result":${json}`;
    return this.#add('ack', leaseId, release ? `${members},"release":true` : members);
  }

  /**
   * @param {string} leaseId
   * @param {number} [delayMs] the queue's backoff unless given
   */
  retry(leaseId, delayMs) {
    if (delayMs !== undefined) expectRange('delayMs', delayMs, 0, DELAY_MS_MAX);
    return this.#add('retry', leaseId, delayMs === undefined ? '' : `,"delay_ms":${delayMs}`);
  }

  /**
   * @param {string} leaseId
   * @param {number} [leaseMs] from now; the queue's `visibility_timeout_ms` unless given
   */
  extend(leaseId, leaseMs) {
    if (leaseMs !== undefined) expectRange('ms', leaseMs, LEASE_MS_MIN, LEASE_MS_MAX);
    const members = leaseMs === undefined ? '' : `,"visibility_timeout_ms":${leaseMs}`;
    return this.#add('extend', leaseId, members);
  }

  /** Waits until all that was asked up to now is answered. */
  async flush() {
    this.#collector.sendNow();
    await Promise.allSettled([...this.#undecided]);
  }

  /** What one lease is asked goes one after the other, so that each has its own answer. */
  #add(kind, leaseId, members) {
    const earlier = this.#byLease.get(leaseId);
    const added = earlier
      ? earlier.then(() => this.#enter(kind, leaseId, members))
      : this.#enter(kind, leaseId, members);
    const answer = added.finally(() => {
      this.#undecided.delete(answer);
      if (this.#byLease.get(leaseId) === settled) this.#byLease.delete(leaseId);
    });
    const settled = added.then(nothing, nothing);
    this.#undecided.add(answer);
    this.#byLease.set(leaseId, settled);
    return answer;
  }

  #enter(kind, leaseId, members) {
    return new Promise((resolve, reject) => {
      const wire = `{"lease_id":${JSON.stringify(leaseId)}${members}}`;
      this.#collector.add({ kind, leaseId, wire, bytes: byteLength(wire), resolve, reject });
    });
  }

  async #sendApart(batch) {
    const half = Math.ceil(batch.length / 2);
    await this.#send(batch.slice(0, half));
    await this.#send(batch.slice(half));
  }

  async #send(batch) {
    try {
      const { json, uncertain } = await this.#http.request('POST', this.#path, {
        headers: { 'content-type': 'application/json' },
        body: bodyOf(batch),
      });
      const errors = errorsOf(json);
      for (const entry of batch) {
        const error = errors.get(entry.leaseId);
        if (error) entry.reject(Object.assign(errorOf(error), { uncertain }));
        else entry.resolve();
      }
    } catch (error) {
      // One that cannot be read spoils the call for all; it shall not.
      if (error.type === 'bad-request' && batch.length > 1) await this.#sendApart(batch);
      else for (const entry of batch) entry.reject(error);
    }
  }
}

function nothing() {}

function bodyOf(batch) {
  const list = (kind) => batch.filter((entry) => entry.kind === kind).map((entry) => entry.wire);
  const lists = Object.entries(LISTS).map(([kind, name]) => [name, list(kind)]);
  const members = lists.filter(([, wires]) => wires.length > 0);
  return `{${members.map(([name, wires]) => `"${name}":[${wires.join(',')}]`).join(',')}}`;
}

function errorsOf(json) {
  if (!Array.isArray(json?.errors)) {
    const detail = 'an acknowledgement was answered without its errors';
    throw new TidegateError({ type: 'unexpected-answer', detail });
  }
  return new Map(json.errors.map(({ lease_id: leaseId, error }) => [leaseId, error]));
}

function expectRange(name, value, least, most) {
  wholeNumber(name, value);
  if (value < least || value > most) throw badRequest(name, `this is from ${least} to ${most} ms`);
}

/** @returns {LeaseExpiredError} of a lease that was used up by this very process */
export function settledAlready() {
  const detail = 'the message was settled already: acknowledged, released or given back';
  return new LeaseExpiredError({ type: 'lease-expired', detail });
}
