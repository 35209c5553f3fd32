// Which objects this isolate has been asked for of late: whether one of them has neighbours. On one
// workerd all of them share a thread with each other and with every request.

/** For so long after it was asked for an object counts as in use. */
const IN_USE_MS = 1_000;

/** The two that were asked for last; the one asked for last of all first. */
let last = { object: '', at: -Infinity };
let other = { object: '', at: -Infinity };

/**
 * @param {string} object that is asked for; a topic and a queue of one name count as one
 * @param {number} now
 */
export function noteUse(object, now) {
  if (last.object !== object) [last, other] = [other, last];
  if (last.object !== object) last.object = object;
  last.at = now;
}

/**
 * Whether another object than this one is in use.
 * @param {string} object
 * @param {number} now
 */
export function hasNeighbour(object, now) {
  const { at } = last.object === object ? other : last;
  // What lies ahead was noted before the clock went back.
  return at <= now && now - at < IN_USE_MS;
}
