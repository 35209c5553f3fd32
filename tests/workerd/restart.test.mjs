// What a stop, a kill and an eviction leave as it was: everything that was answered.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Tide, assertProblem } from '../conformance/support.mjs';

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

/** An object that nobody talks to is put out of memory after ten seconds of this runtime. */
const EVICTION_MS = 11_000;

/**
 * Prepares a queue with one of everything, all before the interruption, and what to check after
 * it. Times are long, so that how long the interruption takes plays no part.
 */
async function prepare() {
  const queue = await tide.queue({
    delivery: { max_attempts: 2 }, capacity: { max_accepted: 12, max_per_key: 2 },
  });
  const key = (name) => ({ 'tidegate-key': name });
  const long = '600000';

  const done = await queue.publish('done', key('a'));
  await queue.ack(await queue.take(), { result: { total: 5 } });
  const dead = await queue.publish('dead', key('a'));
  await queue.retry(await queue.take());
  await queue.retry(await queue.take());
  const cancelled = await queue.publish('cancelled', key('b'));
  await queue.cancel(cancelled.id);
  const leased = await queue.publish('leased', key('b'));
  await queue.retry(await queue.take());
  const lease = await queue.take({ visibility_timeout_ms: Number(long) });
  const retried = await queue.publish('retried', key('c'));
  await queue.retry(await queue.take(), Number(long));
  const delayed = await queue.publish('delayed', { ...key('c'), 'tidegate-delay-ms': long });
  const held = await queue.publish('held', { ...key('d'), 'tidegate-hold-ms': long });
  const idempotent = await queue.publish('once', { ...key('e'), 'idempotency-key': 'k' });
  const queued = await queue.publish('queued', {
    ...key('f'), 'tidegate-priority': '9', 'tidegate-attr-region': 'eu',
    'content-type': 'text/plain',
  });
  const before = await queue.snapshot();
  return {
    queue, before, lease,
    ids: { done, dead, cancelled, leased, retried, delayed, held, idempotent, queued },
  };
}

const STATES = {
  done: 'done', dead: 'dead', cancelled: 'cancelled', leased: 'leased', retried: 'delayed',
  delayed: 'delayed', held: 'held', idempotent: 'queued', queued: 'queued',
};

async function check({ queue, before: earlier, lease, ids }) {
  assert.deepEqual(await queue.snapshot(), earlier, 'configuration and figures');
  for (const [name, state] of Object.entries(STATES)) {
    assert.equal(await queue.state(ids[name].id), state, name);
  }
  assert.deepEqual((await queue.message(ids.done.id)).result, { total: 5 });
  assert.equal((await queue.message(ids.leased.id)).attempts, 2);
  assert.equal((await queue.message(ids.retried.id)).attempts, 1);

  const again = await queue.publish('once', { 'tidegate-key': 'e', 'idempotency-key': 'k' });
  assert.equal(again.id, ids.idempotent.id, 'a repeat is recognised');
  const refused = await queue.postMessage('x', { 'tidegate-key': 'a' });
  assertProblem(refused, { status: 409, type: 'key-limit' });

  const { messages } = await queue.pull({ batch_size: 100 });
  const bodies = messages.map((m) => m.body);
  assert.deepEqual(bodies, ['queued', 'once'], 'nothing visible early, order kept');
  const [first] = messages;
  assert.deepEqual(first.attributes, { region: 'eu' });
  assert.deepEqual([first.content_type, first.priority, first.key], ['text/plain', 9, 'f']);
  assert.equal(first.timestamp_ms, ids.queued.timestamp_ms);

  await queue.ack(lease, { result: 'under the old lease' });
  assert.equal((await queue.message(ids.leased.id)).result, 'under the old lease');
  await queue.confirm(ids.held.id);
  assert.equal((await queue.take()).body, 'held');

  const next = await queue.publish('next', { 'tidegate-key': 'g' });
  const seqs = Object.values(ids).map((m) => m.seq);
  assert.ok(next.seq > Math.max(...seqs), 'seq goes on growing');
  assert.ok(next.id > ids.queued.id);
  assert.deepEqual((await queue.request('POST', '/redrive')).json, { moved: 1 });
  const rest = await queue.pull({ batch_size: 100 });
  assert.deepEqual(rest.messages.map((m) => m.body).toSorted(), ['dead', 'next']);
}

