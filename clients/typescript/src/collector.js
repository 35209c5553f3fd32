// Collects what comes together and sends it together: the batches of publishes and of acks.
//
// Owns the order of what waits, the size of a batch, and how many are on their way. What becomes of
// a batch is its sender's affair.

import { soon } from './time.js';

/**
 * @typedef {object} CollectorOptions
 * @property {number} lingerMs how long the first of a batch waits for others; 0: to the end of
 *   the turn
 * @property {number} itemsMax
 * @property {number} bytesMax one item may be larger
 * @property {number} inFlightMax
 */

/** @template {{ bytes: number, gone?: boolean }} Item */
export class Collector {
  #options;
  #send;
  /** @type {Item[]} */
  #items = [];
  #head = 0;
  #bytes = 0;
  #inFlight = 0;
  #timer;
  #hasTimer = false;
  #isDue = false;
  #isHeld = false;

  /**
   * @param {CollectorOptions} options
   * @param {(batch: Item[]) => Promise<void>} send never rejects
   */
  constructor(options, send) {
    this.#options = options;
    this.#send = send;
  }

  /** @param {Item} item */
  add(item) {
    this.#items.push(item);
    this.#bytes += item.bytes;
    this.#wake();
  }

  /**
   * Puts items that were tried already before all others.
   * @param {Item[]} items
   */
  addFirst(items) {
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
    for (const item of items) this.#bytes += item.bytes;
    this.sendNow();
  }

  /** Sends nothing until `release`, whatever comes. */
  hold() {
    this.#isHeld = true;
  }

  release() {
    this.#isHeld = false;
    this.#pump();
  }

  /** Does not wait for others. */
  sendNow() {
    this.#isDue = true;
    this.#pump();
  }

  #wake() {
    if (this.#isFull()) this.#pump();
    if (this.#hasTimer || this.#isDue || this.#isEmpty()) return;
    this.#hasTimer = true;
    const due = () => {
      this.#hasTimer = false;
      this.sendNow();
    };
    const { lingerMs } = this.#options;
    if (lingerMs > 0) this.#timer = setTimeout(due, lingerMs);
    else soon(due);
  }

  #pump() {
    while (!this.#isHeld && this.#inFlight < this.#options.inFlightMax) {
      const batch = this.#isDue || this.#isFull() ? this.#take() : [];
      if (this.#isEmpty()) this.#rest();
      if (batch.length === 0) return;
      this.#inFlight += 1;
      this.#send(batch).then(() => {
        this.#inFlight -= 1;
        this.#pump();
      });
    }
  }

  /** What comes next waits for others again. */
  #rest() {
    this.#isDue = false;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#hasTimer = false;
  }

  #isFull() {
    const { itemsMax, bytesMax } = this.#options;
    return this.#items.length - this.#head >= itemsMax || this.#bytes >= bytesMax;
  }

  #isEmpty() {
    return this.#head === this.#items.length;
  }

  #take() {
    const { itemsMax, bytesMax } = this.#options;
    const batch = [];
    let bytes = 0;
    while (this.#head < this.#items.length && batch.length < itemsMax) {
      const item = this.#items[this.#head];
      if (!item.gone && batch.length > 0 && bytes + item.bytes > bytesMax) break;
      this.#items[this.#head] = undefined;
      this.#head += 1;
      this.#bytes -= item.bytes;
      if (item.gone) continue;
      batch.push(item);
      bytes += item.bytes;
    }
    // Moving what is left costs as much as what was taken did.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }
}
