// The fault layer's other side (fault.c): builds it, and says through a shared page of memory what
// is to break and when. Knows nothing of the server but that it runs under the layer.

import { closeSync, existsSync, mkdirSync, openSync, readSync, readdirSync, statSync, writeFileSync,
  writeSync } from 'node:fs';
import path from 'node:path';
import { Failure } from '../../scripts/lib/steps.mjs';
import { ROOT, execute } from '../../scripts/lib/tools.mjs';

const SOURCE = path.join(ROOT, 'tests', 'chaos', 'fault.c');
const LIBRARY = path.join(ROOT, 'build', 'chaos', 'fault.so');

/** The words of the page, as in `struct control`. */
const WORDS = ['clock_offset_ns', 'countdown', 'kind', 'classes', 'failing', 'seed', 'seen',
  'injected'];
const WORD_BYTES = 8;

/** What happens, as in `enum kind`. */
const KINDS = { killBefore: 1, killAfter: 2, killTorn: 3, powerCut: 4, ioError: 5, diskFull: 6,
  readOnly: 7, short: 8 };
/** To which operations, as in `enum class`. */
const CLASSES = { write: 1, sync: 2, read: 4, change: 8 };
/** Fails until told otherwise. */
const FOR_GOOD = 2n ** 40n;

/** What is appended to a log: longer than a frame of it. */
const GARBAGE_BYTES = 9_000;

/**
 * @typedef {object} Fault
 * @property {keyof typeof KINDS} kind
 * @property {(keyof typeof CLASSES)[]} classes operations that count, and are hit
 * @property {number} countdown it hits the so-manieth of them from now
 * @property {boolean} [isLasting] it begins at once, and goes on until it is cleared
 * @property {number} [seed] of what a power cut leaves
 */

/** @returns {boolean} whether the layer can be put under a program here */
export const hasFaultLayer = () => process.platform === 'linux';

/** Compiles the layer unless it is newer than its source. @returns {Promise<string>} the library */
export async function buildFaultLayer() {
  if (existsSync(LIBRARY) && statSync(LIBRARY).mtimeMs > statSync(SOURCE).mtimeMs) return LIBRARY;
  mkdirSync(path.dirname(LIBRARY), { recursive: true });
  const args = ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', LIBRARY, SOURCE,
    '-ldl', '-lpthread'];
  const { code, output } = await execute('cc', args);
  if (code !== 0) throw new Failure('The fault layer does not compile.', { output });
  return LIBRARY;
}

/** The shared page of one server. */
export class Faults {
  #file;
  #descriptor;

  /** @param {string} file made anew */
  constructor(file) {
    this.#file = file;
    writeFileSync(file, Buffer.alloc(WORDS.length * WORD_BYTES));
    this.#descriptor = openSync(file, 'r+');
  }

  /** Variables of the process that the layer is put under. */
  environment(library) {
    return { LD_PRELOAD: library, TIDEGATE_FAULTS: this.#file };
  }

  /** Sets a fault. @param {Fault} fault */
  set({ kind, classes, countdown, isLasting = false, seed = 0 }) {
    this.clear();
    this.#write('kind', KINDS[kind]);
    this.#write('seed', seed);
    this.#write('classes', classes.reduce((mask, name) => mask | CLASSES[name], 0));
    if (isLasting) this.#write('failing', FOR_GOOD);
    else this.#write('countdown', countdown);
  }

  /** Nothing fails any more. */
  clear() {
    for (const word of ['countdown', 'failing', 'classes', 'kind']) this.#write(word, 0);
  }

  /** Puts the server's clock ahead, or back, of this machine's. */
  setClock(offsetMs) {
    this.#write('clock_offset_ns', BigInt(offsetMs) * 1_000_000n);
  }

  /** Operations of storage so far. */
  get seen() {
    return this.#read('seen');
  }

  close() {
    closeSync(this.#descriptor);
  }

  #write(word, value) {
    const bytes = Buffer.alloc(WORD_BYTES);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(this.#descriptor, bytes, 0, WORD_BYTES, WORDS.indexOf(word) * WORD_BYTES);
  }

  #read(word) {
    const bytes = Buffer.alloc(WORD_BYTES);
    readSync(this.#descriptor, bytes, 0, WORD_BYTES, WORDS.indexOf(word) * WORD_BYTES);
    return Number(bytes.readBigInt64LE());
  }
}

/**
 * Puts garbage behind the end of every write-ahead log, as a crash in the middle of a write may.
 * @param {string} directory of the data
 * @param {import('./random.mjs').Random} random
 * @returns {number} how many there were
 */
export function spoilTails(directory, random) {
  const logs = readdirSync(directory, { recursive: true })
    .filter((file) => file.endsWith('.sqlite-wal'));
  for (const log of logs) {
    const garbage = Buffer.from(
      Array.from({ length: random.between(1, GARBAGE_BYTES) }, () => random.between(0, 255)));
    writeFileSync(path.join(directory, log), garbage, { flag: 'a' });
  }
  return logs.length;
}
