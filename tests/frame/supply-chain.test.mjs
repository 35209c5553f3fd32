// What we depend on, held to deny.toml and to what the lock files promise, without a network:
// licences, where it comes from, that it is pinned and has a checksum, what may run while it is
// installed. `cargo deny check` and `npm audit signatures` ask the registries as well.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, execute } from '../../scripts/lib/tools.mjs';

const REGISTRY = 'registry+https://github.com/rust-lang/crates.io-index';
/** What goes to a server, and what tests and benchmarks run on. */
const TARGETS = ['wasm32-unknown-unknown', 'x86_64-unknown-linux-gnu'];
/** Packages that may run a program while they are installed: both fetch their own binary. */
const INSTALL_SCRIPTS = ['esbuild', 'workerd'];
/** Used to deploy, never part of what is deployed: libraries of an image tool inside wrangler. */
const TOOLS_ONLY = ['LGPL-3.0-or-later', 'CC0-1.0', 'ISC', '0BSD'];
const MANIFESTS = ['Cargo.toml', 'fuzz/Cargo.toml'];
const LOCKS = ['Cargo.lock', 'fuzz/Cargo.lock'];

const read = (...parts) => readFileSync(path.join(ROOT, ...parts), 'utf8');

/** The strings of an array in deny.toml. */
function listOf(name) {
  const [, list] = read('deny.toml').match(new RegExp(`^${name} = \\[([^\\]]*)\\]`, 'm'));
  return [...list.matchAll(/"([^"]+)"/g)].map(([, text]) => text);
}

/**
 * Whether an SPDX expression can be met by licences that are allowed: of OR one side, of AND both.
 * @param {string} expression
 * @param {string[]} allowed
 * @returns {boolean}
 */
function isAllowed(expression, allowed) {
  const tokens = expression.replaceAll('/', ' OR ').match(/\(|\)|[^\s()]+/g);
  const one = () => {
    const token = tokens.shift();
    if (token !== '(') return allowed.includes(token);
    const inside = either();
    tokens.shift();
    return inside;
  };
  const both = () => {
    let all = one();
    while (tokens[0] === 'AND') all = [tokens.shift(), one()][1] && all;
    return all;
  };
  const either = () => {
    let any = both();
    while (tokens[0] === 'OR') any = [tokens.shift(), both()][1] || any;
    return any;
  };
  return either();
}

test('an expression of licences is met as SPDX says', () => {
  const allowed = ['MIT', 'Zlib'];
  for (const good of ['MIT', 'MIT OR GPL-3.0', 'GPL-3.0/MIT', '(GPL-3.0 OR MIT) AND Zlib']) {
    assert.equal(isAllowed(good, allowed), true, good);
  }
  for (const bad of ['GPL-3.0', 'MIT AND GPL-3.0', '(MIT OR Zlib) AND GPL-3.0', 'GPL-3.0 OR X']) {
    assert.equal(isAllowed(bad, allowed), false, bad);
  }
});

for (const target of TARGETS) {
  test(`crates for ${target} are under licences that we allow`, async () => {
    // Not offline: what only tests on that target need has not been fetched by any build.
    const args = ['metadata', '--locked', '--format-version', '1'];
    const { code, stdout, output } = await execute('cargo', [...args, '--filter-platform', target]);
    assert.equal(code, 0, output);
    const { packages } = JSON.parse(stdout);
    const allowed = listOf('allow');
    const bad = packages.filter(({ license }) => !license || !isAllowed(license, allowed));
    assert.deepEqual(bad.map((it) => `${it.name}: ${it.license}`), []);
    assert.ok(packages.length > 20, `${packages.length} packages`);
  });
}

for (const lock of LOCKS) {
  test(`${lock}: everything is from the registry, with a checksum`, () => {
    const packages = read(lock).split('[[package]]').slice(1);
    for (const entry of packages) {
      const name = entry.match(/^name = "(.+)"$/m)[1];
      if (['tidegate', 'tidegate-fuzz'].includes(name)) continue;
      assert.equal(entry.match(/^source = "(.+)"$/m)?.[1], REGISTRY, name);
      assert.match(entry, /^checksum = "[0-9a-f]{64}"$/m, name);
    }
    assert.ok(packages.length > 20);
  });
}

for (const manifest of MANIFESTS) {
  test(`${manifest}: dependencies are pinned`, () => {
    const tables = read(manifest)
      .split(/^(?=\[)/m)
      .filter((text) => /^\[[\w.-]*dependencies\]/.test(text));
    assert.ok(tables.length > 0);
    for (const table of tables) {
      for (const line of table.split('\n').filter((text) => /^[\w-]+ =/.test(text))) {
        if (/path = /.test(line)) continue;
        assert.match(line, /"=\d+\.\d+\.\d+[^"]*"/, line);
      }
    }
  });
}

for (const folder of ['.', 'tools/deploy']) {
  test(`the packages of ${folder}: licences, checksums, what runs on installation`, () => {
    const allowed = [...listOf('allow'), ...(folder === '.' ? [] : TOOLS_ONLY)];
    const { packages } = JSON.parse(read(folder, 'package-lock.json'));
    for (const [name, entry] of Object.entries(packages)) {
      if (name === '') continue;
      const short = name.slice(name.lastIndexOf('node_modules/') + 'node_modules/'.length);
      // Of other platforms, the lock file knows less: their package says it where it is installed.
      const isElsewhere = entry.os && !entry.os.includes(process.platform);
      const license = entry.license ?? licenseOf(folder, name);
      if (license) assert.ok(isAllowed(license, allowed), `${name}: ${license}`);
      else assert.ok(isElsewhere || entry.optional, `${name} has no licence`);
      const mayRun = INSTALL_SCRIPTS.includes(short);
      assert.ok(!entry.hasInstallScript || mayRun, `${name} runs a script`);
      if (!isElsewhere) assert.match(entry.integrity ?? '', /^sha512-/, name);
    }
  });
}

function licenseOf(folder, name) {
  const file = path.join(ROOT, folder, name, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).license : undefined;
}
