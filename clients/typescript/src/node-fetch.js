// As much of `fetch` as is needed here, by Node's own HTTP client, which takes less than half of
// the CPU time. Nothing is followed, and nothing is decompressed.

/** A connection that nobody uses is closed before a server would, five seconds being usual. */
const IDLE_MS = 4_000;
const decoder = new TextDecoder();
/** What was there when this was loaded: whoever puts another in its place wants that to be used. */
const platformFetch = globalThis.fetch;

/**
 * @returns {((url: string, init: RequestInit) => Promise<Response>) | undefined} nothing where the
 *   platform is not Node
 */
export function nodeFetch() {
  if (!isNode()) return undefined;
  const load = (name) => globalThis.process.getBuiltinModule(name);
  const clients = {};
  const toWeb = (incoming) => load('node:stream').Readable.toWeb(incoming);
  const clientOf = (protocol) => {
    const { request, Agent } = load(protocol === 'https:' ? 'node:https' : 'node:http');
    return { request, agent: new Agent({ keepAlive: true, timeout: IDLE_MS }) };
  };
  return (url, init) => {
    if (globalThis.fetch !== platformFetch) return globalThis.fetch(url, init);
    const protocol = url.slice(0, url.indexOf('/'));
    const { request, agent } = (clients[protocol] ??= clientOf(protocol));
    return send(request, url, { ...init, agent }, toWeb);
  };
}

function isNode() {
  const { process, navigator, Bun, Deno } = globalThis;
  // Others have a `process`, too, and a `fetch` that is better than what they have of this.
  if (Bun || Deno || navigator?.userAgent === 'Cloudflare-Workers') return false;
  return process?.release?.name === 'node' && typeof process.getBuiltinModule === 'function';
}

/** Resolves once the answer has begun. */
function send(request, url, { body, signal, ...options }, toWeb) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const sent = request(url, options, (incoming) => resolve(new Answer(incoming, toWeb)));
    // A server notices a reset. A connection that is merely closed may still be read, as far as it
    // knows, and a pull that waits there would get a message that nobody takes.
    const abort = () => {
      if (sent.socket?.resetAndDestroy && !sent.socket.encrypted) sent.socket.resetAndDestroy();
      sent.destroy(signal.reason);
      reject(signal.reason);
    };
    signal?.addEventListener('abort', abort);
    sent.on('close', () => signal?.removeEventListener('abort', abort));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** As much of a `Response` as is asked of one; its body is taken once, in one way. */
class Answer {
  #incoming;
  #toWeb;

  /**
   * @param {import('node:http').IncomingMessage} incoming
   * @param {(incoming: import('node:http').IncomingMessage) => ReadableStream} toWeb
   */
  constructor(incoming, toWeb) {
    this.#incoming = incoming;
    this.#toWeb = toWeb;
    this.status = incoming.statusCode;
    this.headers = new Map(Object.entries(incoming.headers));
  }

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  get body() {
    return this.#toWeb(this.#incoming);
  }

  /** @returns {Promise<Uint8Array>} rejects when it breaks off */
  bytes() {
    return new Promise((resolve, reject) => {
      const chunks = [];
      this.#incoming.on('data', (chunk) => chunks.push(chunk));
      this.#incoming.on('end', () => resolve(joined(chunks)));
      this.#incoming.on('error', reject);
    });
  }

  async text() {
    return decoder.decode(await this.bytes());
  }
}

function joined(chunks) {
  if (chunks.length === 1) {
    const [{ buffer, byteOffset, length }] = chunks;
    // Not as Node has it, where `slice` does not copy.
    return new Uint8Array(buffer, byteOffset, length);
  }
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
