// Acknowledgement: finish, give back, prolong; and what a lease that has run out is worth.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblemBody, until, useServer } from './support.mjs';

const tide = useServer();

const NO_SUCH_LEASE = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

/** The one error of a reply: which lease, and what type. */
function onlyError(reply, leaseId) {
  assert.equal(reply.errors.length, 1, JSON.stringify(reply));
  assert.equal(reply.errors[0].lease_id, leaseId);
  return reply.errors[0].error;
}

test('an acknowledged message is done and never delivered again', async () => {
  const queue = await tide.queue({ delivery: { visibility_timeout_ms: 150 } });
  const { id } = await queue.publish('a');
  const other = await queue.publish('b');
  const reply = await queue.ack(await queue.take({ visibility_timeout_ms: 60_000 }));
  assert.deepEqual(reply, { acked: 1, retried: 0, extended: 0, errors: [] });
  assert.equal(await queue.state(id), 'done');
  // The other message's lease runs out meanwhile; only that one comes back.
  await queue.take();
  const back = await queue.take();
  assert.deepEqual([back.id, back.attempts], [other.id, 2]);
  const { depth, acked_total: acked } = await queue.figures();
  assert.deepEqual({ depth, acked }, { depth: 1, acked: 1 });
});

test('a message can be acknowledged once', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const { lease_id: lease } = await queue.take();
  await queue.ack({ lease_id: lease });
  const again = await queue.settle({ acks: [{ lease_id: lease }] });
  assert.equal(again.acked, 0);
  assertProblemBody(onlyError(again, lease), { type: 'lease-expired' });
  assert.equal((await queue.figures()).acked_total, 1);
});

test('a lease named twice in one call counts once', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const { lease_id: lease } = await queue.take();
  const reply = await queue.settle({ acks: [{ lease_id: lease }, { lease_id: lease }] });
  assert.equal(reply.acked, 1);
  assertProblemBody(onlyError(reply, lease), { type: 'lease-expired' });
});

test('a lease that ran out cannot be acknowledged', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  const first = await queue.take({ visibility_timeout_ms: 100 });
  const second = await queue.take();
  assert.equal(second.id, id);
  const reply = await queue.settle({ acks: [{ lease_id: first.lease_id, result: 'stale' }] });
  assert.equal(reply.acked, 0);
  assertProblemBody(onlyError(reply, first.lease_id), { type: 'lease-expired' });
  assert.equal(await queue.state(id), 'leased');
  await queue.ack(second, { result: 'fresh' });
  assert.equal((await queue.message(id)).result, 'fresh');
});

test('a lease that ran out can be neither given back nor prolonged', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const { lease_id: lease } = await queue.take({ visibility_timeout_ms: 100 });
  const second = await queue.take();
  for (const entries of [
    { retries: [{ lease_id: lease, delay_ms: 0 }] },
    { extends: [{ lease_id: lease, visibility_timeout_ms: 60_000 }] },
  ]) {
    const reply = await queue.settle(entries);
    assert.deepEqual([reply.retried, reply.extended], [0, 0]);
    assertProblemBody(onlyError(reply, lease), { type: 'lease-expired' });
  }
  await queue.ack(second);
});

test('a lease nobody gave out is an error of its entry alone', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const { lease_id: lease } = await queue.take();
  for (const unknown of [NO_SUCH_LEASE, 'nonsense']) {
    const reply = await queue.settle({ acks: [{ lease_id: unknown }] });
    assert.equal(reply.acked, 0);
    const { type } = onlyError(reply, unknown);
    assert.ok(type === 'lease-expired' || type === 'bad-request', type);
  }
  await queue.ack({ lease_id: lease });
});

test('a lease of one queue is worth nothing in another', async () => {
  const [one, other] = [await tide.queue(), await tide.queue()];
  await one.publish('a');
  await other.publish('b');
  const [mine, theirs] = [await one.take(), await other.take()];
  const reply = await other.settle({ acks: [{ lease_id: mine.lease_id }] });
  assert.equal(reply.acked, 0);
  assert.equal(await other.state(theirs.id), 'leased');
  await one.ack(mine);
});

test('a message given back is delivered again at once', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  await queue.retry(await queue.take());
  const again = await queue.take();
  assert.equal(again.attempts, 2);
});

test('a message given back with a delay is delivered after it', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  const message = await queue.take();
  const returned = Date.now();
  await queue.retry(message, 400);
  assert.equal(await queue.state(id), 'delayed');
  await queue.assertNothing();
  await queue.take();
  assert.ok(Date.now() - returned >= 400, 'not early');
});

test('a retry that names no delay follows the backoff, which grows to its bound', async () => {
  const backoff = { initial_ms: 200, multiplier: 2, max_ms: 400 };
  const queue = await tide.queue({ delivery: { backoff, max_attempts: 10 } });
  await queue.publish('a');
  const waits = [];
  let message = await queue.take();
  for (let n = 0; n < 3; n += 1) {
    const returned = Date.now();
    await queue.retry(message, null);
    message = await queue.take();
    waits.push(Date.now() - returned);
    assert.equal(message.attempts, n + 2);
  }
  for (const [n, least] of [200, 400, 400].entries()) {
    assert.ok(waits[n] >= least && waits[n] < least + 2_000, `waits ${waits}`);
  }
});

