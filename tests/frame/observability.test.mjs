// Every metric and every line of the log stands in the documents, and nothing else does.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../scripts/lib/tools.mjs';
import { documentedMetrics } from '../harness/documented-metrics.mjs';

const read = (...parts) => readFileSync(path.join(ROOT, ...parts), 'utf8');

/** All that stands in the files of a folder with this ending. */
function sources(folder, ending) {
  const names = readdirSync(path.join(ROOT, folder), { recursive: true });
  return names.filter((name) => name.endsWith(ending)).map((name) => read(folder, name)).join('\n');
}

const all = (text, pattern) => new Set([...text.matchAll(pattern)].map(([, name]) => name));

test('every metric is in docs/HTTP.md, and every one there is a metric', () => {
  const made = all(sources('src/protocol/http', '.rs'), /"(tidegate_[a-z_]+)"/g);
  assert.ok(made.size >= 25, `${made.size} metrics`);
  const told = documentedMetrics().map(([name]) => name);
  assert.deepEqual([...made].sort(), told.sort());
});

test('every line of the log is in docs/operations.md, and every one there can be written', () => {
  const host = sources('host', '.js');
  const core = sources('src', '.rs');
  const written = new Set([
    ...all(host, /\blog\(\s*'(?:debug|info|warn|error)',\s*'(\w+)'/g),
    ...all(core, /"event":\s*"(\w+)"/g),
  ]);
  assert.ok(written.size >= 18, `${written.size} events`);
  const [, section] = read('docs', 'operations.md').split('\n| event | level | means |\n');
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  const told = rows.flatMap((row) => [...all(row.split('|')[1], /`(\w+)`/g)]);
  for (const event of written) assert.ok(told.includes(event), `${event} is not told of`);
  for (const event of told) {
    assert.ok(new RegExp(`['"]${event}['"]`).test(host + core), `nothing writes ${event}`);
  }
  assert.equal(new Set(told).size, told.length, 'each once');
});
