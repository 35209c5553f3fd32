// npm run runtimes: the client's tests in every runtime, Deno and Bun among them. Both are large
// (190 MB), so they come on first use, and `npm test` does without.

import path from 'node:path';
import { buildCore } from './lib/core.mjs';
import { run } from './lib/steps.mjs';
import { ROOT, execute, installPackages } from './lib/tools.mjs';

const TOOLS = path.join(ROOT, 'tools', 'runtimes');
const TESTS = path.join('tests', 'client', 'runtimes.test.mjs');

run(async () => {
  await installPackages();
  await installPackages({ directory: TOOLS, label: 'Installing Deno and Bun' });
  await buildCore();
  const onText = (text) => process.stdout.write(text);
  const args = ['--test', '--test-reporter=spec', TESTS];
  return (await execute(process.execPath, args, { onText })).code;
});
