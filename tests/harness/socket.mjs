// A WebSocket client (RFC 6455) for tests, with JSON frames: Node 20 has none of its own. It can be
// cut off without a closing handshake, and can stop reading, as clients do.

import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/**
 * Opens a socket.
 * @param {string} url as of the server, `http://…`
 * @param {Record<string, string>} [headers]
 * @returns {Promise<Socket>} rejects with the status where it is not let in
 */
export function connect(url, headers = {}) {
  const key = randomBytes(16).toString('base64');
  const request = http.request(url, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': key,
      ...headers,
    },
  });
  request.end();
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      response.resume();
      reject(Object.assign(new Error(`status ${response.statusCode}`), response));
    });
    request.on('upgrade', (response, stream, head) => {
      const accept = createHash('sha1').update(key + GUID).digest('base64');
      if (response.headers['sec-websocket-accept'] !== accept) {
        stream.destroy();
        reject(new Error('not a WebSocket'));
        return;
      }
      resolve(new Socket(stream, head));
    });
  });
}

/** An open socket: frames that came, in order. */
export class Socket {
  constructor(stream, head) {
    this.stream = stream;
    this.bytes = head;
    /** Frames that nobody has asked for yet. */
    this.frames = [];
    this.waiting = [];
    this.isClosed = false;
    stream.setNoDelay(true);
    stream.on('data', (bytes) => this.take(bytes));
    stream.on('error', () => {});
    stream.on('close', () => this.closed());
    this.take(Buffer.alloc(0));
  }

  take(bytes) {
    this.bytes = this.bytes.length === 0 ? bytes : Buffer.concat([this.bytes, bytes]);
    for (let frame = this.parse(); frame !== null; frame = this.parse()) this.handle(frame);
  }

  parse() {
    const { bytes } = this;
    if (bytes.length < 2) return null;
    let length = bytes[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) return null;
      length = bytes.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return null;
      length = Number(bytes.readBigUInt64BE(2));
      at = 10;
    }
    if (bytes.length < at + length) return null;
    this.bytes = bytes.subarray(at + length);
    return { opcode: bytes[0] & 0x0f, payload: bytes.subarray(at, at + length) };
  }

  handle({ opcode, payload }) {
    if (opcode === TEXT) this.push(this.read(payload.toString()));
    else if (opcode === PING) this.write(PONG, payload);
    else if (opcode === CLOSE) {
      /** What the other side gave as its reason. */
      this.code = payload.length > 1 ? payload.readUInt16BE(0) : undefined;
      this.stream.end();
    }
  }

  /** A document, or several, a line each. */
  read(text) {
    return text.includes('\n') ? text.split('\n').map((line) => JSON.parse(line)) : JSON.parse(text);
  }

  push(frame) {
    const waiter = this.waiting.shift();
    if (waiter === undefined) this.frames.push(frame);
    else waiter(frame);
  }

  closed() {
    this.isClosed = true;
    for (const waiter of this.waiting.splice(0)) waiter(null);
  }

  /** @param {object} frame */
  send(frame) {
    this.write(TEXT, Buffer.from(JSON.stringify(frame)));
  }

  write(opcode, payload) {
    const mask = randomBytes(4);
    const long = payload.length > 125;
    const head = Buffer.alloc(long ? 10 : 2);
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | (long ? 127 : payload.length);
    if (long) head.writeBigUInt64BE(BigInt(payload.length), 2);
    const masked = Buffer.from(payload.map((byte, at) => byte ^ mask[at % 4]));
    this.stream.write(Buffer.concat([head, mask, masked]));
  }

  /**
   * The next frame; `null` when the socket is closed, `undefined` when none came in time.
   * @param {number} [withinMs]
   * @returns {Promise<any>}
   */
  next(withinMs = 5_000) {
    if (this.frames.length > 0) return Promise.resolve(this.frames.shift());
    if (this.isClosed) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((it) => it !== waiter);
        resolve(undefined);
      }, withinMs);
      const waiter = (frame) => {
        clearTimeout(timer);
        resolve(frame);
      };
      this.waiting.push(waiter);
    });
  }

  /** The next frame of this type; others before it are dropped. */
  async until(type, withinMs = 5_000) {
    for (;;) {
      const frame = await this.next(withinMs);
      if (frame === null || frame === undefined || frame.type === type) return frame;
    }
  }

  /** Takes nothing from the network any more. */
  pause() {
    this.stream.pause();
  }

  resume() {
    this.stream.resume();
  }

  /** Ends it without a word. */
  cut() {
    this.stream.destroy();
  }
}
