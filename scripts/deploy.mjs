// npm run deploy: builds and hands over to wrangler, whose arguments may follow:
// `npm run deploy -- --dry-run --outdir build/deploy` shows what would be uploaded, without an
// account. wrangler is large and needs a newer Node than the rest, so both come on first use.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import { buildCore } from './lib/core.mjs';
import { assemblePages } from './lib/pages.mjs';
import { Failure, run } from './lib/steps.mjs';
import { DEPLOY_TOOLS, newerNode } from './lib/newer-node.mjs';
import { ROOT, installPackages } from './lib/tools.mjs';

/** The oldest Node that wrangler runs on: major, minor. */
const NODE_NEEDED = [22, 12];

run(async () => {
  await installPackages();
  await installPackages({ directory: DEPLOY_TOOLS, label: 'Installing wrangler' });
  await buildCore();
  assemblePages();
  const require = createRequire(path.join(DEPLOY_TOOLS, 'package.json'));
  const wrangler = path.join(path.dirname(require.resolve('wrangler/package.json')), 'bin');
  const args = [path.join(wrangler, 'wrangler.js'), 'deploy', ...process.argv.slice(2)];
  const node = await newerNode(NODE_NEEDED, 'wrangler');
  const child = spawn(node, args, { cwd: ROOT, env: environment(), stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  const [code] = await once(child, 'exit');
  return code ?? 1;
});

/** Says nothing home unless asked to: what is not set stays off. */
function environment() {
  return { WRANGLER_SEND_METRICS: 'false', ...process.env };
}