test('a lease can be prolonged', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  const other = await queue.publish('b');
  const [message] = (await queue.pull({ batch_size: 2, visibility_timeout_ms: 1_500 })).messages;
  const reply = await queue.settle({
    extends: [{ lease_id: message.lease_id, visibility_timeout_ms: 60_000 }],
  });
  assert.deepEqual([reply.extended, reply.errors.length], [1, 0]);
  // The other message's return shows that the first lease would have run out.
  assert.equal((await queue.take()).id, other.id);
  assert.equal(await queue.state(id), 'leased');
  await queue.ack(message);
});

test('a lease can be shortened', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const { lease_id: lease } = await queue.take({ visibility_timeout_ms: 60_000 });
  await queue.settle({ extends: [{ lease_id: lease, visibility_timeout_ms: 100 }] });
  assert.equal((await queue.take()).attempts, 2);
});

test('a result of any JSON is what its publisher reads', async () => {
  const queue = await tide.queue();
  for (const result of [{ a: [1, 2.5, null] }, 'text', 0, false, [], { '': '🌊' }]) {
    const { id } = await queue.publish('a');
    await queue.ack(await queue.take(), { result });
    const { state, result: read } = await queue.message(id);
    assert.equal(state, 'done');
    assert.deepEqual(read, result);
  }
});

test('a result of 16 KiB is kept and a larger one is an error of its entry', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  const { lease_id: lease } = await queue.take();
  const large = 'x'.repeat(16_384);
  const answer = await queue.postAck({ acks: [{ lease_id: lease, result: large }] });
  if (answer.status === 200) assert.equal(answer.json.acked, 0);
  else assert.ok(answer.status === 400 || answer.status === 413, String(answer));
  assert.equal(await queue.state(id), 'leased');
  const fits = 'x'.repeat(16_382);
  await queue.ack({ lease_id: lease }, { result: fits });
  assert.equal((await queue.message(id)).result, fits);
});

test('an acknowledgement with release gives the place back, one without does not', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 2 } });
  await queue.publish('kept');
  await queue.publish('released');
  const { messages: [kept, released] } = await queue.pull();
  await queue.ack(kept);
  assert.equal((await queue.postMessage('c')).status, 410);
  await queue.ack(released, { release: true });
  await until(async () => (await queue.postMessage('c')).status === 202, { what: 'a place' });
  assert.equal((await queue.postMessage('d')).status, 410);
});

test('acks, retries and extends go together and each stands for itself', async () => {
  const queue = await tide.queue();
  await queue.batch(['a', 'b', 'c', 'd'].map((body) => ({ body })));
  const { messages: [a, b, c, d] } = await queue.pull();
  await queue.ack(d);
  const reply = await queue.settle({
    acks: [{ lease_id: a.lease_id }, { lease_id: d.lease_id }],
    retries: [{ lease_id: b.lease_id, delay_ms: 60_000 }, { lease_id: NO_SUCH_LEASE }],
    extends: [{ lease_id: c.lease_id, visibility_timeout_ms: 50_000 }],
  });
  assert.deepEqual([reply.acked, reply.retried, reply.extended], [1, 1, 1]);
  const failed = reply.errors.map((e) => e.lease_id).toSorted();
  assert.deepEqual(failed, [d.lease_id, NO_SUCH_LEASE].toSorted());
  const states = await Promise.all([a, b, c, d].map((m) => queue.state(m.id)));
  assert.deepEqual(states, ['done', 'delayed', 'leased', 'done']);
});

test('a thousand leases are acknowledged in one call', async () => {
  const queue = await tide.queue();
  await queue.batch(Array.from({ length: 1_000 }, (_, n) => ({ body: String(n) })));
  const { messages } = await queue.pull({ batch_size: 1_000 });
  await queue.ack(messages);
  const figures = await queue.figures();
  for (const name of ['depth', 'in_flight', 'backlog_bytes']) assert.equal(figures[name], 0, name);
  assert.equal(figures.acked_total, 1_000);
});

test('a pull that carries acknowledgements carries them out first', async () => {
  const queue = await tide.queue({ delivery: { order: 'fifo' } });
  const { id } = await queue.publish('a');
  await queue.publish('b');
  const { lease_id: lease } = await queue.take();
  const acks = [{ lease_id: lease, result: 'fine' }, { lease_id: NO_SUCH_LEASE }];
  const { messages, ...reply } = await queue.pull({ batch_size: 5, acks });
  // One in flight at a time: the second could not have come before the first was finished.
  assert.deepEqual(messages.map((message) => message.body), ['b']);
  assertProblemBody(onlyError(reply, NO_SUCH_LEASE), { type: 'bad-request' });
  delete reply.errors;
  assert.deepEqual(reply, { depth: 1, acked: 1, retried: 0, extended: 0 });
  assert.equal(await queue.state(id), 'done');
});

test('a pull that fails as a whole acknowledges nothing', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  const { lease_id: lease } = await queue.take();
  const acks = [{ lease_id: lease }];
  for (const [field, wrong] of [['wait_ms', { wait_ms: 1 }], ['filter', { filter: 'a =' }]]) {
    const answer = await queue.postPull({ acks, ...wrong });
    assertProblemBody(answer.json, { status: 400, type: 'bad-request', field });
    assert.equal(await queue.state(id), 'leased');
  }
});
