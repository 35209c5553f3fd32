// The binary form of batches, as docs/BATCH.md of the server specifies it: writing messages and
// acknowledgements, reading the answers. Numbers are little-endian.

import { TidegateError } from './errors.js';
import { fromWire } from './names.js';
import { badRequest, errorOf } from './problem.js';
import { decode, encode, encodeInto } from './text.js';
import { ulidBytes, ulidText } from './ulid.js';

export const BATCH_TYPE = 'application/vnd.tidegate.batch';

const PREAMBLE_BYTES = 8;
const MAGIC = [0x54, 0x47, 0x42, 1];
const PUBLISH = 1;
const PUBLISHED = 2;
const PULLED = 3;
const ACK = 4;
const ACKNOWLEDGED = 5;
const PULL = 6;
const ACKED_AND_PULLED = 7;

/** Flags of a message. */
const CONTENT_TYPE = 1;
const KEY = 2;
const IDEMPOTENCY_KEY = 4;
const NUMBERS = [['delay_ms', 8], ['ttl_ms', 16], ['hold_ms', 32]];
const SAME_CONTENT_TYPE = 64;
const TEXTS = [['content_type', CONTENT_TYPE], ['key', KEY], ['idempotency_key', IDEMPOTENCY_KEY]];
const FIXED_BYTES = 8;
const PRIORITY_DEFAULT = 4;
const BYTE_MAX = 255;
const SHORT_MAX = 65_535;

/** The first byte of a verdict; 0 is accepted. */
const REFUSED = 1;
/** Accepted, and there is more to say: a JSON object follows. */
const MORE = 2;

const DELIVERY_BYTES = 60;
const ID_BYTES = 16;
const HIGH_WORD = 0x100000000;

/** What an entry of an acknowledgement asks for: they stand in this order. */
export const FINISH = 0;
export const RETRY = 1;
export const EXTEND = 2;
const RELEASE = 1;
const RESULT = 2;
const TIME = 1;
/** Flags of a pull. */
const VISIBILITY_TIMEOUT = 1;
const FILTER = 2;

/** Memory that messages are written to, one behind the other: many share a page. */
const PAGE_BYTES_MIN = 4096;
const PAGE_BYTES_MAX = 65_536;
/** A UTF-16 unit takes at most three bytes of UTF-8. */
const UNIT_BYTES_MAX = 3;

/**
 * A message as it was written: it can be sent as often as need be.
 * @typedef {object} Written
 * @property {Uint8Array} page
 * @property {number} start
 * @property {number} end
 */

/** Writes messages to pages. */
export class MessageWriter {
  #page = new Uint8Array(0);
  #view = new DataView(this.#page.buffer);
  #at = 0;

