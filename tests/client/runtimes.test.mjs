// The same body in every runtime: Node, a browser, a Worker on workerd; Deno and Bun where
// `npm run runtimes` has installed them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import * as tidegate from '../../clients/typescript/index.js';
import { browserBinary } from '../../scripts/lib/browser.mjs';
import { ROOT, execute, workerdBinary } from '../../scripts/lib/tools.mjs';
import { BROWSER_ARGS } from '../browser/support.mjs';
import { startServer, temporaryDirectory } from '../harness/server.mjs';
import { exercise } from './runtimes/body.js';

const QUEUES = ['publish', 'batch', 'refusal', 'consume', 'ack', 'result', 'abort'];
const ALL = [...QUEUES, 'events', 'websocket', 'log'];
const TOOLS = path.join(ROOT, 'tools', 'runtimes', 'node_modules');
const ALONE = path.join(ROOT, 'tests', 'client', 'runtimes', 'alone.js');

let server;
before(async () => (server = await startServer()));
after(async () => {
  await server.kill9();
  await server.stop();
});

/** The binary that came with a package for this platform, if it is installed. */
function installed(scope, ...parts) {
  const folder = path.join(TOOLS, scope);
  const [packageName] = existsSync(folder) ? readdirSync(folder) : [];
  return packageName && path.join(folder, packageName, ...parts);
}

test('Node', async () => {
  const done = await exercise(tidegate, server.url);
  assert.deepEqual(done, typeof WebSocket === 'undefined' ? [...QUEUES, 'events', 'log'] : ALL);
});

for (const [name, scope, parts, args] of [
  ['Deno', '@deno', ['deno'], ['run', '--allow-net', '--no-config', '--no-lock']],
  ['Bun', '@oven', ['bin', 'bun'], ['run']],
]) {
  const binary = installed(scope, ...parts);
  const skip = binary === undefined && 'not installed; npm run runtimes does it';
  test(name, { skip }, async () => {
    const { code, stdout, output } = await execute(binary, [...args, ALONE, server.url]);
    assert.equal(code, 0, output);
    assert.deepEqual(stdout.trim().split(' '), ALL);
  });
}

test('a browser', async (t) => {
  const options = { executablePath: await browserBinary(), args: BROWSER_ARGS };
  const browser = await chromium.launch(options);
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${server.url}/logo.svg`);
  const done = await page.evaluate(
    `import('/client/index.js').then((tidegate) => (${exercise})(tidegate, location.origin))`,
  );
  assert.deepEqual(done, ALL);
});

test('a Worker on workerd', async (t) => {
  const { url, stop } = await openWorker();
  t.after(stop);
  const response = await fetch(`${url}/?url=${encodeURIComponent(server.url)}`);
  assert.deepEqual((await response.text()).split(' '), ALL);
});

/** A workerd of its own with the body as a Worker, which may call this machine. */
async function openWorker() {
  const sources = readdirSync(path.join(ROOT, 'clients', 'typescript', 'src'));
  const files = ['index.js', ...sources.map((file) => `src/${file}`)];
  const modules = [
    ['worker.js', 'tests/client/runtimes/worker.js'],
    ['body.js', 'tests/client/runtimes/body.js'],
    ...files.map((file) => [`clients/typescript/${file}`, `clients/typescript/${file}`]),
  ].map(([name, file]) => `(name = "${name}", esModule = ${textOf(file)})`);
  const configuration = path.join(temporaryDirectory(), 'worker.capnp');
  writeFileSync(configuration, `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (modules = [${modules.join(',')}], compatibilityDate = "2026-11-01")),
    (name = "internet", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`);
  const args = ['serve', configuration, '--control-fd=3'];
  const child = spawn(workerdBinary(), args, { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  let said = '';
  for await (const chunk of child.stdio[3]) {
    said += chunk;
    if (said.includes('"listen"')) break;
  }
  const [, port] = /"port":(\d+)/.exec(said);
  return { url: `http://127.0.0.1:${port}`, stop: () => child.kill('SIGKILL') };
}

/** A file's text as the configuration language writes it. */
const textOf = (file) => JSON.stringify(readFileSync(path.join(ROOT, file), 'utf8'));
