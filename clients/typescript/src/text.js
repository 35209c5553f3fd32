// Text and bytes: lengths, base 64 and strings that are Unicode throughout.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** As many as may be arguments of one call, on every platform. */
const CHUNK = 8192;

/**
 * @param {string} text
 * @returns {Uint8Array} in UTF-8
 */
export function encode(text) {
  return encoder.encode(text);
}

/**
 * @param {string} text
 * @param {Uint8Array} bytes with room for it from `at` on
 * @param {number} at
 * @returns {number} its bytes in UTF-8
 */
export function encodeInto(text, bytes, at) {
  return encoder.encodeInto(text, bytes.subarray(at)).written;
}

/**
 * @param {Uint8Array} bytes
 * @returns {string | undefined} nothing where they are no UTF-8
 */
export function decodeExactly(bytes) {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function decode(bytes) {
  return decoder.decode(bytes);
}

/**
 * @param {string} text
 * @returns {number} its bytes in UTF-8
 */
export function byteLength(text) {
  let bytes = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // Half of a pair counts two here, so that a pair makes four.
    if (code >= 0x80) bytes += code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 1 : 2;
  }
  return bytes;
}

/**
 * JSON would keep half of a surrogate pair as an escape, which is no Unicode: the server had to
 * refuse the whole request for it.
 * @param {string} text
 * @returns {string} with U+FFFD instead, as every encoder to UTF-8 writes it
 */
export function wellFormed(text) {
  if (typeof text.isWellFormed === 'function' && text.isWellFormed()) return text;
  return decode(encode(text));
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function toBase64(bytes) {
  if (typeof bytes.toBase64 === 'function') return bytes.toBase64();
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(binary);
}

/**
 * @param {string} text
 * @returns {Uint8Array}
 */
export function fromBase64(text) {
  if (typeof Uint8Array.fromBase64 === 'function') return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
