// What npm installs is pinned, fits every platform we name, and says nothing of where it came from.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, packagesInstalled, workerdBinary } from '../../scripts/lib/tools.mjs';

const FOLDERS = ['.', 'tools/deploy', 'tools/runtimes'];
const read = (...parts) => JSON.parse(readFileSync(path.join(ROOT, ...parts), 'utf8'));

for (const folder of FOLDERS) {
  test(`the packages of ${folder} are pinned, without the address of a registry`, () => {
    const manifest = read(folder, 'package.json');
    const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'];
    for (const version of kinds.flatMap((kind) => Object.values(manifest[kind] ?? {}))) {
      assert.match(version, /^\d+\.\d+\.\d+$/);
    }
    const { packages } = read(folder, 'package-lock.json');
    for (const [name, entry] of Object.entries(packages)) {
      assert.equal(entry.resolved, undefined, name);
    }
  });

  test(`the lock file of ${folder} has its programs for every platform`, () => {
    const { packages } = read(folder, 'package-lock.json');
    const programs = ['workerd', 'bun'].filter((name) => packages[`node_modules/${name}`]);
    assert.notDeepEqual(programs, []);
    for (const program of programs) {
      const { optionalDependencies, version } = packages[`node_modules/${program}`];
      for (const name of Object.keys(optionalDependencies)) {
        assert.equal(packages[`node_modules/${name}`]?.version, version, name);
      }
    }
  });
}

test('what is installed is what the lock file says, and workerd among it', () => {
  assert.equal(packagesInstalled(ROOT), true);
  assert.match(workerdBinary(), /workerd$/);
});
