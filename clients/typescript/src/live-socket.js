// One WebSocket that follows a topic: its frames in order and bounded, and signs of life.

import { ConnectionError } from './errors.js';
import { errorOf } from './problem.js';
import { onAbort } from './time.js';

/** Frames that wait for their reader; beyond it the socket is closed, and opened again later. */
const WAITING_FRAMES_MAX = 1000;
/** How often the server is asked for a sign of life. */
const PING_MS = 15_000;
/** Until a new socket has to be open. */
const OPEN_MS_MAX = 10_000;

/**
 * @param {import('./http.js').Http} http
 * @param {string} path of the topic
 * @param {string} query
 * @param {{ subscribe: object, signal?: AbortSignal }} what
 * @returns {AsyncGenerator<Record<string, any>, void>} until the connection ends
 */
export async function* overSocket(http, path, query, { subscribe, signal }) {
  const url = http.address(`${path}/socket${query}`);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const connection = new Connection(new http.WebSocket(url.href), subscribe);
  const forget = onAbort(signal, () => connection.end());
  try {
    if (signal?.aborted) return;
    for await (const frame of connection.frames()) yield frame;
    // Browsers keep the status of a refusal to themselves; a plain request tells.
    if (!connection.wasOpen) await http.request('GET', path, { signal, retry: { attempts: 1 } });
    if (connection.isBroken) throw new ConnectionError(new Error('the socket was closed'));
  } finally {
    forget();
    connection.end();
  }
}

class Connection {
  #socket;
  #frames = [];
  #wake = () => {};
  #isOver = false;
  #timer;
  #isAnswered = true;
  wasOpen = false;
  /** Whether it ended by itself, and not for want of room. */
  isBroken = false;

  constructor(socket, subscribe) {
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lose(), OPEN_MS_MAX);
    socket.addEventListener('open', () => {
      this.wasOpen = true;
      clearTimeout(this.#timer);
      this.#timer = setInterval(() => this.#ping(), PING_MS);
      // What is not defined is no part of the document.
      this.#send({ type: 'subscribe', ref: 1, ...subscribe });
    });
    socket.addEventListener('message', ({ data }) => this.#hear(data));
    socket.addEventListener('close', () => this.#lose());
    socket.addEventListener('error', () => this.#lose());
  }

  async *frames() {
    for (;;) {
      while (this.#frames.length > 0) yield settled(this.#frames.shift());
      if (this.#isOver) return;
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }

  /** Nobody listens any more. */
  end() {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearInterval(this.#timer);
    try {
      this.#socket.close(1000);
    } catch {
      // Some platforms do not close what is not open yet.
    }
    this.#wake();
  }

  #hear(data) {
    if (this.#isOver) return;
    this.#isAnswered = true;
    const frame = JSON.parse(data);
    if (frame.type === 'pong') return;
    // The server follows no longer, by itself: what came up to here counts, then it is asked again.
    if (frame.type === 'unsubscribed') return this.#lose();
    this.#frames.push(frame);
    // The log keeps the rest: it is asked for once there is room again.
    if (this.#frames.length >= WAITING_FRAMES_MAX) return this.end();
    this.#wake();
  }

  #ping() {
    if (!this.#isAnswered) return this.#lose();
    this.#isAnswered = false;
    this.#send({ type: 'ping' });
  }

  #send(frame) {
    try {
      this.#socket.send(JSON.stringify(frame));
    } catch {
      this.#lose();
    }
  }

  #lose() {
    if (this.#isOver) return;
    this.isBroken = true;
    this.end();
  }
}

function settled(frame) {
  if (frame.type === 'error') throw errorOf(frame.problem);
  return frame;
}
