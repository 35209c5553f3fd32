// A Node that can do what the one that runs us may be too old for: ours, or the one that is
// installed beside wrangler, on demand.

import { createRequire } from 'node:module';
import path from 'node:path';
import { Failure } from './steps.mjs';
import { ROOT, installPackages, nodeIsAtLeast } from './tools.mjs';

/** Where wrangler and that Node are. */
export const DEPLOY_TOOLS = path.join(ROOT, 'tools', 'deploy');

/**
 * @param {[number, number]} needed major and minor
 * @param {string} what needs it
 * @returns {Promise<string>} its executable
 */
export async function newerNode(needed, what) {
  if (nodeIsAtLeast(...needed)) return process.execPath;
  await installPackages({ directory: DEPLOY_TOOLS, label: 'Installing a newer Node' });
  const require = createRequire(path.join(DEPLOY_TOOLS, 'package.json'));
  try {
    return require.resolve(`node-${process.platform}-${process.arch}/bin/node`);
  } catch {
    throw new Failure(`${what} needs Node ${needed.join('.')} or newer.`);
  }
}
