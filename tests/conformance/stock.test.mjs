// The stock of a sale: `max_accepted` in all and `max_per_key` for each, decided together.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, assertProblemBody, assertRefused, until, useServer } from './support.mjs';

const tide = useServer();

const SOLD_OUT = { status: 410, type: 'sold-out' };
const KEY_LIMIT = { status: 409, type: 'key-limit' };

const stock = (capacity) => tide.queue({ capacity });
const by = (key) => ({ 'tidegate-key': key });

const publishOnceFree = (queue, headers) => until(
  async () => (await queue.postMessage('x', headers)).status === 202,
  { withinMs: 1_500, what: 'a place given back is given out within a second' },
);

test('exactly as many are accepted as there are', async () => {
  const queue = await stock({ max_accepted: 3 });
  await queue.publishMany(3);
  assertRefused(await queue.postMessage(), { ...SOLD_OUT, by: 'object' });
  assertRefused(await queue.postMessage(), { ...SOLD_OUT, by: 'edge' });
});

test('exactly as many are accepted when all come at once', async () => {
  const queue = await stock({ max_accepted: 10 });
  const answers = await Promise.all(Array.from({ length: 200 }, () => queue.postMessage()));
  assert.equal(answers.filter((a) => a.status === 202).length, 10);
  for (const answer of answers) if (answer.status !== 202) assertRefused(answer, SOLD_OUT);
  assert.equal((await queue.figures()).accepted_total, 10);
});

test('what is acknowledged stays sold', async () => {
  const queue = await stock({ max_accepted: 2 });
  await queue.publishMany(2);
  await queue.drain();
  assertRefused(await queue.postMessage(), SOLD_OUT);
});

test('more stock is sold from the answer on, to the last piece', async () => {
  const queue = await stock({ max_accepted: 2 });
  await queue.publishMany(2);
  for (let n = 0; n < 5; n += 1) assertRefused(await queue.postMessage(), SOLD_OUT);
  await queue.configure({ capacity: { max_accepted: 4 } });
  await queue.publishMany(2);
  assertRefused(await queue.postMessage(), SOLD_OUT);
  await queue.configure({ capacity: { max_accepted: null } });
  await queue.publishMany(3);
});

test('less stock than was sold takes nothing back', async () => {
  const queue = await stock({ max_accepted: 5 });
  await queue.publishMany(3);
  await queue.configure({ capacity: { max_accepted: 2 } });
  assertRefused(await queue.postMessage(), SOLD_OUT);
  assert.equal((await queue.figures()).depth, 3);
  await queue.configure({ capacity: { max_accepted: 4 } });
  await queue.publish();
  assertRefused(await queue.postMessage(), SOLD_OUT);
});

test('a stock set on a queue in use counts what was accepted before', async () => {
  const queue = await tide.queue();
  await queue.publishMany(3);
  await queue.configure({ capacity: { max_accepted: 4 } });
  await queue.publish();
  assertRefused(await queue.postMessage(), SOLD_OUT);
});

test('a purge starts the sale afresh', async () => {
  const queue = await stock({ max_accepted: 2 });
  await queue.publishMany(2);
  assertRefused(await queue.postMessage(), SOLD_OUT);
  assert.equal((await queue.request('POST', '/purge')).status, 204);
  await publishOnceFree(queue);
  await publishOnceFree(queue);
  assertRefused(await queue.postMessage(), SOLD_OUT);
});

test('a cancelled message gives its place back, once', async () => {
  const queue = await stock({ max_accepted: 1 });
  const { id } = await queue.publish();
  assertRefused(await queue.postMessage(), SOLD_OUT);
  await queue.cancel(id);
  assert.equal((await queue.request('DELETE', `/messages/${id}`)).status, 409);
  await publishOnceFree(queue);
  assertRefused(await queue.postMessage(), SOLD_OUT);
});

test('a batch takes the rest of the stock and no more', async () => {
  const queue = await stock({ max_accepted: 5 });
  await queue.publishMany(2);
  const { accepted, rejected, messages } = await queue.batch(
    Array.from({ length: 10 }, (_, n) => ({ body: String(n) })),
  );
  assert.deepEqual({ accepted, rejected }, { accepted: 3, rejected: 7 });
  for (const { error } of messages.slice(3)) assertProblemBody(error, SOLD_OUT);
});

