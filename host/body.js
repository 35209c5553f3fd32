// Reading bodies with a bound that holds whatever the other side says about their length.

const EMPTY = new Uint8Array(0);

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
  if (declared !== null) return new Uint8Array(max + 1);
  return readAtMost(request.body, max);
}

/**
 * What comes of a stream, or its first `max + 1` bytes when more does; the rest is not waited for.
 * @param {ReadableStream<Uint8Array> | null} stream
 * @param {number} max
 * @returns {Promise<Uint8Array>}
 */
export async function readAtMost(stream, max) {
  if (stream === null) return EMPTY;
  const reader = stream.getReader();
  const chunks = [];
  let length = 0;
  while (length <= max) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  if (length > max) await reader.cancel();
  const body = new Uint8Array(Math.min(length, max + 1));
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk.subarray(0, body.length - at), at);
    at += Math.min(chunk.length, body.length - at);
  }
  return body;
}
