// HTTP as the suite speaks it: raw paths, raw headers, chunked bodies, event streams. Nothing here
// knows what a queue is; nothing is retried, normalised or followed behind a test's back.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longest time one exchange may take: the longest wait of the interface (30 s) and some. */
const EXCHANGE_MS_MAX = 40_000;

/** A response that was read to its end. */
export class Answer {
  /**
   * @param {number} status
   * @param {import('node:http').IncomingHttpHeaders} headers
   * @param {Buffer} bytes
   */
  constructor(status, headers, bytes) {
    this.status = status;
    this.headers = headers;
    this.bytes = bytes;
  }

  /** The body as text. */
  get text() {
    return this.bytes.toString('utf8');
  }

  /** The body as JSON; a body that is none is an error that shows it. */
  get json() {
    try {
      return JSON.parse(this.text);
    } catch {
      throw new Error(`status ${this.status}, not JSON: ${this.text.slice(0, 500)}`);
    }
  }

  /** One line for an assertion's message. */
  toString() {
    return `${this.status} ${this.text.slice(0, 500)}`;
  }
}

/**
 * A client of one base URL, with connections of its own.
 *
 * A body may be a string, bytes, or an array of them, which is sent chunked.
 */
export class Client {
  /** @param {string} url @param {{sockets?: number}} [options] */
  constructor(url, { sockets = 256 } = {}) {
    this.url = new URL(url);
    this.agent = new http.Agent({ keepAlive: true, maxSockets: sockets, scheduling: 'fifo' });
  }

  /** Drops all connections, those in use too. */
  close() {
    this.agent.destroy();
  }

  /**
   * @param {string} method
   * @param {string} path sent as it stands
   * @param {{headers?: object, body?: any, signal?: AbortSignal}} [options]
   * @returns {Promise<Answer>}
   */
  request(method, path, options = {}) {
    return new Promise((resolve, reject) => {
      let answered = false;
      const request = this.#open(method, path, options, (response) => {
        answered = true;
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve(new Answer(response.statusCode, response.headers, Buffer.concat(chunks)));
        });
      });
      // A server may refuse a large body and close before it has read it: the answer counts.
      request.on('error', (error) => answered || reject(error));
    });
  }

  /**
   * Opens an event stream and yields its events: `{event, id, data}`, comments left out.
   *
   * @param {string} path
   * @param {{headers?: object, signal?: AbortSignal}} [options]
   */
  async *events(path, options = {}) {
    const headers = { accept: 'text/event-stream', ...options.headers };
    const response = await new Promise((resolve, reject) => {
      this.#open('GET', path, { ...options, headers }, resolve).on('error', reject);
    });
    if (!String(response.headers['content-type']).startsWith('text/event-stream')) {
      const chunks = await response.toArray();
      const answer = new Answer(response.statusCode, response.headers, Buffer.concat(chunks));
      throw Object.assign(new Error(`not an event stream: ${answer}`), { answer });
    }
    try {
      yield* parseEvents(response);
    } finally {
      response.destroy();
    }
  }

  #open(method, path, { headers = {}, body, signal }, onResponse) {
    const { hostname, port } = this.url;
    const chunked = Array.isArray(body);
    const sized = !chunked && body !== undefined;
    const length = sized ? { 'content-length': Buffer.byteLength(body) } : {};
    const bare = body === undefined && method !== 'GET' && method !== 'HEAD';
    const request = http.request(
      {
        agent: this.agent, hostname, port, method, path, signal,
        headers: { ...length, ...(bare ? { 'content-length': 0 } : {}), ...headers },
        timeout: EXCHANGE_MS_MAX,
      },
      onResponse,
    );
    request.on('timeout', () => request.destroy(new Error(`no answer: ${method} ${path}`)));
    if (chunked) {
      for (const chunk of body) request.write(chunk);
    }
    request.end(chunked ? undefined : body);
    return request;
  }
}

async function* parseEvents(stream) {
  let buffer = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    buffer += decoder.decode(chunk, { stream: true });
    for (;;) {
      const end = /\r?\n\r?\n/.exec(buffer);
      if (!end) break;
      const event = parseEvent(buffer.slice(0, end.index));
      buffer = buffer.slice(end.index + end[0].length);
      if (event.data !== undefined) yield event;
    }
  }
}

function parseEvent(block) {
  const event = {};
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === 'data') event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    else if (name === 'event' || name === 'id') event[name] = value;
  }
  return event;
}

/**
 * Polls until `probe` gives something truthy and returns it.
 *
 * @template T
 * @param {() => Promise<T>|T} probe
 * @param {{withinMs?: number, everyMs?: number, what?: string}} [options]
 * @returns {Promise<T>}
 */
export async function until(probe, { withinMs = 5_000, everyMs = 25, what = 'condition' } = {}) {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(everyMs);
  }
}

/**
 * Reads Prometheus text.
 *
 * @param {string} text
 * @returns {{name: string, labels: Record<string, string>, value: number}[]}
 */
export function parseMetrics(text) {
  return text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)(?: \d+)?$/.exec(line);
    if (!match) throw new Error(`not a sample: ${line}`);
    const labels = {};
    for (const [, name, value] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name] = value;
    }
    return { name: match[1], labels, value: Number(match[3]) };
  });
}
