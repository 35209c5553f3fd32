// Messages as they come from a queue: read only, or leased and to be settled.

import { settledAlready } from './acks.js';
import { decode, encode, fromBase64 } from './text.js';

export class Message {
  #body;
  #encoding;
  #bytes;

  /** @param {Record<string, any>} wire as the server sent it */
  constructor(wire) {
    this.id = wire.id;
    this.seq = wire.seq;
    this.attempts = wire.attempts;
    this.timestampMs = wire.timestamp_ms;
    this.contentType = wire.content_type;
    this.key = wire.key;
    this.priority = wire.priority;
    this.attributes = wire.attributes ?? {};
    this.state = wire.state;
    this.#body = wire.body;
    this.#encoding = wire.encoding;
  }

  /** @returns {Uint8Array} */
  get body() {
    this.#bytes ??= this.#encoding === 'base64' ? fromBase64(this.#body) : encode(this.#body);
    return this.#bytes;
  }

  /** @returns {string} */
  text() {
    return this.#encoding === 'base64' ? decode(this.body) : this.#body;
  }

  /** @returns {any} */
  json() {
    return JSON.parse(this.text());
  }
}

export class LeasedMessage extends Message {
  #acks;
  #isSettled = false;

  /**
   * @param {Record<string, any>} wire
   * @param {import('./acks.js').Acks} acks
   */
  constructor(wire, acks) {
    super(wire);
    this.leaseId = wire.lease_id;
    this.state = 'leased';
    this.#acks = acks;
  }

  /** Whether it was acknowledged, released or given back here. */
  get settled() {
    return this.#isSettled;
  }

  /** @param {unknown} [result] */
  ack(result) {
    return this.#settle(() => this.#acks.ack(this.leaseId, result, false));
  }

  /** @param {unknown} [result] */
  release(result) {
    return this.#settle(() => this.#acks.ack(this.leaseId, result, true));
  }

  /** @param {{ delayMs?: number }} [options] */
  retry({ delayMs } = {}) {
    return this.#settle(() => this.#acks.retry(this.leaseId, delayMs));
  }

  /** @param {number} [ms] */
  async extend(ms) {
    if (this.#isSettled) throw settledAlready();
    await this.#acks.extend(this.leaseId, ms);
  }

  async #settle(settle) {
    if (this.#isSettled) throw settledAlready();
    this.#isSettled = true;
    try {
      await settle();
    } catch (error) {
      // Whoever can try again, may.
      this.#isSettled = error?.type === 'lease-expired';
      throw error;
    }
  }
}