  /**
   * @param {string | Uint8Array} content
   * @param {Record<string, any>} [fields] as in JSON, but for the body
   * @returns {Written}
   */
  write(content, fields) {
    const isText = typeof content === 'string' && content.length * UNIT_BYTES_MAX < PAGE_BYTES_MAX;
    const body = isText || typeof content !== 'string' ? content : encode(content);
    const extra = fields ? roomOf(fields) : 0;
    this.#reserve(FIXED_BYTES + extra + (isText ? body.length * UNIT_BYTES_MAX : body.length));
    const start = this.#at;
    let at = start + FIXED_BYTES;
    let flags = 0;
    let attributes = 0;
    if (fields) {
      [at, flags] = this.#writeFields(at, fields);
      if (fields.attributes) [at, attributes] = this.#writeAttributes(at, fields.attributes);
    }
    const bodyAt = at;
    if (isText) at += encodeInto(body, this.#page, at);
    else {
      this.#page.set(body, at);
      at += body.length;
    }
    this.#view.setUint32(start, at - bodyAt, true);
    this.#page[start + 4] = flags;
    this.#page[start + 5] = Math.min(fields?.priority ?? PRIORITY_DEFAULT, BYTE_MAX);
    this.#view.setUint16(start + 6, attributes, true);
    this.#at = at;
    return { page: this.#page, start, end: at };
  }

  #reserve(bytes) {
    if (this.#at + bytes <= this.#page.length) return;
    const size = Math.min(Math.max(this.#page.length * 2, PAGE_BYTES_MIN), PAGE_BYTES_MAX);
    this.#page = new Uint8Array(Math.max(size, bytes));
    this.#view = new DataView(this.#page.buffer);
    this.#at = 0;
  }

  #writeFields(at, fields) {
    let flags = 0;
    for (const [name, flag] of TEXTS) {
      if (fields[name] === undefined) continue;
      flags |= flag;
      at = this.#writeShort(at, name, fields[name]);
    }
    for (const [name, flag] of NUMBERS) {
      if (fields[name] === undefined) continue;
      flags |= flag;
      putNumber(this.#view, at, fields[name]);
      at += 8;
    }
    return [at, flags];
  }

  #writeAttributes(at, attributes) {
    const entries = Object.entries(attributes);
    if (entries.length > SHORT_MAX) throw badRequest('attributes', 'there are too many of them');
    for (const [name, value] of entries) {
      at = this.#writeShort(at, 'attributes', name);
      at = this.#writeShort(at, `attributes.${name}`, value);
    }
    return [at, entries.length];
  }

  #writeShort(at, name, text) {
    const bytes = encodeInto(text, this.#page, at + 2);
    if (bytes > SHORT_MAX) throw badRequest(name, `this has at most ${SHORT_MAX} bytes`);
    this.#view.setUint16(at, bytes, true);
    return at + 2 + bytes;
  }
}

/**
 * @param {Written[]} messages
 * @returns {Uint8Array} the body of a request
 */
export function batchOf(messages) {
  let bytes = PREAMBLE_BYTES;
  for (const { start, end } of messages) bytes += end - start;
  const body = begin(PUBLISH, messages.length, bytes);
  let at = PREAMBLE_BYTES;
  // What was written together is copied together.
  for (let from = 0; from < messages.length; ) {
    const { page, start } = messages[from];
    let { end } = messages[from];
    for (from += 1; from < messages.length; from += 1) {
      const next = messages[from];
      if (next.page !== page || next.start !== end) break;
      end = next.end;
    }
    body.set(page.subarray(start, end), at);
    at += end - start;
  }
  return body;
}

/**
 * @param {Written} written
 * @returns {{ body: Uint8Array, fields: Record<string, any> }} what {@link MessageWriter} was given
 */
export function unwritten({ page, start, end }) {
  const view = new DataView(page.buffer);
  const flags = page[start + 4];
  const fields = {};
  let at = start + FIXED_BYTES;
  const short = () => {
    const textAt = at + 2;
    at = textAt + view.getUint16(at, true);
    return decode(page.subarray(textAt, at));
  };
  for (const [name, flag] of TEXTS) if (flags & flag) fields[name] = short();
  for (const [name, flag] of NUMBERS) {
    if (!(flags & flag)) continue;
    fields[name] = getNumber(view, at);
    at += 8;
  }
  if (page[start + 5] !== PRIORITY_DEFAULT) fields.priority = page[start + 5];
  const attributes = Array.from({ length: view.getUint16(start + 6, true) }, () => [
    short(), short(),
  ]);
  if (attributes.length > 0) fields.attributes = Object.fromEntries(attributes);
  return { body: page.slice(at, end), fields };
}

/**
 * @param {Uint8Array} bytes the answer to a batch
 * @param {number} count of its messages
 * @returns {({ id: string, seq: number, timestampMs: number } | TidegateError)[]}
 */
export const readVerdicts = whole((bytes, count) => {
  const view = open(bytes, PUBLISHED);
  if (view.getUint16(6, true) !== count) throw unexpected('another number of verdicts');
  const verdicts = new Array(count);
  const problems = new Problems(bytes, view);
  let at = PREAMBLE_BYTES + 8;
  for (let n = 0; n < count; n += 1) {
    const kind = bytes[at];
    if (kind === REFUSED) {
      verdicts[n] = problems.read(at + 1);
      at = problems.end;
      continue;
    }
    const seq = getNumber(view, at + 17);
    const timestampMs = getNumber(view, at + 25);
    verdicts[n] = { id: ulidText(bytes, at + 1), seq, timestampMs };
    at += 33;
    if (kind === MORE) {
      const start = at + 2;
      at = start + view.getUint16(at, true);
      Object.assign(verdicts[n], fromWire(JSON.parse(decode(bytes.subarray(start, at)))));
    }
  }
  return verdicts;
});

/** A leased message where it lies in the answer; its parts are made when they are asked for. */
export class Delivery {
  #bytes;
  #view;
  #at;
  #bodyAt;
  #partsAt;
  #contentType;

  constructor(bytes, view, at, partsAt, bodyAt, contentType) {
    this.#bytes = bytes;
    this.#view = view;
    this.#at = at;
    this.#partsAt = partsAt;
    this.#bodyAt = bodyAt;
    this.#contentType = contentType;
  }

  get id() {
    return ulidText(this.#bytes, this.#at);
  }

  get lease() {
    return new Lease(this.#bytes, this.#at + ID_BYTES);
  }

  get seq() {
    return getNumber(this.#view, this.#at + 32);
  }

  get timestampMs() {
    return getNumber(this.#view, this.#at + 40);
  }

  get attempts() {
    return this.#view.getUint32(this.#at + 52, true);
  }

  get priority() {
    return this.#bytes[this.#at + 57];
  }

  get contentType() {
    return this.#contentType;
  }

  get state() {
    return 'leased';
  }

  get key() {
    return this.#bytes[this.#at + 56] & KEY ? this.#shorts(1)[0] : undefined;
  }

  get attributes() {
    const count = this.#view.getUint16(this.#at + 58, true);
    if (count === 0) return {};
    const before = this.#bytes[this.#at + 56] & KEY ? 1 : 0;
    const texts = this.#shorts(before + 2 * count).slice(before);
    return Object.fromEntries(
      Array.from({ length: count }, (_, n) => [texts[2 * n], texts[2 * n + 1]]),
    );
  }

  /** A copy: the answer's memory goes with the last message that is not looked at. */
  body() {
    return this.#bytes.slice(this.#bodyAt, this.#bodyEnd);
  }

  text() {
    return decode(this.#bytes.subarray(this.#bodyAt, this.#bodyEnd));
  }

  get #bodyEnd() {
    return this.#bodyAt + this.#view.getUint32(this.#at + 48, true);
  }

  #shorts(count) {
    let at = this.#partsAt;
    return Array.from({ length: count }, () => {
      const start = at + 2;
      at = start + this.#view.getUint16(at, true);
      return decode(this.#bytes.subarray(start, at));
    });
  }
}

/**
 * @param {Uint8Array} bytes the answer to a pull
 * @returns {Delivery[]}
 */
export const readDeliveries = whole((bytes) => {
  const view = open(bytes, PULLED);
  return deliveriesAt(bytes, view, PREAMBLE_BYTES + 8).deliveries;
});

/**
 * @param {Uint8Array} bytes the answer to a pull that settled leases
 * @returns {{ deliveries: Delivery[], errors: Map<number, TidegateError> }} errors as of
 *   {@link readAckErrors}
 */
export const readAckedAndPulled = whole((bytes) => {
  const view = open(bytes, ACKED_AND_PULLED);
  const refused = view.getUint32(PREAMBLE_BYTES + 20, true);
  const { deliveries, end } = deliveriesAt(bytes, view, PREAMBLE_BYTES + 24);
  return { deliveries, errors: errorsAt(bytes, view, end, refused) };
});

function deliveriesAt(bytes, view, start) {
  const deliveries = new Array(view.getUint16(6, true));
  let at = start;
  let contentType;
  for (let n = 0; n < deliveries.length; n += 1) {
    const flags = bytes[at + 56];
    let partsAt = at + DELIVERY_BYTES;
    if (flags & CONTENT_TYPE) {
      const end = partsAt + 2 + view.getUint16(partsAt, true);
      contentType = decode(bytes.subarray(partsAt + 2, end));
      partsAt = end;
    } else if (!(flags & SAME_CONTENT_TYPE)) contentType = undefined;
    let bodyAt = partsAt;
    const shorts = (flags & KEY ? 1 : 0) + 2 * view.getUint16(at + 58, true);
    for (let left = shorts; left > 0; left -= 1) bodyAt += 2 + view.getUint16(bodyAt, true);
    deliveries[n] = new Delivery(bytes, view, at, partsAt, bodyAt, contentType);
    at = bodyAt + view.getUint32(at + 48, true);
    if (at > bytes.length) throw new RangeError();
  }
  return { deliveries, end: at };
}

/** The hold of a message, and what is asked of it. */
export class Lease {
  /** Whether it was acknowledged, released or given back here. */
  isSettled = false;
  /** What it is asked just now. @type {Promise<void> | undefined} */
  asked = undefined;
  #bytes;
  #at;
  #text;

  /**
   * @param {Uint8Array | undefined} bytes
   * @param {number} at
   * @param {string} [text] instead of bytes
   */
  constructor(bytes, at, text) {
    this.#bytes = bytes;
    this.#at = at;
    this.#text = text;
  }

  /** @returns {string} */
  get id() {
    return (this.#text ??= ulidText(this.#bytes, this.#at));
  }

  /** Puts its 16 bytes at `at`; those of a text that is none belong to no queue. */
  writeTo(body, at) {
    this.#bytes ??= ulidBytes(this.#text) ?? new Uint8Array(ID_BYTES);
    for (let n = 0; n < ID_BYTES; n += 1) body[at + n] = this.#bytes[this.#at + n];
  }
}

/**
 * @typedef {object} Entry of an acknowledgement
 * @property {number} operation
 * @property {Lease} lease
 * @property {boolean} [release]
 * @property {Uint8Array} [result] JSON
 * @property {number} [timeMs]
 */

/**
 * @param {Entry[]} entries in the order of their operations
 * @returns {Uint8Array} the body of a request
 */
export function acknowledgementOf(entries) {
  const body = begin(ACK, entries.length, PREAMBLE_BYTES + bytesOf(entries));
  writeEntries(body, PREAMBLE_BYTES, entries);
  return body;
}

/**
 * @param {{ batchSize: number, visibilityTimeoutMs?: number, filter?: unknown }} pull
 * @param {Entry[]} entries in the order of their operations: what is settled before
 * @returns {Uint8Array} the body of a request
 */
export function pullOf({ batchSize, visibilityTimeoutMs, filter }, entries) {
  const pattern = filter === undefined ? undefined : encode(JSON.stringify(filter));
  if (pattern?.length > SHORT_MAX) throw badRequest('filter', `at most ${SHORT_MAX} bytes`);
  const room = (visibilityTimeoutMs === undefined ? 0 : 8) + (pattern ? 2 + pattern.length : 0);
  const body = begin(PULL, entries.length, PREAMBLE_BYTES + 6 + room + bytesOf(entries));
  const view = new DataView(body.buffer);
  let at = PREAMBLE_BYTES;
  view.setUint16(at, batchSize, true);
  const flagsAt = at + 4;
  at += 6;
  if (visibilityTimeoutMs !== undefined) {
    body[flagsAt] |= VISIBILITY_TIMEOUT;
    putNumber(view, at, visibilityTimeoutMs);
    at += 8;
  }
  if (pattern) {
    body[flagsAt] |= FILTER;
    view.setUint16(at, pattern.length, true);
    body.set(pattern, at + 2);
    at += 2 + pattern.length;
  }
  writeEntries(body, at, entries);
  return body;
}

function bytesOf(entries) {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

function writeEntries(body, start, entries) {
  const view = new DataView(body.buffer);
  let at = start;
  for (const { operation, lease, release, result, timeMs } of entries) {
    body[at] = operation;
    lease.writeTo(body, at + 2);
    if (release) body[at + 1] |= RELEASE;
    let end = at + 2 + ID_BYTES;
    if (result !== undefined) {
      body[at + 1] |= RESULT;
      view.setUint16(end, result.length, true);
      body.set(result, end + 2);
      end += 2 + result.length;
    } else if (timeMs !== undefined) {
      body[at + 1] |= TIME;
      putNumber(view, end, timeMs);
      end += 8;
    }
    at = end;
  }
}

/** @param {Entry} entry */
export function entryBytes({ result, timeMs }) {
  const more = result === undefined ? 0 : 2 + result.length;
  return 2 + ID_BYTES + more + (timeMs === undefined ? 0 : 8);
}

/**
 * @param {Uint8Array} bytes the answer to an acknowledgement
 * @returns {Map<number, TidegateError>} by the place of the entry that was refused
 */
export const readAckErrors = whole((bytes) => {
  const view = open(bytes, ACKNOWLEDGED);
  return errorsAt(bytes, view, PREAMBLE_BYTES + 12, view.getUint16(6, true));
});

function errorsAt(bytes, view, start, count) {
  const errors = new Map();
  const problems = new Problems(bytes, view);
  let at = start;
  for (let left = count; left > 0; left -= 1) {
    errors.set(view.getUint16(at, true), problems.read(at + 2));
    at = problems.end;
  }
  return errors;
}

/** Reads errors; one that is as the one before is said only once. */
class Problems {
  end = 0;
  #bytes;
  #view;
  #document;

  constructor(bytes, view) {
    this.#bytes = bytes;
    this.#view = view;
  }

  read(at) {
    const start = at + 4;
    this.end = start + this.#view.getUint16(at + 2, true);
    const text = decode(this.#bytes.subarray(start, this.end));
    if (text !== '') this.#document = JSON.parse(text);
    return errorOf(this.#document);
  }
}

/** An answer that ends before its time is none. */
function whole(read) {
  return (...args) => {
    try {
      return read(...args);
    } catch (error) {
      throw error instanceof RangeError ? unexpected('a part of an answer') : error;
    }
  };
}

function begin(kind, count, bytes) {
  const body = new Uint8Array(bytes);
  body.set(MAGIC);
  body[4] = kind;
  body[6] = count & BYTE_MAX;
  body[7] = count >> 8;
  return body;
}

function open(bytes, kind) {
  const isRight = bytes[4] === kind && MAGIC.every((byte, n) => bytes[n] === byte);
  if (!isRight) throw unexpected('something else');
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function unexpected(what) {
  const detail = `a batch was answered with ${what}`;
  return new TidegateError({ type: 'unexpected-answer', detail });
}

function roomOf(fields) {
  let units = 0;
  for (const [name] of TEXTS) units += fields[name]?.length ?? 0;
  let shorts = TEXTS.length;
  for (const [name, value] of Object.entries(fields.attributes ?? {})) {
    units += name.length + value.length;
    shorts += 2;
  }
  return units * UNIT_BYTES_MAX + shorts * 2 + NUMBERS.length * 8;
}

function getNumber(view, at) {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * HIGH_WORD;
}

function putNumber(view, at, value) {
  view.setUint32(at, value % HIGH_WORD, true);
  view.setUint32(at + 4, Math.floor(value / HIGH_WORD), true);
}
