// What a queue pushes to: an HTTP server on loopback that takes most messages, fails some, keeps
// others waiting, and notes every call.

import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBody } from './history.mjs';
import { now } from './server.mjs';

/** Longer than any call may take. */
const HANG_MS = 3_000;
/** This process was busy with something else if a timer of the first figure took the second. */
const [TICK_MS, STALL_MS] = [50, 500];

/**
 * @typedef {object} Call
 * @property {number} n of the publish, from the body
 * @property {number} from
 * @property {number} until it was answered, or cut; Infinity: neither
 * @property {number | null} status null: it was not answered
 */

/** An endpoint of one queue. */
export class Endpoint {
  /** @type {Call[]} */
  calls = [];
  /** @type {{ from: number, until: number }[]} times in which calls waited to be taken notice of */
  stalls = [];
  #ticks;
  #server;
  #random;

  /** @param {import('./random.mjs').Random} random */
  static async open(random) {
    const endpoint = new Endpoint();
    endpoint.#random = random;
    endpoint.#watch();
    endpoint.#server = http.createServer((request, response) =>
      endpoint.#take(request, response).catch(() => response.destroy()));
    endpoint.#server.listen(0, '127.0.0.1');
    await once(endpoint.#server, 'listening');
    return endpoint;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/hook`;
  }

  close() {
    clearInterval(this.#ticks);
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #watch() {
    let last = now();
    this.#ticks = setInterval(() => {
      const from = last;
      last = now();
      if (last - from > STALL_MS) this.stalls.push({ from, until: last });
    }, TICK_MS);
  }

  async #take(request, response) {
    const from = now();
    let body = '';
    for await (const chunk of request) body += chunk;
    const call = { n: readBody(body).n, from, until: Infinity, status: null };
    this.calls.push(call);
    response.on('close', () => (call.until = Math.min(call.until, now())));
    const choice = this.#random.next();
    if (choice < 0.01) {
      await sleep(HANG_MS, undefined, { ref: false });
    } else {
      await sleep(this.#random.between(0, 20));
    }
    // From here on the caller may know.
    if (choice < 0.04) {
      call.until = Math.min(call.until, now());
      response.destroy();
    } else {
      Object.assign(call, { until: now(), status: choice < 0.14 ? 500 : 204 });
      response.writeHead(call.status).end();
    }
  }
}
