// Clocks that are set back. Time never runs backwards for an object: where what it has stored is
// ahead of the machine's clock, its own goes at half the pace until the two agree. Nothing runs out
// early, and nothing waits for the machine's clock to be where it was.
//
// The runtime holds the time still for an object that is awake when the clock is set back, and its
// timers with it. Only a new instance sees the new time, so the old one is let go.

import { log } from './log.js';

/** By how much the clock may go back without anybody noticing: what it is corrected by all the time. */
const STEP_MS_MIN = 1_000;

/** Why an object is let go whose time stands still. */
export const CLOCK_WENT_BACK = 'the clock went back';

let latest = 0;
let steps = 0;

/**
 * Takes note of what time a request has that has just begun: its time never stands still.
 * @param {number} now
 */
export function observe(now) {
  if (now >= latest) {
    latest = now;
  } else if (latest - now > STEP_MS_MIN) {
    log('warn', 'clock_went_back', { by_ms: latest - now });
    latest = now;
    steps += 1;
  }
}

/** How often the clock was set back, as far as requests have shown. */
export function stepsBack() {
  return steps;
}

/** An object's time. */
export class Clock {
  /**
   * @param {number} latest the latest instant the object knows of
   * @param {number} now the machine's clock
   */
  constructor(latest, now) {
    this.since = now;
    this.ahead = Math.max(0, latest - now);
  }

  /**
   * The object's time.
   * @param {number} now the machine's clock, not before that of the constructor
   */
  read(now) {
    const ahead = this.ahead - (now - this.since) / 2;
    return ahead > 0 ? Math.floor(now + ahead) : now;
  }

  /**
   * What the machine's clock says when it is `at` for the object.
   * @param {number} at
   */
  instantOf(at) {
    const instant = 2 * (at - this.ahead) - this.since;
    return instant < this.since + 2 * this.ahead ? Math.ceil(instant) : at;
  }
}
