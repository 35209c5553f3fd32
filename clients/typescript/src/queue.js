// A queue: what can be done with one, each a method.

import { Message } from './message.js';
import { fromWire, toWire } from './names.js';
import { Publisher } from './publisher.js';
import { queryOf } from './query.js';
import { Source } from './source.js';
import { TrackedMessage } from './tracked-message.js';

export class Queue extends Source {
  #http;
  #path;
  #publisher;

  /**
   * @param {import('./http.js').Http} http
   * @param {string} name
   * @param {import('../index.js').QueueOptions} options
   */
  constructor(http, name, { ackLingerMs, ackBatchSizeMax, ...publisher } = {}) {
    const path = `/v1/queues/${encodeURIComponent(name)}`;
    super(http, `${path}/messages`, { ackLingerMs, ackBatchSizeMax });
    this.name = name;
    this.#http = http;
    this.#path = path;
    this.#publisher = new Publisher(http, this.#messages, publisher);
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
    await Promise.all([this.#publisher.flush(), super.flush()]);
  }

  async close() {
    await Promise.all([this.#publisher.close(), super.flush()]);
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

  /** How long it leases what nobody asked otherwise for; what is timed has to be what is leased. */
  async leaseMs(signal) {
    return (await this.describe({ signal })).delivery.visibilityTimeoutMs;
  }

  async describe({ signal } = {}) {
    return fromWire((await this.#http.request('GET', this.#path, { signal })).json);
  }

  async delete({ signal } = {}) {
    await this.#http.delete(this.#path, signal);
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

  async redrive({ signal, ...selection } = {}) {
    const request = { json: toWire(selection), signal };
    return fromWire((await this.#http.request('POST', `${this.#path}/redrive`, request)).json);
  }
}
