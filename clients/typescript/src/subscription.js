// A durable subscription: what a topic hands on to whoever consumes it, and remembers how far.

import { LEASE_MS_DEFAULT } from './consumer.js';
import { fromWire, toWire } from './names.js';
import { Source } from './source.js';

export class Subscription extends Source {
  #http;
  #path;

  /**
   * @param {import('./http.js').Http} http
   * @param {string} topic its path
   * @param {string} name
   * @param {import('../index.js').AckOptions} [options]
   */
  constructor(http, topic, name, options = {}) {
    const path = `${topic}/subscriptions/${encodeURIComponent(name)}`;
    super(http, path, options);
    this.name = name;
    this.#http = http;
    this.#path = path;
  }

  /** A subscription does not tell how long it leases: what is timed is asked for. */
  async leaseMs() {
    return LEASE_MS_DEFAULT;
  }

  async configure(patch = {}, { signal } = {}) {
    const request = { json: toWire(patch), signal };
    return fromWire((await this.#http.request('PUT', this.#path, request)).json);
  }

  async describe({ signal } = {}) {
    return fromWire((await this.#http.request('GET', this.#path, { signal })).json);
  }

  async pause(options) {
    await this.configure({ paused: true }, options);
  }

  async resume(options) {
    await this.configure({ paused: false }, options);
  }

  async seek({ seq, atMs }, { signal } = {}) {
    const json = toWire({ seq, atMs });
    await this.#http.request('POST', `${this.#path}/seek`, { json, signal });
  }

  async delete({ signal } = {}) {
    await this.#http.delete(this.#path, signal);
  }
}
