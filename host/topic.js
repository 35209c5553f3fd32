// A topic's object: the sockets of its live readers sleep with it. What is sent to whom is the
// core's to say.

import { COMMAND_HEADER, LISTEN_URL, PING, PONG } from './call.js';
import { CoreObject } from './object.js';

const TOPIC = 2;
/** Bytes of a frame that a reader sends: a number. */
const CREDIT_BYTES_MAX = 8;
/** The tag of sockets at whose other end is a client itself. */
const DIRECT = 'direct';
/** How the tag begins that says when a client's token ends. */
const ENDS = 'ends ';
/** Bytes that may be on their way to a client before it is sent nothing more. */
const BUFFERED_BYTES_MAX = 1 << 20;
/** How often it is looked whether they have left, and for how long a client may take nothing. */
const DRAIN_MS = 50;
const STUCK_MS_MAX = 60_000;
/** A turn that comes so soon settles what has been answered meanwhile. */
const NEAR_MS = 10;
/** Frames sent at once: what else arrived has its turn before the next of them. */
const FRAMES_AT_ONCE_MAX = 256;
/** What a client is told that says more than it may on a socket that only listens. */
const ONLY_LISTENS = JSON.stringify({
  type: 'error',
  ref: null,
  problem: {
    type: 'bad-request',
    title: 'The request is malformed',
    status: 400,
    detail: 'this socket only listens: publish over HTTP, or open one without from_seq',
    field: 'type',
  },
});

