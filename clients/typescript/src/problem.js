// From a problem document of the server to the error of its type, and the same for what is refused
// before it is sent.

import {
  BadRequestError, ClosedError, ForbiddenError, KeyLimitError, LeaseExpiredError,
  MessageTooLargeError, NotFoundError, NotOpenError, OverloadedError, QueueFullError,
  RateLimitedError, RedirectedError, SeqMismatchError, SoldOutError, TidegateError,
  UnauthorizedError, UnavailableError, WrongStateError,
} from './errors.js';
import { fromWire } from './names.js';

const CLASSES = {
  'bad-request': BadRequestError,
  unauthorized: UnauthorizedError,
  forbidden: ForbiddenError,
  'not-found': NotFoundError,
  'message-too-large': MessageTooLargeError,
  'queue-full': QueueFullError,
  'sold-out': SoldOutError,
  'key-limit': KeyLimitError,
  'not-open': NotOpenError,
  closed: ClosedError,
  'rate-limited': RateLimitedError,
  'lease-expired': LeaseExpiredError,
  'wrong-state': WrongStateError,
  'seq-mismatch': SeqMismatchError,
  overloaded: OverloadedError,
  unavailable: UnavailableError,
};

/**
 * @param {Record<string, any>} problem a problem document (RFC 9457) as the server sent it
 * @param {Record<string, any>} [more] what is known beside it, in camelCase
 * @returns {TidegateError}
 */
export function errorOf(problem, more = {}) {
  const known = { ...fromWire(problem), ...more };
  if (known.redirectUrl) {
    return new RedirectedError({ ...known, type: 'redirected', reason: problem.type });
  }
  const Class = Object.hasOwn(CLASSES, known.type) ? CLASSES[known.type] : TidegateError;
  return new Class(known);
}

/**
 * Something that the server would refuse, found before it was sent.
 * @param {string} field
 * @param {string} detail
 * @returns {BadRequestError}
 */
export function badRequest(field, detail) {
  return new BadRequestError({ type: 'bad-request', field, detail });
}
