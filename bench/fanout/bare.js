// The least that a hibernating socket takes on the runtime: an object that sends one text to all of
// its sockets, and a Worker that hands them through.

import { DurableObject } from 'cloudflare:workers';

export class Room extends DurableObject {
  fetch(request) {
    if (request.headers.get('upgrade') === 'websocket') {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    for (const socket of this.ctx.getWebSockets()) socket.send(TEXT);
    return new Response('sent');
  }
}

const TEXT = JSON.stringify({ type: 'message', body: 'x'.repeat(200) });

export default {
  fetch: (request, env) => env.ROOM.getByName('room').fetch(request),
};
