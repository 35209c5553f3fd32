// What happens to a publish over the bound: a problem, a redirect, the oldest gone, a dead letter.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, until, useServer } from './support.mjs';

const tide = useServer();

const ELSEWHERE = 'https://waiting.example/room?from=shop';

test('redirect sends the publisher elsewhere when the queue is full', async () => {
  const queue = await tide.queue({
    capacity: { max_messages: 1, overflow: 'redirect', redirect_url: ELSEWHERE },
  });
  await queue.publish('a');
  for (let n = 0; n < 3; n += 1) {
    const answer = await queue.postMessage();
    assert.equal(answer.status, 303, String(answer));
    assert.equal(answer.headers.location, ELSEWHERE);
    assert.ok(['edge', 'object'].includes(answer.headers['tidegate-decided-by']));
  }
  assert.equal((await queue.figures()).depth, 1);
});

test('redirect sends the publisher elsewhere when everything is sold', async () => {
  const queue = await tide.queue({
    capacity: { max_accepted: 1, overflow: 'redirect', redirect_url: ELSEWHERE },
  });
  await queue.publish('a');
  await queue.ack(await queue.take());
  const answer = await queue.postMessage();
  assert.equal(answer.status, 303, String(answer));
  assert.equal(answer.headers.location, ELSEWHERE);
});

test('redirect is for the bound, not for a key that has had its share', async () => {
  const queue = await tide.queue({
    capacity: { max_per_key: 1, overflow: 'redirect', redirect_url: ELSEWHERE },
  });
  const key = { 'tidegate-key': 'k' };
  await queue.publish('a', key);
  assertProblem(await queue.postMessage('b', key), { status: 409, type: 'key-limit' });
});

test('drop_oldest takes the new message and drops the oldest that is queued', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 3, overflow: 'drop_oldest' } });
  const first = await queue.publish('0');
  for (const body of ['1', '2', '3', '4']) await queue.publish(body);
  assert.equal((await queue.figures()).depth, 3);
  const answer = await queue.getMessage(first.id);
  assert.ok(answer.status === 404 || answer.json.state === 'expired', String(answer));
  const { messages } = await queue.pull();
  assert.deepEqual(messages.map((m) => m.body), ['2', '3', '4']);
});

test('drop_oldest drops nothing that is in somebody\'s hands', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 2, overflow: 'drop_oldest' } });
  await queue.publishMany(2);
  const { messages } = await queue.pull();
  const answer = await queue.postMessage('new');
  assertProblem(answer, { status: 429, type: 'queue-full' });
  await queue.ack(messages);
  assert.equal((await queue.figures()).acked_total, 2);
});

test('drop_oldest makes room for bytes, however many messages it takes', async () => {
  const queue = await tide.queue({ capacity: { max_bytes: 100, overflow: 'drop_oldest' } });
  for (let n = 0; n < 4; n += 1) await queue.publish(String(n).repeat(25));
  await queue.publish('x'.repeat(60));
  const { backlog_bytes: bytes } = await queue.figures();
  assert.ok(bytes <= 100, `${bytes} bytes`);
  const bodies = (await queue.drain()).map((m) => m.body[0]);
  assert.deepEqual(bodies, ['3', 'x']);
});

test('dead_letter takes what does not fit into the dead-letter queue', async () => {
  const dead = await tide.queue({}, tide.name('dead'));
  const queue = await tide.queue({
    capacity: { max_messages: 1, overflow: 'dead_letter' },
    delivery: { dead_letter_queue: dead.name },
  });
  await queue.publish('fits');
  const headers = { 'tidegate-attr-region': 'eu', 'content-type': 'text/plain' };
  await queue.publish('over', headers);
  assert.equal((await queue.figures()).depth, 1);
  const letter = await dead.take();
  assert.equal(letter.body, 'over');
  assert.equal(letter.content_type, 'text/plain');
  assert.equal(letter.attributes.region, 'eu');
  assert.equal(letter.attributes['tidegate-dead-queue'], queue.name);
});

test('overflow may be changed while the queue is full', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 1 } });
  await queue.publish('a');
  assert.equal((await queue.postMessage()).status, 429);
  await queue.configure({ capacity: { overflow: 'redirect', redirect_url: ELSEWHERE } });
  assert.equal((await queue.postMessage()).status, 303);
  await queue.configure({ capacity: { overflow: 'drop_oldest' } });
  await queue.publish('b');
  await queue.configure({ capacity: { overflow: 'reject' } });
  assert.equal((await queue.postMessage()).status, 429);
  assert.deepEqual((await queue.drain()).map((m) => m.body), ['b']);
});

test('a batch overflows message by message', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 2, overflow: 'drop_oldest' } });
  const { accepted } = await queue.batch(['0', '1', '2', '3'].map((body) => ({ body })));
  assert.equal(accepted, 4);
  await until(async () => (await queue.figures()).depth === 2, { what: 'two are left' });
  assert.deepEqual((await queue.drain()).map((m) => m.body), ['2', '3']);
});
