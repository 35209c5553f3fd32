// Whatever is pulled from and settled: a queue, and a durable subscription of a topic.

import { Acks, errorsOf, listsOf } from './acks.js';
import { BATCH_TYPE, pullOf, readAckedAndPulled, readDeliveries } from './batch.js';
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
    return this.#leased(json, bytes && readDeliveries(bytes));
  }

  async consume(handler, options = {}) {
    const settleAndPull = (pull, entries) => this.#settleAndPull(pull, entries);
    const consumer = new Consumer(this, settleAndPull, handler, options);
    this.#acks.carriers.add(consumer);
    try {
      await consumer.run();
    } finally {
      this.#acks.carriers.delete(consumer);
    }
  }

  messages(options = {}) {
    return messages(this, options);
  }

  async flush() {
    await this.#acks.flush();
  }

  /** In one call; entries stand in the order of their operations. */
  async #settleAndPull(pull, entries) {
    const { batchSize: batch_size, visibilityTimeoutMs: visibility_timeout_ms, filter } = pull;
    const document = () => ({ batch_size, visibility_timeout_ms, filter, ...listsOf(entries) });
    const { json, bytes } = await this.#http.batch(`${this.#path}/pull`, {
      binary: () => pullOf(pull, entries),
      text: () => JSON.stringify(document()),
      retry: { attempts: 1 },
    });
    if (!bytes) return { messages: this.#leased(json), errors: errorsOf(json, entries) };
    const { deliveries, errors } = readAckedAndPulled(bytes);
    return { messages: this.#leased(json, deliveries), errors };
  }

  #leased(json, deliveries) {
    if (deliveries) return deliveries.map((from) => new LeasedMessage(from, this.#acks));
    return json.messages.map((wire) => LeasedMessage.fromWire(wire, this.#acks));
  }
}
