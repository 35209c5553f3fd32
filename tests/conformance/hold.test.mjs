// Held messages: a place taken at once, a delivery only after confirmation, the place free again
// otherwise.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, until, useServer } from './support.mjs';

const tide = useServer();

const held = (ms) => ({ 'tidegate-hold-ms': String(ms) });

/** Publishes until there is room: a refusal may be repeated from memory for a second. */
const publishOnceFree = (queue, headers) => until(async () => {
  const answer = await queue.postMessage('next', headers);
  return answer.status === 202 && answer.json;
}, { what: 'a place is free' });

test('a held message is not delivered before it is confirmed', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('order', held(60_000));
  assert.equal(await queue.state(id), 'held');
  assert.equal((await queue.figures()).depth, 1);
  await queue.assertNothing();
  await queue.confirm(id);
  assert.equal(await queue.state(id), 'queued');
  const message = await queue.take();
  assert.deepEqual([message.id, message.body], [id, 'order']);
});

test('a confirmation wakes a waiting pull', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('order', held(60_000));
  const pull = queue.take({ wait_ms: 10_000 });
  await queue.confirm(id);
  assert.equal((await pull).id, id);
});

test('a held message takes its place at once', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 1 } });
  await queue.publish('a', held(60_000));
  assertProblem(await queue.postMessage('b'), { status: 410, type: 'sold-out' });
});

test('an unconfirmed message expires and gives its place back', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 1 } });
  const { id } = await queue.publish('a', held(300));
  await queue.untilState(id, 'expired');
  await publishOnceFree(queue);
  assertProblem(await queue.postMessage('c'), { status: 410, type: 'sold-out' });
});

test('a message that expired cannot be confirmed', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a', held(100));
  await queue.untilState(id, 'expired');
  const answer = await queue.request('POST', `/messages/${id}/confirm`);
  assertProblem(answer, { status: 409, type: 'wrong-state' });
  await queue.assertNothing();
});

test('a confirmed message does not expire with its hold', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a', held(150));
  await queue.confirm(id);
  // A second message with the same hold shows when the time is up.
  const other = await queue.publish('b', held(150));
  await queue.untilState(other.id, 'expired');
  assert.equal((await queue.figures()).depth, 1);
  assert.equal((await queue.take()).id, id);
});

test('a cancelled message is never delivered and gives its place back', async () => {
  for (const headers of [held(60_000), { 'tidegate-delay-ms': '60000' }, {}]) {
    const queue = await tide.queue({ capacity: { max_accepted: 1 } });
    const { id } = await queue.publish('a', headers);
    await queue.cancel(id);
    assert.equal(await queue.state(id), 'cancelled');
    assert.equal((await queue.figures()).depth, 0);
    await queue.assertNothing();
    await publishOnceFree(queue);
  }
});

test('a message in the middle of the queue can be cancelled', async () => {
  const queue = await tide.queue();
  const [first, second, third] = await queue.publishMany(3);
  await queue.cancel(second.id);
  assert.equal((await queue.message(third.id)).position, 2);
  const { messages } = await queue.pull();
  assert.deepEqual(messages.map((m) => m.id), [first.id, third.id]);
});

test('a message that is leased or final cannot be cancelled', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  const message = await queue.take();
  const cancel = () => queue.request('DELETE', `/messages/${id}`);
  assertProblem(await cancel(), { status: 409, type: 'wrong-state' });
  await queue.ack(message);
  assertProblem(await cancel(), { status: 409, type: 'wrong-state' });
  const gone = await queue.publish('b');
  await queue.cancel(gone.id);
  const again = await queue.request('DELETE', `/messages/${gone.id}`);
  assertProblem(again, { status: 409, type: 'wrong-state' });
});
