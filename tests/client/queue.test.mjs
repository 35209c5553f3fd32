// Queues and messages as things: configuring, looking, operating, following a message to its end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Message, NotFoundError, WrongStateError } from '../../clients/typescript/index.js';
import { range, take, until, useServer } from './support.mjs';

const tide = useServer();

test('a queue is made, changed and described in camelCase', async () => {
  const { queue } = await tide.queue();
  await assert.rejects(queue.describe(), NotFoundError);
  const made = await queue.configure({
    capacity: { maxAccepted: 5, publishRate: { perSecond: 100, per: 'key' } },
    delivery: { backoff: { initialMs: 10 }, order: 'key' },
  });
  assert.equal(made.name, queue.name);
  assert.equal(made.capacity.publishRate.perSecond, 100);
  await queue.configure({ capacity: { maxAccepted: 6 } });
  const { capacity, delivery, inFlight, oldestAtMs, acceptedTotal } = await queue.describe();
  assert.deepEqual([capacity.maxAccepted, capacity.maxBytes], [6, 1_073_741_824]);
  assert.deepEqual([delivery.backoff.initialMs, delivery.order], [10, 'key']);
  assert.deepEqual([inFlight, oldestAtMs, acceptedTotal], [0, null, 0]);
  await assert.rejects(queue.configure({ capacity: { maxMesages: 1 } }), { type: 'bad-request' });
});

test('queues are listed, page after page', async () => {
  const { client } = tide.client();
  const names = range(5).map((n) => `list/q${n}`);
  for (const name of names) await client.queue(name).configure({});
  const pages = tide.client();
  const listed = async () => {
    const found = [];
    for await (const { name, depth } of pages.client.queues({ pageSize: 2 })) {
      assert.equal(depth, 0);
      if (name.startsWith('list/')) found.push(name);
    }
    return found;
  };
  assert.deepEqual(await until(listed, (found) => found.length === 5), names);
  assert.ok(pages.calls.seen.length >= 3);
});

test('browsing looks at messages and leases none', async () => {
  const { queue } = await tide.queue();
  await Promise.all(range(5).map((n) => queue.publish(String(n))));
  const [first, ...rest] = await queue.browse();
  assert.ok(first instanceof Message);
  assert.deepEqual([first.text(), first.state, rest.length], ['0', 'queued', 4]);
  const page = await queue.browse({ limit: 2, afterSeq: first.seq });
  assert.deepEqual(page.map((m) => m.text()), ['1', '2']);
  assert.equal((await queue.describe()).inFlight, 0);
});

test('pause stops deliveries, resume goes on, purge drops, delete deletes', async () => {
  const { queue } = await tide.queue();
  await queue.publish('a');
  await queue.pause();
  assert.deepEqual(await queue.pull(), []);
  await queue.resume();
  await (await take(queue)).ack();
  await queue.publish('b');
  await queue.purge();
  assert.equal((await queue.describe()).depth, 0);
  await queue.delete();
  await assert.rejects(queue.describe(), NotFoundError);
  await assert.rejects(queue.delete(), NotFoundError);
});

test('dead letters are moved back', async () => {
  const { queue } = await tide.queue({ delivery: { maxAttempts: 1 } });
  await queue.publish('a');
  await (await take(queue)).retry({ delayMs: 0 });
  assert.deepEqual(await queue.redrive(), { moved: 1 });
  assert.equal((await take(queue)).text(), 'a');
});

test('a selection of dead letters is moved back', async () => {
  const { queue } = await tide.queue({ delivery: { maxAttempts: 1 } });
  for (const body of ['a', 'b']) {
    await queue.publish(body, { attributes: { which: body } });
    await (await take(queue)).retry({ delayMs: 0 });
  }
  assert.deepEqual(await queue.redrive({ toAtMs: 1 }), { moved: 0 });
  const filter = { attributes: { which: ['b'] } };
  assert.deepEqual(await queue.redrive({ fromAtMs: 1, filter }), { moved: 1 });
  assert.equal((await take(queue)).text(), 'b');
});

