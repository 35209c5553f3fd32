// An instance of the Rust core: its memory, and how text and bytes get in and out. The border's
// forms are described in docs/ARCHITECTURE.md; src/platform/ is the other side of it.

import module from '../build/tidegate.wasm';
import { logOfCore } from './log.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Stands for "none" where a word is a size. */
export const NONE = 0xffffffff;

/** One Wasm instance: an isolate's edge, or one object. */
export class Core {
  /** @param {(core: Core) => Function} [sql] makes the import that runs statements */
  constructor(sql = () => () => 0) {
    const host = {
      log: (at, length) => logOfCore(this.text(at, length)),
      sql: sql(this),
    };
    /** The core's functions. */
    this.exports = new WebAssembly.Instance(module, { host }).exports;
    this.refresh();
  }

  // The memory's buffer is replaced whenever the memory grows: no view of it outlives a call into
  // the core.
  refresh() {
    this.cachedBytes = new Uint8Array(this.exports.memory.buffer);
    this.cachedView = new DataView(this.exports.memory.buffer);
  }

  /** All of memory. */
  get bytes() {
    if (this.cachedBytes.length === 0) this.refresh();
    return this.cachedBytes;
  }

  /** All of memory, for numbers. */
  get view() {
    if (this.cachedBytes.length === 0) this.refresh();
    return this.cachedView;
  }

  /** Writes `text` to the input; how many bytes it took. */
  putText(text) {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    const room = text.length * 3;
    const at = this.exports.input(room);
    return encoder.encodeInto(text, this.bytes.subarray(at, at + room)).written;
  }

  /**
   * Writes two parts to the input, one after the other; how many bytes each took.
   * @param {string | Uint8Array} first
   * @param {string | Uint8Array} second
   */
  putTwo(first, second) {
    const room = roomOf(first) + roomOf(second);
    const at = this.exports.input(room);
    const bytes = this.bytes;
    const firstLength = put(bytes, at, first);
    return [firstLength, put(bytes, at + firstLength, second)];
  }

  /** UTF-8 text of memory. */
  text(at, length) {
    return decoder.decode(this.bytes.subarray(at, at + length));
  }

  /** A copy of bytes of memory. */
  copy(at, length) {
    return this.bytes.slice(at, at + length);
  }
}

function roomOf(part) {
  return typeof part === 'string' ? part.length * 3 : part.length;
}

function put(bytes, at, part) {
  if (typeof part === 'string') {
    return encoder.encodeInto(part, bytes.subarray(at, at + part.length * 3)).written;
  }
  bytes.set(part, at);
  return part.length;
}
