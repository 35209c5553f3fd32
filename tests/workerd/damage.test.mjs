// Rows and files that are damaged while the server is down: what is sound comes, what is lost is
// said to be lost, and no other queue notices.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Tide, assertProblem, until } from '../conformance/support.mjs';
import { databasesOf, query, spoil } from './database.mjs';

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

/** The database that holds the queue with this many segments. */
async function databaseWith(segments) {
  for (const file of databasesOf(tide.server.dataDir, 'queue')) {
    const [[{ count }]] = await query(file, 'SELECT count(*) AS count FROM segments');
    if (count === segments) return file;
  }
  throw new Error(`no queue has ${segments} segments`);
}

test('a repair publishes nothing again that waits for its result', async () => {
  const queue = await tide.queue({});
  for (let i = 0; i < 9; i++) await queue.publish(`before ${i}`);
  await tide.server.kill9();
  // Found while nobody waits: what it takes to look into a database may have to be installed first.
  const file = await databaseWith(9);
  await tide.restart();
  const waiting = queue.request('POST', '/messages?wait_ms=30000', { body: 'asked' });
  await until(async () => (await queue.figures()).depth === 10, { what: 'it is there' });
  // Nobody has read this one since the start: what is in memory is not read again.
  await query(
    file,
    `UPDATE segments SET body = zeroblob(length(body)) WHERE id = (SELECT id FROM segments ORDER BY id LIMIT 1 OFFSET 4)`,
  );
  const bodies = (await queue.drain()).map((message) => message.body);
  assert.equal((await queue.figures()).quarantined, 1);
  assert.deepEqual(bodies.filter((body) => body === 'asked'), ['asked']);
  assert.equal((await queue.figures()).accepted_total, 10);
  // Its answer may have been lost with the turn, like any other's; its message was not.
  const late = await waiting;
  assert.ok([200, 503].includes(late.status), `${late.status} ${late.text}`);
});

test('damaged rows cost their own messages, and a damaged file its own queue', async () => {
  const hurt = await tide.queue({});
  const spoilt = await tide.queue({});
  const sound = await tide.queue({});
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push((await hurt.publish(`hurt ${i}`)).id);
  for (let i = 0; i < 7; i++) await spoilt.publish(`spoilt ${i}`);
  await sound.publish('sound');
  await tide.server.kill9();

  await query(
    await databaseWith(5),
    `UPDATE segments SET body = zeroblob(length(body))
     WHERE id = (SELECT id FROM segments ORDER BY id LIMIT 1 OFFSET 2)`,
  );
  await tide.restart();

  const bodies = (await hurt.drain()).map((message) => message.body);
  assert.deepEqual(bodies, ['hurt 0', 'hurt 1', 'hurt 3', 'hurt 4']);
  assert.equal(await hurt.state(ids[2]), 'damaged');
  assert.equal((await hurt.figures()).quarantined, 1);
  assert.equal(await tide.metricSum('tidegate_quarantined_total', hurt.name), 1);
  const listed = (await hurt.request('GET', '/quarantine')).json.quarantined;
  assert.equal(listed.length, 1);
  assert.equal(listed[0].table, 'segments');
  assert.equal(listed[0].messages, 1);
  assert.equal(Buffer.from(listed[0].body, 'base64').length, 'hurt 2'.length);
  assert.equal((await hurt.request('DELETE', '/quarantine')).status, 204);
  assert.deepEqual((await hurt.request('GET', '/quarantine')).json.quarantined, []);
  assert.equal(await hurt.state(ids[2]), 'damaged', 'still known when its bytes are gone');

  await tide.server.kill9();
  spoil(await databaseWith(7));
  await tide.restart();
  const answer = await spoilt.request('POST', '/messages', { body: 'x' });
  assertProblem(answer, { status: 503, type: 'unavailable' });
  await sound.publish('more');
  assert.equal((await sound.drain()).length, 2, 'others do not notice');
  assert.equal(await tide.metricSum('tidegate_unreadable_objects', spoilt.name), 1);
  assert.equal(await tide.metricSum('tidegate_unreadable_objects', sound.name), 0);
  assert.equal(await tide.metricSum('tidegate_accepted_total', sound.name), 2);
  const { queues, unreadable } = (await tide.request('GET', '/v1/queues')).json;
  assert.deepEqual(unreadable, [spoilt.name]);
  assert.ok(queues.some(({ name }) => name === sound.name));
});

test('a directory that cannot be read lists nothing, and one that was lost what is put again', async (t) => {
  const alone = new Tide();
  await alone.start();
  t.after(() => alone.stop());
  const queue = await alone.queue({});
  await queue.publish('x');
  const list = (path) => alone.request('GET', path);
  await until(async () => (await list('/v1/queues')).json.queues.length === 1, { what: 'it is listed' });
  await alone.server.kill9();
  for (const file of databasesOf(alone.server.dataDir, 'directory')) {
    await query(file, 'ALTER TABLE queues RENAME COLUMN name TO lost');
  }
  await alone.restart();
  for (const path of ['/v1/queues', '/metrics']) {
    assertProblem(await list(path), { status: 503, type: 'unavailable' });
  }
  await alone.server.kill9();
  for (const file of databasesOf(alone.server.dataDir, 'directory')) rmSync(file);
  await alone.restart();
  assert.deepEqual((await list('/v1/queues')).json.queues, []);
  const earlier = await queue.snapshot();
  assert.equal((await queue.request('PUT', '', { json: {} })).status, 200);
  await until(async () => (await list('/v1/queues')).json.queues.length === 1, { what: 'it is listed again' });
  assert.deepEqual(await queue.snapshot(), earlier, 'nothing else has changed');
});
