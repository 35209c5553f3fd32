// Consuming: handlers, their failures, their leases, and how it ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred, range, until, useServer } from './support.mjs';

const tide = useServer();

/** Consumes until `stop` is called, which waits for the end. */
function consuming(queue, handler, options = {}) {
  const controller = new AbortController();
  const errors = [];
  const onError = (error, message) => errors.push({ error, message });
  const ended = queue.consume(handler, {
    waitMs: 5_000, onError, ...options, signal: controller.signal,
  });
  const stop = () => {
    controller.abort();
    return ended;
  };
  return { stop, ended, errors };
}

test('what a handler returns is the result of its message', async () => {
  const { queue } = await tide.queue({});
  const { stop } = consuming(queue, async (message) => ({ twice: message.json() * 2 }));
  const { id } = await queue.publish(21);
  assert.deepEqual(await queue.message(id).result(), { twice: 42 });
  const silent = await queue.publish(0);
  assert.deepEqual(await queue.message(silent.id).result(), { twice: 0 });
  await stop();
});

test('a handler that throws sends its message into the dead letters in the end', async () => {
  const { queue } = await tide.queue({ delivery: { maxAttempts: 3 } });
  const seen = [];
  const { stop, errors } = consuming(queue, (message) => {
    seen.push(message.attempts);
    throw new Error('cannot');
  });
  const { id } = await queue.publish('a');
  await assert.rejects(queue.message(id).result(), { name: 'NoResultError', state: 'dead', id });
  await stop();
  assert.deepEqual(seen, [1, 2, 3]);
  assert.deepEqual(errors.map(({ error }) => error.message), ['cannot', 'cannot', 'cannot']);
  assert.equal(errors[0].message.id, id);
});

test('a handler may settle its message itself', async () => {
  const { queue } = await tide.queue({});
  const { stop, errors } = consuming(queue, async (message) => {
    if (message.attempts === 1) await message.retry({ delayMs: 0 });
    else await message.release('mine');
    return 'not this';
  });
  const { id } = await queue.publish('a');
  assert.equal(await queue.message(id).result(), 'mine');
  await stop();
  assert.deepEqual(errors, []);
});

test('a result that cannot be sent is a failure of the handler', async () => {
  const { queue } = await tide.queue({ delivery: { maxAttempts: 1 } });
  const { stop, errors } = consuming(queue, () => 'x'.repeat(20_000));
  const { id } = await queue.publish('a');
  await assert.rejects(queue.message(id).result(), { state: 'dead' });
  await stop();
  assert.equal(errors[0].error.field, 'result');
});

test('no more handlers run than there may', async () => {
  const { queue } = await tide.queue({});
  let running = 0;
  let most = 0;
  let done = 0;
  const { stop } = consuming(queue, async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    done += 1;
  }, { concurrency: 4 });
  await Promise.all(range(50).map((n) => queue.publish(String(n))));
  await until(() => done, (count) => count === 50);
  await stop();
  assert.equal(most, 4);
});

test('a slow handler keeps its lease, and nobody else gets the message', async () => {
  const { queue, calls } = await tide.queue({ delivery: { visibilityTimeoutMs: 400 } });
  const release = deferred();
  let deliveries = 0;
  const { stop, errors } = consuming(queue, async () => {
    deliveries += 1;
    await release.promise;
    return 'slow';
  });
  const { id } = await queue.publish('slow');
  await until(() => deliveries, Boolean);
  // A message leased as long, without extension, comes back three times meanwhile.
  const clock = tide.client().client.queue(`${queue.name}-clock`);
  await clock.configure({ delivery: { visibilityTimeoutMs: 400 } });
  await clock.publish('tick');
  for (const n of range(4)) assert.equal((await clock.pull({ waitMs: 5_000 }))[0].attempts, n + 1);
  assert.equal((await queue.message(id).state()).state, 'leased');
  release.resolve();
  assert.equal(await queue.message(id).result(), 'slow');
  await stop();
  assert.deepEqual([deliveries, errors.length], [1, 0]);
  assert.ok(calls.count('/ack') >= 3, 'extended');
});

