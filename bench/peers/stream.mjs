// Bytes that arrive in pieces, for the parsers of the peers' protocols. A parser takes whole items
// from the front; what is not whole yet stays.

import net from 'node:net';

/** A TCP connection whose owner parses what has arrived whenever more has. */
export class Stream {
  /** What has arrived and was not taken yet. */
  bytes = Buffer.alloc(0);
  /** How much of it was taken. */
  at = 0;
  #socket;
  #failure;
  #onData = () => {};
  #onFailure = () => {};

  /**
   * @param {number} port on 127.0.0.1
   * @returns {Promise<Stream>}
   */
  static open(port) {
    return new Promise((resolve, reject) => {
      const stream = new Stream();
      stream.#socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
      stream.#socket.once('connect', () => resolve(stream));
      stream.#socket.on('error', (error) => {
        reject(error);
        stream.fail(error);
      });
      stream.#socket.on('close', () => stream.fail(new Error('the connection was closed')));
      stream.#socket.on('data', (piece) => stream.#arrived(piece));
    });
  }

  /**
   * @param {(stream: Stream) => void} onData called when more has arrived
   * @param {(error: Error) => void} onFailure called once, when nothing more will
   */
  follow(onData, onFailure) {
    this.#onData = onData;
    this.#onFailure = onFailure;
    if (this.#failure) onFailure(this.#failure);
    else if (this.at < this.bytes.length) onData(this);
  }

  /** @param {Buffer | string} bytes */
  write(bytes) {
    this.#socket.write(bytes);
  }

  /** Sends what is written until `uncork` together. */
  cork() {
    this.#socket.cork();
  }

  uncork() {
    this.#socket.uncork();
  }

  close() {
    this.#onFailure = () => {};
    this.#socket.destroy();
  }

  /** @param {Error} error ends it for the one who follows it */
  fail(error) {
    this.#failure ??= error;
    this.#onFailure(this.#failure);
    this.#onFailure = () => {};
  }

  #arrived(piece) {
    const rest = this.at < this.bytes.length;
    this.bytes = rest ? Buffer.concat([this.bytes.subarray(this.at), piece]) : piece;
    this.at = 0;
    // What is answered to one piece goes out as one.
    this.cork();
    try {
      this.#onData(this);
    } catch (error) {
      this.fail(error);
    }
    this.uncork();
  }
}