test('a held message is confirmed, another is cancelled', async () => {
  const { queue } = await tide.queue();
  const [kept, gone] = await Promise.all([
    queue.publish('kept', { holdMs: 60_000 }), queue.publish('gone', { holdMs: 60_000 }),
  ]);
  await queue.message(kept.id).confirm();
  await queue.message(gone.id).cancel();
  assert.equal((await take(queue)).text(), 'kept');
  await assert.rejects(queue.message(gone.id).confirm(), WrongStateError);
  const cancelled = { name: 'NoResultError', state: 'cancelled' };
  await assert.rejects(queue.message(gone.id).result(), cancelled);
});

test('a state tells where a message stands, and waits for the end of it', async () => {
  const { queue } = await tide.queue();
  await queue.publish('ahead');
  const sent = await queue.publish('a');
  const { seq, timestampMs } = sent;
  assert.deepEqual(await queue.message(sent.id).state(), {
    id: sent.id, seq, timestampMs, state: 'queued', attempts: 0, position: 2, result: undefined,
    isFinal: false,
  });
  const ended = queue.message(sent.id).state({ waitMs: 20_000 });
  for (const message of await queue.pull()) await message.ack(message.seq);
  const { state, result, isFinal } = await ended;
  assert.deepEqual({ state, result, isFinal }, { state: 'done', result: seq, isFinal: true });
});

test('a wait for a result can be given up', async () => {
  const { queue } = await tide.queue();
  const { id } = await queue.publish('a');
  const stop = new AbortController();
  const result = queue.message(id).result({ signal: stop.signal });
  stop.abort();
  await assert.rejects(result, { name: 'AbortError' });
  await assert.rejects(queue.message('01ARZ3NDEKTSV4RRFFQ69G5FAV').result(), NotFoundError);
});

test('states are told as they change, up to the last', async () => {
  const { queue } = await tide.queue();
  await queue.publish('ahead');
  const { id } = await queue.publish('a');
  const seen = [];
  const watch = (async () => {
    for await (const { state, position, result } of queue.message(id).states()) {
      seen.push([state, position ?? result]);
    }
  })();
  await until(() => seen.length, (count) => count === 1);
  const [ahead] = await queue.pull({ batchSize: 1 });
  await ahead.ack();
  await until(() => seen.length, (count) => count === 2);
  const [message] = await queue.pull({ batchSize: 1 });
  await until(() => seen.length, (count) => count === 3);
  await message.ack({ ok: true });
  await watch;
  assert.deepEqual(seen, [
    ['queued', 2], ['queued', 1], ['leased', undefined], ['done', { ok: true }],
  ]);
});

test('states go on where the stream broke', async () => {
  const cut = { now: () => {} };
  const cutting = async (url, init) => {
    const response = await fetch(url, init);
    const { readable, writable } = new TransformStream();
    const stop = new AbortController();
    cut.now = () => stop.abort();
    response.body.pipeTo(writable, { signal: stop.signal }).catch(() => {});
    return new Response(readable, { status: response.status, headers: response.headers });
  };
  const { queue } = await tide.queue();
  const { id } = await queue.publish('a');
  const watcher = tide.client({ fetch: cutting });
  const seen = [];
  const watch = (async () => {
    for await (const { state } of watcher.client.queue(queue.name).message(id).states()) {
      seen.push(state);
    }
  })();
  await until(() => seen.length, Boolean);
  cut.now();
  await until(() => watcher.calls.seen.length, (count) => count >= 2);
  await (await take(queue)).ack();
  await watch;
  assert.equal(seen[0], 'queued');
  assert.equal(seen.at(-1), 'done');
  assert.equal(seen.filter((state) => state === 'queued').length, 1);
});

test('states can be left and aborted', async () => {
  const { queue } = await tide.queue();
  const { id } = await queue.publish('a');
  for await (const { state } of queue.message(id).states()) {
    assert.equal(state, 'queued');
    break;
  }
  const stop = new AbortController();
  await assert.rejects(async () => {
    for await (const { state } of queue.message(id).states({ signal: stop.signal })) {
      assert.equal(state, 'queued');
      stop.abort();
    }
  }, { name: 'AbortError' });
});
