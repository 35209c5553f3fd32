// The server under stress, and how requests reach it: over many connections, some of which are cut
// before the answer, and through kills, during which everybody waits.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '../harness/server.mjs';

/** Sockets to one server. */
const SOCKETS_MAX = 256;
/** A server that says nothing for this long has failed. */
const SILENCE_MS_MAX = 60_000;

/** The fate of a request is not known: it was sent, and no answer came. */
export class Lost extends Error {}

/** @returns {number} this process's clock, the only one that histories know */
export const now = () => performance.now();

/** A workerd of its own, with the requests that are made of it. */
export class Subject {
  #server;
  #agent;
  /** Settles when the server answers; another one for each time that it is down. */
  #isUp = Promise.resolve();

  /** @param {number} [port] any free one unless given */
  static async start(port = 0) {
    const subject = new Subject();
    subject.#server = await startServer({ port });
    subject.#connect();
    return subject;
  }

  async stop() {
    this.#agent.destroy();
    await this.#server.stop();
  }

  /** Kills the server without notice, and starts it again on the same data. */
  async crash() {
    const killed_at = now();
    let open;
    this.#isUp = new Promise((resolve) => (open = resolve));
    await this.#server.kill9();
    this.#agent.destroy();
    const gone_at = now();
    await this.#server.restart();
    this.#connect();
    open();
    return { killed_at, gone_at, up_at: now() };
  }

  /** What the server said on its output since it was last started. */
  logs() {
    return this.#server.logs();
  }

  /**
   * Sends a request once the server is up.
   * @param {string} method
   * @param {string} path
   * @param {object} [options]
   * @param {Record<string, string>} [options.headers]
   * @param {unknown} [options.json] the body, as JSON
   * @param {string} [options.body]
   * @param {number | null} [options.dropAfterMs] cuts the connection so long after sending
   * @returns {Promise<{ sent_at: number, answered_at: number, status: number,
   *   headers: http.IncomingHttpHeaders, json: any }>}
   * @throws {Lost} with `sent_at` and `ended_at`
   */
  async send(method, path, { headers = {}, json, body, dropAfterMs = null } = {}) {
    const isJson = json !== undefined;
    const bytes = isJson ? JSON.stringify(json) : (body ?? '');
    const type = isJson ? { 'content-type': 'application/json' } : {};
    for (;;) {
      await this.#isUp;
      const sent_at = now();
      try {
        const options = {
          method, path, agent: this.#agent,
          headers: { ...type, 'content-length': Buffer.byteLength(bytes), ...headers },
        };
        const answer = await exchange(this.#server.url, options, bytes, dropAfterMs);
        return { sent_at, answered_at: now(), ...answer };
      } catch (error) {
        // Nobody listened, so nothing was sent.
        if (error.code === 'ECONNREFUSED') {
          await sleep(5);
          continue;
        }
        throw Object.assign(new Lost(error.message), { sent_at, ended_at: now() });
      }
    }
  }

  #connect() {
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  }
}

function exchange(url, options, bytes, dropAfterMs) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { ...options, timeout: SILENCE_MS_MAX }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({
        status: response.statusCode,
        headers: response.headers,
        json: parse(response.headers['content-type'], Buffer.concat(chunks)),
      }));
      response.on('aborted', () => reject(new Error('the answer was cut off')));
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error(`no answer in ${SILENCE_MS_MAX} ms`)));
    if (dropAfterMs !== null) {
      request.on('finish', () => setTimeout(() => request.destroy(), dropAfterMs));
    }
    request.end(bytes);
  });
}

function parse(type = '', bytes) {
  return /\bjson\b/.test(type) ? JSON.parse(bytes.toString('utf8')) : null;
}
