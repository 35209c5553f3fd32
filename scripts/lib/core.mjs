// Builds the core: Rust compiled to WebAssembly, optimised, measured. Owns build/tidegate.wasm and
// the note beside it that says what it was made of, by which work that is up to date is skipped.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { Failure, step } from './steps.mjs';
import { ROOT, execute, installRust, wasmOptScript } from './tools.mjs';

const TARGET = 'wasm32-unknown-unknown';
const OUTPUT = path.join(ROOT, 'build', 'tidegate.wasm');
const NOTE = path.join(ROOT, 'build', 'tidegate.wasm.json');

/** What the platform loads at a cold start, over the wire. */
const GZIPPED_BYTES_MAX = 1_000_000;

/** Rust links what runs at compile time by the C compiler, here too. */
const LINKER_MISSING =
  'Rust needs a C compiler to link with. Debian, Ubuntu: apt-get install gcc libc6-dev. ' +
  'macOS: xcode-select --install';

/** Inputs that cargo's list of a crate's sources leaves out. */
const MANIFESTS = ['Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', '.cargo/config.toml'];

/** Beyond -O3: the features that rustc's wasm32 target turns on, which V8 has all had for years. */
const OPTIMISER_FLAGS = [
  '-O3',
  '--enable-bulk-memory',
  '--enable-bulk-memory-opt',
  '--enable-call-indirect-overlong',
  '--enable-extended-const',
  '--enable-multivalue',
  '--enable-mutable-globals',
  '--enable-nontrapping-float-to-int',
  '--enable-reference-types',
  '--enable-sign-ext',
  '--enable-simd',
  '--strip-debug',
  '--strip-producers',
];

/**
 * Builds what is not up to date.
 * @param {{ quiet?: boolean }} [options]
 * @returns {Promise<{ file: string, built: boolean, bytes: number, gzippedBytes: number }>}
 */
export async function buildCore({ quiet = false } = {}) {
  const note = upToDateNote();
  if (note) return { file: OUTPUT, built: false, ...note.size };
  await installRust({ quiet });
  const began = Date.now();
  const compiled = await compile({ quiet });
  const size = await optimise(compiled.file, { quiet });
  if (size.gzippedBytes > GZIPPED_BYTES_MAX) {
    throw new Failure(
      `The core is too large: ${size.gzippedBytes} bytes gzipped, at most ${GZIPPED_BYTES_MAX}.`,
    );
  }
  // A file that was edited meanwhile may not be what was compiled: no digest is ever empty.
  const inputs = Object.fromEntries(inputFiles(compiled.file).map((file) => {
    const isEdited = statSync(path.resolve(ROOT, file)).mtimeMs >= began;
    return [file, isEdited ? '' : digest(file)];
  }));
  writeWhole(NOTE, JSON.stringify({ recipe: recipe(), inputs, output: digest(OUTPUT), size }));
  return { file: OUTPUT, built: true, ...size };
}

/** @returns {boolean} whether there is a core, up to date or not */
export function coreExists() {
  return existsSync(OUTPUT);
}

/** @returns the note on the last build if nothing that went into it has changed since */
function upToDateNote() {
  if (!existsSync(OUTPUT) || !existsSync(NOTE)) return undefined;
  const note = JSON.parse(readFileSync(NOTE, 'utf8'));
  if (note.recipe !== recipe() || note.output !== digest(OUTPUT)) return undefined;
  const same = Object.entries(note.inputs).every(([file, was]) => digest(file) === was);
  return same ? note : undefined;
}

/** What besides the sources decides the outcome. */
function recipe() {
  const { version } = JSON.parse(
    readFileSync(path.join(ROOT, 'node_modules', 'binaryen', 'package.json'), 'utf8'),
  );
  return [`binaryen ${version}`, ...OPTIMISER_FLAGS, process.env.RUSTFLAGS ?? ''].join(' ');
}

async function compile({ quiet }) {
  return step('Compiling the core', async (progress) => {
    const args = ['build', '--release', '--lib', '--target', TARGET];
    args.push('--message-format=json-render-diagnostics');
    // Cargo shows how far it is only to a terminal, unless told to, and then wants a width.
    const env = { ...process.env, CARGO_TERM_PROGRESS_WHEN: 'always' };
    env.CARGO_TERM_PROGRESS_WIDTH = '80';
    const onText = (text) => {
      const count = [...text.matchAll(/\[[=> ]*\] (\d+\/\d+)/g)].pop();
      if (count) progress(`${count[1]} crates`);
      if (/waiting for file lock/i.test(text)) progress('waiting for another cargo');
    };
    const { code, stdout, output } = await execute('cargo', args, { env, onText });
    if (/linker `\w+` not found/.test(output)) throw new Failure(LINKER_MISSING);
    if (code !== 0) throw new Failure('The core does not compile.', { output: readable(output) });
    return { file: artifact(stdout) };
  }, { quiet });
}

/** Cargo's words without its messages for machines and its progress bar. */
function readable(output) {
  return output
    .split('\n')
    .filter((line) => !line.startsWith('{'))
    .map((line) => line.slice(line.lastIndexOf('\r') + 1).replace(/\x1b\[K/g, ''))
    .filter((line) => line.trim() !== '' && !/^\s*Building \[/.test(line))
    .join('\n');
}

function artifact(stdout) {
  const files = stdout
    .split('\n')
    .filter((line) => line.startsWith('{"reason":"compiler-artifact"'))
    .flatMap((line) => JSON.parse(line).filenames)
    .filter((file) => file.endsWith('tidegate.wasm'));
  if (files.length === 0) throw new Failure('cargo built no tidegate.wasm.');
  return files[files.length - 1];
}

async function optimise(compiled, { quiet }) {
  return step('Optimising the core', async () => {
    mkdirSync(path.dirname(OUTPUT), { recursive: true });
    const fresh = `${OUTPUT}.${process.pid}`;
    const args = [wasmOptScript(), ...OPTIMISER_FLAGS, compiled, '-o', fresh];
    const { code, output } = await execute(process.execPath, args);
    if (code !== 0) throw new Failure('wasm-opt failed.', { output });
    renameSync(fresh, OUTPUT);
    const bytes = readFileSync(OUTPUT);
    return { bytes: bytes.length, gzippedBytes: gzipSync(bytes, { level: 9 }).length };
  }, { quiet });
}

/** What went into a build: the files that cargo noted beside its output, and the manifests. */
function inputFiles(compiled) {
  const noted = readFileSync(compiled.replace(/\.wasm$/, '.d'), 'utf8');
  const sources = noted
    .slice(noted.indexOf(': ') + 2)
    .trim()
    .split(/(?<!\\) /)
    .map((file) => path.relative(ROOT, file.replaceAll('\\ ', ' ')));
  return [...MANIFESTS, ...sources];
}

/** @returns {string | null} of a file given relative to the root, null when there is none */
function digest(file) {
  const absolute = path.resolve(ROOT, file);
  if (!existsSync(absolute)) return null;
  return createHash('sha256').update(readFileSync(absolute)).digest('hex');
}

function writeWhole(file, text) {
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, text);
  renameSync(fresh, file);
}
