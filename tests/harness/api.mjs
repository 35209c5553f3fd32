// The HTTP interface as tests use it: a call a function, and answers that are read already.

import assert from 'node:assert/strict';

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {Headers} headers
 * @property {Uint8Array} bytes
 * @property {string} text
 * @property {any} json the body parsed, undefined unless its type is JSON
 */

/**
 * @param {string} url of the server
 * @param {{ token?: string, headers?: Record<string, string> }} [options] sent with every call
 */
export function api(url, { token, headers: always = {} } = {}) {
  const credentials = token ? { authorization: `Bearer ${token}` } : {};

  /** @returns {Promise<Answer>} redirects are not followed */
  const request = async (method, path, { headers = {}, body, signal } = {}) =>
    read(await fetch(url + path, {
      method,
      headers: { ...credentials, ...always, ...headers },
      body,
      redirect: 'manual',
      signal,
    }));

  const sendJson = (method, path, value, headers = {}) =>
    request(method, path, {
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(value),
    });

  const messages = (queue) => `${queuePath(queue)}/messages`;
  const message = (queue, id) => `${messages(queue)}/${encodeURIComponent(id)}`;

  return {
    request,
    sendJson,
    putQueue: (queue, config = {}) => sendJson('PUT', queuePath(queue), config),
    getQueue: (queue) => request('GET', queuePath(queue)),
    deleteQueue: (queue) => request('DELETE', queuePath(queue)),
    listQueues: (query = {}) => request('GET', `/v1/queues${search(query)}`),
    publish: (queue, body, headers = {}) =>
      request('POST', messages(queue), { headers, body }),
    publishBatch: (queue, list) =>
      sendJson('POST', `${messages(queue)}/batch`, { messages: list }),
    pull: (queue, options = {}) => sendJson('POST', `${messages(queue)}/pull`, options),
    ack: (queue, outcome) => sendJson('POST', `${messages(queue)}/ack`, outcome),
    browse: (queue, query = {}) => request('GET', messages(queue) + search(query)),
    getMessage: (queue, id, query = {}) => request('GET', message(queue, id) + search(query)),
    confirm: (queue, id) => request('POST', `${message(queue, id)}/confirm`),
    cancel: (queue, id) => request('DELETE', message(queue, id)),
    purge: (queue) => request('POST', `${queuePath(queue)}/purge`),
    pause: (queue) => request('POST', `${queuePath(queue)}/pause`),
    resume: (queue) => request('POST', `${queuePath(queue)}/resume`),
    redrive: (queue, options) =>
      options === undefined
        ? request('POST', `${queuePath(queue)}/redrive`)
        : sendJson('POST', `${queuePath(queue)}/redrive`, options),
    /** One sample of /metrics, 0 when there is none: `metric('tidegate_acked_total', {queue})`. */
    metric: async (name, labels = {}) =>
      sample((await request('GET', '/metrics')).text, name, labels),
  };
}

/**
 * @param {Response} response
 * @returns {Promise<Answer>}
 */
export async function read(response) {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder().decode(bytes);
  const type = response.headers.get('content-type') ?? '';
  const json = /^application\/(\w[\w.-]*\+)?json\b/.test(type) ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, bytes, text, json };
}

/**
 * Asserts a status, and says what the server answered when it is another.
 * @param {Answer} answer
 * @param {number} status
 * @returns {any} the body, parsed
 */
export function assertStatus(answer, status) {
  assert.equal(answer.status, status, `expected ${status}, got ${answer.status}: ${answer.text}`);
  return answer.json;
}

/**
 * Asserts a refusal: an RFC 9457 problem document of a type, whose status is the answer's.
 * @param {Answer} answer
 * @param {number} status
 * @param {string} type the slug at the end of the problem's `type`
 * @param {Record<string, unknown>} [fields] further members that it must have, with their values
 * @returns {any} the problem
 */
export function assertProblem(answer, status, type, fields = {}) {
  const problem = assertStatus(answer, status);
  const mediaType = answer.headers.get('content-type') ?? '';
  assert.match(mediaType, /^application\/problem\+json\b/, `no problem document: ${answer.text}`);
  assertProblemBody(problem, status, type, fields);
  return problem;
}

/** The same for a problem inside an answer, as in a batch's verdicts. */
export function assertProblemBody(problem, status, type, fields = {}) {
  assert.equal(problem.type, type, JSON.stringify(problem));
  assert.equal(problem.status, status, JSON.stringify(problem));
  assert.ok(problem.title, `a problem has a title: ${JSON.stringify(problem)}`);
  for (const [name, value] of Object.entries(fields)) {
    assert.deepEqual(problem[name], value, `${name} in ${JSON.stringify(problem)}`);
  }
}

/**
 * Asks again until a condition holds.
 * @template T
 * @param {() => Promise<T> | T} ask
 * @param {(value: T) => unknown} holds
 * @param {{ within_ms?: number, every_ms?: number, what?: string }} [options]
 * @returns {Promise<T>} the value that it held for
 */
export async function until(ask, holds, options = {}) {
  const { within_ms = 5000, every_ms = 20, what = 'the condition' } = options;
  const deadline = performance.now() + within_ms;
  for (;;) {
    const value = await ask();
    if (holds(value)) return value;
    if (performance.now() > deadline) {
      assert.fail(`${what} did not hold within ${within_ms} ms; last: ${JSON.stringify(value)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, every_ms));
  }
}

/** A queue's path; `/` is a level separator in names and is percent-encoded in paths. */
export function queuePath(queue) {
  return `/v1/queues/${encodeURIComponent(queue)}`;
}

function search(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

function sample(text, name, labels) {
  for (const line of text.split('\n')) {
    const parts = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!parts || parts[1] !== name) continue;
    const found = [...(parts[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    const has = Object.fromEntries(found.map(([, label, value]) => [label, value]));
    if (Object.entries(labels).every(([label, value]) => has[label] === value)) {
      return Number(parts[3]);
    }
  }
  return 0;
}
