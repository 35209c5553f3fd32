// Settling leases: what a message can be told, and how acks travel together.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaseExpiredError } from '../../clients/typescript/index.js';
import { losing, range, take, until, useServer } from './support.mjs';

const tide = useServer();

test('acks that come together go as one call, each with its own answer', async () => {
  const { queue, calls } = await tide.queue();
  await Promise.all(range(100).map((n) => queue.publish(String(n))));
  const messages = await queue.pull({ batchSize: 100 });
  const [stale] = messages;
  await settleElsewhere(queue, stale);
  const outcomes = await Promise.allSettled(messages.map((message, n) => message.ack({ n })));
  assert.equal(calls.count('/ack'), 1);
  assert.ok(outcomes[0].reason instanceof LeaseExpiredError);
  assert.equal(outcomes[0].reason.uncertain, false);
  assert.ok(outcomes.slice(1).every((o) => o.status === 'fulfilled'));
  assert.deepEqual(await queue.message(messages[9].id).result(), { n: 9 });
  assert.equal((await queue.describe()).ackedTotal, 100);
});

/** Acknowledges a lease as a process would that has it too. */
async function settleElsewhere({ name }, { leaseId }) {
  const response = await fetch(`${tide.server.url}/v1/queues/${name}/messages/ack`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ acks: [{ lease_id: leaseId }] }),
  });
  assert.equal((await response.json()).acked, 1);
}

test('retries and extensions go with the acks', async () => {
  const { queue, calls } = await tide.queue();
  await Promise.all(range(4).map((n) => queue.publish(String(n))));
  const [a, b, c, d] = await queue.pull();
  await Promise.all([
    a.ack(), b.retry({ delayMs: 60_000 }), c.extend(60_000), d.retry({ delayMs: 0 }),
  ]);
  assert.equal(calls.count('/ack'), 1);
  const states = await Promise.all([a, b, c, d].map(({ id }) => queue.message(id).state()));
  assert.deepEqual(states.map((s) => s.state), ['done', 'delayed', 'leased', 'queued']);
  assert.equal((await take(queue)).attempts, 2);
});

test('a retry without a delay follows the backoff of the queue', async () => {
  const { queue } = await tide.queue({ delivery: { backoff: { initialMs: 60_000 } } });
  await queue.publish('a');
  const message = await take(queue);
  await message.retry();
  assert.equal((await queue.message(message.id).state()).state, 'delayed');
});

test('a message is settled once, and can be asked whether it is', async () => {
  const { queue, calls } = await tide.queue();
  await queue.publish('a');
  const message = await take(queue);
  assert.equal(message.settled, false);
  const acked = message.ack();
  assert.equal(message.settled, true);
  await acked;
  for (const again of ['ack', 'retry', 'release', 'extend']) {
    await assert.rejects(message[again](), LeaseExpiredError);
  }
  assert.equal(calls.count('/ack'), 1);
});

test('what one lease is asked goes one after the other', async () => {
  const { queue, calls } = await tide.queue();
  await queue.publish('a');
  const message = await take(queue);
  await Promise.all([message.extend(60_000), message.extend(50_000), message.ack()]);
  assert.equal(calls.count('/ack'), 3);
});

test('a lease that has run out is an error of its own', async () => {
  const { queue } = await tide.queue();
  await queue.publish('a');
  const first = await take(queue, { visibilityTimeoutMs: 100 });
  const second = await take(queue);
  await assert.rejects(first.ack(), { name: 'LeaseExpiredError', status: 409 });
  await second.ack();
});

test('a release gives the place back', async () => {
  const { queue } = await tide.queue({ capacity: { maxAccepted: 1 } });
  await queue.publish('a');
  await assert.rejects(queue.publish('b'), { type: 'sold-out' });
  const message = await take(queue);
  await message.release({ refunded: true });
  assert.deepEqual(await queue.message(message.id).result(), { refunded: true });
  await until(() => queue.publish('b').catch(() => undefined), Boolean, { what: 'a place' });
});

test('a result that cannot be sent is refused here, and the message is still held', async () => {
  const { queue, calls } = await tide.queue();
  await queue.publish('a');
  const message = await take(queue);
  await assert.rejects(message.ack('x'.repeat(16_383)), { type: 'bad-request', field: 'result' });
  await assert.rejects(message.ack(() => {}), { field: 'result' });
  await assert.rejects(message.retry({ delayMs: -1 }), { field: 'delayMs' });
  await assert.rejects(message.extend(99), { field: 'ms' });
  assert.equal(calls.count('/ack'), 0);
  await message.ack('x'.repeat(16_382));
});

test('an ack whose answer was lost is sent again, and says that it is uncertain', async () => {
  const { queue } = await tide.queue(undefined, {
    client: { fetch: losing((path) => path.endsWith('/ack')) },
  });
  await queue.publish('a');
  const message = await take(queue);
  await assert.rejects(message.ack(), { type: 'lease-expired', uncertain: true });
  assert.equal((await queue.message(message.id).state()).state, 'done');
});

test('flush waits for acks too', async () => {
  const { queue } = await tide.queue(undefined, { ackLingerMs: 60_000 });
  await queue.publish('a');
  const message = await take(queue);
  const acked = message.ack();
  await queue.flush();
  await acked;
  assert.equal((await queue.message(message.id).state()).state, 'done');
});
