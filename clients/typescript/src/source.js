// Whatever is pulled from and settled: a queue, and a durable subscription of a topic.

import { Acks } from './acks.js';
import { BATCH_TYPE, readDeliveries } from './batch.js';
import { Consumer, messages } from './consumer.js';
import { LeasedMessage } from './message.js';

/** A server that knows no binary form answers in JSON. */
const ACCEPT = { accept: `${BATCH_TYPE}, application/json` };

export class Source {
  #http;
  #path;
  #acks;

  /**
   * @param {import('./http.js').Http} http
   * @param {string} path that `/pull` and `/ack` are below
   * @param {import('../index.js').AckOptions} options
   */
  constructor(http, path, { ackLingerMs, ackBatchSizeMax }) {
    this.#http = http;
    this.#path = path;
    const acks = { lingerMs: ackLingerMs, batchSizeMax: ackBatchSizeMax };
    this.#acks = new Acks(http, path, acks);
  }

  /** The policy of the client, for those who repeat on their own. */
  get retry() {
    return this.#http.retry;
  }

  async pull(options = {}) {
    const { batchSize, waitMs, visibilityTimeoutMs, filter, signal, retry } = options;
    const { json, bytes } = await this.#http.request('POST', `${this.#path}/pull`, {
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

  async flush() {
    await this.#acks.flush();
  }
}
