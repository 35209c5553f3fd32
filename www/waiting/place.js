// This visitor's place in one line, kept over reloads and closed tabs: the keys it was asked for
// under, and the message that stands for it. Whoever repeats the question under the same key gets
// the same place.

/**
 * @typedef {object} Place
 * @property {string} key who the visitor is to this line
 * @property {string} idempotencyKey of the publish
 * @property {string} [id] of the message, once there is one
 * @property {number} [first] the first position that was seen
 * @property {string} [ticket]
 * @property {boolean} [isThrough] whether the page has sent the visitor on once
 */

/** One line's place in this browser. */
export class Keeper {
  #name;
  /** @type {Place | null} what storage refused to keep lasts as long as the page */
  #kept = null;

  /** @param {string} queue */
  constructor(queue) {
    this.#name = `tidegate-place:${queue}`;
  }

  /** @returns {Place} the one there is, or a new one */
  place() {
    return this.#read() ?? this.#write({ key: fresh(), idempotencyKey: fresh() });
  }

  /** @param {Partial<Place>} changes @returns {Place} */
  update(changes) {
    return this.#write({ ...this.place(), ...changes });
  }

  /** Gives it up: the next question is a new one, by the same visitor. */
  renew() {
    return this.#write({ key: this.place().key, idempotencyKey: fresh() });
  }

  #read() {
    try {
      const place = JSON.parse(localStorage.getItem(this.#name));
      const isWhole = typeof place?.key === "string" && typeof place.idempotencyKey === "string";
      return isWhole ? place : null;
    } catch {
      return this.#kept;
    }
  }

  #write(place) {
    this.#kept = place;
    try {
      localStorage.setItem(this.#name, JSON.stringify(place));
    } catch {
      // Storage can be refused.
    }
    return place;
  }
}

/** Not `randomUUID`: that is there on secure origins only. */
function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