/** One topic. */
export class TopicObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, TOPIC);
    /** Sockets of readers by token, and the other way round; tokens are this instance's. */
    this.sockets = new Map();
    this.tokens = new WeakMap();
    /** When the tokens of clients end that listen, by socket; zero: never. */
    this.ends = new WeakMap();
    /** What readers said since the last turn: how many pieces they took, by token. */
    this.taken = new Map();
    /** Readers that have gone since the last turn. */
    this.gone = new Set();
    /** Clients that take nothing just now, by socket: since when. */
    this.stuck = new Map();
    /** What readers are still to be sent, in order, and how many of the first have been. */
    this.outbox = [];
    this.sent = 0;
    /** Whether a turn had nothing for clients because of that. */
    this.isHeld = false;
    // Answered while the object sleeps.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  /** @param {Request} request */
  fetch(request) {
    if (request.headers.get('upgrade') !== 'websocket') return super.fetch(request);
    const [client, server] = Object.values(new WebSocketPair());
    const command = request.headers.get(COMMAND_HEADER);
    const isDirect = request.url.startsWith(LISTEN_URL);
    const tags = isDirect ? [DIRECT, ENDS + request.url.slice(LISTEN_URL.length)] : [];
    return this.take(request, command, null, 0, { client, server, tags });
  }

  respond(entry, response) {
    if (entry.sockets === null || response.status !== 204) return super.respond(entry, response);
    const { client, server, tags } = entry.sockets;
    this.ctx.acceptWebSocket(server, tags);
    this.know(server, entry.token);
    return new Response(null, { status: 101, webSocket: client, headers: response.headers });
  }

  /** Answers of queues gather while messages are handed on slowly: a commit settles them together. */
  isTurnNear() {
    return this.timer !== null && this.timerAt - Date.now() <= NEAR_MS;
  }

  know(socket, token) {
    this.sockets.set(token, socket);
    this.tokens.set(socket, token);
  }

  tokenOf(socket) {
    let token = this.tokens.get(socket);
    if (token === undefined) {
      token = this.nextToken(1);
      this.know(socket, token);
    }
    return token;
  }

  openCore(now) {
    const core = super.openCore(now);
    for (const socket of this.ctx.getWebSockets()) {
      const memory = socket.deserializeAttachment();
      const [length] = core.putTwo(memory ?? '', '');
      const known = core.exports.object_attach(length, this.tokenOf(socket)) !== 0;
      if (!known) socket.close(1012, 'connect again');
    }
    return core;
  }

  prepare(core) {
    // Meanwhile messages gather, and go to clients together.
    this.isHeld = this.outbox.length > 0;
    core.exports.object_hold(this.isHeld ? 1 : 0);
    for (const token of this.gone) core.exports.object_cancel(token);
    for (const [token, pieces] of this.taken) core.exports.object_credit(token, pieces);
  }

  /** A turn has been carried out: what was said before it counts, and readers get what is new. */
  deliver(pushes) {
    this.gone.clear();
    this.taken.clear();
    if (pushes.length === 0) return;
    const isIdle = this.outbox.length === 0;
    for (const push of pushes) this.outbox.push(push);
    if (isIdle) this.sendSome();
  }

  /** Sends what there is, a part at a time: a publish does not wait until everybody has it. */
  sendSome() {
    for (let left = FRAMES_AT_ONCE_MAX; left > 0 && this.outbox.length > 0; ) {
      const push = this.outbox[0];
      const socket = this.sockets.get(push.tokens[this.sent]);
      if (socket !== undefined) this.tell(socket, push);
      left -= push.texts.length;
      this.sent += 1;
      if (this.sent < push.tokens.length) continue;
      this.outbox.shift();
      this.sent = 0;
    }
    if (this.outbox.length > 0) setTimeout(() => this.sendSome(), 0);
    else if (this.isHeld) this.makeDue();
  }

  tell(socket, { texts, memory, isDirect, isLast }) {
    try {
      if (isDirect && this.isOver(socket)) {
        socket.close(1008, 'the token has expired');
        this.leave(socket);
        return;
      }
      for (const text of texts) socket.send(text);
      if (memory !== null) socket.serializeAttachment(memory);
      if (isLast) socket.close(1000, 'gone');
      else if (isDirect && socket.bufferedAmount > BUFFERED_BYTES_MAX) this.stall(socket);
    } catch {
      // It is closing: its reader goes on from what it has.
      this.leave(socket);
    }
  }

  /** Whether a client's token has ended: it is looked at when there is something to send. */
  isOver(socket) {
    let endsAt = this.ends.get(socket);
    if (endsAt === undefined) {
      const tag = this.ctx.getTags(socket).find((it) => it.startsWith(ENDS));
      endsAt = Number(tag?.slice(ENDS.length) ?? 0);
      this.ends.set(socket, endsAt);
    }
    return endsAt > 0 && endsAt <= Date.now();
  }

  /** Sends a client nothing more until what is on its way has left. */
  stall(socket) {
    this.taken.set(this.tokenOf(socket), 0);
    if (this.stuck.size === 0) setTimeout(() => this.drain(), DRAIN_MS);
    this.stuck.set(socket, Date.now());
  }

  drain() {
    const now = Date.now();
    for (const [socket, since] of this.stuck) {
      if (socket.bufferedAmount * 2 <= BUFFERED_BYTES_MAX) {
        this.stuck.delete(socket);
        this.taken.set(this.tokenOf(socket), 1);
        this.makeDue();
      } else if (now - since > STUCK_MS_MAX) {
        socket.close(1013, 'too slow: connect again, and go on from the last seq');
        this.leave(socket);
      }
    }
    if (this.stuck.size > 0) setTimeout(() => this.drain(), DRAIN_MS);
  }

  /** How far clients were is forgotten with the instance: they say so themselves. */
  fail(error, again) {
    super.fail(error, again);
    for (const socket of this.ctx.getWebSockets(DIRECT)) {
      try {
        socket.close(1012, 'connect again, and go on from the last seq');
      } catch {
        // It is closed already.
      }
      this.leave(socket);
    }
  }

  leave(socket) {
    const token = this.tokenOf(socket);
    this.sockets.delete(token);
    this.stuck.delete(socket);
    this.gone.add(token);
    this.makeDue();
  }

  webSocketMessage(socket, message) {
    if (this.ctx.getTags(socket).includes(DIRECT)) {
      // Not to one that talks and does not read: what it is told would pile up here.
      if (socket.bufferedAmount <= BUFFERED_BYTES_MAX) socket.send(ONLY_LISTENS);
      return;
    }
    if (typeof message !== 'string' || message.length > CREDIT_BYTES_MAX) return;
    const pieces = Number(message);
    if (!Number.isInteger(pieces) || pieces < 1) return;
    const token = this.tokenOf(socket);
    this.taken.set(token, (this.taken.get(token) ?? 0) + pieces);
    this.makeDue();
  }

  webSocketClose(socket) {
    this.leave(socket);
  }

  webSocketError(socket) {
    this.leave(socket);
  }
}
