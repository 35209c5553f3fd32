// The client: one server, and the way to its queues.

import { Http } from './http.js';
import { fromWire } from './names.js';
import { Queue, queryOf } from './queue.js';

export class Tidegate {
  #http;

  /** @param {import('../index.js').TidegateOptions} options */
  constructor(options) {
    this.#http = new Http(options);
  }

  /**
   * @param {string} name
   * @param {import('../index.js').QueueOptions} [options]
   */
  queue(name, options) {
    return new Queue(this.#http, name, options);
  }

  /** @param {{ pageSize?: number, signal?: AbortSignal }} [options] */
  async *queues({ pageSize, signal } = {}) {
    for (let cursor; ; ) {
      const path = `/v1/queues${queryOf({ limit: pageSize, cursor })}`;
      const { json } = await this.#http.request('GET', path, { signal });
      yield* json.queues.map(fromWire);
      cursor = json.cursor;
      if (cursor === undefined || cursor === null) return;
    }
  }
}
