// The bound of the backlog: exact, live, and told with its figures.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, assertRefused, until, useServer } from './support.mjs';

const tide = useServer();

const FULL = { status: 429, type: 'queue-full' };

const bounded = (capacity) => tide.queue({ capacity });

/** A place that was freed may be refused from memory for a second, not longer. */
async function publishWithinASecond(queue, body = 'x') {
  const probe = async () => (await queue.postMessage(body)).status === 202;
  await until(probe, { withinMs: 1_500, what: 'a free place is given out within a second' });
}

test('a queue takes as many messages as its bound says and not one more', async () => {
  const queue = await bounded({ max_messages: 3 });
  await queue.publishMany(3);
  const problem = assertRefused(await queue.postMessage(), FULL);
  assert.equal(problem.depth, 3);
  assert.equal(problem.limit, 3);
  assert.equal((await queue.figures()).depth, 3);
});

test('publishes that arrive together do not get past the bound', async () => {
  const queue = await bounded({ max_messages: 20 });
  const answers = await Promise.all(Array.from({ length: 120 }, () => queue.postMessage()));
  assert.equal(answers.filter((a) => a.status === 202).length, 20);
  for (const answer of answers) if (answer.status !== 202) assertRefused(answer, FULL);
  assert.equal((await queue.figures()).depth, 20);
});

test('what is in flight or delayed keeps its place until it is acknowledged', async () => {
  const queue = await bounded({ max_messages: 2 });
  await queue.publish('a');
  await queue.publish('b', { 'tidegate-delay-ms': '60000' });
  const message = await queue.take();
  assertRefused(await queue.postMessage(), FULL);
  await queue.ack(message);
  await publishWithinASecond(queue);
  assertRefused(await queue.postMessage(), FULL);
});

test('a full queue says when to come back', async () => {
  const queue = await bounded({ max_messages: 1, retry_after_ms: 2_500 });
  await queue.publish('a');
  for (let n = 0; n < 3; n += 1) {
    const answer = await queue.postMessage();
    const problem = assertRefused(answer, FULL);
    const seconds = Number(answer.headers['retry-after']);
    assert.ok(Number.isInteger(seconds) && seconds >= 1, `Retry-After ${seconds}`);
    assert.ok(problem.retry_after_ms >= 0 && problem.retry_after_ms <= seconds * 1_000);
  }
});

test('the object decides first and the edge repeats it', async () => {
  const queue = await bounded({ max_messages: 1 });
  await queue.publish('a');
  assertRefused(await queue.postMessage(), { ...FULL, by: 'object' });
  const problem = assertRefused(await queue.postMessage(), { ...FULL, by: 'edge' });
  assert.deepEqual([problem.depth, problem.limit], [1, 1]);
});

test('a refusal leaves nothing behind but its count', async () => {
  const queue = await bounded({ max_messages: 1 });
  await queue.publish('a');
  const before = await queue.snapshot();
  for (let n = 0; n < 25; n += 1) assertRefused(await queue.postMessage('y'.repeat(100)), FULL);
  assert.deepEqual(await queue.snapshot(), before);
  const counted = async () => (await queue.figures()).rejected_total === 25;
  await until(counted, { what: 'every refusal is counted, those of the edge too' });
});

test('the bound in bytes is exact, and what still fits is taken', async () => {
  const queue = await bounded({ max_bytes: 1_000 });
  await queue.publish('x'.repeat(600));
  const answer = await queue.postMessage('x'.repeat(401));
  assertRefused(answer, FULL);
  await queue.publish('x'.repeat(400));
  assertRefused(await queue.postMessage('x'), FULL);
  assert.equal((await queue.figures()).backlog_bytes, 1_000);
});

test('acknowledged bytes are free again', async () => {
  const queue = await bounded({ max_bytes: 100 });
  await queue.publish('x'.repeat(100));
  assertRefused(await queue.postMessage('y'), FULL);
  await queue.ack(await queue.take());
  await publishWithinASecond(queue, 'y'.repeat(100));
});

test('a raised bound holds from the answer on', async () => {
  const queue = await bounded({ max_messages: 2 });
  await queue.publishMany(2);
  for (let n = 0; n < 5; n += 1) assertRefused(await queue.postMessage(), FULL);
  await queue.configure({ capacity: { max_messages: 4 } });
  await queue.publishMany(2);
  const problem = assertRefused(await queue.postMessage(), FULL);
  assert.deepEqual([problem.depth, problem.limit], [4, 4]);
});

test('a lowered bound holds from the answer on and drops nothing', async () => {
  const queue = await bounded({ max_messages: 10 });
  await queue.publishMany(5);
  await queue.configure({ capacity: { max_messages: 3 } });
  assertRefused(await queue.postMessage(), FULL);
  assert.equal((await queue.figures()).depth, 5);
  const { messages } = await queue.pull();
  assert.equal(messages.length, 5);
  await queue.ack(messages.slice(0, 2));
  assertRefused(await queue.postMessage(), FULL);
  await queue.ack(messages.slice(2, 3));
  await publishWithinASecond(queue);
  assertRefused(await queue.postMessage(), FULL);
});

test('a queue with no room at all refuses everything', async () => {
  const queue = await bounded({ max_messages: 0 });
  const problem = assertRefused(await queue.postMessage(), FULL);
  assert.deepEqual([problem.depth, problem.limit], [0, 0]);
});

test('a purge makes room at once', async () => {
  const queue = await bounded({ max_messages: 2 });
  await queue.publishMany(2);
  assertRefused(await queue.postMessage(), FULL);
  assert.equal((await queue.request('POST', '/purge')).status, 204);
  await publishWithinASecond(queue);
});

test('refusals and acceptances are in the metrics, by reason and by who decided', async () => {
  const queue = await bounded({ max_messages: 1 });
  await queue.publish('a');
  for (let n = 0; n < 6; n += 1) assertRefused(await queue.postMessage(), FULL);
  const sum = () => tide.metricSum('tidegate_rejected_total', queue.name);
  await until(async () => (await sum()) === 6, { what: 'six refusals in the metrics' });
  const samples = await tide.metric('tidegate_rejected_total', queue.name);
  for (const { labels } of samples) {
    assert.equal(labels.reason, 'queue-full');
    assert.ok(['edge', 'object'].includes(labels.decided_by));
  }
  assert.equal(await tide.metricSum('tidegate_accepted_total', queue.name), 1);
});

test('the number of tries does not wear the bound down', async () => {
  const queue = await bounded({ max_messages: 5 });
  for (let round = 0; round < 4; round += 1) {
    const answers = await Promise.all(Array.from({ length: 40 }, () => queue.postMessage()));
    const accepted = answers.filter((a) => a.status === 202).length;
    assert.ok(accepted <= 5);
    await until(async () => {
      await queue.postMessage();
      return (await queue.figures()).depth === 5;
    }, { withinMs: 3_000, what: 'full to the last place' });
    await queue.drain();
  }
});

test('a message too large is told so, full or not', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 1 }, max_message_bytes: 10 });
  const large = () => queue.postMessage('x'.repeat(11));
  assertProblem(await large(), { status: 413, type: 'message-too-large' });
  await queue.publish('a');
  const answer = await large();
  assert.ok(answer.status === 413 || answer.status === 429, String(answer));
});
