// The server, on top of the fault layer, and how requests reach it: over many connections, some of
// which are cut before the answer, and through faults and kills, during which everybody waits.

import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer, temporaryDirectory } from '../harness/server.mjs';
import { Faults, buildFaultLayer, hasFaultLayer, spoilTails } from './faults.mjs';
import { Random } from './random.mjs';

/** Sockets to one server. */
const SOCKETS_MAX = 256;
/** A server that says nothing for this long has failed. */
const SILENCE_MS_MAX = 60_000;

/** The fate of a request is not known: it was sent, and no answer came. */
export class Lost extends Error {}

/** @returns {number} this process's clock, the only one that histories know */
export const now = () => performance.now();

/** A server that a fault should end is ended anyway after this time without an operation. */
const FAULT_MS_MAX = 400;

/** A workerd of its own, with the requests that are made of it. */
export class Subject {
  #server;
  #agent;
  #faults = null;
  /** Whether somebody is about to end the server, and what it said if it ended by itself. */
  #isDoomed = false;
  #lastWords = null;
  /** What the server's clock is ahead of this machine's. */
  #clockMs = 0;
  /** Settles when the server answers; another one for each time that it is down. */
  #isUp = Promise.resolve();

  /** @param {number} [port] any free one unless given */
  static async start(port = 0) {
    const subject = new Subject();
    let layer;
    if (hasFaultLayer()) {
      const library = await buildFaultLayer();
      subject.#faults = new Faults(path.join(temporaryDirectory(), 'faults'));
      layer = subject.#faults.environment(library);
    }
    // A directory that is not removed at a stop: a failed run's is kept.
    subject.#server = await startServer({ port, layer });
    subject.#connect();
    subject.#guard();
    return subject;
  }

  async stop() {
    this.#isDoomed = true;
    this.#agent.destroy();
    this.#faults?.close();
    await this.#server.stop();
  }

  get url() {
    return this.#server.url;
  }

  get dataDir() {
    return this.#server.dataDir;
  }

  /** Settles when the server is up. */
  get isUp() {
    return this.#isUp;
  }

  /**
   * Ends the server without notice, and starts it again on the same data.
   * @param {object} [crash]
   * @param {import('./faults.mjs').Fault | null} [crash.fault] that ends it, where it comes to it
   * @param {number | null} [crash.spoilSeed] of garbage that is put behind the logs
   * @returns {Promise<import('./history.mjs').Kill>}
   */
  async crash({ fault = null, spoilSeed = null } = {}) {
    const from = now();
    this.#isDoomed = true;
    const hasHit = fault !== null && (await this.#isEndedBy(fault));
    let open;
    this.#isUp = new Promise((resolve) => (open = resolve));
    await this.#server.kill9();
    this.#agent.destroy();
    const gone_at = now();
    this.#faults?.clear();
    if (spoilSeed !== null) spoilTails(this.#server.dataDir, new Random(spoilSeed));
    await this.#server.restart();
    this.#connect();
    this.#isDoomed = false;
    this.#guard();
    open();
    const kind = fault?.kind ?? (spoilSeed === null ? 'kill' : 'spoil');
    return { kind, hasHit, from, gone_at, up_at: now() };
  }

  /** Notices when the server ends and nobody wanted it to. */
  #guard() {
    this.#server.exited.then((how) => {
      if (!this.#isDoomed) this.#lastWords = `${JSON.stringify(how)} ${this.logs()}`;
    });
  }

  /** Sets a fault, and says whether it has ended the server in time. */
  async #isEndedBy(fault) {
    this.#faults.set(fault);
    const late = sleep(FAULT_MS_MAX, false);
    return Promise.race([this.#server.exited.then(() => true), late]);
  }

  /**
   * Lets the disk fail for a while; a server that does not live through it is started again.
   * @param {import('./faults.mjs').Fault} fault
   * @param {number} lastsMs
   * @returns {Promise<import('./history.mjs').Trouble>}
   */
  async trouble(fault, lastsMs) {
    const from = now();
    this.#isDoomed = true;
    this.#faults.set({ ...fault, isLasting: true });
    let hasEnded = false;
    this.#server.exited.then(() => (hasEnded = true));
    await Promise.race([this.#server.exited, sleep(lastsMs)]);
    this.#faults.clear();
    const crash = hasEnded ? await this.crash() : null;
    this.#isDoomed = false;
    return { kind: fault.kind, from, until: now(), crash };
  }

  /** Puts the server's clock ahead, by so much more or less. */
  moveClock(byMs) {
    const from = now();
    this.#clockMs += byMs;
    this.#faults.setClock(this.#clockMs);
    return { byMs, from, until: now() };
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
          if (this.#lastWords !== null) {
            throw new Error(`the server ended by itself: ${this.#lastWords}`);
          }
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
