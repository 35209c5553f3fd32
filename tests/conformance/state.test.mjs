// The state of one message: every state, waiting for the last of them, and watching all of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, until, useServer } from './support.mjs';

const tide = useServer();

const UNKNOWN = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

test('a message is queued, leased and done, and says so', async () => {
  const queue = await tide.queue();
  await queue.publish('ahead');
  const sent = await queue.publish('a');
  const { id, seq, state, timestamp_ms: at, attempts, position } = await queue.message(sent.id);
  assert.deepEqual({ id, seq, at }, { id: sent.id, seq: sent.seq, at: sent.timestamp_ms });
  assert.deepEqual({ state, attempts, position }, { state: 'queued', attempts: 0, position: 2 });
  const { messages } = await queue.pull();
  const leased = await queue.message(sent.id);
  assert.deepEqual([leased.state, leased.attempts], ['leased', 1]);
  await queue.ack(messages, { result: { ok: true } });
  const done = await queue.message(sent.id);
  assert.equal(done.state, 'done');
  assert.deepEqual(done.result, { ok: true });
});

test('the position moves up as those ahead go', async () => {
  const queue = await tide.queue();
  const [, , third] = await queue.publishMany(3);
  assert.equal((await queue.message(third.id)).position, 3);
  await queue.ack(await queue.take());
  assert.equal((await queue.message(third.id)).position, 2);
  await queue.ack(await queue.take());
  assert.equal((await queue.message(third.id)).position, 1);
});

test('only a queued message has a position', async () => {
  const queue = await tide.queue();
  const held = await queue.publish('h', { 'tidegate-hold-ms': '60000' });
  const delayed = await queue.publish('d', { 'tidegate-delay-ms': '60000' });
  const leased = await queue.publish('l');
  await queue.take();
  for (const { id } of [held, delayed, leased]) {
    assert.equal((await queue.message(id)).position ?? null, null);
  }
});

test('held, delayed, dead, expired and cancelled are states', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 1 } });
  const dead = await queue.publish('x');
  await queue.retry(await queue.take());
  const held = await queue.publish('h', { 'tidegate-hold-ms': '60000' });
  const delayed = await queue.publish('d', { 'tidegate-delay-ms': '60000' });
  const expired = await queue.publish('e', { 'tidegate-ttl-ms': '1' });
  const cancelled = await queue.publish('c');
  await queue.cancel(cancelled.id);
  await queue.untilState(expired.id, 'expired');
  const states = await Promise.all([held, delayed, dead, cancelled].map((m) => queue.state(m.id)));
  assert.deepEqual(states, ['held', 'delayed', 'dead', 'cancelled']);
});

test('a message that waits for its retry is delayed', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  await queue.retry(await queue.take(), 60_000);
  const { state, attempts } = await queue.message(id);
  assert.deepEqual({ state, attempts }, { state: 'delayed', attempts: 1 });
  assert.equal((await queue.figures()).delayed, 1);
});

test('a message that is done is forgotten after the retention of its result', async () => {
  const queue = await tide.queue({ result_retention_ms: 200 });
  const { id } = await queue.publish('a');
  await queue.ack(await queue.take(), { result: 1 });
  await until(async () => (await queue.getMessage(id)).status === 404, { what: 'forgotten' });
  assertProblem(await queue.getMessage(id), { status: 404, type: 'not-found' });
});

test('a read with a wait answers as soon as the state is final', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  const read = queue.message(id, '?wait_ms=20000').then((m) => ({ ...m, at: Date.now() }));
  const message = await queue.take();
  const acked = Date.now();
  await queue.ack(message, { result: 'here' });
  const { state, result, at } = await read;
  assert.deepEqual({ state, result }, { state: 'done', result: 'here' });
  assert.ok(at - acked < 2_000, `answered after ${at - acked} ms`);
});

