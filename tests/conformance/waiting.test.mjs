// The line: publishes that find no room wait for it, in order, and are told where they stand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ULID, assertProblem, assertRefused, until, useServer } from './support.mjs';

const tide = useServer();

const sale = (capacity = {}) =>
  tide.queue({ capacity: { max_accepted: 1, overflow: 'wait', ...capacity } });

const read = async (queue, id, wait = 0) =>
  (await tide.request('GET', `${queue.path}/messages/${id}?wait_ms=${wait}`)).json;

/** The first place of a sale and one that waits for it. */
const twoBuyers = async (capacity) => {
  const queue = await sale(capacity);
  const first = await queue.publish('first');
  const answer = await queue.postMessage('second');
  return { queue, first, second: answer.json, answer };
};

test('a publish without room is accepted into the line', async () => {
  const { queue, second, answer } = await twoBuyers();
  assert.equal(answer.status, 202);
  assert.match(second.id, ULID);
  assert.deepEqual([second.state, second.position], ['waiting', 1]);
  assert.equal((await queue.postMessage('third')).json.position, 2);
  const figures = await queue.figures();
  assert.deepEqual([figures.waiting, figures.depth, figures.accepted], [2, 1, 1]);
  const { state, position } = await read(queue, second.id);
  assert.deepEqual([state, position], ['waiting', 1]);
  const text = (await tide.request('GET', '/metrics')).text;
  assert.ok(text.includes(`tidegate_waiting_messages{queue="${queue.name}"} 2`), text);
});

test('a place that comes back goes to the first in line, at once and exactly', async () => {
  const { queue, first, second } = await twoBuyers();
  const third = (await queue.postMessage('third')).json;
  await queue.cancel(first.id);
  assert.equal(await queue.state(second.id), 'queued');
  assert.deepEqual([(await read(queue, third.id)).position], [1]);
  const message = await queue.take();
  assert.deepEqual([message.id, message.body, message.seq], [second.id, 'second', second.seq]);
  await queue.configure({ capacity: { max_accepted: 2 } });
  assert.equal(await queue.state(third.id), 'queued');
});

test('a read that waits is answered when the message waits no longer', async () => {
  const { queue, first, second } = await twoBuyers();
  const begun = Date.now();
  const waiting = read(queue, second.id, 20_000);
  await queue.cancel(first.id);
  assert.equal((await waiting).state, 'queued');
  assert.ok(Date.now() - begun < 10_000);
});

test('an event stream follows the line', async () => {
  const { queue, first, second } = await twoBuyers();
  const third = (await queue.postMessage('third')).json;
  const abort = new AbortController();
  const response = await fetch(`${tide.url}${queue.path}/messages/${third.id}`, {
    headers: { accept: 'text/event-stream' },
    signal: abort.signal,
  });
  const seen = [];
  const reading = (async () => {
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const events = text.split('\n\n');
      text = events.pop();
      for (const event of events) {
        const data = event.split('\n').find((line) => line.startsWith('data: '));
        if (data) seen.push(JSON.parse(data.slice(6)));
      }
    }
  })().catch(() => {});
  const places = () => seen.map(({ state, position }) => `${state} ${position ?? ''}`.trim());
  await until(() => places().includes('waiting 2'), { what: 'its place' });
  await queue.cancel(second.id);
  await until(() => places().includes('waiting 1'), { what: 'its next place' });
  await queue.cancel(first.id);
  await until(() => places().includes('queued 1'), { what: 'its admission' });
  abort.abort();
  await reading;
});

test('who leaves the line makes place in it', async () => {
  const { queue, second } = await twoBuyers({ max_waiting: 1 });
  assertRefused(await queue.postMessage('third'), { status: 410, type: 'sold-out' });
  await queue.cancel(second.id);
  assert.equal(await queue.state(second.id), 'cancelled');
  await until(async () => (await queue.postMessage('third')).status === 202, {
    withinMs: 1_500,
    what: 'a place in line',
  });
});

test('the line survives a crash', async () => {
  const { queue, first, second } = await twoBuyers();
  await tide.crash();
  assert.equal((await read(queue, second.id)).position, 1);
  await queue.cancel(first.id);
  assert.equal(await queue.state(second.id), 'queued');
});

test('a waiting message holds and is delayed from its admission on', async () => {
  const { queue, first } = await twoBuyers();
  const held = (await queue.postMessage('held', { 'tidegate-hold-ms': '60000' })).json;
  assert.equal(held.position, 2);
  await queue.configure({ capacity: { max_accepted: 3 } });
  assert.equal(await queue.state(held.id), 'held');
  assert.ok(first.id < held.id);
});

test('max_waiting is named where it is out of range', async () => {
  const answer = await tide.request('PUT', `/v1/queues/${tide.name()}`, {
    json: { capacity: { overflow: 'wait', max_waiting: 1_000_001 } },
  });
  assertProblem(answer, { status: 400, type: 'bad-request', field: 'capacity.max_waiting' });
});
