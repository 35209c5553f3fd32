// npm run deploy makes the bundle that goes to Cloudflare, without an account or a network.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, execute } from '../../scripts/lib/tools.mjs';
import { temporaryDirectory } from '../harness/server.mjs';

test('a dry run bundles the Worker with the core that was built', async () => {
  const outdir = temporaryDirectory();
  const args = ['scripts/deploy.mjs', '--dry-run', '--outdir', outdir];
  // Whatever account the machine has: a dry run needs none.
  const env = { ...process.env, CLOUDFLARE_API_TOKEN: '', WRANGLER_LOG_PATH: outdir };
  const { code, output } = await execute(process.execPath, args, { env });
  assert.equal(code, 0, output);

  const files = readdirSync(outdir);
  assert.ok(files.some((file) => file.endsWith('.js')), `no script among ${files}`);
  const core = files.find((file) => file.endsWith('.wasm'));
  assert.ok(core, `no core among ${files}`);
  const built = readFileSync(path.join(ROOT, 'build', 'tidegate.wasm'));
  assert.ok(built.equals(readFileSync(path.join(outdir, core))), 'the core is the one in build/');
  assert.match(output, /Read \d+ files from the assets directory .*build\/www/);
  const page = (...parts) => readFileSync(path.join(ROOT, 'build', 'www', ...parts), 'utf8');
  const own = (...parts) => readFileSync(path.join(ROOT, ...parts), 'utf8');
  assert.equal(page('index.html'), own('www', 'index.html'));
  assert.equal(page('client', 'src', 'topic.js'), own('clients', 'typescript', 'src', 'topic.js'));
});
