// Publishing: every message gets a key that makes its repetition harmless, goes out with others
// that came with it, and comes back with a verdict of its own.

import { Bag } from './bag.js';
import { MessageWriter, batchOf, readVerdicts } from './batch.js';
import { Collector } from './collector.js';
import { ClientClosedError, TidegateError } from './errors.js';
import { fromWire } from './names.js';
import { badRequest, errorOf } from './problem.js';
import { jsonBatch, publication, singleRequest } from './publication.js';
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

/** A message that is published and not decided yet. */
class Entry {
  attempts = 0;
  /** In the bag of those that are not decided. */
  place = 0;
  /** Whether its verdict is there, or nobody waits for it any more. */
  gone = false;
  /** @type {Promise<import('../index.js').Accepted>} */
  promise;
  resolve;
  reject;
  forget = nothing;

  /**
   * @param {import('./batch.js').Written} written
   * @param {boolean} repeatable whether it has a key that makes its repetition harmless
   */
  constructor(written, repeatable) {
    this.written = written;
    this.bytes = written.end - written.start;
    this.repeatable = repeatable;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

export class Publisher {
  #http;
  #path;
  #options;
  #collector;
  #room;
  #writer = new MessageWriter();
  /** @type {Bag<Entry>} */
  #undecided = new Bag();
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
  publish(body, options) {
    const signal = options?.signal;
    let entry;
    try {
      signal?.throwIfAborted();
      if (this.#isClosed) throw new ClientClosedError();
      const key = this.#keyOf(options?.idempotencyKey);
      const { content, fields } = publication(body, options, key);
      entry = new Entry(this.#writer.write(content, fields), key !== undefined);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#undecided.add(entry);
    if (this.#room.tryEnter(entry.bytes)) this.#decide(entry, signal);
    else this.#line(entry, signal);
    return entry.promise;
  }

  /**
   * A message that goes by itself, since it has more to say than a batch can.
   * @param {unknown} body
   * @param {import('../index.js').PublishOptions} options
   * @param {Record<string, string>} headers
   * @returns {Promise<import('../index.js').Accepted>}
   */
  async publishAlone(body, options, headers) {
    const { signal } = options;
    const key = this.#keyOf(options.idempotencyKey);
    const { content, fields } = publication(body, options, key);
    const single = singleRequest(this.#writer.write(content, fields));
    if (!single) throw badRequest('attributes', 'a message that goes alone has them as headers');
    const request = { ...single, signal, repeatable: key !== undefined };
    request.headers = { ...single.headers, ...headers };
    return fromWire((await this.#http.request('POST', this.#path, request)).json);
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  ready({ signal } = {}) {
    return this.#room.hasRoom(signal);
  }

  /** Waits until all that was published up to now is decided. */
  async flush() {
    this.#collector.sendNow();
    await Promise.allSettled(this.#undecided.all().map((entry) => entry.promise));
  }

  close() {
    this.#isClosed = true;
    return this.flush();
  }

  /** Hands a message to the collector; its place in the room is free once it is decided. */
  #decide(entry, signal) {
    if (signal) entry.forget = onAbort(signal, () => this.#refuse(entry, signal.reason));
    this.#collector.add(entry);
  }

  /** The room is full: it waits for its place in it. */
  async #line(entry, signal) {
    try {
      await this.#room.enter(entry.bytes, signal, () => this.#decide(entry, signal));
    } catch (error) {
      this.#undecided.delete(entry);
      entry.reject(error);
    }
  }

  #accept(entry, accepted) {
    if (this.#isOver(entry)) entry.resolve(accepted);
  }

  #refuse(entry, error) {
    if (this.#isOver(entry)) entry.reject(error);
  }

  /** Whether this is the end of it; there is only one. */
  #isOver(entry) {
    if (entry.gone) return false;
    entry.gone = true;
    entry.forget();
    this.#undecided.delete(entry);
    this.#room.leave(entry.bytes);
    return true;
  }

  #keyOf(idempotencyKey) {
    if (idempotencyKey === undefined) return this.#options.idempotent ? this.#keys() : undefined;
    if (idempotencyKey === null) return undefined;
    if (typeof idempotencyKey === 'string' && idempotencyKey !== '') return idempotencyKey;
    throw badRequest('idempotencyKey', 'a string belongs here, or null for none');
  }

  /** @param {Entry[]} batch */
  async #send(batch) {
    for (const entry of batch) entry.attempts += 1;
    const verdicts = await this.#verdicts(batch).catch((error) => {
      // The way to the server was tried often enough; a refusal may still be worth another try.
      if (!(error instanceof TidegateError) || isFailure(error)) {
        batch.forEach((entry) => this.#refuse(entry, error));
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
    const repeatable = batch.every((entry) => entry.repeatable);
    const single = batch.length === 1 ? singleRequest(batch[0].written) : undefined;
    if (single) {
      const { json } = await this.#http.request('POST', this.#path, { ...single, repeatable });
      return [fromWire(json)];
    }
    const written = batch.map((entry) => entry.written);
    const { json, bytes } = await this.#http.batch(`${this.#path}/batch`, {
      binary: () => batchOf(written),
      text: () => jsonBatch(written),
      repeatable,
    });
    return bytes ? readVerdicts(bytes, batch.length) : verdictsOf(json, batch.length);
  }

  /** @returns {boolean} whether that is the end of it */
  #settle(entry, verdict) {
    if (!(verdict instanceof Error)) {
      this.#accept(entry, verdict);
      return true;
    }
    const { retry } = this.#http;
    if (isWorthRepeating(verdict, retry) && entry.attempts < retry.attempts) return false;
    this.#refuse(entry, verdict);
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

function nothing() {}

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
