// A topic's object: the sockets of its live readers sleep with it. What is sent to whom is the
// core's to say.

import { COMMAND_HEADER } from './call.js';
import { CoreObject } from './object.js';

const TOPIC = 2;
/** Bytes of a frame that a reader sends: a number. */
const CREDIT_BYTES_MAX = 8;

/** One topic. */
export class TopicObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, TOPIC);
    /** Sockets of readers by token, and the other way round; tokens are this instance's. */
    this.sockets = new Map();
    this.tokens = new WeakMap();
    /** What readers said since the last turn: how many pieces they took, by token. */
    this.taken = new Map();
    /** Readers that have gone since the last turn. */
    this.gone = new Set();
    // Answered while the object sleeps.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
  }

  /** @param {Request} request */
  fetch(request) {
    if (request.headers.get('upgrade') !== 'websocket') return super.fetch(request);
    const [client, server] = Object.values(new WebSocketPair());
    const command = request.headers.get(COMMAND_HEADER);
    return this.take(request, command, null, 0, { client, server });
  }

  respond(entry, response) {
    if (entry.sockets === null || response.status !== 204) return super.respond(entry, response);
    const { client, server } = entry.sockets;
    this.ctx.acceptWebSocket(server);
    this.know(server, entry.token);
    return new Response(null, { status: 101, webSocket: client, headers: response.headers });
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
    for (const token of this.gone) core.exports.object_cancel(token);
    for (const [token, pieces] of this.taken) core.exports.object_credit(token, pieces);
  }

  /** A turn has been carried out: what was said before it counts, and readers get what is new. */
  deliver(pushes) {
    this.gone.clear();
    this.taken.clear();
    for (const { tokens, text, memory, isLast } of pushes) {
      for (const token of tokens) {
        const socket = this.sockets.get(token);
        if (socket !== undefined) this.tell(socket, text, memory, isLast);
      }
    }
  }

  tell(socket, text, memory, isLast) {
    try {
      socket.send(text);
      if (memory !== null) socket.serializeAttachment(memory);
      if (isLast) socket.close(1000, 'gone');
    } catch {
      // It is closing: its reader goes on from what it has.
      this.leave(socket);
    }
  }

  leave(socket) {
    const token = this.tokenOf(socket);
    this.sockets.delete(token);
    this.gone.add(token);
    this.makeDue();
  }

  webSocketMessage(socket, message) {
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
