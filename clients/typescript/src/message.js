// Messages as they come from a queue: read only, or leased and to be settled.

import { settledAlready } from './acks.js';
import { EXTEND, FINISH, Lease, RETRY } from './batch.js';
import { decode, encode, fromBase64 } from './text.js';

/** What a server sent as JSON, read as what it sends in binary form. */
class JsonDelivery {
  #wire;

  /** @param {Record<string, any>} wire */
  constructor(wire) {
    this.#wire = wire;
    this.id = wire.id;
    this.seq = wire.seq;
    this.attempts = wire.attempts;
    this.timestampMs = wire.timestamp_ms;
    this.contentType = wire.content_type;
    this.key = wire.key;
    this.priority = wire.priority;
    this.state = wire.state;
    this.topic = wire.topic;
  }

  get attributes() {
    return this.#wire.attributes ?? {};
  }

  get lease() {
    return new Lease(undefined, 0, this.#wire.lease_id);
  }

  body() {
    const { body, encoding } = this.#wire;
    return encoding === 'base64' ? fromBase64(body) : encode(body);
  }

  text() {
    return this.#wire.encoding === 'base64' ? decode(this.body()) : this.#wire.body;
  }
}

export class Message {
  #from;
  #body;
  #attributes;

  /** @param {JsonDelivery | import('./batch.js').Delivery} from where its parts are read */
  constructor(from) {
    this.#from = from;
  }

  /** @param {Record<string, any>} wire as the server sent it in JSON */
  static fromWire(wire) {
    return new Message(new JsonDelivery(wire));
  }

  get id() {
    return this.#from.id;
  }

  get seq() {
    return this.#from.seq;
  }

  get attempts() {
    return this.#from.attempts;
  }

  get timestampMs() {
    return this.#from.timestampMs;
  }

  get contentType() {
    return this.#from.contentType;
  }

  get key() {
    return this.#from.key;
  }

  get priority() {
    return this.#from.priority;
  }

  get attributes() {
    return (this.#attributes ??= this.#from.attributes);
  }

  get state() {
    return this.#from.state;
  }

  get topic() {
    return this.#from.topic;
  }

  /** @returns {Uint8Array} */
  get body() {
    return (this.#body ??= this.#from.body());
  }

  /** @returns {string} */
  text() {
    return this.#from.text();
  }

  /** @returns {any} */
  json() {
    return JSON.parse(this.text());
  }
}

export class LeasedMessage extends Message {
  #acks;
  #lease;

  /**
   * @param {JsonDelivery | import('./batch.js').Delivery} from
   * @param {import('./acks.js').Acks} acks
   */
  constructor(from, acks) {
    super(from);
    this.#lease = from.lease;
    this.#acks = acks;
  }

  /**
   * @param {Record<string, any>} wire as the server sent it in JSON
   * @param {import('./acks.js').Acks} acks
   */
  static fromWire(wire, acks) {
    return new LeasedMessage(new JsonDelivery({ ...wire, state: 'leased' }), acks);
  }

  get leaseId() {
    return this.#lease.id;
  }

  /** Whether it was acknowledged, released or given back here. */
  get settled() {
    return this.#lease.isSettled;
  }

  /** @param {unknown} [result] */
  ack(result) {
    return this.#ask(FINISH, { result });
  }

  /**
   * As `ack`, by one who is through with the message: the next may be had for it at once.
   * @param {LeasedMessage} message
   * @param {unknown} [result]
   * @returns {Promise<void>}
   */
  static finish(message, result) {
    return message.#ask(FINISH, { result, isLast: true });
  }

  /** @param {unknown} [result] */
  release(result) {
    return this.#ask(FINISH, { result, release: true });
  }

  /** @param {{ delayMs?: number }} [options] */
  retry({ delayMs } = {}) {
    return this.#ask(RETRY, { delayMs });
  }

  /** @param {number} [ms] */
  extend(ms) {
    return this.#ask(EXTEND, { ms });
  }

  #ask(operation, what) {
    if (this.#lease.isSettled) return Promise.reject(settledAlready());
    return this.#acks.ask(this.#lease, operation, what);
  }
}
