// Reads what the core answers: little-endian words at fixed places, then texts and bytes one after
// another. Written by src/platform/frame.rs.

import { NONE } from './core.js';

/** Kinds of frames an edge answers with. */
export const RESPOND = 0;
export const RESPOND_AGAIN = 1;
export const NEED_BODY = 2;
export const CALL = 3;
export const GATHER = 4;
export const STREAM = 5;
export const ASSET = 6;
export const NOTHING = 7;
export const FOLLOW = 8;
export const SOCKET = 9;
export const GATHER_BOTH = 10;
export const LISTEN = 11;
export const VERIFY = 12;
export const READ_KEYS = 13;
export const AWAIT_KEYS = 14;
export const LEARN = 15;
export const DOCUMENT = 16;

/** What becomes of a client's frame. */
export const SEND = 0;
export const PUBLISH = 1;
export const SUBSCRIBE = 2;
export const LEAVE = 3;

/** Whom an object's call is for. */
export const FOR_QUEUE = 0;
export const FOR_DIRECTORY = 1;
export const FOR_RELAY = 2;
export const FOR_TOPIC = 3;

/** Slots in which responses are kept. */
export const SLOTS = 64;

const WORD = 4;
/** Flags of a push. */
const LAST = 1;
const DIRECT = 2;
const BY_LINE = 4;
/** Flags of a call. */
const IN_HEADER = 1;
const SHAREABLE = 2;
/** Beside a response's status: its body is no text. */
const BYTES = 1 << 16;
const TO_DIRECTORY = 4;
const TO_TOPIC = 8;
const PUBLISHES = 16;
/** Up to this many bytes, one string costs the platform less than an array of its own. */
const STRING_BODY_BYTES_MAX = 4096;

/**
 * Header lines as the Fetch API takes them.
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function headersOf(text) {
  const headers = {};
  for (let start = 0; start < text.length; ) {
    const colon = text.indexOf(': ', start);
    const end = text.indexOf('\n', colon);
    headers[text.slice(start, colon)] = text.slice(colon + 2, end);
    start = end + 1;
  }
  return headers;
}

/**
 * Reads status, sizes, headers and body at `at`.
 * @param {import("./core.js").Core} core
 * @param {number} at
 * @returns {{status: number, headers: Record<string, string>, body: string | Uint8Array | null,
 * end: number}}
 */
export function readResponse(core, at) {
  const { view } = core;
  const word = view.getUint32(at, true);
  const status = word & ~BYTES;
  const headersLength = view.getUint32(at + WORD, true);
  const bodyLength = view.getUint32(at + 2 * WORD, true);
  const start = at + 3 * WORD;
  const bodyAt = start + headersLength;
  const headers = headersOf(core.text(start, headersLength));
  let body = null;
  const isBytes = (word & BYTES) !== 0 || bodyLength > STRING_BODY_BYTES_MAX;
  if (isBytes) body = core.copy(bodyAt, bodyLength);
  else if (bodyLength > 0) body = core.text(bodyAt, bodyLength);
  return { status, headers, body, end: bodyAt + bodyLength };
}

/**
 * Reads what goes on for longer than a call: its text, and when it ends (zero: by itself).
 * @param {import("./core.js").Core} core
 * @param {number} at
 * @returns {{text: string, endsAt: number}}
 */
export function readLasting(core, at) {
  const length = core.view.getUint32(at + WORD, true);
  const endsAt = core.view.getFloat64(at + 2 * WORD, true);
  return { text: core.text(at + 4 * WORD, length), endsAt };
}

/**
 * A call to an object.
 * @typedef {{namespace: 'QUEUE' | 'DIRECTORY' | 'TOPIC', object: string,
 * command: string | Uint8Array, bodyMax: number | null, publishes: boolean,
 * shareable: boolean}} Call
 */

/**
 * Reads the call at `at`, and where it ends.
 * @param {import("./core.js").Core} core
 * @param {number} at
 * @returns {Call & {end: number}}
 */
export function readCall(core, at) {
  const { view } = core;
  const objectLength = view.getUint32(at + WORD, true);
  const commandLength = view.getUint32(at + 2 * WORD, true);
  const bodyMax = view.getUint32(at + 3 * WORD, true);
  const flags = view.getUint32(at + 4 * WORD, true);
  const start = at + 5 * WORD;
  const end = start + objectLength + commandLength;
  const result = {
    namespace: namespaceOf(flags),
    object: '',
    command: '',
    bodyMax: bodyMax === NONE ? null : bodyMax,
    publishes: (flags & PUBLISHES) !== 0,
    shareable: (flags & SHAREABLE) !== 0,
    end,
  };
  if ((flags & IN_HEADER) !== 0) {
    // Names of objects are ASCII, as base64 is.
    const text = core.text(start, objectLength + commandLength);
    result.object = text.slice(0, objectLength);
    result.command = text.slice(objectLength);
  } else {
    result.object = core.text(start, objectLength);
    result.command = core.copy(start + objectLength, commandLength);
  }
  return result;
}

