// Processes that the harness starts, and the directories they write to: both are gone when the
// harness ends, however it ends. Also what the system says of a process: CPU time and memory.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const READY_MS_MAX = 60_000;
const READY_POLL_MS = 10;
const STOP_MS_MAX = 10_000;
const LOG_CHARS_MAX = 20_000;

/** Linux reports CPU time in ticks, of which a second has this many on every architecture. */
const TICKS_PER_SECOND = 100;

const running = new Set();
const temporary = new Set();

process.on('exit', () => {
  for (const child of running) endGroup(child, 'SIGKILL');
  for (const directory of temporary) rmSync(directory, { recursive: true, force: true });
});
for (const [signal, code] of [['SIGHUP', 129], ['SIGINT', 130], ['SIGTERM', 143]]) {
  process.on(signal, () => process.exit(code));
}

/** @returns {string} a new directory that is gone when the harness ends */
export function temporaryDirectory() {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tidegate-bench-'));
  temporary.add(directory);
  return directory;
}

/** @param {string} directory a temporary one, to be gone now */
export function removeDirectory(directory) {
  rmSync(directory, { recursive: true, force: true });
  temporary.delete(directory);
}

/** A process that listens on a port. */
export class Process {
  /** The end of it. */
  exited;
  #child;
  #log = '';

  /**
   * @param {string} program
   * @param {string[]} args
   * @param {{ env?: NodeJS.ProcessEnv, cwd?: string }} [options]
   */
  constructor(program, args, { env = process.env, cwd } = {}) {
    const stdio = ['ignore', 'pipe', 'pipe'];
    // A group of its own: what it starts itself is ended with it.
    this.#child = spawn(program, args, { env, cwd, detached: true, stdio });
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#log = (this.#log + text).slice(-LOG_CHARS_MAX);
      });
    }
    this.exited = new Promise((resolve) => {
      const gone = () => {
        running.delete(this.#child);
        resolve();
      };
      this.#child.once('close', gone);
      this.#child.once('error', (error) => {
        this.#log += error.message;
        gone();
      });
    });
  }

  /** @returns {number} */
  get pid() {
    return this.#child.pid;
  }

  /** @param {number} port waits until it is listened on */
  async listening(port) {
    let gone = false;
    this.exited.then(() => (gone = true));
    const deadline = performance.now() + READY_MS_MAX;
    while (performance.now() < deadline) {
      if (await canConnect(port)) return;
      if (gone) break;
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
    await this.stop();
    throw new Error(`it did not start: ${this.#log.trim().split('\n').slice(-3).join(' | ')}`);
  }

  /** Ends it in good order, or at once when that takes too long. */
  async stop() {
    endGroup(this.#child, 'SIGTERM');
    const timer = setTimeout(() => endGroup(this.#child, 'SIGKILL'), STOP_MS_MAX);
    await this.exited;
    clearTimeout(timer);
  }
}

function endGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It was gone before, or never came to be.
  }
}

/**
 * @param {number} port on 127.0.0.1
 * @returns {Promise<boolean>} whether somebody listens there
 */
export function canConnect(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/**
 * @param {number} pid
 * @returns {number | undefined} milliseconds of CPU time so far; undefined where nobody says
 */
export function cpuMs(pid) {
  const stat = readProc(pid, 'stat');
  if (stat === undefined) return undefined;
  // Behind the name, which is in parentheses: fields 3 and on; utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/**
 * @param {number} pid
 * @returns {number | undefined} bytes in memory, now; undefined where the system does not say
 */
export function residentBytes(pid) {
  const match = readProc(pid, 'status')?.match(/^VmRSS:\s+(\d+) kB$/m);
  return match ? Number(match[1]) * 1024 : undefined;
}

function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}
