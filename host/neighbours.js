// Which queues and topics this isolate has been asked for of late: whether one of them has
// neighbours. On one workerd all of them share a thread with each other and with every request.

/** For so long after it was asked for it counts as in use. */
const IN_USE_MS = 1_000;
/** The part of a URL that names a queue or a topic. */
const NAME = /\/v1\/(?:queues|topics)\/[^/?#]+/;

/** The two that were asked for last; the one asked for last of all first. */
let last = { subject: '', at: -Infinity };
let other = { subject: '', at: -Infinity };

/**
 * What a request is about: a queue or a topic, by its place in the URL, or neither.
 * @param {Request} request
 */
export function subjectOf({ url }) {
  return NAME.exec(url)?.[0] ?? '';
}

/**
 * @param {string} subject of a request that is handed on to an object
 * @param {number} now
 */
export function noteUse(subject, now) {
  if (last.subject !== subject) [last, other] = [other, last];
  if (last.subject !== subject) last.subject = subject;
  last.at = now;
}

/**
 * Whether anything else is in use.
 * @param {string} subject
 * @param {number} now
 */
export function hasNeighbour(subject, now) {
  const { at } = last.subject === subject ? other : last;
  // What lies ahead was noted before the clock went back.
  return at <= now && now - at < IN_USE_MS;
}
