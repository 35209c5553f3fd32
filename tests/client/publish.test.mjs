// Publishing: what a message carries, how messages travel together, and each one's verdict.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BadRequestError, ClientClosedError, KeyLimitError, MessageTooLargeError, QueueFullError,
  RedirectedError, SoldOutError, TidegateError,
} from '../../clients/typescript/index.js';
import { drain, range, take, until, useServer } from './support.mjs';

const tide = useServer();

test('a message alone goes as one, and is told its place', async () => {
  const { queue, calls } = await tide.queue();
  const accepted = await queue.publish('hello');
  assert.match(accepted.id, /^[0-9A-Z]{26}$/);
  assert.deepEqual([accepted.seq, accepted.position], [1, 1]);
  assert.ok(Math.abs(accepted.timestampMs - Date.now()) < 10_000);
  assert.deepEqual([calls.count('/messages'), calls.count('/batch')], [1, 0]);
});

test('messages published together go together, in their order', async () => {
  const { queue, calls } = await tide.queue();
  const accepted = await Promise.all(range(250).map((n) => queue.publish(String(n))));
  assert.deepEqual([calls.count('/messages'), calls.count('/batch')], [0, 1]);
  assert.deepEqual(accepted.map((a) => a.seq), range(250).map((n) => n + 1));
  assert.deepEqual((await drain(queue)).map((m) => m.text()), range(250).map(String));
});

test('what comes within the linger goes together', async () => {
  const { queue, calls } = await tide.queue(undefined, { lingerMs: 60_000 });
  const first = queue.publish('a');
  await new Promise((resolve) => setImmediate(resolve));
  const second = queue.publish('b');
  assert.equal(calls.seen.length, 0);
  await queue.flush();
  await Promise.all([first, second]);
  assert.equal(calls.count('/batch'), 1);
});

test('a batch is bounded by messages and by bytes', async () => {
  const byCount = await tide.queue(undefined, { batchMessagesMax: 10, lingerMs: 60_000 });
  await Promise.all(range(30).map(() => byCount.queue.publish('x')));
  assert.equal(byCount.calls.count('/batch'), 3);
  const byBytes = await tide.queue(undefined, { batchBytesMax: 10_000 });
  await Promise.all(range(10).map(() => byBytes.queue.publish('x'.repeat(3_000))));
  assert.deepEqual([byBytes.calls.count('/batch'), byBytes.calls.count('/messages')], [3, 1]);
  for (const { init } of byBytes.calls.seen) assert.ok(init.body.length <= 10_100);
});

for (const [way, companions] of [['alone', 0], ['in a batch', 1]]) {
  test(`every kind of body and every option arrive, ${way}`, async () => {
    const { queue } = await tide.queue();
    const bytes = new Uint8Array([0, 159, 146, 150, 255]);
    const bodies = ['ünï🌊', '', bytes, { a: [1, null, 'x'] }, 7, [true], bytes.buffer];
    for (const body of bodies) {
      await Promise.all([queue.publish(body), ...range(companions).map(() => queue.publish('c'))]);
      const message = await take(queue);
      if (typeof body === 'string') assert.equal(message.text(), body);
      else if (body === bytes || body === bytes.buffer) assert.deepEqual(message.body, bytes);
      else assert.deepEqual(message.json(), body);
      if (typeof body === 'object' && message.contentType) {
        assert.equal(message.contentType, 'application/json');
      }
      await message.ack();
      await drain(queue);
    }
    const options = {
      contentType: 'text/csv', key: 'k', priority: 9, attributes: { region: 'eu', n: '1 2' },
    };
    await Promise.all([
      queue.publish('a;b', options), ...range(companions).map(() => queue.publish('c')),
    ]);
    const { contentType, key, priority, attributes } = await take(queue);
    assert.deepEqual({ contentType, key, priority, attributes }, options);
    const [held, delayed, expiring] = await Promise.all([
      queue.publish('h', { holdMs: 60_000 }),
      queue.publish('d', { delayMs: 60_000 }),
      queue.publish('e', { delayMs: 60_000, ttlMs: 50 }),
    ]);
    assert.equal((await queue.message(held.id).state()).state, 'held');
    assert.equal((await queue.message(delayed.id).state()).state, 'delayed');
    assert.equal((await queue.message(expiring.id).state({ waitMs: 5_000 })).state, 'expired');
  });
}

test('what headers cannot say goes in a batch of one', async () => {
  const { queue, calls } = await tide.queue();
  const odd = { attributes: { Größe: 'größer' }, key: 'ключ' };
  await queue.publish('a', odd);
  await queue.publish('{}', { contentType: 'application/cloudevents+json' });
  assert.equal(calls.count('/batch'), 2);
  const [first, second] = await queue.pull();
  assert.deepEqual({ attributes: first.attributes, key: first.key }, odd);
  assert.deepEqual([second.text(), second.contentType], ['{}', 'application/cloudevents+json']);
});

test('half a surrogate pair becomes U+FFFD and spoils nothing', async () => {
  const { queue } = await tide.queue();
  await Promise.all([queue.publish('a\ud800b', { key: '\udc00' }), queue.publish('fine')]);
  const [message] = await queue.pull();
  assert.deepEqual([message.text(), message.key], ['a\ufffdb', '\ufffd']);
});

