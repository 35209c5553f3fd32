// Relays on the real runtime: requests that say where they come in reach their queue through the
// relay of their location and the one of their region.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Tide } from '../conformance/support.mjs';
import { Client } from '../conformance/wire.mjs';
import { flood } from '../harness/flood.mjs';
import { startServer } from '../harness/server.mjs';

const tide = new Tide();
before(async () => {
  tide.server = await startServer({ placed: true });
  tide.client = new Client(tide.server.url);
});
after(() => tide.stop());

const PLACES = [
  { colo: 'AMS', continent: 'EU', longitude: '4.9' },
  { colo: 'WAW', continent: 'EU', longitude: '21.0' },
  { colo: 'SFO', continent: 'NA', longitude: '-122.4' },
];
const from = (n) => ({ 'x-cf': JSON.stringify(PLACES[n % PLACES.length]) });
const target = (queue) => `${tide.url}${queue.path}/messages`;
const calls = (queue) => tide.metricSum('tidegate_object_requests_total', queue.name);

test('a burst from three places is exact, and few calls reach the object', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 100 } });
  const earlier = await calls(queue);
  const statuses = {};
  const ids = new Set();
  const by = {};
  const { failures } = await flood(target(queue), {
    total: 6_000,
    connections: 300,
    headers: from,
    body: String,
    onResponse({ status, headers, body }) {
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status === 202) ids.add(JSON.parse(body).id);
      if (status === 410) by[headers['tidegate-decided-by']] = (by[headers['tidegate-decided-by']] ?? 0) + 1;
      assert.equal(headers['tidegate-verdict'], undefined);
    },
  });
  assert.deepEqual(failures, []);
  assert.equal(ids.size, 100);
  assert.equal(statuses[202], 100);
  assert.equal(statuses[410] + (statuses[503] ?? 0), 5_900, JSON.stringify(statuses));
  const made = (await calls(queue)) - earlier;
  assert.ok(made < 200, `${made} calls`);
  assert.ok(by.edge > by.object || by.object === undefined, JSON.stringify(by));
  const messages = await queue.drain();
  assert.deepEqual(new Set(messages.map(({ id }) => id)), ids);
});

test('a repeat of an accepted publish gets its first answer from a queue that is sold out', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 1 } });
  const send = (key) => tide.request('POST', `${queue.path}/messages`, {
    headers: { ...from(0), 'idempotency-key': key },
    body: 'x',
  });
  const first = await send('mine');
  assert.equal(first.status, 202);
  assert.equal((await send('yours')).status, 410);
  const again = await send('mine');
  assert.equal(again.status, 202);
  assert.equal(again.json.id, first.json.id);
});