function namespaceOf(flags) {
  if ((flags & TO_TOPIC) !== 0) return 'TOPIC';
  return (flags & TO_DIRECTORY) === 0 ? 'QUEUE' : 'DIRECTORY';
}

/**
 * Reads what becomes of a client's frame.
 * @param {import("./core.js").Core} core
 * @returns {{kind: number, first: string, second: string, call: Call | null}}
 */
export function readSocketStep(core) {
  const { view } = core;
  const at = core.exports.output();
  const kind = view.getUint32(at, true);
  const firstLength = view.getUint32(at + WORD, true);
  const secondLength = view.getUint32(at + 2 * WORD, true);
  const start = at + 3 * WORD;
  const first = core.text(start, firstLength);
  const second = core.text(start + firstLength, secondLength);
  const call = kind === PUBLISH ? readCall(core, start + firstLength + secondLength) : null;
  return { kind, first, second, call };
}

/**
 * Reads all calls of an output of `length` bytes.
 * @param {import("./core.js").Core} core
 * @param {number} length
 * @returns {Call[]}
 */
export function readCalls(core, length) {
  const calls = [];
  const start = core.exports.output();
  for (let at = start; at < start + length; ) {
    const call = readCall(core, at);
    calls.push(call);
    at = call.end;
  }
  return calls;
}

/**
 * Reads what a turn brought about.
 * @param {import("./core.js").Core} core
 */
export function readTurn(core) {
  const { view } = core;
  let at = core.exports.output();
  const replyCount = view.getUint32(at, true);
  const callCount = view.getUint32(at + WORD, true);
  const wipe = view.getUint32(at + 2 * WORD, true) !== 0;
  const pushCount = view.getUint32(at + 3 * WORD, true);
  const dispatchCount = view.getUint32(at + 4 * WORD, true);
  const alarmAt = view.getFloat64(at + 5 * WORD, true);
  const timerAt = view.getFloat64(at + 7 * WORD, true);
  at += 9 * WORD;
  const replies = [];
  for (let i = 0; i < replyCount; i++) {
    const token = view.getUint32(at, true);
    const response = readResponse(core, at + WORD);
    replies.push({ token, response });
    at = response.end;
  }
  const calls = [];
  for (let i = 0; i < callCount; i++) {
    const number = view.getUint32(at, true);
    const to = view.getUint32(at + WORD, true);
    const shared = view.getUint32(at + 2 * WORD, true);
    const objectLength = view.getUint32(at + 3 * WORD, true);
    const commandLength = view.getUint32(at + 4 * WORD, true);
    const start = at + 5 * WORD;
    const object = core.text(start, objectLength);
    const command = shared > 0
      ? core.text(start + objectLength, commandLength)
      : core.copy(start + objectLength, commandLength);
    calls.push({ number, to, shared, object, command });
    at = start + objectLength + commandLength;
  }
  const pushes = [];
  for (let i = 0; i < pushCount; i++) {
    const push = readPush(core, at);
    pushes.push(push);
    at = push.end;
  }
  const dispatches = [];
  for (let i = 0; i < dispatchCount; i++) {
    const dispatch = readDispatch(core, at);
    dispatches.push(dispatch);
    at = dispatch.end;
  }
  return { replies, calls, pushes, dispatches, wipe, alarmAt, timerAt };
}

/** A call of an endpoint. */
function readDispatch(core, at) {
  const { view } = core;
  const [number, timeoutMs, sendWithinMs, urlLength, headersLength, bodyLength] = [
    0, 1, 2, 3, 4, 5,
  ].map((word) => view.getUint32(at + word * WORD, true));
  const urlAt = at + 6 * WORD;
  const headersAt = urlAt + urlLength;
  const bodyAt = headersAt + headersLength;
  const url = core.text(urlAt, urlLength);
  const headers = headersOf(core.text(headersAt, headersLength));
  const body = core.copy(bodyAt, bodyLength);
  return { number, timeoutMs, sendWithinMs, url, headers, body, end: bodyAt + bodyLength };
}

/** What several sockets are sent alike, a frame each, and what each remembers; `null`: what it did. */
function readPush(core, at) {
  const { view } = core;
  const count = view.getUint32(at, true);
  const textLength = view.getUint32(at + WORD, true);
  const memoryLength = view.getUint32(at + 2 * WORD, true);
  const flags = view.getUint32(at + 3 * WORD, true);
  at += 4 * WORD;
  const tokens = [];
  for (let i = 0; i < count; i++, at += WORD) tokens.push(view.getUint32(at, true));
  const text = core.text(at, textLength);
  const memory = memoryLength > 0 ? core.copy(at + textLength, memoryLength) : null;
  const isDirect = (flags & DIRECT) !== 0;
  const lines = isDirect ? text.slice(0, -1) : text;
  return {
    tokens,
    texts: (flags & BY_LINE) !== 0 ? lines.split('\n') : [lines],
    memory,
    isDirect,
    isLast: (flags & LAST) !== 0,
    end: at + textLength + memoryLength,
  };
}