test('a read with a wait is not answered by a state that is not final', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  const started = Date.now();
  const read = queue.message(id, '?wait_ms=500');
  await queue.take();
  assert.equal((await read).state, 'leased');
  assert.ok(Date.now() - started >= 500, 'waited');
});

test('a read of a final state does not wait', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  await queue.cancel(id);
  const started = Date.now();
  assert.equal((await queue.message(id, '?wait_ms=20000')).state, 'cancelled');
  assert.ok(Date.now() - started < 5_000);
});

test('a cancellation and an expiry end a wait too', async () => {
  const queue = await tide.queue();
  const cancelled = await queue.publish('a');
  const expired = await queue.publish('b', { 'tidegate-ttl-ms': '300' });
  const reads = [cancelled, expired].map(({ id }) => queue.message(id, '?wait_ms=20000'));
  await queue.cancel(cancelled.id);
  assert.deepEqual((await Promise.all(reads)).map((m) => m.state), ['cancelled', 'expired']);
});

for (const wait of ['-1', '30001', 'soon', '1.5', '']) {
  test(`a wait of ${JSON.stringify(wait)} is refused`, async () => {
    const queue = await tide.queue();
    const { id } = await queue.publish('a');
    const answer = await queue.getMessage(id, `?wait_ms=${wait}`);
    assertProblem(answer, { status: 400, type: 'bad-request', field: 'wait_ms' });
  });
}

test('an event stream tells each change of state and position, and then ends', async () => {
  const queue = await tide.queue();
  await queue.publish('ahead');
  const { id } = await queue.publish('a');
  const seen = [];
  const watch = (async () => {
    for await (const { data } of tide.client.events(`${queue.path}/messages/${id}`)) {
      const { state, position, result } = JSON.parse(data);
      seen.push({ state, position: position ?? null, result });
    }
  })();
  const has = (state, position) => until(
    () => seen.some((s) => s.state === state && (!position || s.position === position)),
    { what: `${state} ${position ?? ''} in ${JSON.stringify(seen)}` },
  );
  await has('queued', 2);
  await queue.ack(await queue.take());
  await has('queued', 1);
  const message = await queue.take();
  await has('leased');
  await queue.retry(message, 300);
  await has('delayed');
  await queue.ack(await queue.take(), { result: { n: 1 } });
  await watch;
  assert.equal(seen.at(-1).state, 'done');
  assert.deepEqual(seen.at(-1).result, { n: 1 });
  assert.equal(seen.filter((s) => s.state === 'done').length, 1);
});

test('an event stream of a message that is final tells it and ends', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  await queue.cancel(id);
  const states = [];
  for await (const { data } of tide.client.events(`${queue.path}/messages/${id}`)) {
    states.push(JSON.parse(data).state);
  }
  assert.deepEqual(states, ['cancelled']);
});

test('an event stream of an unknown message is not found', async () => {
  const queue = await tide.queue({});
  const answer = await queue.request('GET', `/messages/${UNKNOWN}`, {
    headers: { accept: 'text/event-stream' },
  });
  assertProblem(answer, { status: 404, type: 'not-found' });
});

test('an unknown id is not found and a malformed one is refused', async () => {
  const queue = await tide.queue({});
  const notFound = { status: 404, type: 'not-found' };
  const malformed = { status: 400, type: 'bad-request', field: 'id' };
  for (const [method, rest] of [['GET', ''], ['DELETE', ''], ['POST', '/confirm']]) {
    assertProblem(await queue.request(method, `/messages/${UNKNOWN}${rest}`), notFound);
    for (const id of ['nonsense', `8${'Z'.repeat(25)}`, `${UNKNOWN}0`, 'U'.repeat(26)]) {
      assertProblem(await queue.request(method, `/messages/${id}${rest}`), malformed);
    }
  }
});

test('the id of one queue is unknown to another', async () => {
  const [one, other] = [await tide.queue(), await tide.queue({})];
  const { id } = await one.publish('a');
  assertProblem(await other.getMessage(id), { status: 404, type: 'not-found' });
});
