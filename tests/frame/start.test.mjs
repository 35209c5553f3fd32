// npm start as a newcomer meets it: what it says, what it refuses, that it leaves nothing behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { isAlive } from '../../scripts/lib/data-directory.mjs';
import { ROOT } from '../../scripts/lib/tools.mjs';
import { api, assertStatus, until } from '../harness/api.mjs';
import { temporaryDirectory } from '../harness/server.mjs';

const NODE = [process.execPath, '-r', './scripts/node-version.cjs', 'scripts/start.mjs'];
const NPM = ['npm', 'start'];

/** Settings of whoever runs the tests must not decide their outcome. */
const CLEARED = [
  'ADMIN_TOKEN', 'ALLOW_PRIVATE_TARGETS', 'AUTH', 'AUTO_CREATE', 'HOST', 'JWKS_URL',
  'LOG_LEVEL', 'PUSH_QUEUES', 'PUSH_WORKERS', 'TICKET_KEY', 'TOKEN_SECRET', 'npm_lifecycle_event',
];

const started = new Set();
after(() => started.forEach((child) => child.kill('SIGKILL')));

/** Runs the start without a terminal and without input. */
function start(variables, [program, ...args] = NODE) {
  const env = { ...process.env };
  for (const name of CLEARED) delete env[name];
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...env, PORT: '0', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (said += text));
  }
  const exited = once(child, 'close').then(([code]) => (started.delete(child), code));
  return { child, exited, said: () => said };
}

/** Starts and waits for the welcome. */
async function ready(variables, command) {
  const run = start(variables, command);
  await Promise.race([
    until(run.said, (said) => said.includes('is ready on'), { within_ms: 280_000 }),
    run.exited.then((code) => assert.fail(`ended with ${code}:\n${run.said()}`)),
  ]);
  const url = /Console +(http:\S+)\/\n/.exec(run.said())[1];
  const lock = path.join(variables.DATA_DIR, 'tidegate.lock');
  const { server_pid: server } = JSON.parse(readFileSync(lock, 'utf8'));
  return { ...run, url, server };
}

const gone = (pid) => until(() => isAlive(pid), (alive) => !alive, { within_ms: 15_000 });

test('what was published is there after a restart, and SIGTERM ends everything', async () => {
  const DATA_DIR = temporaryDirectory();
  const first = await ready({ DATA_DIR });
  assert.ok(first.said().includes(DATA_DIR));
  assertStatus(await api(first.url).publish('kept', 'hello'), 202);
  first.child.kill('SIGTERM');
  assert.equal(await first.exited, 0);
  assert.equal(isAlive(first.server), false);

  const second = await ready({ DATA_DIR });
  assert.doesNotMatch(second.said(), /Compiling|Installing/, 'nothing is done twice');
  assert.equal(assertStatus(await api(second.url).getQueue('kept'), 200).depth, 1);
  second.child.kill('SIGINT');
  assert.equal(await second.exited, 0);
  assert.equal(isAlive(second.server), false);
});

test('through npm, SIGTERM ends everything', async () => {
  const run = await ready({ DATA_DIR: temporaryDirectory() }, NPM);
  run.child.kill('SIGTERM');
  await run.exited;
  await gone(run.server);
  assert.match(run.said(), /Stopped\./);
});

test('an npm that is killed outright leaves no server behind', async () => {
  const run = await ready({ DATA_DIR: temporaryDirectory() }, NPM);
  run.child.kill('SIGKILL');
  await gone(run.server);
});

test('a second start on the same data is refused', async () => {
  const DATA_DIR = temporaryDirectory();
  const first = await ready({ DATA_DIR });
  const second = start({ DATA_DIR });
  assert.equal(await second.exited, 1);
  assert.match(second.said(), new RegExp(`process ${first.child.pid}\\) uses the data directory`));

  // The server outlives a start that was killed, and still holds the data.
  first.child.kill('SIGKILL');
  await first.exited;
  const third = start({ DATA_DIR });
  assert.equal(await third.exited, 1);
  assert.match(third.said(), new RegExp(`process ${first.server}\\) uses the data directory`));
  process.kill(first.server, 'SIGKILL');
  await gone(first.server);

  const fourth = await ready({ DATA_DIR });
  fourth.child.kill('SIGTERM');
  assert.equal(await fourth.exited, 0);
});

test('a server that dies is reported with its last words', async () => {
  const run = await ready({ DATA_DIR: temporaryDirectory() });
  process.kill(run.server, 'SIGKILL');
  assert.equal(await run.exited, 1);
  assert.match(run.said(), /workerd ended by itself \(SIGKILL\)/);
});

test('a port in use is named, with a way out', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address();
  const run = start({ PORT: String(port), DATA_DIR: temporaryDirectory() });
  assert.equal(await run.exited, 1);
  assert.match(run.said(), new RegExp(`Port ${port} on 127.0.0.1 is in use`));
  assert.match(run.said(), /PORT=\d+ npm start/);
  assert.doesNotMatch(run.said(), /at .*\.mjs:\d+/, 'no stack trace');
  other.close();
});

test('a data directory that cannot be written is named, with a way out', async () => {
  const run = start({ DATA_DIR: '/dev/null/data' });
  assert.equal(await run.exited, 1);
  assert.match(run.said(), /data directory \/dev\/null\/data cannot be written/);
  assert.match(run.said(), /DATA_DIR=/);
});

test('settings that the Worker refuses are reported in its words', async () => {
  const run = start({ DATA_DIR: temporaryDirectory(), AUTH: 'nobody' });
  assert.equal(await run.exited, 1);
  assert.match(run.said(), /does not serve: .*AUTH is "none" or unset/);
});

test('with a token, nobody comes in without it, and it is not printed', async () => {
  const ADMIN_TOKEN = 'a-secret-that-must-not-be-seen';
  const run = await ready({ DATA_DIR: temporaryDirectory(), ADMIN_TOKEN });
  assertStatus(await api(run.url).publish('orders', 'hello'), 401);
  assertStatus(await api(run.url, { token: ADMIN_TOKEN }).publish('orders', 'hello'), 202);
  run.child.kill('SIGTERM');
  await run.exited;
  assert.ok(!run.said().includes(ADMIN_TOKEN));
});

test('a Node that is too old is told so', async () => {
  const old = "Object.defineProperty(process, 'versions', { value: { node: '18.20.4' } })";
  const source = `${old}; require('./scripts/node-version.cjs'); console.log('went on')`;
  const run = start({}, [process.execPath, '-e', source]);
  assert.equal(await run.exited, 1);
  assert.match(run.said(), /Node 18\.20\.4 found, 20 or newer needed/);
  assert.doesNotMatch(run.said(), /went on/);
});
