// What the client library uses of the web's WebSocket, for a Node that has none: over the socket
// of the tests.

import { connect } from './socket.mjs';

export class TestWebSocket extends EventTarget {
  #socket;
  #isClosed = false;

  /** @param {string} url */
  constructor(url) {
    super();
    this.#open(url.replace(/^ws/, 'http'));
  }

  async #open(url) {
    try {
      this.#socket = await connect(url);
    } catch {
      this.dispatchEvent(new Event('error'));
      return;
    }
    if (this.#isClosed) return this.#socket.cut();
    this.dispatchEvent(new Event('open'));
    for (;;) {
      const frame = await this.#socket.next(60_000);
      if (frame === null) break;
      if (frame) this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(frame) }));
    }
    this.dispatchEvent(new Event('close'));
  }

  send(text) {
    this.#socket.send(JSON.parse(text));
  }

  close() {
    this.#isClosed = true;
    this.#socket?.cut();
  }
}