test('a handler is told when its lease is lost', async () => {
  const { queue } = await tide.queue({ delivery: { visibilityTimeoutMs: 1_000 } });
  const lost = deferred();
  const { stop, errors } = consuming(queue, async (message, { signal }) => {
    if (message.attempts > 1) return 'second';
    // Much less than there is to the next check.
    await message.extend(100);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    lost.resolve(signal.reason);
    return 'first';
  }, { concurrency: 1 });
  const { id } = await queue.publish('a');
  assert.equal((await lost.promise).type, 'lease-expired');
  assert.equal(await queue.message(id).result(), 'second');
  await stop();
  assert.ok(errors.every(({ error }) => error.type === 'lease-expired'));
});

test('without extension a slow handler loses its message', async () => {
  const { queue } = await tide.queue({ delivery: { visibilityTimeoutMs: 100 } });
  const release = deferred();
  let deliveries = 0;
  const { stop } = consuming(queue, async () => {
    deliveries += 1;
    if (deliveries === 1) await release.promise;
  }, { autoExtend: false });
  await queue.publish('a');
  await until(() => deliveries, (count) => count === 2);
  release.resolve();
  await stop();
});

test('a stop waits for the handlers, and their acks arrive', async () => {
  const { queue } = await tide.queue({});
  const release = deferred();
  let started = 0;
  const { stop } = consuming(queue, async () => {
    started += 1;
    await release.promise;
    return 'finished';
  });
  const accepted = await Promise.all(range(3).map((n) => queue.publish(String(n))));
  await until(() => started, (count) => count === 3);
  let hasEnded = false;
  const ended = stop().then(() => (hasEnded = true));
  assert.equal((await queue.message(accepted[0].id).state()).state, 'leased');
  assert.equal(hasEnded, false);
  release.resolve();
  await ended;
  for (const { id } of accepted) assert.equal((await queue.message(id).state()).result, 'finished');
});

test('a consumer waits for a queue that does not exist yet', async () => {
  const { queue } = await tide.queue();
  const handled = deferred();
  const { stop, errors } = consuming(queue, (message) => handled.resolve(message.text()));
  await until(() => errors.length, Boolean);
  assert.equal(errors[0].error.type, 'not-found');
  await queue.publish('first');
  assert.equal(await handled.promise, 'first');
  await stop();
});

test('a consumer outlives a restart of the server', async () => {
  const { queue } = await tide.queue({});
  const seen = new Set();
  const { stop, errors } = consuming(queue, (message) => void seen.add(message.text()));
  await queue.publish('before');
  await until(() => seen.has('before'), Boolean);
  await tide.server.restart({ wait: false });
  await until(() => queue.publish('after').catch(() => undefined), Boolean, { within_ms: 10_000 });
  await until(() => seen.has('after'), Boolean, { within_ms: 20_000 });
  await stop();
  for (const { error } of errors) assert.ok(error.retryable || error.uncertain, error.message);
});

test('what the server refuses at all ends the consumer', async () => {
  const { queue } = await tide.queue({});
  const options = { onError: () => {} };
  const tooMany = { ...options, concurrency: 2000, batchSize: 1001 };
  await assert.rejects(queue.consume(() => {}, tooMany), { field: 'batch_size' });
  await assert.rejects(queue.consume(() => {}, { ...options, filter: 'region =' }), {
    field: 'filter',
  });
  await assert.rejects(queue.consume(() => {}, { concurrency: 0 }), { field: 'concurrency' });
});

test('messages come one after the other, and a filter says which', async () => {
  const { queue } = await tide.queue({});
  await Promise.all(['eu', 'us', 'eu'].map((region, n) =>
    queue.publish(String(n), { attributes: { region } })));
  const seen = [];
  for await (const message of queue.messages({ filter: "region = 'eu'" })) {
    seen.push(message.text());
    await message.ack();
    if (seen.length === 2) break;
  }
  assert.deepEqual(seen, ['0', '2']);
  assert.equal((await queue.describe()).depth, 1);
});

