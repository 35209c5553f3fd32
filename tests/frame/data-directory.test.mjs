// A data directory belongs to one server at a time.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { lockDataDirectory } from '../../scripts/lib/data-directory.mjs';
import { temporaryDirectory } from '../harness/server.mjs';

const lockFile = (directory) => path.join(directory, 'tidegate.lock');

/** A process that does nothing until its input is closed. */
function idleProcess() {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  return { pid: child.pid, end: () => (child.stdin.end(), once(child, 'exit')) };
}

test('a directory is made, locked, and free again after release', () => {
  const directory = path.join(temporaryDirectory(), 'new', 'data');
  const lock = lockDataDirectory(directory);
  lock.record(4711);
  const noted = JSON.parse(readFileSync(lockFile(directory), 'utf8'));
  assert.deepEqual(noted, { pid: process.pid, server_pid: 4711 });
  lock.release();
  assert.equal(existsSync(lockFile(directory)), false);
  lockDataDirectory(directory).release();
});

test('a directory in use is refused, with the process that uses it', async () => {
  const directory = temporaryDirectory();
  const holder = idleProcess();
  writeFileSync(lockFile(directory), JSON.stringify({ pid: holder.pid, server_pid: null }));
  const refusal = new RegExp(`process ${holder.pid}.*uses the data directory ${directory}`);
  assert.throws(() => lockDataDirectory(directory), refusal);
  await holder.end();
  lockDataDirectory(directory).release();
});

test('two starts in one process exclude each other too', () => {
  const directory = temporaryDirectory();
  const lock = lockDataDirectory(directory);
  assert.throws(() => lockDataDirectory(directory), /uses the data directory/);
  lock.release();
});

test('a number that belongs to another program by now holds nothing', async () => {
  const directory = temporaryDirectory();
  const other = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(other, 'spawn');
  writeFileSync(lockFile(directory), JSON.stringify({ pid: other.pid, server_pid: other.pid }));
  lockDataDirectory(directory).release();
  other.kill();
});

test('a damaged lock file holds nothing', () => {
  const directory = temporaryDirectory();
  writeFileSync(lockFile(directory), '{"pid":');
  lockDataDirectory(directory).release();
});

test('a directory that cannot be made is refused in plain words', () => {
  const file = path.join(temporaryDirectory(), 'file');
  writeFileSync(file, '');
  assert.throws(
    () => lockDataDirectory(path.join(file, 'data')),
    /cannot be written: ENOTDIR\.\nChoose another: DATA_DIR=/,
  );
});
