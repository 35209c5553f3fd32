// Requests: credentials, time-outs, repetition, and answers or errors instead of responses.

import { BATCH_TYPE } from './batch.js';
import { ConnectionError, RedirectedError, TidegateError, TimeoutError } from './errors.js';
import { nodeFetch } from './node-fetch.js';
import { errorOf } from './problem.js';
import { RETRY_DEFAULT, delayMs, isFailure, mayBeDone } from './retry.js';
import { onAbort, sleep } from './time.js';

const TIMEOUT_MS_DEFAULT = 10_000;
const JSON_TYPE = 'application/json';

/**
 * @typedef {object} Request
 * @property {Record<string, string>} [headers]
 * @property {string | Uint8Array} [body]
 * @property {unknown} [json] a body instead, to be sent as JSON
 * @property {AbortSignal} [signal]
 * @property {number} [waitMs] how long the server is asked to wait, on top of the time-out
 * @property {Partial<import('./retry.js').RetryPolicy>} [retry] instead of the client's
 * @property {boolean} [repeatable] whether it does no harm to do it twice; true unless said
 *
 * @typedef {object} Answer
 * @property {number} status
 * @property {any} [json] the body, if it is JSON
 * @property {Uint8Array} [bytes] the body, if it is a binary batch
 * @property {boolean} uncertain whether an earlier try may have been carried out already
 */

export class Http {
  #url;
  #token;
  #headers;
  #fetch;
  #timeoutMs;
  /** What opens sockets, where there is one. */
  WebSocket;
  /** Whether binary batches are sent: until the server takes none. */
  speaksBinary = true;

  /** @param {import('../index.js').TidegateOptions} options */
  constructor(options) {
    const { url, token, fetch, headers = {}, timeoutMs = TIMEOUT_MS_DEFAULT, retry } = options;
    this.#url = String(new URL(url)).replace(/\/+$/, '');
    this.#token = token;
    this.#headers = headers;
    // Looked up late and called without a receiver, as browsers insist.
    this.#fetch = fetch ?? nodeFetch() ?? ((...args) => globalThis.fetch(...args));
    this.#timeoutMs = timeoutMs;
    this.WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.retry = { ...RETRY_DEFAULT, ...retry };
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Request} [request]
   * @returns {Promise<Answer>}
   */
  async request(method, path, request = {}) {
    const policy = { ...this.retry, ...request.retry };
    const content = contentOf(request);
    let uncertain = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return { ...(await this.#once(method, path, request, content)), uncertain };
      } catch (error) {
        if (!(error instanceof TidegateError)) throw error;
        const repeat =
          attempt < policy.attempts &&
          isFailure(error) &&
          (request.repeatable !== false || !mayBeDone(error));
        uncertain ||= mayBeDone(error);
        if (!repeat) throw Object.assign(error, { uncertain });
        await sleep(delayMs(policy, attempt, error.retryAfterMs), request.signal);
      }
    }
  }

  /**
   * @param {string} path
   * @param {AbortSignal} [signal]
   */
  async delete(path, signal) {
    try {
      await this.request('DELETE', path, { signal });
    } catch (error) {
      // An earlier try did it, and its answer was lost.
      if (!(error.type === 'not-found' && error.uncertain)) throw error;
    }
  }

  /**
   * A batch in binary form; as JSON where the server turned out to know no other.
   * @param {string} path
   * @param {{ binary: () => Uint8Array, text: () => string } & Request} batch
   * @returns {Promise<Answer>}
   */
  async batch(path, { binary, text, ...request }) {
    if (this.speaksBinary) {
      const headers = { 'content-type': BATCH_TYPE, accept: BATCH_TYPE };
      try {
        return await this.request('POST', path, { ...request, headers, body: binary() });
      } catch (error) {
        if (error.status !== 415) throw error;
        this.speaksBinary = false;
      }
    }
    const headers = { 'content-type': JSON_TYPE };
    return this.request('POST', path, { ...request, headers, body: text() });
  }

