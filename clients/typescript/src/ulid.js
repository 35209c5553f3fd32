// Identifiers and leases: 16 bytes on the wire, 26 characters to people. Crockford's base 32, as
// ULIDs have it.

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Two characters for each ten bits: text is made of few pieces. */
const PAIRS = Array.from({ length: 1024 }, (_, n) => ALPHABET[n >> 5] + ALPHABET[n & 31]);
const TIME_CHARS = 10;
const BYTES = 16;

/** The instant whose text was made last: most identifiers of a batch share theirs. */
let lastHigh = -1;
let lastLow = -1;
let lastText = '';

/**
 * @param {Uint8Array} bytes
 * @param {number} at where the 16 bytes begin
 * @returns {string} in 26 characters
 */
export function ulidText(bytes, at) {
  const high = (bytes[at] << 8) | bytes[at + 1];
  const low =
    bytes[at + 2] * 0x1000000 + ((bytes[at + 3] << 16) | (bytes[at + 4] << 8) | bytes[at + 5]);
  if (high !== lastHigh || low !== lastLow) {
    lastText = timeText(high * 0x100000000 + low);
    lastHigh = high;
    lastLow = low;
  }
  return lastText + eightChars(bytes, at + 6) + eightChars(bytes, at + 11);
}

/**
 * @param {string} text a ULID, in either case
 * @returns {Uint8Array | undefined} nothing where the text is none
 */
export function ulidBytes(text) {
  if (!/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i.test(text)) return undefined;
  let value = 0n;
  for (const char of text.toUpperCase()) value = (value << 5n) | BigInt(ALPHABET.indexOf(char));
  const bytes = new Uint8Array(BYTES);
  for (let at = BYTES - 1; at >= 0; at -= 1, value >>= 8n) bytes[at] = Number(value & 255n);
  return bytes;
}

function eightChars(bytes, at) {
  const [a, b, c, d, e] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4]];
  return (
    PAIRS[(a << 2) | (b >> 6)] +
    PAIRS[((b & 63) << 4) | (c >> 4)] +
    PAIRS[((c & 15) << 6) | (d >> 2)] +
    PAIRS[((d & 3) << 8) | e]
  );
}

function timeText(ms) {
  let text = '';
  for (let left = ms; text.length < TIME_CHARS; left = Math.floor(left / 32)) {
    text = ALPHABET[left % 32] + text;
  }
  return text;
}
