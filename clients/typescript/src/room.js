// Back-pressure: a bounded room for what has been published and is not decided yet. Whoever finds
// it full waits in line.

import { unlessAborted } from './time.js';

export class Room {
  #messagesMax;
  #bytesMax;
  #messages = 0;
  #bytes = 0;
  /** @type {Set<{ bytes: number, enter: () => void }>} in order of arrival */
  #line = new Set();

  /** @param {{ messagesMax: number, bytesMax: number }} limits */
  constructor({ messagesMax, bytesMax }) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  /**
   * @param {number} bytes
   * @returns {boolean} whether there was room, and it is taken now
   */
  tryEnter(bytes) {
    if (this.#line.size > 0 || !this.#fits(bytes)) return false;
    this.#take(bytes);
    return true;
  }

  /**
   * @param {number} bytes
   * @param {AbortSignal | undefined} signal
   * @param {() => void} run at the moment it is in, before anybody else can be
   * @returns {Promise<void>} once there is room, which is taken then
   */
  enter(bytes, signal, run) {
    return this.#wait(bytes, signal, () => {
      this.#take(bytes);
      run();
    });
  }

  /**
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>} once there is room for one more, which is not taken
   */
  hasRoom(signal) {
    if (this.#line.size === 0 && this.#fits(0)) return Promise.resolve();
    return this.#wait(0, signal, () => {});
  }

  /** @param {number} bytes */
  leave(bytes) {
    this.#messages -= 1;
    this.#bytes -= bytes;
    this.#admit();
  }

  #wait(bytes, signal, take) {
    return unlessAborted(signal, (resolve) => {
      const place = {
        bytes,
        enter() {
          take();
          resolve();
        },
      };
      this.#line.add(place);
      return () => {
        this.#line.delete(place);
        this.#admit();
      };
    });
  }

  #admit() {
    for (const place of this.#line) {
      if (!this.#fits(place.bytes)) return;
      this.#line.delete(place);
      place.enter();
    }
  }

  /** A message larger than the room has it to itself. */
  #fits(bytes) {
    if (this.#messages === 0) return true;
    return this.#messages < this.#messagesMax && this.#bytes + bytes <= this.#bytesMax;
  }

  #take(bytes) {
    this.#messages += 1;
    this.#bytes += bytes;
  }
}
