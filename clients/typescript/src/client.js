// The client: one server, and the way to its queues and topics.

import { Http } from './http.js';
import { listing } from './query.js';
import { Queue } from './queue.js';
import { Topic } from './topic.js';

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
  queues(options) {
    return listing(this.#http, '/v1/queues', 'queues', options);
  }

  /**
   * @param {string} name
   * @param {import('../index.js').PublisherOptions} [options]
   */
  topic(name, options) {
    return new Topic(this.#http, name, options);
  }

  /** @param {{ pageSize?: number, signal?: AbortSignal }} [options] */
  topics(options) {
    return listing(this.#http, '/v1/topics', 'topics', options);
  }

  /**
   * Any call of the HTTP interface.
   * @param {string} method
   * @param {string} path
   * @param {import('../index.js').RequestOptions} [options]
   */
  async request(method, path, { headers, body, json, signal, waitMs, repeatable } = {}) {
    const repeat = repeatable ?? method !== 'POST';
    const request = { headers, body, json, signal, waitMs, repeatable: repeat };
    const { status, json: answer } = await this.#http.request(method, path, request);
    return { status, json: answer };
  }
}
