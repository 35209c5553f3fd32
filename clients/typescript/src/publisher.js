// Publishing: every message gets a key that makes its repetition harmless, goes out with others
// that came with it, and comes back with a verdict of its own.

import { Collector } from './collector.js';
import { ClientClosedError, TidegateError } from './errors.js';
import { fromWire } from './names.js';
import { badRequest, errorOf } from './problem.js';
import { publication, singleRequest } from './publication.js';
import { delayMs, isFailure, isWorthRepeating } from './retry.js';
import { Room } from './room.js';
import { toBase64 } from './text.js';
import { onAbort, sleep } from './time.js';

/** @type {Required<import('../index.js').PublisherOptions>} */
const DEFAULTS = {
  lingerMs: 0,
  batchMessagesMax: 1000,
  batchBytesMax: 1_048_576,
  batchesInFlightMax: 4,
  ordered: false,
  bufferMessagesMax: 10_000,
  bufferBytesMax: 16_777_216,
  idempotent: true,
};
/** What the server takes; see its docs/LIMITS.md. */
const SERVER_MESSAGES_MAX = 1000;
/** What the server says of a request as a whole, when a part of it is wrong or too much. */
const SPOILT = new Set(['bad-request', 'request-too-large']);
/** The server's 4 MiB, less the frame around the messages. */
const SERVER_BYTES_MAX = 4_194_304 - 64;

/**
 * @typedef {object} Entry
 * @property {import('./publication.js').Publication} publication
 * @property {number} bytes
 * @property {number} attempts
 * @property {boolean} gone whether its verdict is there, or nobody waits for it any more
 * @property {(accepted: object) => void} accept
 * @property {(error: unknown) => void} refuse
 */

export class Publisher {
  #http;
  #path;
  #options;
  #collector;
  #room;
  #undecided = new Set();
  #keys = keys();
  #isClosed = false;

