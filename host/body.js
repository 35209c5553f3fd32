// Reading bodies with a bound that holds whatever the other side says about their length, and reading
// away what nobody wants: who is answered while it still sends may see its connection reset and
// never read the answer.

const EMPTY = new Uint8Array(0);
/** The platform itself reads so much that nobody read before it closes the connection. */
const LEFT_BYTES_MAX = 65_536;
/** At most so much is read away, and for so long; then the client is answered all the same. */
const AWAY_BYTES_MAX = 16_777_216;
const AWAY_MS_MAX = 5_000;
/** Read away in pieces of this size. */
const PIECE_BYTES = 65_536;
/** What of a body of unknown length is made room for first. */
const FIRST_BYTES = 4_096;

/**
 * The body, or its first `max + 1` bytes when it has more than `max`.
 * @param {Request} request
 * @param {number} max
 * @returns {Promise<Uint8Array>}
 */
export async function readBody(request, max) {
  const declared = request.headers.get('content-length');
  // The platform holds a client to the length it declared.
  if (declared !== null && Number(declared) <= max) {
    return new Uint8Array(await request.arrayBuffer());
  }
  if (declared === null) return readAtMost(request.body, max, discard);
  await discard(request.body);
  return new Uint8Array(max + 1);
}

/**
 * Whether an answer could get lost if the body were left alone. One who sends `Expect` has not sent
 * it yet.
 * @param {Request} request
 */
export function isLong(request) {
  const { method, headers } = request;
  if (method === 'GET') return false;
  const declared = headers.get('content-length');
  const isShort = declared === null ? request.body === null : Number(declared) <= LEFT_BYTES_MAX;
  return !isShort && !headers.has('expect');
}

/**
 * Reads what nobody has read, so that the client gets to read its answer.
 * @param {Request} request
 */
export async function readAway({ body, bodyUsed }) {
  if (body !== null && !bodyUsed) await discard(body);
}

async function discard(stream) {
  const reader = stream.getReader({ mode: 'byob' });
  const cancel = () => reader.cancel().catch(() => {});
  const timer = setTimeout(cancel, AWAY_MS_MAX);
  try {
    let piece = new Uint8Array(PIECE_BYTES);
    for (let length = 0; length <= AWAY_BYTES_MAX; ) {
      const { done, value } = await reader.read(piece);
      if (done) return;
      length += value.length;
      piece = new Uint8Array(value.buffer);
    }
    await cancel();
  } catch {
    // The client has gone.
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What comes of a stream, or its first `max + 1` bytes when more does; the rest is not waited for.
 * @param {ReadableStream<Uint8Array> | null} stream
 * @param {number} max
 * @param {(stream: ReadableStream<Uint8Array>) => Promise<void>} [leave] what becomes of the rest
 * @returns {Promise<Uint8Array>}
 */
export async function readAtMost(stream, max, leave = (rest) => rest.cancel()) {
  if (stream === null) return EMPTY;
  const reader = stream.getReader();
  // Copied, since a piece of one byte may keep a whole buffer of the platform's.
  let body = new Uint8Array(Math.min(max + 1, FIRST_BYTES));
  let length = 0;
  while (length <= max) {
    const { done, value } = await reader.read();
    if (done) break;
    const wanted = Math.min(length + value.length, max + 1);
    if (wanted > body.length) {
      const larger = new Uint8Array(Math.min(max + 1, Math.max(wanted, 2 * body.length)));
      larger.set(body);
      body = larger;
    }
    body.set(value.subarray(0, wanted - length), length);
    length = wanted;
  }
  if (length > max) {
    reader.releaseLock();
    await leave(stream);
  }
  return body.slice(0, length);
}
