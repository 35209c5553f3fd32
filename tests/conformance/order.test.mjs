// Order: `fifo` and `key` under retries and leases that run out; `best_effort` where nothing fails.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consume } from './order-model.mjs';
import { useServer } from './support.mjs';

const tide = useServer();

const ordered = (order, delivery = {}) => tide.queue({ delivery: { order, ...delivery } });

test('best effort delivers in the order of acceptance where nothing fails', async () => {
  const queue = await ordered('best_effort');
  await queue.publishMany(40);
  const bodies = (await queue.drain({ batchSize: 7 })).map((m) => m.body);
  assert.deepEqual(bodies, Array.from({ length: 40 }, (_, n) => String(n)));
});

test('a fifo queue has one message in flight', async () => {
  const queue = await ordered('fifo');
  await queue.publishMany(3);
  const { messages } = await queue.pull({ batch_size: 10 });
  assert.deepEqual(messages.map((m) => m.body), ['0']);
  await queue.assertNothing();
  await queue.ack(messages);
  assert.equal((await queue.take()).body, '1');
});

test('an acknowledgement lets the next pull in line have the next message', async () => {
  const queue = await ordered('fifo');
  await queue.publishMany(2);
  const first = await queue.take();
  const next = queue.take({ wait_ms: 20_000 });
  await queue.ack(first);
  assert.equal((await next).body, '1');
});

test('a fifo message that is given back comes again before the next', async () => {
  const queue = await ordered('fifo');
  await queue.publishMany(2);
  await queue.retry(await queue.take());
  const again = await queue.take();
  assert.deepEqual([again.body, again.attempts], ['0', 2]);
});

test('a fifo message that waits for its retry holds up the next', async () => {
  const queue = await ordered('fifo');
  await queue.publishMany(2);
  await queue.retry(await queue.take(), 400);
  await queue.assertNothing();
  const again = await queue.take();
  assert.deepEqual([again.body, again.attempts], ['0', 2]);
});

test('a fifo message whose lease ran out comes again before the next', async () => {
  const queue = await ordered('fifo', { visibility_timeout_ms: 150 });
  await queue.publishMany(2);
  await queue.take();
  const again = await queue.take();
  assert.deepEqual([again.body, again.attempts], ['0', 2]);
});

test('a fifo message that is dead, cancelled or expired does not hold up the next', async () => {
  const queue = await ordered('fifo', { max_attempts: 1 });
  await queue.publish('dead');
  const cancelled = await queue.publish('cancelled');
  const expired = await queue.publish('expired', { 'tidegate-ttl-ms': '1' });
  await queue.publish('last');
  await queue.cancel(cancelled.id);
  await queue.untilState(expired.id, 'expired');
  await queue.retry(await queue.take());
  assert.equal((await queue.take()).body, 'last');
});

test('a key that is busy does not hold up another', async () => {
  const queue = await ordered('key');
  await queue.publish('a1', { 'tidegate-key': 'a' });
  const a1 = await queue.take();
  await queue.publish('a2', { 'tidegate-key': 'a' });
  await queue.publish('b1', { 'tidegate-key': 'b' });
  assert.equal((await queue.take()).body, 'b1');
  await queue.assertNothing();
  await queue.ack(a1);
  assert.equal((await queue.take()).body, 'a2');
});

test('a message that waits for its retry holds up its key and no other', async () => {
  const queue = await ordered('key');
  await queue.publish('a1', { 'tidegate-key': 'a' });
  await queue.retry(await queue.take(), 500);
  await queue.publish('a2', { 'tidegate-key': 'a' });
  await queue.publish('b1', { 'tidegate-key': 'b' });
  const b1 = await queue.take();
  assert.equal(b1.body, 'b1');
  const again = await queue.take();
  assert.deepEqual([again.body, again.attempts], ['a1', 2]);
});

test('messages without a key are in nobody\'s way', async () => {
  const queue = await ordered('key');
  await queue.publishMany(5);
  const { messages } = await queue.pull();
  assert.equal(messages.length, 5);
});

for (const order of ['fifo', 'key']) {
  test(`${order} order survives retries and leases that run out`, async () => {
    const queue = await ordered(order, { max_attempts: 1_000, visibility_timeout_ms: 400 });
    const keys = ['a', 'b', 'c', 'd', 'e'];
    const messages = Array.from({ length: 120 }, (_, n) => {
      return { body: String(n), key: keys[(n * 7) % keys.length] };
    });
    await queue.batch(messages);
    const { delivered, failures } = await consume(queue, {
      order, total: messages.length, consumers: 4, seed: 20_260_101, withinMs: 40_000,
    });
    assert.ok(failures > 10, 'the rule is tried, not only stated');
    assert.ok(delivered >= messages.length);
  });
}
