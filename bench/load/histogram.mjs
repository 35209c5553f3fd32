// Latencies, counted in buckets whose width grows with the value: 64 steps for each doubling, so a
// quantile is off by at most 1.6 %. Recording is one addition, whatever the number of values.

const STEPS_PER_DOUBLING = 64;
const STEP_BITS = 6;
/** Microseconds from which on everything counts as the largest: 2^32 µs is over an hour. */
const DOUBLINGS = 32;

/** A histogram of durations in microseconds. */
export class Histogram {
  /** @param {Float64Array} [counts] of another histogram, which are taken over */
  constructor(counts = new Float64Array(DOUBLINGS * STEPS_PER_DOUBLING)) {
    this.counts = counts;
  }

  /** @param {number} ms */
  record(ms) {
    this.counts[bucketOf(Math.max(0, Math.round(ms * 1000)))] += 1;
  }

  /** @param {Float64Array} counts of another histogram */
  add(counts) {
    for (let i = 0; i < counts.length; i += 1) this.counts[i] += counts[i];
  }

  /**
   * @param {number} share as in 0.99
   * @returns {number} milliseconds; not a number when nothing was recorded
   */
  quantile(share) {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (let i = 0; i < this.counts.length; i += 1) {
      seen += this.counts[i];
      if (seen > 0 && seen >= total * share) return valueOf(i) / 1000;
    }
    return NaN;
  }
}

function bucketOf(value) {
  if (value < STEPS_PER_DOUBLING) return value;
  const doubling = Math.min(31, 31 - Math.clz32(Math.min(value, 0xffffffff)));
  const step = Math.floor(value / 2 ** (doubling - STEP_BITS)) - STEPS_PER_DOUBLING;
  const bucket = (doubling - STEP_BITS + 1) * STEPS_PER_DOUBLING + step;
  return Math.min(bucket, DOUBLINGS * STEPS_PER_DOUBLING - 1);
}

/** The largest value of a bucket: a quantile is never flattered. */
function valueOf(bucket) {
  if (bucket < STEPS_PER_DOUBLING) return bucket;
  const doubling = Math.floor(bucket / STEPS_PER_DOUBLING) - 1 + STEP_BITS;
  const step = bucket % STEPS_PER_DOUBLING;
  return (STEPS_PER_DOUBLING + step + 1) * 2 ** (doubling - STEP_BITS) - 1;
}
