// npm run backup -- --to DIR [--from DATA_DIR]: a copy of a data directory, safe while its server
// runs. Every answer that was given before the backup began is in it.

import { existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { newerNode } from './lib/newer-node.mjs';
import { Failure, run } from './lib/steps.mjs';
import { ROOT, execute } from './lib/tools.mjs';

const COPY = fileURLToPath(new URL('./lib/copy-databases.mjs', import.meta.url));
/** The oldest Node that has SQLite: major, minor. */
const NODE_NEEDED = [22, 13];

run(async () => {
  const { values } = parseArgs({ options: { to: { type: 'string' }, from: { type: 'string' } } });
  if (!values.to) throw new Failure('Say where to: npm run backup -- --to DIR');
  const from = path.resolve(ROOT, values.from ?? process.env.DATA_DIR ?? '.tidegate');
  const to = path.resolve(values.to);
  if (!existsSync(from)) throw new Failure(`There is no data directory ${from}.`);
  if (existsSync(to)) throw new Failure(`${to} exists already.`);
  const node = await newerNode(NODE_NEEDED, 'A backup');
  // Under another name until it is whole: no half of a backup passes for one.
  const draft = `${to}.part-${process.pid}`;
  mkdirSync(draft, { recursive: true });
  const ran = await execute(node, [COPY, from, draft]);
  if (ran.code !== 0) throw new Failure(`The backup failed; ${draft} is not whole.\n${ran.output}`);
  renameSync(draft, to);
  console.log(`${ran.stdout.trim()} databases in ${to}`);
  return 0;
});
