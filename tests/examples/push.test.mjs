// The functions that a queue calls, in three languages: each checks who calls, answers with a
// result, and turns away who only looks like Tidegate. And a slow server that a queue spares.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { workerdBinary } from '../../scripts/lib/tools.mjs';
import { until } from '../harness/api.mjs';
import { startServer } from '../harness/server.mjs';

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));
const SECRET = `whsec_${randomBytes(24).toString('base64')}`;
const FUNCTIONS = {
  'for Node': () => ['node', ['push/function.mjs']],
  'for Python': () => ['python3', ['push/function.py']],
  'as a Worker': (port) => [
    workerdBinary(), ['serve', 'push/worker.capnp', '--socket-addr', `http=127.0.0.1:${port}`],
  ],
};
const hasPython = spawnSync('python3', ['--version']).status === 0;

let tide;
before(async () => (tide = await startServer()));
after(() => tide.stop());

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs an example until the test is over; where it answers. */
async function run(t, [command, args], port) {
  const env = { ...process.env, SECRET, PORT: String(port) };
  const cwd = EXAMPLES;
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  t.after(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  const url = `http://127.0.0.1:${port}/`;
  const isUp = () => fetch(url).then(() => true, () => child.exitCode !== null);
  await until(isUp, Boolean, { within_ms: 20_000, what: `${path.join(cwd, args[0])} ${said}` });
  assert.equal(child.exitCode, null, said);
  return url;
}

/** A queue of its own that calls `url`; where it takes messages. */
async function queueFor(url, push) {
  const at = `${tide.url}/v1/queues/q${randomBytes(6).toString('hex')}`;
  const body = JSON.stringify({ push: { url, format: 'raw', ...push } });
  const headers = { 'content-type': 'application/json' };
  const { status } = await fetch(at, { method: 'PUT', headers, body });
  assert.equal(status, 201);
  return `${at}/messages`;
}

for (const [name, command] of Object.entries(FUNCTIONS)) {
  const skip = name.includes('Python') && !hasPython && 'there is no python3';
  test(`a function ${name} answers with its message's result`, { skip }, async (t) => {
    const port = await freePort();
    const url = await run(t, command(port), port);
    const messages = await queueFor(url, { secret: SECRET });
    const order = { method: 'POST', body: '{"amount": 12}' };
    const answer = await fetch(`${messages}?wait_ms=20000`, order);
    const { state, result } = await answer.json();
    assert.deepEqual([answer.status, state], [200, 'done']);
    assert.match(result.receipt, /^receipt.* over 12$/);
    // Whoever does not know the secret, or has only seen an old call.
    const webhook = { 'webhook-id': 'm', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)) };
    for (const signature of [{}, { 'webhook-signature': 'v1,AAAA' }, { 'webhook-signature': 'v1' }]) {
      const forged = await fetch(url, { ...order, headers: { ...webhook, ...signature } });
      assert.equal(forged.status, 401);
      await forged.arrayBuffer();
    }
  });
}

test('a slow server gets what it can bear, and every order', async (t) => {
  const port = await freePort();
  const url = await run(t, ['node', ['legacy/server.mjs']], port);
  const messages = await queueFor(url, { rate_per_second: 10 });
  const orders = Array.from({ length: 35 }, (_, n) => `order ${n}`);
  const publish = (body) => fetch(messages, { method: 'POST', body });
  const answers = await Promise.all(orders.map(publish));
  assert.ok(answers.every(({ status }) => status === 202));
  const seen = await until(
    async () => (await fetch(url)).json(),
    (server) => server.orders.length >= orders.length,
    { within_ms: 30_000, every_ms: 100, what: 'all orders' },
  );
  assert.equal(seen.fallen, false);
  assert.deepEqual(new Set(seen.orders), new Set(orders));
});
