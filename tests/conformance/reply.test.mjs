// A request and its reply in one call: a publish that waits for what its consumer makes of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, until, useServer } from './support.mjs';

const tide = useServer();

/** Publishes and waits; the answer is a promise. */
const ask = (queue, body, { waitMs = 10_000, headers } = {}) =>
  queue.request('POST', `/messages?wait_ms=${waitMs}`, { body, headers });

test('the consumer’s result is the answer to the publish', async () => {
  const queue = await tide.queue();
  const answering = ask(queue, '20');
  const message = await queue.take();
  await queue.settle({ acks: [{ lease_id: message.lease_id, result: { twice: 40 } }] });
  const { status, json } = await answering;
  assert.equal(status, 200);
  assert.deepEqual([json.id, json.state, json.result], [message.id, 'done', { twice: 40 }]);
});

test('without a consumer it is the answer of any publish', async () => {
  const queue = await tide.queue();
  const { status, json, headers } = await ask(queue, 'a', { waitMs: 50 });
  assert.equal(status, 202);
  assert.equal(headers.location, `${queue.path}/messages/${json.id}`);
  assert.equal(await queue.state(json.id), 'queued');
});

test('many wait at a time, with bodies of every size, and each has its own reply', async () => {
  const queue = await tide.queue();
  const bodies = [10, 3_000, 5_000, 100_000].flatMap((bytes) =>
    Array.from({ length: 5 }, (_, n) => String(n).repeat(bytes)),
  );
  const answers = bodies.map((body) => ask(queue, body));
  let left = bodies.length;
  while (left > 0) {
    const { messages } = await queue.pull({ batch_size: 7, wait_ms: 5_000 });
    const acks = messages.map(({ lease_id: id, body }) => ({ lease_id: id, result: body.length }));
    await queue.settle({ acks });
    left -= messages.length;
  }
  const results = (await Promise.all(answers)).map(({ json }) => json.result);
  assert.deepEqual(results, bodies.map((body) => body.length));
});

test('a refusal is answered at once, and a wrong time names its field', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 0 } });
  const began = performance.now();
  assertProblem(await ask(queue, 'a'), { status: 429, type: 'queue-full' });
  assert.ok(performance.now() - began < 5_000);
  const wrong = await ask(await tide.queue(), 'a', { waitMs: 30_001 });
  assertProblem(wrong, { status: 400, type: 'bad-request', field: 'wait_ms' });
});

test('who hangs up has published all the same', async () => {
  const queue = await tide.queue({});
  const controller = new AbortController();
  const url = `${tide.server.url}${queue.path}/messages?wait_ms=20000`;
  const asking = fetch(url, { method: 'POST', body: 'a', signal: controller.signal });
  await until(async () => (await queue.figures()).depth === 1, { what: 'it is there' });
  controller.abort();
  await assert.rejects(asking);
  assert.equal((await queue.take()).body, 'a');
});
