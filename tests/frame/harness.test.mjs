// The harness that the other tests stand on: a server that can be stopped, killed and found again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAlive } from '../../scripts/lib/data-directory.mjs';
import { api, assertStatus } from '../harness/api.mjs';
import { flood } from '../harness/flood.mjs';
import { startServer } from '../harness/server.mjs';

test('a server keeps its port and its data over a kill and a restart', async () => {
  const server = await startServer();
  const { url, pid } = server;
  assertStatus(await api(url).publish('orders', 'one'), 202);
  await server.kill9();
  assert.equal(isAlive(pid), false);
  await assert.rejects(api(url).getQueue('orders'));

  await server.restart();
  assert.equal(server.url, url);
  assert.notEqual(server.pid, pid);
  assert.equal(assertStatus(await api(url).getQueue('orders'), 200).depth, 1);

  await server.restart({ wait: false });
  assert.equal(assertStatus(await api(url).getQueue('orders'), 200).depth, 1);
  await server.stop();
  assert.equal(isAlive(server.pid), false);
});

test('a flood sends every request once and counts every answer', async () => {
  const server = await startServer();
  const seen = new Set();
  const { statuses, failures } = await flood(`${server.url}/v1/queues/orders/messages`, {
    total: 300,
    connections: 32,
    body: (index) => `order ${index}`,
    onResponse: ({ index }) => seen.add(index),
  });
  assert.deepEqual(statuses, { 202: 300 });
  assert.equal(failures.length, 0);
  assert.equal(seen.size, 300);
  assert.equal(assertStatus(await api(server.url).getQueue('orders'), 200).depth, 300);
  await server.stop();
});
