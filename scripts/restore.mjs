// npm run restore -- --from DIR [--to DATA_DIR]: puts a backup in the place of a data directory
// whose server is stopped. What was there is kept beside it.

import { cpSync, existsSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { lockDataDirectory } from './lib/data-directory.mjs';
import { Failure, run } from './lib/steps.mjs';
import { ROOT } from './lib/tools.mjs';

run(async () => {
  const { values } = parseArgs({ options: { to: { type: 'string' }, from: { type: 'string' } } });
  if (!values.from) throw new Failure('Say from where: npm run restore -- --from DIR');
  const from = path.resolve(values.from);
  const to = path.resolve(ROOT, values.to ?? process.env.DATA_DIR ?? '.tidegate');
  const isBackup = existsSync(from) && readdirSync(from).some((name) => name.startsWith('tidegate-'));
  if (!isBackup) throw new Failure(`There is no backup in ${from}.`);
  // Refuses while a server runs there.
  const lock = lockDataDirectory(to);
  const draft = `${to}.restored-${process.pid}`;
  cpSync(from, draft, { recursive: true });
  lock.release();
  const before = `${to}.before-${Date.now()}`;
  renameSync(to, before);
  renameSync(draft, to);
  console.log(`${to} is as it was in ${from}; what was there is in ${before}`);
  return 0;
});
