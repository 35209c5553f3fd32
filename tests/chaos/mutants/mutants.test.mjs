// That every mistake of the list can still be made: a list that no longer fits the code tests less
// than it says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../../scripts/lib/tools.mjs';
import { MUTANTS } from './list.mjs';

test('every edit of a mutant has its place, and only one', () => {
  for (const { name, edits } of MUTANTS) {
    for (const { file, find, put } of edits) {
      const text = readFileSync(path.join(ROOT, file), 'utf8');
      assert.equal(text.split(find).length - 1, 1, `${name}: ${file}: ${find}`);
      assert.notEqual(find, put);
    }
  }
});

test('mutants have names of their own, and there are enough', () => {
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  assert.ok(MUTANTS.length >= 10);
});