  /**
   * @param {import('./http.js').Http} http
   * @param {string} path of the queue's messages
   * @param {import('../index.js').PublisherOptions} options
   */
  constructor(http, path, options) {
    this.#http = http;
    this.#path = path;
    this.#options = checked({ ...DEFAULTS, ...options });
    const { lingerMs, batchMessagesMax, batchBytesMax, ordered } = this.#options;
    const limits = {
      lingerMs,
      itemsMax: Math.min(batchMessagesMax, SERVER_MESSAGES_MAX),
      bytesMax: Math.min(batchBytesMax, SERVER_BYTES_MAX),
      inFlightMax: ordered ? 1 : this.#options.batchesInFlightMax,
    };
    this.#collector = new Collector(limits, (batch) => this.#send(batch));
    this.#room = new Room({
      messagesMax: this.#options.bufferMessagesMax,
      bytesMax: this.#options.bufferBytesMax,
    });
  }

  /**
   * @param {unknown} body
   * @param {import('../index.js').PublishOptions} [options]
   * @returns {Promise<import('../index.js').Accepted>}
   */
  publish(body, options = {}) {
    const verdict = this.#publish(body, options).finally(() => this.#undecided.delete(verdict));
    this.#undecided.add(verdict);
    return verdict;
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  ready({ signal } = {}) {
    return this.#room.hasRoom(signal);
  }

  /** Waits until all that was published up to now is decided. */
  async flush() {
    this.#collector.sendNow();
    await Promise.allSettled([...this.#undecided]);
  }

  close() {
    this.#isClosed = true;
    return this.flush();
  }

  async #publish(body, options) {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#isClosed) throw new ClientClosedError();
    const made = publication(body, options, this.#keyOf(options));
    if (this.#room.tryEnter(made.bytes)) return this.#decide(made, signal);
    let verdict;
    await this.#room.enter(made.bytes, signal, () => (verdict = this.#decide(made, signal)));
    return verdict;
  }

  #keyOf({ idempotencyKey }) {
    if (idempotencyKey === undefined) return this.#options.idempotent ? this.#keys() : undefined;
    if (idempotencyKey === null) return undefined;
    if (typeof idempotencyKey === 'string' && idempotencyKey !== '') return idempotencyKey;
    throw badRequest('idempotencyKey', 'a string belongs here, or null for none');
  }

  /** Hands a message to the collector; its place in the room is free once it is decided. */
  #decide(made, signal) {
    return new Promise((resolve, reject) => {
      const end = (settle) => (value) => {
        if (entry.gone) return;
        entry.gone = true;
        forget();
        this.#room.leave(made.bytes);
        settle(value);
      };
      const entry = {
        publication: made,
        bytes: made.bytes,
        attempts: 0,
        gone: false,
        accept: end(resolve),
        refuse: end(reject),
      };
      const forget = onAbort(signal, () => entry.refuse(signal.reason));
      this.#collector.add(entry);
    });
  }

  /** @param {Entry[]} batch */
  async #send(batch) {
    for (const entry of batch) entry.attempts += 1;
    const verdicts = await this.#verdicts(batch).catch((error) => {
      // The way to the server was tried often enough; a refusal may still be worth another try.
      if (!(error instanceof TidegateError) || isFailure(error)) {
        batch.forEach((entry) => entry.refuse(error));
      }
      return batch.map(() => error);
    });
    const again = batch.filter((entry, at) => !entry.gone && !this.#settle(entry, verdicts[at]));
    if (again.length > 0) this.#repeat(again, verdicts);
  }

  /** One that cannot be read spoils the batch for all; it shall not. Halves keep the order. */
  async #verdicts(batch) {
    try {
      return await this.#exchange(batch);
    } catch (error) {
      if (batch.length === 1 || !SPOILT.has(error.type)) throw error;
      const half = Math.ceil(batch.length / 2);
      const verdicts = [];
      for (const part of [batch.slice(0, half), batch.slice(half)]) {
        const told = await this.#verdicts(part).catch((failed) => part.map(() => failed));
        verdicts.push(...told);
      }
      return verdicts;
    }
  }

  /** @returns {Promise<(object | TidegateError)[]>} */
  async #exchange(batch) {
    const repeatable = batch.every(({ publication }) => publication.fields.idempotency_key);
    const single = batch.length === 1 ? singleRequest(batch[0].publication) : undefined;
    if (single) {
      const { json } = await this.#http.request('POST', this.#path, { ...single, repeatable });
      return [fromWire(json)];
    }
    const { json } = await this.#http.request('POST', `${this.#path}/batch`, {
      headers: { 'content-type': 'application/json' },
      body: `{"messages":[${batch.map((entry) => entry.publication.wire).join(',')}]}`,
      repeatable,
    });
    return verdictsOf(json, batch.length);
  }

  /** @returns {boolean} whether that is the end of it */
  #settle(entry, verdict) {
    if (!(verdict instanceof Error)) {
      entry.accept(verdict);
      return true;
    }
    const { retry } = this.#http;
    if (isWorthRepeating(verdict, retry) && entry.attempts < retry.attempts) return false;
    entry.refuse(verdict);
    return true;
  }

  /** Where the order counts, nothing overtakes what is tried again. */
  async #repeat(entries, verdicts) {
    if (this.#options.ordered) this.#collector.hold();
    const asked = verdicts.map((verdict) => verdict.retryAfterMs ?? 0);
    const attempts = Math.max(...entries.map((entry) => entry.attempts));
    await sleep(delayMs(this.#http.retry, attempts, Math.max(...asked)));
    this.#collector.addFirst(entries);
    if (this.#options.ordered) this.#collector.release();
  }
}

function verdictsOf(json, count) {
  if (json?.messages?.length !== count) {
    const detail = `a batch of ${count} messages was answered with another number of verdicts`;
    throw new TidegateError({ type: 'unexpected-answer', detail });
  }
  return json.messages.map((verdict) =>
    verdict.error ? errorOf(verdict.error) : fromWire(verdict),
  );
}

/** Keys that nobody else makes: random once, then counted. */
function keys() {
  let prefix;
  let count = 0;
  return () => {
    // Not before the first is asked for: outside of requests, Workers have no randomness.
    prefix ??= toBase64(crypto.getRandomValues(new Uint8Array(15)));
    return `${prefix}-${(count++).toString(36)}`;
  };
}

function checked(options) {
  for (const [name, value] of Object.entries(options)) {
    const known = DEFAULTS[name];
    if (known === undefined) throw badRequest(name, 'a queue has no such option');
    if (typeof value !== typeof known) throw badRequest(name, `a ${typeof known} belongs here`);
    if (typeof value === 'number' && name !== 'lingerMs' && !(value >= 1)) {
      throw badRequest(name, 'this is at least 1');
    }
  }
  return options;
}
