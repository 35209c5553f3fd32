// The fault layer by itself, under a program that writes to a file as a database does: what each
// fault leaves behind.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../harness/server.mjs';
import { Faults, buildFaultLayer, hasFaultLayer } from './faults.mjs';

const COMMIT = ['write', 'sync', 'change'];
const PAGE = 4_096;
/** Writes a page of "a" and syncs, then one of "b" behind it, syncs, and says what it could do. */
const PROGRAM = `
const fs = require('fs');
const fd = fs.openSync(process.argv[1], 'r+');
const said = [];
const attempt = (name, act) => {
  try { act(); said.push(name); } catch (error) { said.push(error.code); }
};
for (const [place, letter] of ['a', 'b'].entries()) {
  attempt('write', () => fs.writeSync(fd, letter.repeat(${PAGE}), place * ${PAGE}));
  attempt('sync', () => fs.fsyncSync(fd));
}
said.push(Date.now());
console.log(JSON.stringify(said));
`;

/** Runs the program under a fault; what it said, and what it left. */
async function under(fault, clockMs = 0) {
  const directory = temporaryDirectory();
  const file = path.join(directory, 'x.sqlite');
  writeFileSync(file, '');
  const faults = new Faults(path.join(directory, 'faults'));
  if (fault) faults.set(fault);
  faults.setClock(clockMs);
  const env = { ...process.env, ...faults.environment(await buildFaultLayer()) };
  const ran = spawnSync(process.execPath, ['-e', PROGRAM, file], { env, encoding: 'utf8' });
  faults.close();
  return {
    signal: ran.signal,
    said: ran.stdout === '' ? null : JSON.parse(ran.stdout),
    left: readFileSync(file, 'latin1'),
  };
}

const options = { skip: hasFaultLayer() ? false : 'only where a library can be preloaded' };
const [a, b] = ['a', 'b'].map((letter) => letter.repeat(PAGE));

test('without a fault nothing is different', options, async () => {
  const { said, left } = await under(null);
  assert.deepEqual(said.slice(0, 4), ['write', 'sync', 'write', 'sync']);
  assert.equal(left, a + b);
});

test('a kill comes before, after or in the middle of an operation', options, async () => {
  for (const [kind, wanted] of [
    ['killBefore', a], ['killAfter', a + b], ['killTorn', a + b.slice(PAGE / 2)],
  ]) {
    const { signal, left } = await under({ kind, classes: COMMIT, countdown: 3 });
    assert.deepEqual([signal, left], ['SIGKILL', wanted], kind);
  }
});

test('a power cut leaves what was synced, and of the rest whole sectors', options, async () => {
  const ends = new Set();
  for (let seed = 1; seed <= 16; seed += 1) {
    const { signal, left } = await under({ kind: 'powerCut', classes: COMMIT, countdown: 4, seed });
    assert.equal(signal, 'SIGKILL');
    assert.ok((a + b).startsWith(left) && left.length >= PAGE, `${left.length} bytes`);
    assert.equal(left.length % 512, 0);
    ends.add(left.length);
  }
  assert.ok(ends.has(PAGE) && ends.size >= 3, [...ends].join());
});

test('a disk that fails says so, and takes nothing', options, async () => {
  for (const [kind, code] of [['ioError', 'EIO'], ['diskFull', 'ENOSPC'], ['readOnly', 'EROFS']]) {
    const { said, left } =
      await under({ kind, classes: ['write', 'change'], countdown: 0, isLasting: true });
    assert.deepEqual([said[0], said[2], left], [code, code, ''], kind);
  }
});

test('the clock is moved', options, async () => {
  const { said } = await under(null, -3_600_000);
  assert.ok(Math.abs(said.at(-1) + 3_600_000 - Date.now()) < 60_000);
});
