// Errors: one class for each type of problem that the server tells, and for what goes wrong on the
// way to it. All of them are TidegateErrors; an abort is not: it rejects with the signal's reason.

/** Types whose request may well succeed when it is repeated later. */
const RETRYABLE_TYPES = new Set([
  'queue-full', 'rate-limited', 'not-open', 'overloaded', 'unavailable', 'connection', 'timeout',
]);
/** Answers of proxies in between, who know no problem documents. */
const RETRYABLE_STATUSES = new Set([502, 503, 504]);

export class TidegateError extends Error {
  /**
   * @param {Record<string, any>} problem its members in camelCase; `type` at least
   * @param {{ cause?: unknown }} [options]
   */
  constructor(problem, options) {
    super([problem.type, problem.field, problem.detail].filter(Boolean).join(': '), options);
    this.name = new.target.name;
    const { type, status, title, detail, ...figures } = problem;
    Object.assign(this, figures);
    this.type = type;
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.uncertain = false;
  }

  /** Whether the same request may succeed later. */
  get retryable() {
    return RETRYABLE_TYPES.has(this.type) || RETRYABLE_STATUSES.has(this.status);
  }
}

export class BadRequestError extends TidegateError {}
export class UnauthorizedError extends TidegateError {}
export class ForbiddenError extends TidegateError {}
export class NotFoundError extends TidegateError {}
export class MessageTooLargeError extends TidegateError {}
export class QueueFullError extends TidegateError {}
export class SoldOutError extends TidegateError {}
export class KeyLimitError extends TidegateError {}
export class NotOpenError extends TidegateError {}
export class ClosedError extends TidegateError {}
export class RateLimitedError extends TidegateError {}
export class LeaseExpiredError extends TidegateError {}
export class WrongStateError extends TidegateError {}
/** `expectSeq` was not the last number given; see `lastSeq`. */
export class SeqMismatchError extends TidegateError {}
export class OverloadedError extends TidegateError {}
export class UnavailableError extends TidegateError {}

/** The queue has no room and sends its publishers to another place: `redirectUrl`. */
export class RedirectedError extends TidegateError {}

/** No answer came: the network failed, or the server went away. */
export class ConnectionError extends TidegateError {
  constructor(cause) {
    const detail = `no answer from the server: ${cause?.cause?.message ?? cause?.message ?? cause}`;
    super({ type: 'connection', detail }, { cause });
  }
}

/** No answer came in time. */
export class TimeoutError extends TidegateError {
  /** @param {number} timeoutMs */
  constructor(timeoutMs) {
    const detail = `no answer from the server within ${timeoutMs} ms`;
    super({ type: 'timeout', detail, timeoutMs });
  }
}

/** A message ended without being done: it is `dead`, `expired` or `cancelled`, as `state` says. */
export class NoResultError extends TidegateError {
  /** @param {{ id: string, state: string }} message */
  constructor({ id, state }) {
    const detail = `the message is ${state}, there will be no result`;
    super({ type: 'no-result', detail, id, state });
  }
}

/** The queue was closed by this application, and takes no more. */
export class ClientClosedError extends TidegateError {
  constructor() {
    super({ type: 'client-closed', detail: 'this queue was closed here: close() was called' });
  }
}
