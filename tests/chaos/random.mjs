// Randomness that a seed repeats. Each actor of a run has a generator of its own, so that what one
// of them decides does not depend on how fast the others are.

/** Mulberry32: 32 bits of state, good enough for choices. */
export class Random {
  #state;

  /** @param {number} seed any 32-bit integer */
  constructor(seed) {
    this.#state = seed | 0;
  }

  /** @returns {Random} an independent generator, the same for the same number */
  fork(number) {
    const mixed = Math.imul(this.#state ^ (number + 1), 0x9e3779b1);
    return new Random(mixed ^ (mixed >>> 15));
  }

  /** @returns {number} in [0, 1) */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** @returns {number} an integer, both ends included */
  between(least, most) {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** @returns {boolean} true once in so many */
  chance(share) {
    return this.next() < share;
  }

  /** @template T @param {T[]} list @returns {T} */
  pick(list) {
    return list[this.between(0, list.length - 1)];
  }
}
