// An endpoint for tests: it answers as it is told, and remembers who called when.

import http from 'node:http';
import { once } from 'node:events';
import { afterEach } from 'node:test';

/**
 * What an endpoint was called with.
 * @typedef {object} Received
 * @property {number} at milliseconds since this process began, when the head came in
 * @property {Record<string, string>} headers
 * @property {string} body
 */

/** An HTTP server on loopback. */
export class Receiver {
  /** @type {Received[]} */
  received = [];
  /** Calls that have not been answered. */
  open = 0;
  /** The most there ever were at a time. */
  most = 0;
  #server;
  #answer;

  /**
   * @param {(call: Received, number: number) => {status?: number, headers?: object, body?: string,
   *   afterMs?: number} | null | Promise<any>} [answer] `null`: none ever
   */
  constructor(answer = () => ({})) {
    this.#answer = answer;
  }

  /** Changes what it answers. */
  set answer(answer) {
    this.#answer = answer;
  }

  /** @param {number} [port] */
  async start(port = 0) {
    this.#server = http.createServer((request, response) => this.#take(request, response));
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
    return this;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** Ends at once: whoever waits for an answer gets none. */
  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #take(request, response) {
    const call = { at: performance.now(), headers: request.headers, body: '' };
    this.open += 1;
    this.most = Math.max(this.most, this.open);
    response.once('close', () => (this.open -= 1));
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    call.body = Buffer.concat(chunks).toString();
    this.received.push(call);
    const answer = await this.#answer(call, this.received.length);
    if (answer === null) return;
    if (answer.afterMs) await new Promise((resolve) => setTimeout(resolve, answer.afterMs));
    response.writeHead(answer.status ?? 204, answer.headers);
    response.end(answer.body);
  }
}

/**
 * Receivers for the tests of a file: each ends with the test that asked for it.
 * @returns {(answer?: ConstructorParameters<typeof Receiver>[0]) => Promise<Receiver>}
 */
export function useReceivers() {
  /** @type {Receiver[]} */
  const receivers = [];
  afterEach(async () => {
    for (const receiver of receivers.splice(0)) await receiver.stop();
  });
  return async (answer) => {
    const started = await new Receiver(answer).start();
    receivers.push(started);
    return started;
  };
}
