// The environment of npm start: what it means, who may use the server then, and what is said of it.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { readSettings } from '../../scripts/lib/settings.mjs';
import { readTargets, withTargets } from '../../scripts/lib/targets.mjs';
import { ROOT } from '../../scripts/lib/tools.mjs';
import { welcome } from '../../scripts/lib/welcome.mjs';

const SECRET = 'a-secret-that-must-not-be-seen';

function words(variables) {
  const settings = readSettings(variables, '/home/somebody/tidegate');
  return welcome(settings, { url: 'http://127.0.0.1:8787', port: 8787 }, '1.2.3');
}

test('without settings it listens on loopback, port 8787, and is open', () => {
  const settings = readSettings({}, '/home/somebody/tidegate');
  assert.deepEqual(settings, {
    host: '127.0.0.1',
    port: 8787,
    dataDir: '/home/somebody/tidegate/.tidegate',
    env: { AUTH: 'none', LOOPBACK: 'true', ALLOW_PRIVATE_TARGETS: 'true' },
    targets: [],
    loopback: true,
    access: 'open',
  });
});

test('on an address that others reach it is closed by default', () => {
  for (const HOST of ['0.0.0.0', '::', '192.0.2.1', 'example.test']) {
    const settings = readSettings({ HOST }, '/');
    assert.equal(settings.access, 'closed', HOST);
    assert.deepEqual(settings.env, {}, HOST);
  }
});

test('every name of loopback is known as such', () => {
  for (const HOST of ['127.0.0.1', '127.1.2.3', 'localhost', '::1', '[::1]']) {
    assert.equal(readSettings({ HOST }, '/').access, 'open', HOST);
  }
  for (const HOST of ['127.0.0.1.example.test', '1127.0.0.1', 'localhost.example.test']) {
    assert.equal(readSettings({ HOST }, '/').access, 'closed', HOST);
  }
});

test('a token closes the server to those without it, on loopback too', () => {
  for (const HOST of ['127.0.0.1', '0.0.0.0']) {
    const settings = readSettings({ HOST, ADMIN_TOKEN: SECRET }, '/');
    assert.equal(settings.access, 'token', HOST);
    assert.equal(settings.env.ADMIN_TOKEN, SECRET);
    assert.equal(settings.env.AUTH, undefined);
  }
});

test('settings of the Worker are handed on, and unset ones stay unset', () => {
  const given = { AUTO_CREATE: 'false', ALLOW_PRIVATE_TARGETS: 'false', TICKET_KEY: '{}' };
  const { env } = readSettings({ ...given, TOKEN_SECRET: '', PATH: '/bin' }, '/');
  assert.deepEqual(env, { ...given, AUTH: 'none', LOOPBACK: 'true' });
});

test('a port that is none is refused', () => {
  for (const PORT of ['http', '-1', '65536', '80.5', '0x50']) {
    assert.throws(() => readSettings({ PORT }, '/'), /PORT is "/, PORT);
  }
});

test('the welcome shows where everything is', () => {
  const text = words({});
  assert.match(text, /Console +http:\/\/127\.0\.0\.1:8787\/\n/);
  assert.match(text, /API +http:\/\/127\.0\.0\.1:8787\/v1\n/);
  assert.match(text, /Data +\/home\/somebody\/tidegate\/\.tidegate\n/);
  assert.match(text, /curl -d 'hello' http:\/\/127\.0\.0\.1:8787\/v1\/queues\/demo\/messages\n/);
  assert.match(text, /open to anyone on this machine/);
  assert.match(text, /Stop +Ctrl-C/);
});

test('the welcome shows how to pass the token, and never the token', () => {
  const text = words({ ADMIN_TOKEN: SECRET });
  assert.doesNotMatch(text, new RegExp(SECRET));
  assert.match(text, /curl -H "Authorization: Bearer \$ADMIN_TOKEN" -d 'hello'/);
  assert.doesNotMatch(text, /open to anyone/i);
});

test('the welcome of a closed server says how to open it', () => {
  const text = words({ HOST: '0.0.0.0' });
  assert.match(text, /ready on 0\.0\.0\.0:8787/);
  assert.match(text, /closed, since other machines can reach this address\n/);
  assert.match(text, /ADMIN_TOKEN=<a long secret> npm start/);
});

test('the welcome says so when AUTH=none was asked for where it does not hold', () => {
  const text = words({ HOST: '0.0.0.0', AUTH: 'none' });
  assert.match(text, /closed, .*; AUTH=none holds on loopback only\n/);
});

test('what pushes call is bound to addresses, and the Worker is told the names', () => {
  const { targets, env } = readSettings({
    PUSH_WORKERS: 'BILLING=127.0.0.1:9000, files_2=[::1]:80', PUSH_QUEUES: 'ORDERS=queue.test:9001,',
  }, '/');
  assert.deepEqual(targets, [
    { name: 'BILLING', address: '127.0.0.1:9000', kind: 'service' },
    { name: 'files_2', address: '[::1]:80', kind: 'service' },
    { name: 'ORDERS', address: 'queue.test:9001', kind: 'queue' },
  ]);
  assert.deepEqual([env.PUSH_WORKERS, env.PUSH_QUEUES], ['BILLING,files_2', 'ORDERS']);
  for (const text of ['BILLING', '2=127.0.0.1:1', 'A=http://x:1', 'A="x":1', 'A=x:1,A=y:2']) {
    assert.throws(() => readSettings({ PUSH_WORKERS: text }, '/'), /PUSH_WORKERS/, text);
  }
  const own = readTargets({ PUSH_WORKERS: 'OUTBOUND=127.0.0.1:1' }).targets;
  assert.throws(() => withTargets(path.join(ROOT, 'workerd.capnp'), own), /OUTBOUND/);
});