test('a body may be changed as soon as publish was called', async () => {
  const { queue } = await tide.queue();
  const bytes = new Uint8Array([1, 255]);
  const value = { n: 1 };
  const published = [queue.publish(bytes), queue.publish(value)];
  bytes[0] = 2;
  value.n = 2;
  await Promise.all(published);
  const [first, second] = await queue.pull();
  assert.deepEqual([[...first.body], second.json()], [[1, 255], { n: 1 }]);
});

test('each message of a batch has its own verdict', async () => {
  const { queue, calls } = await tide.queue({
    maxMessageBytes: 10, capacity: { maxMessages: 3, retryAfterMs: 700 },
  });
  const outcomes = await Promise.allSettled([
    queue.publish('1'), queue.publish('far too large a message'), queue.publish('2'),
    queue.publish('x', { priority: 10 }), queue.publish('3'), queue.publish('4'),
  ]);
  assert.equal(calls.count('/batch'), 1);
  const accepted = outcomes.flatMap((o, n) => (o.status === 'fulfilled' ? [n] : []));
  assert.deepEqual(accepted, [0, 2, 4]);
  const [, large, , priority, , full] = outcomes.map((o) => o.reason);
  assert.ok(large instanceof MessageTooLargeError);
  assert.ok(priority instanceof BadRequestError);
  assert.match(priority.field, /priority/);
  assert.ok(full instanceof QueueFullError && full instanceof TidegateError);
  const { type, status, limit, depth, retryAfterMs, retryable } = full;
  assert.deepEqual({ type, status, limit, depth, retryable }, {
    type: 'queue-full', status: 429, limit: 3, depth: 3, retryable: true,
  });
  assert.ok(retryAfterMs >= 700);
});

test('a refusal of a message alone says as much', async () => {
  const { queue } = await tide.queue({ capacity: { maxAccepted: 1, maxPerKey: 1 } });
  await queue.publish('a', { key: 'ada' });
  await assert.rejects(queue.publish('b', { key: 'bob' }), (error) => {
    assert.ok(error instanceof SoldOutError);
    assert.deepEqual([error.status, error.retryable], [410, false]);
    assert.match(error.decidedBy, /^(edge|object)$/);
    return true;
  });
  await queue.configure({ capacity: { maxAccepted: 5 } });
  await assert.rejects(queue.publish('c', { key: 'ada' }), KeyLimitError);
});

test('a publisher that is sent elsewhere is told where', async () => {
  const redirectUrl = 'https://example.com/waiting';
  const { queue } = await tide.queue({
    capacity: { maxMessages: 0, overflow: 'redirect', redirectUrl },
  });
  await assert.rejects(queue.publish('a'), { name: 'RedirectedError', status: 303, redirectUrl });
  const [outcome] = await Promise.allSettled([queue.publish('a'), queue.publish('b')]);
  assert.ok(outcome.reason instanceof RedirectedError);
  const { redirectUrl: url, reason } = outcome.reason;
  assert.deepEqual([url, reason], [redirectUrl, 'queue-full']);
});

test('what cannot be sent is refused before it is', async () => {
  const { queue, calls } = await tide.queue();
  const bad = [
    [() => {}, {}, 'body'], ['x', { delayMs: -1 }, 'delayMs'], ['x', { ttlMs: 1.5 }, 'ttlMs'],
    ['x', { key: 7 }, 'key'], ['x', { attributes: { a: 1 } }, 'attributes.a'],
    ['x', { retention: 1 }, 'retention'], ['x', { idempotencyKey: '' }, 'idempotencyKey'],
  ];
  for (const [body, options, field] of bad) {
    await assert.rejects(queue.publish(body, options), { name: 'BadRequestError', field });
  }
  assert.equal(calls.seen.length, 0);
  const { client } = tide.client();
  assert.throws(() => client.queue('q', { batchSize: 1 }), { field: 'batchSize' });
  assert.throws(() => client.queue('q', { batchMessagesMax: 0 }), { field: 'batchMessagesMax' });
});

test('an ordered queue keeps the order over batches, with one on its way at a time', async () => {
  let inFlight = 0;
  let most = 0;
  const watching = async (...args) => {
    inFlight += 1;
    most = Math.max(most, inFlight);
    return fetch(...args).finally(() => (inFlight -= 1));
  };
  const { queue } = await tide.queue(undefined, {
    ordered: true, batchMessagesMax: 20, client: { fetch: watching },
  });
  await Promise.all(range(300).map((n) => queue.publish(String(n))));
  assert.equal(most, 1);
  assert.deepEqual((await drain(queue)).map((m) => m.text()), range(300).map(String));
});

test('batches go side by side where the order does not count, but not more than said', async () => {
  const { queue, calls } = await tide.queue(undefined, {
    batchMessagesMax: 5, batchesInFlightMax: 3, client: { fetch: () => new Promise(() => {}) },
  });
  const stop = new AbortController();
  const published = range(50).map((n) => queue.publish(String(n), { signal: stop.signal }));
  await until(() => calls.count('/batch'), (count) => count === 3);
  stop.abort();
  await Promise.allSettled(published);
  assert.equal(calls.count('/batch'), 3);
});

test('flush waits for what was published, and close takes no more', async () => {
  const { queue } = await tide.queue({ capacity: { maxMessages: 1 } }, { lingerMs: 60_000 });
  const outcomes = Promise.allSettled([queue.publish('a'), queue.publish('b')]);
  await queue.close();
  assert.deepEqual((await outcomes).map((o) => o.status), ['fulfilled', 'rejected']);
  await assert.rejects(queue.publish('c'), ClientClosedError);
});
