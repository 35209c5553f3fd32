// Idempotency keys: a repeat gets the first answer again, and nothing is enqueued twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until, useServer } from './support.mjs';

const tide = useServer();

const keyed = (key) => ({ 'idempotency-key': key });

test('a repeat gets the first answer again and enqueues nothing', async () => {
  const queue = await tide.queue();
  const first = await queue.postMessage('a', keyed('order-1'));
  await queue.publish('between');
  const again = await queue.postMessage('a', keyed('order-1'));
  assert.equal(again.status, 202);
  assert.deepEqual(again.json, first.json);
  assert.equal(again.headers.location, first.headers.location);
  const { depth, accepted_total: accepted } = await queue.figures();
  assert.deepEqual({ depth, accepted }, { depth: 2, accepted: 2 });
});

test('a quoted key is the same as a bare one', async () => {
  const queue = await tide.queue();
  const bare = await queue.publish('a', keyed('order-1'));
  const quoted = await queue.publish('a', keyed('"order-1"'));
  assert.deepEqual(quoted, bare);
});

test('different keys are different messages, and so is no key', async () => {
  const queue = await tide.queue();
  const ids = [
    await queue.publish('a', keyed('k1')), await queue.publish('a', keyed('k2')),
    await queue.publish('a'), await queue.publish('a'),
  ].map((a) => a.id);
  assert.equal(new Set(ids).size, 4);
});

test('a key means nothing to another queue', async () => {
  const one = await tide.queue();
  const other = await tide.queue();
  const first = await one.publish('a', keyed('k'));
  const second = await other.publish('a', keyed('k'));
  assert.notEqual(second.id, first.id);
  assert.equal((await other.figures()).depth, 1);
});

test('repeats that arrive together become one message', async () => {
  const queue = await tide.queue();
  const posts = Array.from({ length: 32 }, () => queue.publish('a', keyed('same')));
  const ids = new Set((await Promise.all(posts)).map((a) => a.id));
  assert.equal(ids.size, 1);
  assert.equal((await queue.figures()).accepted_total, 1);
});

test('a repeat is recognised after the message was acknowledged', async () => {
  const queue = await tide.queue();
  const first = await queue.publish('a', keyed('k'));
  await queue.ack(await queue.take());
  const again = await queue.publish('a', keyed('k'));
  assert.equal(again.id, first.id);
  await queue.assertNothing();
});

test('after the window a key is new again', async () => {
  const queue = await tide.queue({ dedup_window_ms: 200 });
  const first = await queue.publish('a', keyed('k'));
  const later = await until(async () => {
    const answer = await queue.publish('a', keyed('k'));
    return answer.id !== first.id && answer;
  });
  assert.ok(later.timestamp_ms - first.timestamp_ms >= 200, 'not before the window was over');
});

test('a publish that was refused may be tried again under its key', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 1 } });
  await queue.publish('first');
  assert.equal((await queue.postMessage('second', keyed('k'))).status, 429);
  await queue.ack(await queue.take());
  const retried = await until(async () => {
    const answer = await queue.postMessage('second', keyed('k'));
    return answer.status === 202 && answer;
  });
  assert.equal((await queue.take()).id, retried.json.id);
});

test('the repeat of an accepted publish is answered although all is sold by now', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 1 } });
  const first = await queue.postMessage('a', keyed('k'));
  assert.equal(first.status, 202);
  assert.equal((await queue.postMessage('b')).status, 410);
  const again = await queue.postMessage('a', keyed('k'));
  assert.equal(again.status, 202);
  assert.deepEqual(again.json, first.json);
});

test('a batch recognises repeats, its own and those of single publishes', async () => {
  const queue = await tide.queue();
  const first = await queue.publish('a', keyed('k1'));
  const { accepted, messages } = await queue.batch([
    { body: 'a', idempotency_key: 'k1' },
    { body: 'b', idempotency_key: 'k2' },
    { body: 'b', idempotency_key: 'k2' },
  ]);
  assert.equal(accepted, 3);
  assert.equal(messages[0].id, first.id);
  assert.equal(messages[2].id, messages[1].id);
  assert.equal((await queue.figures()).depth, 2);
});
