// When a request is repeated, and after how long.

/**
 * @typedef {object} RetryPolicy
 * @property {number} attempts tries in all, the first included
 * @property {number} initialMs the longest wait before the second try; doubles with each one
 * @property {number} maxMs that it doubles to at most
 * @property {boolean} refusals whether `queue-full` and `rate-limited` are repeated too
 */

/** @type {RetryPolicy} */
export const RETRY_DEFAULT = { attempts: 5, initialMs: 100, maxMs: 10_000, refusals: false };

/** The server was not reached, or says that it did not or may not have done it. */
const FAILURES = new Set(['connection', 'timeout', 'overloaded', 'unavailable']);
/** The queue said no, and may say yes soon. */
const REFUSALS = new Set(['queue-full', 'rate-limited']);
/** Of a proxy in between, whose server failed. */
const PROXY_STATUSES = new Set([502, 503, 504]);

/**
 * @param {import('./errors.js').TidegateError} error
 * @returns {boolean} whether the way to the server failed, rather than the request
 */
export function isFailure(error) {
  return FAILURES.has(error.type) || PROXY_STATUSES.has(error.status);
}

/**
 * @param {import('./errors.js').TidegateError} error
 * @returns {boolean} whether the server may have done what was asked all the same
 */
export function mayBeDone(error) {
  return isFailure(error) && error.type !== 'overloaded';
}

/**
 * @param {import('./errors.js').TidegateError} error of one message, not of the way to the server
 * @param {RetryPolicy} policy
 * @returns {boolean}
 */
export function isWorthRepeating(error, policy) {
  return error.type === 'overloaded' || (policy.refusals && REFUSALS.has(error.type));
}

/**
 * Full jitter, after what the server asked for: those who were refused together do not come back
 * together.
 * @param {RetryPolicy} policy
 * @param {number} attempt the one that failed, from 1
 * @param {number} [retryAfterMs]
 * @returns {number}
 */
export function delayMs({ initialMs, maxMs }, attempt, retryAfterMs = 0) {
  const longest = Math.min(maxMs, initialMs * 2 ** (attempt - 1));
  return retryAfterMs + Math.random() * longest;
}