test('an iteration that is left gives back what it had not come to', async () => {
  const { queue } = await tide.queue({});
  await Promise.all(range(3).map((n) => queue.publish(String(n))));
  for await (const message of queue.messages({ batchSize: 3 })) {
    await message.ack();
    break;
  }
  const rest = await queue.pull({ waitMs: 5_000 });
  assert.deepEqual(rest.map((m) => [m.text(), m.attempts]), [['1', 2], ['2', 2]]);
});

test('an iteration ends with its signal', async () => {
  const { queue } = await tide.queue({});
  const stop = new AbortController();
  await queue.publish('a');
  let count = 0;
  for await (const message of queue.messages({ signal: stop.signal })) {
    count += 1;
    await message.ack();
    stop.abort();
  }
  assert.equal(count, 1);
});

test('ten thousand messages, 256 at a time: each is accepted and handled once', async () => {
  const { queue, calls } = await tide.queue({});
  const counts = new Map();
  let handled = 0;
  const { stop, errors } = consuming(queue, (message) => {
    const text = message.text();
    counts.set(text, (counts.get(text) ?? 0) + 1);
    handled += 1;
  }, { concurrency: 256 });
  let next = 0;
  const publisher = async () => {
    while (next < 10_000) await queue.publish(String(next++));
  };
  await Promise.all(range(256).map(publisher));
  await until(() => handled, (count) => count >= 10_000, { within_ms: 60_000 });
  await stop();
  assert.deepEqual([counts.size, handled, errors.length], [10_000, 10_000, 0]);
  assert.ok([...counts.values()].every((count) => count === 1));
  const { depth, acceptedTotal, ackedTotal } = await queue.describe();
  assert.deepEqual([depth, acceptedTotal, ackedTotal], [0, 10_000, 10_000]);
  assert.ok(calls.seen.length < 2_000, `${calls.seen.length} requests`);
});

/** Publishes so many and consumes them all; the bodies, as often as they came. */
async function drained({ queue }, count, options) {
  await Promise.all(range(count).map((n) => queue.publish(n)));
  const seen = [];
  const { stop, errors } = consuming(queue, (message) => void seen.push(message.json()), options);
  await until(() => seen.length, (handled) => handled >= count);
  await stop();
  return { seen: seen.sort((a, b) => a - b), errors };
}

test('under load an acknowledgement goes with the next pull', async () => {
  const { queue, calls } = await tide.queue({});
  const { seen, errors } = await drained({ queue }, 200, { concurrency: 20 });
  assert.deepEqual({ seen, errors }, { seen: range(200), errors: [] });
  const { ackedTotal, depth } = await queue.describe();
  assert.deepEqual({ ackedTotal, depth }, { ackedTotal: 200, depth: 0 });
  // Ten rounds, and a pull that waits for more; nothing but the last acks has a call of its own.
  assert.ok(calls.count('/pull') <= 12, `${calls.count('/pull')} pulls`);
  assert.ok(calls.count('/ack') <= 1, `${calls.count('/ack')} acknowledgements`);
});

for (const [what, when] of [['before', false], ['after', true]]) {
  test(`acks whose pull was lost ${what} it was carried out go on their own`, async () => {
    let lost = 0;
    const client = {
      async fetch(url, init) {
        const carries = init.body?.[4] === 6 && url.endsWith('/pull') && lost < 3;
        if (!carries) return fetch(url, init);
        lost += 1;
        if (when) await (await fetch(url, init)).arrayBuffer();
        throw new TypeError('the connection is lost');
      },
    };
    const configuration = { delivery: { visibilityTimeoutMs: 300 } };
    const { queue } = await tide.queue(configuration, { client });
    const { seen } = await drained({ queue }, 40, { concurrency: 10 });
    assert.equal(lost, 3);
    assert.deepEqual(seen, range(40));
    const { ackedTotal, depth } = await queue.describe();
    assert.deepEqual({ ackedTotal, depth }, { ackedTotal: 40, depth: 0 });
  });
}
