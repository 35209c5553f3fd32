// What fails on the way: lost answers, servers that go away, queues that are full, callers that
// give up, and buffers that have an end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionError, Tidegate, TimeoutError } from '../../clients/typescript/index.js';
import {
  RETRY, deferred, drain, gated, losing, range, take, until, useServer,
} from './support.mjs';

const tide = useServer();

const isPublish = (path) => /\/messages(\/batch)?$/.test(path);
const unavailable = () => Response.json(
  { type: 'unavailable', title: 'Gone', status: 503, detail: 'restarting', retry_after_ms: 1 },
  { status: 503, headers: { 'content-type': 'application/problem+json' } },
);

/** A fetch that answers the first requests by itself. */
const failing = (times, answer) => {
  let left = times;
  return async (url, init) => ((left -= 1) >= 0 ? answer(url, init) : fetch(url, init));
};

for (const [what, count] of [['message', 1], ['batch', 50]]) {
  test(`a ${what} whose answer was lost is sent again and enqueued once`, async () => {
    const { queue, calls } = await tide.queue(undefined, {
      client: { fetch: losing(isPublish, 2) },
    });
    const accepted = await Promise.all(range(count).map((n) => queue.publish(String(n))));
    assert.equal(calls.seen.length, 3);
    assert.equal(new Set(accepted.map((a) => a.id)).size, count);
    const messages = await drain(queue);
    assert.deepEqual(messages.map((m) => m.id), accepted.map((a) => a.id));
    assert.deepEqual(messages.map((m) => m.text()), range(count).map(String));
  });
}

test('a key that the caller gives is the one that goes', async () => {
  const { queue } = await tide.queue();
  const first = await queue.publish('a', { idempotencyKey: '"order" 1' });
  const [again] = await Promise.all([
    queue.publish('a', { idempotencyKey: '"order" 1' }), queue.publish('b'),
  ]);
  assert.equal(again.id, first.id);
});

test('without a key nothing is sent twice: the caller has to decide', async () => {
  const { queue, calls } = await tide.queue(undefined, {
    idempotent: false, client: { fetch: losing(isPublish) },
  });
  await assert.rejects(queue.publish('a'), (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.deepEqual([error.type, error.uncertain, error.retryable], ['connection', true, true]);
    return true;
  });
  assert.equal(calls.seen.length, 1);
  await queue.publish('b', { idempotencyKey: null });
  assert.ok(calls.seen.every(({ init }) => init.headers['idempotency-key'] === undefined));
});

test('503 is repeated, and the tries have an end', async () => {
  const some = await tide.queue(undefined, { client: { fetch: failing(3, unavailable) } });
  await some.queue.publish('a');
  assert.equal(some.calls.seen.length, 4);
  const none = await tide.queue(undefined, { client: { fetch: failing(99, unavailable) } });
  const outcomes = await Promise.allSettled([none.queue.publish('a'), none.queue.publish('b')]);
  assert.deepEqual(outcomes.map((o) => o.reason.type), ['unavailable', 'unavailable']);
  assert.equal(none.calls.seen.length, RETRY.attempts);
});

test('an answer of a proxy is an error with its status', async () => {
  const headers = { 'content-type': 'text/html' };
  const page = () => new Response('<html>', { status: 502, headers });
  const { queue } = await tide.queue(undefined, { client: { fetch: failing(99, page) } });
  const expected = { type: 'unexpected-answer', status: 502, retryable: true };
  await assert.rejects(queue.describe(), expected);
});

test('a client outlives a restart of its server', async () => {
  const { queue } = await tide.queue(undefined, {
    client: { retry: { attempts: 60, initialMs: 50, maxMs: 200 } },
  });
  await queue.publish('before');
  await tide.server.kill9();
  const published = Promise.all(range(20).map((n) => queue.publish(String(n))));
  await tide.server.restart();
  await published;
  assert.equal((await drain(queue)).length, 21);
});

