// Keeps a data directory to one server at a time: two workerds on one directory corrupt it, and
// workerd itself does not look. Owns the lock file, which names the process that started the
// server and, once there is one, the server's own. A lock whose processes are gone is taken over.

import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './steps.mjs';

const LOCK_FILE = 'tidegate.lock';

/**
 * @typedef {object} DataLock
 * @property {(serverPid: number) => void} record notes the server's process
 * @property {() => void} release gives the directory free, once the server is gone
 */

/**
 * Makes the directory if need be and takes it for this process.
 * @param {string} directory absolute
 * @returns {DataLock}
 */
export function lockDataDirectory(directory) {
  const file = path.join(directory, LOCK_FILE);
  makeWritable(directory);
  const mine = { pid: process.pid, server_pid: null };
  while (!placeLock(file, mine)) {
    const holder = readLock(file);
    if (!holder) continue;
    refuseIfAlive(holder.lock, directory, file);
    removeStale(file, holder.text);
  }
  return {
    record: (serverPid) => replaceLock(file, { ...mine, server_pid: serverPid }),
    release: () => {
      if (readLock(file)?.lock.pid === process.pid) rmSync(file, { force: true });
    },
  };
}

function makeWritable(directory) {
  const probe = path.join(directory, `.probe-${process.pid}`);
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (error) {
    throw new Failure(
      `The data directory ${directory} cannot be written: ${error.code}.\n` +
        'Choose another: DATA_DIR=/some/folder npm start',
    );
  }
}

/** Puts a lock in place in one step, content and all, unless there is one. */
function placeLock(file, lock) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(lock));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function replaceLock(file, lock) {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(lock));
  renameSync(draft, file);
}

function readLock(file) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return { text, lock: JSON.parse(text) };
  } catch {
    // A lock is written whole or not at all: this is none of ours, and holds nothing.
    return { text, lock: { pid: null, server_pid: null } };
  }
}

function refuseIfAlive(lock, directory, file) {
  const server = runs(lock.server_pid, 'workerd') ? lock.server_pid : undefined;
  const starter = runs(lock.pid, 'node') ? lock.pid : undefined;
  if (!server && !starter) return;
  throw new Failure(
    `Another Tidegate (process ${starter ?? server}) uses the data directory ${directory}.\n` +
      `Stop it: kill ${starter ?? server}\n` +
      'Or start beside it, elsewhere: DATA_DIR=/some/folder PORT=8788 npm start\n' +
      `(If that process is no Tidegate, delete ${file}.)`,
  );
}

/** Takes a stale lock away; if another start was quicker and it is another's now, puts it back. */
function removeStale(file, text) {
  const aside = `${file}.stale-${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== text) linkSync(aside, file);
  rmSync(aside);
}

/**
 * Whether a process is there and is what it should be: numbers are used again, after a reboot at
 * the latest. Where its command line cannot be read, it counts as what it should be.
 */
function runs(pid, program) {
  if (!pid || !isAlive(pid)) return false;
  const command = commandLine(pid);
  return command === undefined || command.includes(program);
}

/**
 * @param {number} pid
 * @returns {boolean} whether there is such a process, this one's own or not
 */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    try {
      return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    } catch {
      return undefined;
    }
  }
}
