// What the figures were measured on. The time of an fsync is part of it, since every durable answer
// waits for one.

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { removeDirectory, temporaryDirectory } from '../servers/process.mjs';
import { median } from './book.mjs';

const FSYNCS = 200;
const FSYNC_BYTES = 4096;

/** @returns {Promise<Record<string, string | number>>} */
export async function describeMachine() {
  const [cpu] = os.cpus();
  return {
    cpu: cpu?.model.trim() ?? os.arch(),
    cores: os.availableParallelism(),
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    load_average: Math.round(os.loadavg()[0] * 100) / 100,
    fsync_ms: fsyncMs(),
  };
}

/** The median of appending a page to a file and waiting until it is on the disk. */
function fsyncMs() {
  const directory = temporaryDirectory();
  const file = openSync(path.join(directory, 'fsync'), 'w');
  const page = Buffer.alloc(FSYNC_BYTES, 1);
  const times = Array.from({ length: FSYNCS }, () => {
    const began = performance.now();
    writeSync(file, page);
    fsyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  removeDirectory(directory);
  return Math.round(median(times) * 1000) / 1000;
}