test('a server that does not answer is given up after the time-out', async () => {
  const never = (url, { signal }) => new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  const { queue } = await tide.queue(undefined, {
    client: { fetch: never, timeoutMs: 20, retry: { attempts: 2, initialMs: 1 } },
  });
  await assert.rejects(queue.publish('a'), (error) => {
    assert.ok(error instanceof TimeoutError);
    return error.timeoutMs === 20;
  });
});

test('a full queue is waited for only where that was asked for', async () => {
  const configuration = { capacity: { maxMessages: 2, retryAfterMs: 20 } };
  const eager = await tide.queue(configuration);
  await Promise.all([eager.queue.publish('1'), eager.queue.publish('2')]);
  await assert.rejects(eager.queue.publish('3'), { type: 'queue-full' });
  assert.equal(eager.calls.count('/messages'), 1);

  const retry = { attempts: 400, initialMs: 5, maxMs: 20, refusals: true };
  const { queue } = await tide.queue(configuration, { ordered: true, client: { retry } });
  const published = Promise.all(range(7).map((n) => queue.publish(String(n))));
  const seen = [];
  while (seen.length < 7) {
    const message = await take(queue);
    seen.push(message.text());
    await message.ack();
  }
  await published;
  assert.deepEqual(seen, range(7).map(String));
});

/** How many messages a binary batch has, and how many of its verdicts are refusals. */
const messagesOf = (body) => Buffer.from(body).readUInt16LE(6);
async function rejectedOf(response) {
  const isBatch = response.headers.get('content-type') === 'application/vnd.tidegate.batch';
  return isBatch ? Buffer.from(await response.arrayBuffer()).readUInt32LE(12) : 0;
}

test('where the order counts, nothing overtakes what waits to be tried again', async () => {
  const refused = deferred();
  const watching = async (url, init) => {
    const response = await fetch(url, init);
    const rejected = await rejectedOf(response.clone());
    if (rejected > 0) refused.resolve();
    return response;
  };
  const retry = { attempts: 100, initialMs: 5, maxMs: 20, refusals: true };
  const { queue } = await tide.queue({ capacity: { maxMessages: 2, retryAfterMs: 300 } }, {
    ordered: true, batchMessagesMax: 2, client: { retry, fetch: watching },
  });
  const early = range(4).map((n) => queue.publish(String(n)));
  await refused.promise;
  const first = await drain(queue);
  await queue.configure({ capacity: { maxMessages: 100 } });
  const late = [4, 5].map((n) => queue.publish(String(n)));
  await Promise.all([...early, ...late]);
  const texts = [...first, ...(await drain(queue))].map((m) => m.text());
  assert.deepEqual(texts, range(6).map(String));
});

test('what a message was refused for is final after the last try', async () => {
  const { queue, calls } = await tide.queue({ capacity: { maxMessages: 0, retryAfterMs: 1 } }, {
    client: { retry: { attempts: 3, initialMs: 1, maxMs: 2, refusals: true } },
  });
  const outcomes = await Promise.allSettled([queue.publish('a'), queue.publish('b')]);
  assert.deepEqual(outcomes.map((o) => o.reason.type), ['queue-full', 'queue-full']);
  assert.equal(calls.count('/batch'), 3);
});

test('one message that spoils its batch is refused alone', async () => {
  const refusing = async (url, init) => (Buffer.from(init.body).includes('poison')
    ? Response.json({ type: 'bad-request', status: 400, detail: 'no' }, { status: 400 })
    : fetch(url, init));
  const { queue } = await tide.queue(undefined, { ordered: true, client: { fetch: refusing } });
  const body = (n) => (n === 7 ? { poison: 1, n } : { n });
  const options = { attributes: { ü: 'not in a header' } };
  const outcomes = await Promise.allSettled(range(20).map((n) => queue.publish(body(n), options)));
  assert.deepEqual(outcomes.flatMap((o, n) => (o.status === 'rejected' ? [n] : [])), [7]);
  assert.deepEqual((await drain(queue)).map((m) => m.json().n), range(20).filter((n) => n !== 7));
});

