// The package: its types say what its code has, and it needs nothing but what the web has.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import * as tidegate from '../../clients/typescript/index.js';
import { ROOT } from '../../scripts/lib/tools.mjs';

const PACKAGE = path.join(ROOT, 'clients', 'typescript');
const read = (...parts) => readFileSync(path.join(PACKAGE, ...parts), 'utf8');
const types = read('index.d.ts');

test('the types allow what they should and refuse what they should', async () => {
  const compiler = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const project = path.join(PACKAGE, 'types');
  const compile = promisify(execFile)(process.execPath, [compiler, '--project', project]);
  await compile.catch(({ stdout }) => assert.fail(stdout));
});

test('the types name every export, and no other', () => {
  const declared = [...types.matchAll(/^export declare class (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(tidegate).sort());
});

const CLASSES = [
  'Tidegate', 'Queue', 'Topic', 'Subscription', 'Message', 'LeasedMessage', 'TrackedMessage',
];

/** What a class has, from its own prototype up to where all objects begin. */
function methodsOf({ prototype }) {
  const names = new Set();
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  names.delete('constructor');
  return [...names];
}

test('the types name every method of a class, and no other', () => {
  for (const name of CLASSES) {
    const form = new RegExp(`export declare class ${name}\\b[^{]*{([\\s\\S]*?)\\n}`);
    const body = types.match(form)[1];
    const members = [...body.matchAll(/^ {2}(?!private|protected|\/|\*)(?:readonly )?(\w+)[<(:]/gm)]
      .map(([, member]) => member);
    const { prototype } = tidegate[name];
    const parent = types.match(new RegExp(`class ${name} extends (\\w+)`))?.[1];
    const inherited = parent ? methodsOf(tidegate[parent]) : [];
    for (const method of methodsOf(tidegate[name])) {
      if (INTERNAL.has(method) || inherited.includes(method)) continue;
      assert.ok(members.includes(method), `${name}.${method} has no type`);
    }
    for (const member of body.matchAll(/^ {2}(?!constructor|private|protected)(\w+)[<(]/gm)) {
      assert.equal(typeof prototype[member[1]], 'function', `${name}.${member[1]} does not exist`);
    }
  }
});

/** Public among the modules of the package only. */
const INTERNAL = new Set(['retry', 'leaseMs']);

test('the code imports nothing from elsewhere and names no platform', () => {
  const sources = readdirSync(path.join(PACKAGE, 'src')).map((file) => `src/${file}`);
  for (const file of ['index.js', ...sources]) {
    const text = read(file);
    assert.doesNotMatch(text, /from '(?!\.)|require\(|\bBuffer\b/, file);
    if (file !== 'src/node-fetch.js') assert.doesNotMatch(text, /\bprocess\.|\bnode:/, file);
    assert.ok(text.split('\n').every((line) => line.length <= 100), `${file}: a long line`);
    assert.ok(text.startsWith('// '), `${file} says what it is`);
  }
});

test('the package has no dependencies and holds what it needs', () => {
  const manifest = JSON.parse(read('package.json'));
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.sideEffects, false);
  for (const file of manifest.files) assert.ok(readdirSync(PACKAGE).includes(file), file);
});
