// Judges an answer by the OpenAPI document: its status is one the operation names, its media type
// and its body are those of that status, and whatever the request was, nothing failed.

import { operationsOf } from './requests.mjs';
import { faults, resolve } from './schema.mjs';

/**
 * @typedef {object} ScanAnswer
 * @property {number} status
 * @property {Record<string, string | undefined>} headers
 * @property {string} text
 */

/** What is answered before the operation is known: a bad name, an unknown path, another method. */
const GENERAL = [400, 404, 405];
/** What a browser must be told with every answer, so that none is taken for a page. */
const NOSNIFF = 'nosniff';

/**
 * @param {any} document
 * @returns {(request: import('./requests.mjs').ScanRequest, answer: ScanAnswer) => string[]}
 */
export function judge(document) {
  const operations = new Map(operationsOf(document).map((it) => [`${it.method} ${it.path}`, it]));
  return (request, answer) => [
    ...failures(answer),
    ...general(answer),
    ...documented(document, operations, request, answer),
  ];
}

function failures({ status, text }) {
  if (status >= 500) return [`failed with ${status}: ${text}`];
  return /panicked at|\bat .*\.js:\d+/.test(text) ? [`tells of its inside: ${text}`] : [];
}

function general({ status, headers, text }) {
  const found = [];
  if (text !== '' && headers['x-content-type-options'] !== NOSNIFF) found.push('has no nosniff');
  if (status === 405 && !headers.allow) found.push('405 without Allow');
  if (status === 401 && !headers['www-authenticate']) found.push('401 without a challenge');
  const mayRetry = /^\d+$/.test(headers['retry-after']);
  if (status === 429 && !mayRetry) found.push('429 without Retry-After');
  return found;
}

function documented(document, operations, request, answer) {
  const { method } = request;
  const [expected] = request.operation.split(' ', 1);
  const asked = method === 'HEAD' ? 'GET' : method;
  const operation = operations.get(request.operation.replace(expected, asked));
  const { status } = answer;
  if (asked === 'OPTIONS' && status === 204) return [];
  let response = operation?.responses[status];
  if (!response && isGeneral(status, operation)) {
    response = resolve(document, '#/components/responses/NotFound');
  }
  if (!response) return [`answers ${status}, which the document does not name: ${answer.text}`];
  if (response.$ref) response = resolve(document, response.$ref);
  return body(document, response, answer, method === 'HEAD');
}

/** An operation says of itself that it refuses; whether its path is known at all it cannot. */
function isGeneral(status, operation) {
  return GENERAL.includes(status) && (status !== 400 || operation === undefined);
}

function body(document, { content }, { status, headers, text }, isHead) {
  if (isHead) return text === '' ? [] : ['HEAD with a body'];
  if (!content) return text === '' ? [] : [`${status} has a body: ${text}`];
  const type = (headers['content-type'] ?? '').split(';')[0];
  if (!Object.hasOwn(content, type)) return [`${status} is of the type ${type}: ${text}`];
  if (!/json$/.test(type)) return [];
  try {
    const found = faults(document, content[type].schema, JSON.parse(text));
    return found.map((it) => `${it} in ${status}`);
  } catch (error) {
    return [`${status} cannot be checked: ${error.message}: ${text.slice(0, 200)}`];
  }
}