test('the buffer is bounded, and publish waits for room in its turn', async () => {
  const gate = gated();
  const { queue, calls } = await tide.queue(undefined, {
    bufferMessagesMax: 10, batchMessagesMax: 5, ordered: true, client: { fetch: gate.fetch },
  });
  const settled = [];
  const published = range(25).map((n) => queue.publish(String(n)).then(() => settled.push(n)));
  let isReady = false;
  const ready = queue.ready().then(() => (isReady = true));
  await until(() => calls.seen.length, (count) => count === 1);
  assert.deepEqual([isReady, settled.length], [false, 0]);
  gate.open();
  await ready;
  await Promise.all(published);
  const batches = calls.seen.filter(({ path }) => path.endsWith('/batch'));
  for (const { init } of batches) assert.ok(messagesOf(init.body) <= 5);
  assert.deepEqual((await drain(queue)).map((m) => m.text()), range(25).map(String));
  await queue.ready();
});

test('the buffer is bounded in bytes, and one message may exceed it', async () => {
  const gate = gated();
  const { queue, calls } = await tide.queue(undefined, {
    bufferBytesMax: 1_000, client: { fetch: gate.fetch },
  });
  const large = queue.publish('x'.repeat(5_000));
  const small = queue.publish('y');
  await until(() => calls.seen.length, (count) => count === 1);
  gate.open();
  await Promise.all([large, small]);
  assert.equal(calls.count('/messages'), 2, 'the second waited for the first');
});

test('an abort ends what waits for room, for company and for its answer', async () => {
  const gate = gated();
  const { queue, calls } = await tide.queue(undefined, {
    bufferMessagesMax: 2, batchMessagesMax: 1, ordered: true, client: { fetch: gate.fetch },
  });
  const stops = range(3).map(() => new AbortController());
  const published = stops.map(({ signal }, n) => queue.publish(String(n), { signal }));
  const stays = queue.publish('stays');
  await until(() => calls.seen.length, (count) => count === 1);
  for (const [n, stop] of stops.entries()) {
    const reason = new Error(`no more ${n}`);
    stop.abort(reason);
    await assert.rejects(published[n], reason);
  }
  await assert.rejects(queue.publish('x', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  gate.open();
  await stays;
  // The one that was on its way may have arrived; the others were never sent.
  assert.deepEqual((await drain(queue)).map((m) => m.text()), ['0', 'stays']);
});

test('an abort ends a pull that waits, at once', async () => {
  const { queue } = await tide.queue({});
  const stop = new AbortController();
  const pull = queue.pull({ waitMs: 30_000, signal: stop.signal });
  stop.abort();
  await assert.rejects(pull, { name: 'AbortError' });
});

test('credentials are sent, and asked for each time where they are a function', async () => {
  const tokens = ['one', 'two'];
  const { queue, calls } = await tide.queue(undefined, { client: { token: () => tokens.shift() } });
  await queue.publish('a');
  await queue.publish('b');
  const sent = calls.seen.map(({ init }) => init.headers.authorization);
  assert.deepEqual(sent, ['Bearer one', 'Bearer two']);
});

test('a path and headers of its own are kept', async () => {
  const asked = deferred();
  const client = new Tidegate({
    url: 'https://example.com/bus/',
    headers: { 'x-team': 'sales' },
    fetch: async (url, init) => {
      asked.resolve([url, init.headers['x-team']]);
      return Response.json({ name: 'eu/orders' });
    },
  });
  await client.queue('eu/orders').describe();
  assert.deepEqual(await asked.promise, ['https://example.com/bus/v1/queues/eu%2Forders', 'sales']);
  assert.throws(() => new Tidegate({ url: 'nowhere' }), TypeError);
});
