// What was measured: figures, each with the values of its rounds. Knows nothing of how they came
// to be.

/**
 * @typedef {object} Figure
 * @property {string} id
 * @property {string} section
 * @property {string} title
 * @property {string} unit as in "req/s"
 * @property {string} [of] id of the figure that the ratio is taken of
 */

/** Figures in the order in which they were first measured. */
export class Book {
  #figures = new Map();
  /** What could not be measured, and why. @type {{ title: string, why: string }[]} */
  skipped = [];

  /**
   * @param {Figure} figure
   * @param {number | undefined} value of one round; undefined where the system does not say
   */
  add(figure, value) {
    if (value === undefined || Number.isNaN(value)) return;
    if (!this.#figures.has(figure.id)) this.#figures.set(figure.id, { ...figure, values: [] });
    this.#figures.get(figure.id).values.push(value);
  }

  /**
   * @param {string} title
   * @param {string} why
   */
  skip(title, why) {
    if (!this.skipped.some((entry) => entry.title === title)) this.skipped.push({ title, why });
  }

  /**
   * @param {string} id
   * @returns {number | undefined} the median of its rounds
   */
  value(id) {
    const values = this.#figures.get(id)?.values;
    return values && median(values);
  }

  /**
   * @param {string} id
   * @param {string} of
   * @returns {number | undefined} the one divided by the other, where both were measured
   */
  ratio(id, of) {
    const [value, base] = [this.value(id), this.value(of)];
    return value === undefined || base === undefined ? undefined : value / base;
  }

  /** @returns {(Figure & { values: number[], value: number, ratio?: number })[]} */
  figures() {
    return [...this.#figures.values()].map((figure) => ({
      ...figure,
      value: this.value(figure.id),
      ratio: figure.of && this.ratio(figure.id, figure.of),
    }));
  }
}

/**
 * @param {number[]} values at least one
 * @returns {number}
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
