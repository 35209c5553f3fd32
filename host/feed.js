// A live reader's side of a topic: a socket to the topic's object, opened anew from where the
// reader is whenever it is lost. Pieces say which numbers they cover, so that nothing is passed over
// or told twice, whatever the object forgot.

import { PING, PONG, openSocket } from './call.js';
import { stepsBack } from './clock.js';
import { NOTHING, readCall } from './frames.js';
import { unavailable } from './problem.js';

/** Pieces taken before the object is told: half of what it may send ahead. */
const TAKEN_TOLD = 8;
/** How soon a lost socket is opened again: at first, and at most. */
const RETRY_MS = 100;
const RETRY_MS_MAX = 5_000;
/** For how long that is tried: a client that is let go comes back by itself. */
const LOST_MS_MAX = 60_000;
/** How often the object is asked for a sign of life; the platform answers without waking it. */
const PING_MS = 15_000;

/**
 * Where pieces go.
 * @typedef {{begin: (from: number) => void, write: (text: string) => Promise<void> | void,
 * end: () => void}} Sink
 */

/** One reader of one topic. */
export class Feed {
  /**
   * @param {import("./core.js").Core} core
   * @param {object} env
   * @param {string} stream as the edge names it
   * @param {Sink} sink
   */
  constructor(core, env, stream, sink) {
    Object.assign(this, { core, env, stream, sink });
    /** The next number; negative while it is not known. */
    this.next = -1;
    this.socket = null;
    this.pieces = [];
    this.writing = false;
    this.taken = 0;
    this.ended = false;
    this.answered = true;
    this.pinging = null;
    this.stepsBack = stepsBack();
  }

  /** The topic's name. */
  get topic() {
    return this.stream.slice(0, this.stream.indexOf('\n'));
  }

  /** Whether others are shown who reads. */
  get isShown() {
    const [, , , , , member] = this.stream.split('\n', 6);
    return member !== '';
  }

  /** Opens the socket; the object's response, with a socket where it lets the reader in. */
  async open() {
    const { core } = this;
    core.exports.edge_follow(core.putText(this.stream), this.next);
    const at = core.exports.output();
    if (core.view.getUint32(at, true) === NOTHING) return unavailable();
    const response = await openSocket(this.env, readCall(core, at));
    const socket = response.webSocket;
    if (!socket) return response;
    socket.accept();
    if (this.ended) {
      socket.close(1000);
      return response;
    }
    this.socket = socket;
    this.answered = true;
    this.pinging ??= setInterval(() => this.ping(), PING_MS);
    socket.addEventListener('message', ({ data }) => this.receive(socket, data));
    const lost = ({ reason }) => this.lose(socket, reason);
    socket.addEventListener('close', lost);
    socket.addEventListener('error', lost);
    return response;
  }

  ping() {
    const { socket } = this;
    if (socket === null) return;
    if (!this.answered) {
      socket.close(1001, 'silent');
      this.lose(socket, 'silent');
      return;
    }
    this.answered = false;
    this.say(socket, PING);
  }

  say(socket, text) {
    try {
      socket.send(text);
    } catch {
      this.lose(socket, 'closing');
    }
  }

  receive(socket, data) {
    if (socket !== this.socket) return;
    this.answered = true;
    if (data === PONG) return;
    this.pieces.push(data);
    if (!this.writing) this.write();
  }

  async write() {
    this.writing = true;
    try {
      while (this.pieces.length > 0 && !this.ended) await this.piece(this.pieces.shift());
    } catch {
      // The client has gone; there is nobody to tell.
      this.close();
    }
    this.writing = false;
  }

  async piece(text) {
    const end = text.indexOf('\n');
    const [from, next] = text.slice(0, end).split(' ').map(Number);
    if (this.next < 0) {
      this.next = from;
      this.sink.begin(from);
    }
    if (from === this.next) {
      this.next = next;
      if (end + 1 < text.length) await this.sink.write(text.slice(end + 1));
    } else if (next > this.next) {
      // Something is missing in between: begin again from what is known.
      const { socket } = this;
      socket?.close(1000);
      this.lose(socket, 'a piece is missing');
      return;
    }
    this.taken += 1;
    if (this.taken >= TAKEN_TOLD && this.socket !== null) {
      this.say(this.socket, `${this.taken}`);
      this.taken = 0;
    }
  }

  async lose(socket, reason) {
    if (socket === null || socket !== this.socket || this.ended) return;
    this.socket = null;
    if (reason === 'gone') {
      // What it said last may be under way to the client still.
      while (this.writing) await sleep(RETRY_MS);
      this.finish();
      return;
    }
    this.pieces.length = 0;
    this.taken = 0;
    await this.reopen();
  }

  async reopen() {
    if (this.stepsBack !== stepsBack()) {
      // The clock was set back, and this request's timers stand still: there is one try.
      await this.open().catch(() => unavailable());
      if (this.socket === null) this.finish();
      return;
    }
    const until = Date.now() + LOST_MS_MAX;
    for (let wait = RETRY_MS; Date.now() < until; wait = Math.min(2 * wait, RETRY_MS_MAX)) {
      await sleep(wait * (0.5 + Math.random() / 2));
      if (this.ended) return;
      // What is being written counts as read: it is, or the client has gone.
      while (this.writing) await sleep(RETRY_MS);
      const { status } = await this.open().catch(() => unavailable());
      if (this.socket !== null || this.ended) return;
      if (status < 500) break;
    }
    this.finish();
  }

  finish() {
    if (this.ended) return;
    this.close();
    this.sink.end();
  }

  /** The reader has gone. */
  close() {
    this.ended = true;
    clearInterval(this.pinging);
    this.pieces.length = 0;
    try {
      this.socket?.close(1000);
    } catch {
      // It is closed already.
    }
    this.socket = null;
  }
}

/** @param {number} ms */
export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
