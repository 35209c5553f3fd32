// What happened over time: totals as they grew, and rates made of them.

/** Over how long a rate is taken. */
const WINDOW_S = 0.5;

/**
 * @typedef {object} Point
 * @property {number} t seconds since the opening
 * @property {number} admitted
 * @property {number} edge
 * @property {number} object
 * @property {number} errors
 * @property {number} consumed
 */

/** The points of one sale. */
export class History {
  constructor() {
    /** @type {Point[]} totals */
    this.totals = [];
    /** The same in a second, averaged over the window. */
    this.rates = [];
    this.start = 0;
  }

  /** @param {Point} point */
  add(point) {
    this.totals.push(point);
    while (this.totals[this.start + 1]?.t <= point.t - WINDOW_S) this.start += 1;
    const from = this.totals[this.start];
    const seconds = point.t - from.t;
    if (seconds <= 0) return;
    const rate = (name) => (point[name] - from[name]) / seconds;
    this.rates.push({
      t: point.t,
      admitted: rate("admitted"),
      edge: rate("edge"),
      object: rate("object"),
      errors: rate("errors"),
    });
  }

  /** Attempts a second just now. */
  get rate() {
    const { admitted = 0, edge = 0, object = 0, errors = 0 } = this.rates.at(-1) ?? {};
    return admitted + edge + object + errors;
  }
}
