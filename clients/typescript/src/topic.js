// A topic: publishing to its log, reading it, following it live, and its durable subscriptions.

import { Message } from './message.js';
import { fromWire, toWire } from './names.js';
import { wholeNumber } from './publication.js';
import { Publisher } from './publisher.js';
import { filterText, listing, queryOf } from './query.js';
import { follow } from './reader.js';
import { Subscription } from './subscription.js';

/** Messages of one read of the log: the server gives out 1000 at most. */
const READ_MESSAGES = 500;

export class Topic {
  #http;
  #path;
  #publisher;

  /**
   * @param {import('./http.js').Http} http
   * @param {string} name
   * @param {import('../index.js').PublisherOptions} [options]
   */
  constructor(http, name, options = {}) {
    this.name = name;
    this.#http = http;
    this.#path = `/v1/topics/${encodeURIComponent(name)}`;
    this.#publisher = new Publisher(http, `${this.#path}/messages`, options);
  }

  publish(body, options) {
    const { expectSeq, ...rest } = options ?? {};
    if (expectSeq === undefined) return this.#publisher.publish(body, options);
    const headers = { 'tidegate-expect-seq': String(wholeNumber('expectSeq', expectSeq)) };
    return this.#publisher.publishAlone(body, rest, headers);
  }

  ready(options) {
    return this.#publisher.ready(options);
  }

  flush() {
    return this.#publisher.flush();
  }

  close() {
    return this.#publisher.close();
  }

  async read({ fromSeq, fromAtMs, limit, waitMs, filter, signal } = {}) {
    const query = queryOf({
      from_seq: fromSeq,
      from_at_ms: fromAtMs,
      limit,
      wait_ms: waitMs,
      filter: filterText(filter),
    });
    const path = `${this.#path}/messages${query}`;
    const { json } = await this.#http.request('GET', path, { waitMs, signal });
    const { messages, ...figures } = json;
    return { ...fromWire(figures), messages: messages.map((wire) => Message.fromWire(wire)) };
  }

  /** @param {import('../index.js').LogOptions} [options] */
  async *log({ fromSeq = 'earliest', fromAtMs, batchSize = READ_MESSAGES, filter, signal } = {}) {
    const at = { fromSeq: fromAtMs === undefined ? fromSeq : undefined, fromAtMs };
    let end;
    for (let place = at; ; ) {
      const page = await this.read({ ...place, limit: batchSize, filter, signal });
      end ??= page.lastSeq;
      for (const message of page.messages) {
        if (message.seq > end) return;
        yield message;
      }
      if (page.nextSeq > end) return;
      place = { fromSeq: page.nextSeq };
    }
  }

  subscribe(options) {
    return follow(this.#http, this.#path, options);
  }

  subscription(name, options) {
    return new Subscription(this.#http, this.#path, name, options);
  }

  subscriptions(options) {
    return listing(this.#http, `${this.#path}/subscriptions`, 'subscriptions', options);
  }

  async configure(patch = {}, { signal } = {}) {
    const request = { json: toWire(patch), signal };
    return fromWire((await this.#http.request('PUT', this.#path, request)).json);
  }

  async describe({ signal } = {}) {
    return fromWire((await this.#http.request('GET', this.#path, { signal })).json);
  }

  async delete({ signal } = {}) {
    await this.#http.delete(this.#path, signal);
  }
}
