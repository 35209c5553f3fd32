// A queue: what can be done with one, each a method.

import { Acks } from './acks.js';
import { BATCH_TYPE, readDeliveries } from './batch.js';
import { Consumer, messages } from './consumer.js';
import { LeasedMessage, Message } from './message.js';
import { fromWire, toWire } from './names.js';
import { Publisher } from './publisher.js';
import { TrackedMessage } from './tracked-message.js';

/** A server that knows no binary form answers in JSON. */
const ACCEPT = { accept: `${BATCH_TYPE}, application/json` };

export class Queue {
  #http;
  #path;
  #publisher;
  #acks;

  /**
   * @param {import('./http.js').Http} http
   * @param {string} name
   * @param {import('../index.js').QueueOptions} options
   */
  constructor(http, name, { ackLingerMs, ackBatchSizeMax, ...publisher } = {}) {
    this.name = name;
    this.#http = http;
    this.#path = `/v1/queues/${encodeURIComponent(name)}`;
    this.#publisher = new Publisher(http, this.#messages, publisher);
    const acks = { lingerMs: ackLingerMs, batchSizeMax: ackBatchSizeMax };
    this.#acks = new Acks(http, this.#messages, acks);
  }

  /** The policy of the client, for those who repeat on their own. */
  get retry() {
    return this.#http.retry;
  }

  get #messages() {
    return `${this.#path}/messages`;
  }

  publish(body, options) {
    return this.#publisher.publish(body, options);
  }

  ready(options) {
    return this.#publisher.ready(options);
  }

  async flush() {
    await Promise.all([this.#publisher.flush(), this.#acks.flush()]);
  }

  async close() {
    await Promise.all([this.#publisher.close(), this.#acks.flush()]);
  }

  async pull(options = {}) {
    const { batchSize, waitMs, visibilityTimeoutMs, filter, signal, retry } = options;
    const { json, bytes } = await this.#http.request('POST', `${this.#messages}/pull`, {
      headers: ACCEPT,
      json: {
        batch_size: batchSize,
        wait_ms: waitMs,
        visibility_timeout_ms: visibilityTimeoutMs,
        filter,
      },
      waitMs,
      signal,
      retry,
    });
    if (bytes) return readDeliveries(bytes).map((from) => new LeasedMessage(from, this.#acks));
    return json.messages.map((wire) => LeasedMessage.fromWire(wire, this.#acks));
  }

  async consume(handler, options = {}) {
    await new Consumer(this, handler, options).run();
  }

  messages(options = {}) {
    return messages(this, options);
  }

  message(id) {
    return new TrackedMessage(this.#http, this.#messages, id);
  }

  async browse({ limit, afterSeq, signal } = {}) {
    const query = queryOf({ limit, after_seq: afterSeq });
    const { json } = await this.#http.request('GET', this.#messages + query, { signal });
    return json.messages.map((wire) => Message.fromWire(wire));
  }

  async configure(patch, { signal } = {}) {
    const request = { json: toWire(patch), signal };
    return fromWire((await this.#http.request('PUT', this.#path, request)).json);
  }

  async describe({ signal } = {}) {
    return fromWire((await this.#http.request('GET', this.#path, { signal })).json);
  }

  async delete({ signal } = {}) {
    try {
      await this.#http.request('DELETE', this.#path, { signal });
    } catch (error) {
      // An earlier try did it, and its answer was lost.
      if (!(error.type === 'not-found' && error.uncertain)) throw error;
    }
  }

  /** Not repeated when its answer is lost: it would drop what was published meanwhile. */
  async purge({ signal } = {}) {
    await this.#http.request('POST', `${this.#path}/purge`, { signal, repeatable: false });
  }

  async pause({ signal } = {}) {
    await this.#http.request('POST', `${this.#path}/pause`, { signal });
  }

  async resume({ signal } = {}) {
    await this.#http.request('POST', `${this.#path}/resume`, { signal });
  }

  async redrive({ signal } = {}) {
    return fromWire((await this.#http.request('POST', `${this.#path}/redrive`, { signal })).json);
  }
}

/**
 * @param {Record<string, string | number | undefined>} query
 * @returns {string} with its question mark; empty when there is nothing to ask
 */
export function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}
