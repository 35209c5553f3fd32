// The programs that the commands run: where each is, whether it is installed, how to install it.
// Owns node_modules (by npm) and the Rust toolchain (by rustup). Builds nothing itself.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure, step } from './steps.mjs';

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/[/\\]$/, '');

const require = createRequire(import.meta.url);

// A shell that is older than the installation of rustup does not have its folder on the path yet.
const CARGO_BIN = path.join(process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo'), 'bin');
process.env.PATH = `${process.env.PATH ?? ''}${path.delimiter}${CARGO_BIN}`;

/** Of a program's output this much is kept, from the end. */
const OUTPUT_CHARS_MAX = 200_000;

/** Of what a failed npm says this much is shown, from the beginning. */
const NPM_LINES_SHOWN = 15;

/** The package that brings workerd's binary, by platform and architecture. */
const WORKERD_PACKAGES = {
  'darwin arm64': '@cloudflare/workerd-darwin-arm64',
  'darwin x64': '@cloudflare/workerd-darwin-64',
  'linux arm64': '@cloudflare/workerd-linux-arm64',
  'linux x64': '@cloudflare/workerd-linux-64',
};

/**
 * @param {number} major
 * @param {number} minor
 * @returns {boolean} whether the Node that runs us is that one or a newer one
 */
export function nodeIsAtLeast(major, minor) {
  const [ours, oursMinor] = process.versions.node.split('.').map(Number);
  return ours > major || (ours === major && oursMinor >= minor);
}

/**
 * Runs a program to its end.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onText?: (text: string) => void }} [options]
 *   `onText` is given what the program says as it says it
 * @returns {Promise<{ code: number, stdout: string, output: string }>}
 *   `output` is stdout and stderr as they came; `code` is 127 when the program is not there
 */
export function execute(program, args, { cwd = ROOT, env = process.env, onText } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let output = '';
    const take = (text) => {
      output = (output + text).slice(-OUTPUT_CHARS_MAX);
      onText?.(text);
    };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      take(text);
    });
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => {
      if (error.code === 'ENOENT') resolve({ code: 127, stdout, output });
      else reject(error);
    });
    child.on('close', (code, signal) => resolve({ code: code ?? signal, stdout, output }));
  });
}

/**
 * Installs a package folder's dependencies as its lock file says, unless they are there.
 * @param {{ directory?: string, label?: string, quiet?: boolean }} [options]
 */
export async function installPackages(options = {}) {
  const { directory = ROOT, label = 'Installing npm packages', quiet } = options;
  if (packagesInstalled(directory)) return;
  await step(label, async () => {
    const [program, args] = npm(['ci', '--include=dev', '--ignore-scripts', '--loglevel=error']);
    const { code, output } = await execute(program, args, { cwd: directory });
    // What npm says first is the reason; pages of usage follow.
    const reason = output.split('\n').slice(0, NPM_LINES_SHOWN).join('\n');
    if (code !== 0) throw new Failure(`npm ci failed in ${directory}.`, { output: reason });
  }, { quiet });
}

/**
 * @param {string} directory
 * @returns {boolean} whether what npm installed last is what the lock file asks for
 */
export function packagesInstalled(directory) {
  const wanted = lockedPackages(path.join(directory, 'package-lock.json'));
  const found = lockedPackages(path.join(directory, 'node_modules', '.package-lock.json'));
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '') return true;
    // An optional package is there only on the platform that it is for.
    if (!found[name]) return Boolean(entry.optional);
    return found[name].version === entry.version && existsSync(path.join(directory, name));
  });
}

function lockedPackages(file) {
  if (!existsSync(file)) return {};
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

/** @returns {[string, string[]]} program and arguments that run npm, the one that runs us if any */
function npm(args) {
  const script = process.env.npm_execpath;
  if (script && /\.c?js$/.test(script)) return [process.execPath, [script, ...args]];
  return ['npm', args];
}

/**
 * @returns {string} the workerd binary. Taken from the platform's package, since the package named
 *   `workerd` finds it only in an install script, and those may be disabled.
 */
export function workerdBinary() {
  const platform = `${process.platform} ${process.arch}`;
  const name = WORKERD_PACKAGES[platform];
  if (!name) throw new Failure(`Linux, macOS or Windows' WSL is needed; this is ${platform}.`);
  try {
    return require.resolve(`${name}/bin/workerd`);
  } catch {
    throw new Failure(`workerd is not installed (${name} is missing). Run: npm ci`);
  }
}

/** @returns {string} Binaryen's optimiser, a script that Node runs */
export function wasmOptScript() {
  return path.join(ROOT, 'node_modules', 'binaryen', 'bin', 'wasm-opt');
}

/** Makes sure that the toolchain which rust-toolchain.toml pins is there, by rustup if need be. */
export async function installRust({ quiet = false } = {}) {
  if (await rustReady()) return;
  const { code } = await execute('rustup', ['--version']);
  if (code === 127) {
    throw new Failure(
      'Rust is needed to build, and neither a fitting cargo nor rustup is installed.\n' +
        'Get rustup from https://rustup.rs; the rest is installed by itself.',
    );
  }
  await step('Installing the Rust toolchain', async (progress) => {
    const onText = (text) => progress(text.trim().split('\n').pop());
    // Without arguments: what rust-toolchain.toml asks for, target and components included.
    const installed = await execute('rustup', ['toolchain', 'install'], { onText });
    if (installed.code !== 0 || !(await rustReady())) {
      throw new Failure('rustup could not install the toolchain.', { output: installed.output });
    }
  }, { quiet });
}

async function rustReady() {
  const env = { ...process.env, RUSTUP_AUTO_INSTALL: '0' };
  const args = ['--print', 'target-libdir', '--target', 'wasm32-unknown-unknown'];
  const [library, cargo] = await Promise.all([
    execute('rustc', args, { env }),
    execute('cargo', ['--version'], { env }),
  ]);
  return cargo.code === 0 && library.code === 0 && existsSync(library.stdout.trim());
}