  /**
   * One answer whose body is read as it comes.
   * @param {string} path
   * @param {Request} request
   * @returns {Promise<ReadableStream<Uint8Array>>}
   */
  async stream(path, { headers, signal }) {
    const sent = await this.#withCredentials(headers);
    const guard = new Guard(signal, this.#timeoutMs);
    return guard.run(async () => {
      const response = await this.#send('GET', path, { headers: sent }, guard.signal);
      if (!response.ok) throw failure(response, await response.text());
      guard.reached();
      return response.body;
    });
  }

  async #once(method, path, { signal, waitMs = 0 }, { headers, body }) {
    const sent = await this.#withCredentials(headers);
    const guard = new Guard(signal, this.#timeoutMs + waitMs);
    return guard.run(async () => {
      const response = await this.#send(method, path, { headers: sent, body }, guard.signal);
      const { status } = response;
      if (response.headers.get('content-type') === BATCH_TYPE) {
        return { status, bytes: await bytesOf(response) };
      }
      const text = await response.text();
      if (!response.ok) throw failure(response, text);
      return { status, json: parsed(response, text) };
    });
  }

  /** @returns {Promise<string | undefined>} the bearer token of the moment */
  async token() {
    return typeof this.#token === 'function' ? this.#token() : this.#token;
  }

  /** Where a path is. */
  address(path) {
    return new URL(this.#url + path);
  }

  async #withCredentials(headers) {
    const token = await this.token();
    return { ...this.#headers, ...headers, ...(token && { authorization: `Bearer ${token}` }) };
  }

  #send(method, path, { headers, body }, signal) {
    // A publish that is sent elsewhere is an answer, not a way to go on.
    return this.#fetch(this.#url + path, { method, headers, body, redirect: 'manual', signal });
  }
}

/** The caller's signal and a time-out in one, and what an exception means. */
class Guard {
  #caller;
  #controller = new AbortController();
  #timeoutMs;
  #timer;

  constructor(caller, timeoutMs) {
    caller?.throwIfAborted();
    this.#caller = caller;
    this.#timeoutMs = timeoutMs;
  }

  get signal() {
    return this.#controller.signal;
  }

  /** The answer has begun: from now on only the caller ends it. */
  reached() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async run(exchange) {
    let timedOut = false;
    let streams = false;
    const forget = onAbort(this.#caller, () => this.#controller.abort(this.#caller.reason));
    this.#timer = setTimeout(() => {
      timedOut = true;
      this.#controller.abort();
    }, this.#timeoutMs);
    try {
      const outcome = await exchange();
      streams = this.#timer === undefined;
      return outcome;
    } catch (error) {
      if (error instanceof TidegateError) throw error;
      this.#caller?.throwIfAborted();
      throw timedOut ? new TimeoutError(this.#timeoutMs) : new ConnectionError(error);
    } finally {
      clearTimeout(this.#timer);
      if (!streams) forget();
    }
  }
}

async function bytesOf(response) {
  return response.bytes ? response.bytes() : new Uint8Array(await response.arrayBuffer());
}

function contentOf({ headers, body, json }) {
  if (json === undefined) return { headers, body };
  const type = { 'content-type': JSON_TYPE };
  return { headers: { ...headers, ...type }, body: JSON.stringify(json) };
}

function parsed(response, text) {
  if (!isJson(response) || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unexpected(response, 'the answer is not the JSON it says it is', cause);
  }
}

function failure(response, text) {
  const status = response.status;
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    // A page is not told where it was sent, only that it was.
    const redirectUrl = response.headers.get('location') ?? undefined;
    const detail = 'the queue has no room and sends its publishers elsewhere';
    return new RedirectedError({ type: 'redirected', status: 303, detail, redirectUrl });
  }
  const decidedBy = response.headers.get('tidegate-decided-by') ?? undefined;
  const problem = isJson(response) ? parsed(response, text) : undefined;
  if (typeof problem?.type === 'string') return errorOf(problem, decidedBy && { decidedBy });
  return unexpected(response, `the server answered ${status}`);
}

function unexpected(response, detail, cause) {
  const { status } = response;
  return new TidegateError({ type: 'unexpected-answer', status, detail }, { cause });
}

function isJson(response) {
  return /^application\/([\w.-]+\+)?json\b/.test(response.headers.get('content-type') ?? '');
}
