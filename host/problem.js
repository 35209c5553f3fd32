// Problem documents (RFC 9457) for what fails outside the core: in the platform, or in the core
// itself. Everything else is rendered by the core.

/**
 * @param {number} status
 * @param {string} type the stable slug
 * @param {string} title
 * @param {string} detail
 * @param {Record<string, string>} [headers]
 * @returns {Response}
 */
export function problem(status, type, title, detail, headers = {}) {
  return new Response(JSON.stringify({ type, title, status, detail }), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    },
  });
}

/**
 * The object could not be reached, or failed before it could answer: nothing is known of the
 * request's fate.
 * @param {string} [detail]
 * @returns {Response}
 */
export function unavailable(detail = 'the queue could not be reached just now; try again') {
  const title = 'The queue could not be reached; try again';
  return problem(503, 'unavailable', title, detail, { 'retry-after': '1' });
}

/** The header between caller and called that says for how long the answer holds for everybody. */
export const VERDICT_HEADER = 'tidegate-verdict';
/** The header that says, in the answer to a preflight, who may publish without credentials. */
export const ACCESS_HEADER = 'tidegate-access';
/** As a verdict: too much is waiting there (src/command/verdict.rs). */
export const OVERLOADED_VERDICT = 'overloaded';

/**
 * Too much is waiting. Whoever called is told so in the verdict, too, and remembers it for a moment.
 * @returns {Response}
 */
export function overloaded() {
  const detail = 'more is waiting for this queue than it can take in';
  return problem(503, 'overloaded', 'Too much is waiting; try again shortly', detail, {
    'retry-after': '1',
    [VERDICT_HEADER]: OVERLOADED_VERDICT,
  });
}

/**
 * @param {Response} response
 * @returns {Response} as a client may see it
 */
export function withoutVerdict(response) {
  const plain = new Response(response.body, response);
  plain.headers.delete(VERDICT_HEADER);
  plain.headers.delete(ACCESS_HEADER);
  return plain;
}

/**
 * What a request waited for was deleted, in a turn that came before its own answer.
 * @returns {Response}
 */
export function deleted() {
  return problem(404, 'not-found', 'There is no such thing', 'it was deleted meanwhile');
}

/** @returns {Response} */
export function internal() {
  return problem(500, 'internal', 'Something failed here', 'the request could not be handled');
}
