// One HTTP/1.1 connection that keeps alive and has one request on the way at a time. Does as
// little as a client can: requests are bytes made beforehand, and of an answer only the status and
// the length are read. Not a general client: it talks to servers that this harness started.

import net from 'node:net';

const READ_BYTES = 65_536;
const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** A connection. Its owner sets `onAnswer`, and sends again only once that was called. */
export class Connection {
  /** @type {(status: number, connection: Connection) => void} */
  onAnswer = () => {};
  /** @type {(error: Error) => void} */
  onFailure = () => {};
  /** Whether bodies are kept, for `body`. Load that only counts answers does without. */
  keepsBody = false;
  /** The last answer's body, where it is kept. @type {Buffer | undefined} */
  body;
  /** When the request on the way was due: for the owner, who measures. */
  dueAt = 0;
  #socket;
  #status = 0;
  #left = -1;
  #chunked = false;
  #partial;
  #pieces = [];
  #closing = false;

  /**
   * @param {number} port on 127.0.0.1
   * @returns {Promise<Connection>}
   */
  static open(port) {
    return new Promise((resolve, reject) => {
      const connection = new Connection();
      const onread = {
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback: (count, buffer) => {
          connection.#read(buffer.subarray(0, count));
          return true;
        },
      };
      const socket = net.connect({ host: '127.0.0.1', port, noDelay: true, onread });
      connection.#socket = socket;
      socket.once('connect', () => resolve(connection));
      socket.on('error', (error) => {
        reject(error);
        connection.#fail(error);
      });
      socket.on('close', () => connection.#fail(new Error('the server closed a connection')));
    });
  }

  /** @param {Buffer} request the whole of it */
  send(request) {
    this.#socket.write(request);
  }

  /** Ends it, whatever is on the way. */
  close() {
    this.#closing = true;
    this.#socket.destroy();
  }

  #fail(error) {
    if (this.#closing) return;
    this.close();
    this.onFailure(error);
  }

  #read(bytes) {
    if (this.#left >= 0) {
      this.#take(bytes);
      return;
    }
    const head = this.#partial ? Buffer.concat([this.#partial, bytes]) : bytes;
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      this.#partial = Buffer.from(head);
      return;
    }
    this.#partial = undefined;
    this.#readHead(head, end);
    this.#take(head.subarray(end + HEAD_END.length));
  }

  #readHead(bytes, end) {
    this.#status = (bytes[9] - 48) * 100 + (bytes[10] - 48) * 10 + (bytes[11] - 48);
    const head = bytes.latin1Slice(0, end);
    const at = head.indexOf('ontent-Length: ');
    this.#chunked = at < 0 && head.includes('chunked');
    // Of a chunked answer the end is looked for; anything else has a length, or nothing behind it.
    if (this.#chunked) this.#left = Infinity;
    else this.#left = at < 0 ? 0 : parseInt(head.slice(at + 15, at + 26), 10);
  }

  #take(bytes) {
    if (this.keepsBody && bytes.length > 0) this.#pieces.push(Buffer.from(bytes));
    if (this.#chunked) {
      const tail = bytes.subarray(-LAST_CHUNK.length);
      if (tail.equals(LAST_CHUNK)) this.#left = 0;
    } else {
      this.#left -= bytes.length;
    }
    if (this.#left > 0) return;
    this.#left = -1;
    if (this.keepsBody) {
      this.body = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
      this.#pieces = [];
    }
    this.onAnswer(this.#status, this);
  }
}

/**
 * Encodes a request.
 * @param {string} method
 * @param {string} path
 * @param {Buffer | string} [body]
 * @param {string} [contentType]
 * @param {string} [accept]
 * @returns {Buffer}
 */
export function encodeRequest(method, path, body, contentType = 'application/json', accept) {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1'];
  if (body === undefined) return Buffer.from(`${head.join('\r\n')}\r\n\r\n`);
  const bytes = Buffer.from(body);
  if (accept) head.push(`Accept: ${accept}`);
  head.push(`Content-Type: ${contentType}`, `Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes]);
}