for (const [name, interrupt] of [
  ['a stop', () => tide.restart()],
  ['a kill', () => tide.crash()],
  ['two kills', async () => {
    await tide.crash();
    await tide.request('GET', '/v1/queues');
    await tide.crash();
  }],
]) {
  test(`everything that was answered survives ${name}`, async () => {
    const prepared = await prepare();
    await interrupt();
    await check(prepared);
  });
}

test('everything that was answered survives the eviction of an idle object', async () => {
  const prepared = await prepare();
  // The one wait that is for the passing of time itself: there is nothing to ask without waking it.
  await sleep(EVICTION_MS);
  await check(prepared);
});

test('what comes due while the server is down is done when it is back', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 2 } });
  await queue.publish('leased');
  await queue.take({ visibility_timeout_ms: 300 });
  await queue.publish('delayed', { 'tidegate-delay-ms': '300' });
  const held = await queue.publish('held', { 'tidegate-hold-ms': '300' });
  const expired = await queue.publish('expired', { 'tidegate-ttl-ms': '300' });
  await tide.server.kill9();
  await sleep(300);
  await tide.crash();
  await queue.untilState(held.id, 'expired');
  await queue.untilState(expired.id, 'expired');
  const messages = [await queue.take(), await queue.take()];
  const seen = messages.map((m) => [m.body, m.attempts]).toSorted();
  assert.deepEqual(seen, [['delayed', 1], ['leased', 2]]);
});

test('a large backlog survives a kill, every message of it and in order', async () => {
  const queue = await tide.queue({ delivery: { order: 'best_effort' } });
  const batches = 20;
  for (let batch = 0; batch < batches; batch += 1) {
    await queue.batch(Array.from({ length: 500 }, (_, n) => ({ body: `${batch * 500 + n}` })));
  }
  // Some of it acknowledged, from the middle too, so that what is left has gaps.
  const { messages } = await queue.pull({ batch_size: 1_000 });
  const acked = messages.filter((_, n) => n % 3 === 0);
  await queue.ack(acked);
  await queue.settle({
    retries: messages.filter((_, n) => n % 3 !== 0)
      .map((m) => ({ lease_id: m.lease_id, delay_ms: 0 })),
  });
  await tide.crash();
  const total = batches * 500 - acked.length;
  assert.equal((await queue.figures()).depth, total);
  const browsed = await queue.browse();
  assert.equal(browsed.length, total);
  const delivered = await queue.drain({ batchSize: 1_000, withinMs: 20_000 });
  const numbers = delivered.map((m) => Number(m.body));
  assert.equal(new Set(numbers).size, total);
  const ackedBodies = new Set(acked.map((m) => Number(m.body)));
  assert.ok(numbers.every((n) => !ackedBodies.has(n)), 'nothing acknowledged comes back');
});

test('a purge and a deletion survive a kill', async () => {
  const purged = await tide.queue({ capacity: { max_accepted: 2 } });
  await purged.publishMany(2);
  await purged.request('POST', '/purge');
  const deleted = await tide.queue();
  const { id } = await deleted.publish('a');
  assert.equal((await deleted.request('DELETE')).status, 204);
  await tide.crash();
  assert.equal((await purged.figures()).depth, 0);
  await purged.publishMany(2);
  assert.equal((await purged.postMessage()).status, 410);
  assert.equal((await deleted.request('GET')).status, 404);
  assert.equal((await deleted.getMessage(id)).status, 404);
});

test('a pause survives a kill', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  await queue.request('POST', '/pause');
  await tide.crash();
  await queue.assertNothing();
  await queue.request('POST', '/resume');
  assert.equal((await queue.take()).body, 'a');
});

test('dead letters on their way to another queue arrive after a kill, and once', async () => {
  const dead = await tide.queue({});
  const queue = await tide.queue({ delivery: { max_attempts: 1, dead_letter_queue: dead.name } });
  await queue.batch(Array.from({ length: 300 }, (_, n) => ({ body: String(n) })));
  const { messages } = await queue.pull({ batch_size: 1_000 });
  const settled = queue.settle({
    retries: messages.map((m) => ({ lease_id: m.lease_id, delay_ms: 0 })),
  });
  await settled;
  await tide.crash();
  // Any request brings the queue up to date with the clock; an alarm would as well, a little later.
  await queue.figures();
  const letters = [];
  while (letters.length < 300) {
    const { messages: some } = await dead.pull({ batch_size: 1_000, wait_ms: 10_000 });
    assert.ok(some.length > 0, `${letters.length} of 300 arrived`);
    await dead.ack(some);
    letters.push(...some.map((m) => m.body));
  }
  assert.equal(new Set(letters).size, 300);
  await dead.assertNothing();
});
