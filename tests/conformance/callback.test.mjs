// Callbacks: a queue is told of what is done in another, with its result, and of what is given up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Receiver } from './receiver.mjs';
import { assertProblem, until, useServer } from './support.mjs';

const tide = useServer();
const RESULT = '{"result":"paid"}';

async function told() {
  const [done, dead] = [await tide.queue({}), await tide.queue({})];
  const queue = await tide.queue({
    delivery: {
      max_attempts: 1, callback_queue: done.name, failure_callback_queue: dead.name,
    },
  });
  return { queue, done, dead };
}

async function next(queue) {
  await until(async () => (await queue.figures()).depth > 0, { what: 'a callback' });
  const { attributes, body, key } = await queue.take();
  return { type: attributes['ce-type'], source: attributes['ce-source'], key, data: JSON.parse(body) };
}

test('what is done is told with its result', async () => {
  const { queue, done } = await told();
  const headers = { 'Tidegate-Key': 'k', 'Tidegate-Attr-order': '17' };
  const { id } = await queue.publish('x', headers);
  const message = await queue.take();
  const acks = [{ lease_id: message.lease_id, result: { total: 3 } }];
  await queue.request('POST', '/messages/ack', { json: { acks } });
  const { type, source, key, data } = await next(done);
  assert.equal(type, 'tidegate.message.done');
  assert.equal(source, `/v1/queues/${encodeURIComponent(queue.name)}`);
  assert.equal(key, 'k');
  const { at_ms, timestamp_ms, ...rest } = data;
  assert.ok(at_ms >= timestamp_ms);
  assert.deepEqual(rest, {
    queue: queue.name, id, seq: 1, state: 'done', attempts: 1, key: 'k',
    attributes: { order: '17' }, result: { total: 3 },
  });
});

test('a URL is called with what became of a push to another', async () => {
  const json = { 'content-type': 'application/json' };
  const worker = await new Receiver(() => ({ status: 200, headers: json, body: RESULT })).start();
  const caller = await new Receiver().start();
  try {
    const done = await tide.queue({ push: { url: caller.url } });
    const queue = await tide.queue({
      push: { url: worker.url }, delivery: { callback_queue: done.name },
    });
    const { id } = await queue.publish('an order');
    await until(() => caller.received.length > 0, { what: 'the callback' });
    const [{ headers, body }] = caller.received;
    assert.equal(headers['ce-type'], 'tidegate.message.done');
    const data = JSON.parse(body);
    assert.deepEqual([data.id, data.state, data.result], [id, 'done', 'paid']);
  } finally {
    await Promise.all([worker.stop(), caller.stop()]);
  }
});

test('what is given up is told with its reason', async () => {
  const { queue, dead } = await told();
  const { id } = await queue.publish('x');
  await queue.retry(await queue.take());
  const { type, data } = await next(dead);
  assert.equal(type, 'tidegate.message.dead');
  assert.deepEqual([data.id, data.reason, data.attempts], [id, 'max_attempts', 1]);
});

test('a queue is not told of its own messages', async () => {
  const queue = await tide.queue({});
  for (const field of ['callback_queue', 'failure_callback_queue']) {
    const json = { delivery: { [field]: queue.name } };
    const answer = await queue.request('PUT', '', { json });
    assertProblem(answer, { status: 400, type: 'bad-request', field: `delivery.${field}` });
  }
});
