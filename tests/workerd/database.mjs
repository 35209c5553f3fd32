// What a test does to the databases of a stopped server, by an SQLite of its own.

import { openSync, closeSync, readdirSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { newerNode } from '../../scripts/lib/newer-node.mjs';
import { execute } from '../../scripts/lib/tools.mjs';

const RUN = `
  const { DatabaseSync } = require('node:sqlite');
  const [file, ...statements] = process.argv.slice(1);
  const database = new DatabaseSync(file);
  for (const statement of statements) console.log(JSON.stringify(database.prepare(statement).all()));
`;

/** Databases of queues or topics. */
export function databasesOf(dataDir, kind) {
  const folder = path.join(dataDir, `tidegate-${kind}`);
  const names = readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  return names.map((name) => path.join(folder, name));
}

/** Runs statements on a database; the rows of each. */
export async function query(file, ...statements) {
  const node = await newerNode([22, 13], 'this test');
  const ran = await execute(node, ['-e', RUN, file, ...statements]);
  if (ran.code !== 0) throw new Error(ran.output);
  return ran.stdout.trim().split('\n').map((line) => JSON.parse(line));
}

/** Overwrites all of a file but its first page. */
export function spoil(file) {
  const PAGE_BYTES = 4_096;
  const descriptor = openSync(file, 'r+');
  const garbage = Buffer.alloc(statSync(file).size - PAGE_BYTES, 0x5a);
  writeSync(descriptor, garbage, 0, garbage.length, PAGE_BYTES);
  closeSync(descriptor);
}