test('a key gets its share and no more, and another key is not touched by that', async () => {
  const queue = await stock({ max_per_key: 2 });
  await queue.publish('1', by('a'));
  await queue.publish('2', by('a'));
  for (let n = 0; n < 3; n += 1) {
    assertProblem(await queue.postMessage('3', by('a')), KEY_LIMIT);
    await queue.publish('x', by(`other-${n}`));
  }
});

test('a key gets its share when all its tries come at once', async () => {
  const queue = await stock({ max_per_key: 1, max_accepted: 5 });
  const posts = Array.from({ length: 60 }, (_, n) => queue.postMessage('x', by(`k${n % 6}`)));
  const statuses = (await Promise.all(posts)).map((a) => a.status);
  assert.equal(statuses.filter((s) => s === 202).length, 5);
  const keys = (await queue.browse()).map((m) => m.key);
  assert.equal(new Set(keys).size, 5, 'five places, five buyers');
});

test('a try refused for its key takes nothing from the stock', async () => {
  const queue = await stock({ max_per_key: 1, max_accepted: 2 });
  await queue.publish('1', by('a'));
  assertProblem(await queue.postMessage('2', by('a')), KEY_LIMIT);
  await queue.publish('3', by('b'));
  assertRefused(await queue.postMessage('4', by('c')), SOLD_OUT);
});

test('with a share per key, a publish without a key is refused', async () => {
  const queue = await stock({ max_per_key: 1 });
  const noKey = { status: 400, type: 'bad-request', field: ['tidegate-key', 'key'] };
  assertProblem(await queue.postMessage(), noKey);
  const { accepted, messages } = await queue.batch([{ body: 'a' }, { body: 'b', key: 'k' }]);
  assert.equal(accepted, 1);
  assertProblemBody(messages[0].error, noKey);
});

test('a place given back is given back to its key as well', async () => {
  const queue = await stock({ max_per_key: 1 });
  const { id } = await queue.publish('1', by('a'));
  await queue.cancel(id);
  await queue.publish('2', by('a'));
  await queue.ack(await queue.take());
  assertProblem(await queue.postMessage('3', by('a')), KEY_LIMIT);
  const released = await queue.publish('4', { ...by('b'), 'tidegate-hold-ms': '100' });
  await queue.untilState(released.id, 'expired');
  await queue.publish('5', by('b'));
  await queue.ack(await queue.take(), { release: true });
  await queue.publish('6', by('b'));
});

test('a larger share holds from the answer on', async () => {
  const queue = await stock({ max_per_key: 1 });
  await queue.publish('1', by('a'));
  assertProblem(await queue.postMessage('2', by('a')), KEY_LIMIT);
  await queue.configure({ capacity: { max_per_key: 2 } });
  await queue.publish('2', by('a'));
  assertProblem(await queue.postMessage('3', by('a')), KEY_LIMIT);
  await queue.configure({ capacity: { max_per_key: null } });
  await queue.publish('3', by('a'));
});

test('repeats under an idempotency key take one place', async () => {
  const queue = await stock({ max_accepted: 2, max_per_key: 1 });
  const headers = { ...by('a'), 'idempotency-key': 'order-1' };
  const first = await queue.publish('1', headers);
  assert.deepEqual(await queue.publish('1', headers), first);
  await queue.publish('2', by('b'));
});

test('a refusal from memory is never taken for another answer of the Worker', async () => {
  const queue = await stock({ max_accepted: 0 });
  const told = new Set();
  for (let n = 1; n <= 300; n += 1) {
    assertRefused(await queue.postMessage(), SOLD_OUT);
    const body = `{${' '.repeat(n)}`;
    const headers = { 'content-type': 'application/json' };
    const malformed = await queue.request('POST', '/messages/batch', { body, headers });
    told.add(assertProblem(malformed, { status: 400, type: 'bad-request' }).detail);
  }
  assert.ok(told.size > 100, `${told.size} different answers, more than the Worker remembers`);
});
