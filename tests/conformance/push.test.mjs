// Push to functions: what an endpoint is called with, and what its answers come to.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { useReceivers } from './receiver.mjs';
import { assertProblem, until, useServer } from './support.mjs';

const tide = useServer();
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const receiver = useReceivers();

/** A queue that pushes to `endpoint`. */
async function pushing(endpoint, push = {}, rest = {}) {
  const queue = await tide.queue();
  await queue.configure({ push: { url: endpoint.url, ...push }, ...rest });
  return queue;
}

const count = (endpoint, n) => until(() => endpoint.received.length >= n);
const endpointOf = async (queue) => (await queue.figures()).endpoint;
const state = async (queue, id) => (await queue.request('GET', `/messages/${id}`)).json;
const isDone = (queue, id) => until(async () => (await state(queue, id)).state === 'done');

test('a message is a CloudEvent in binary mode, and its answer is its result', async () => {
  const json = { 'content-type': 'application/json' };
  const endpoint = await receiver(() => ({ status: 200, headers: json, body: '{"result":[1]}' }));
  const queue = await pushing(endpoint, { headers: { authorization: 'Bearer t' } });
  const { id, seq } = await queue.publish('hello', {
    'content-type': 'text/plain', 'tidegate-key': 'k', 'tidegate-attr-region': 'eu',
  });
  await isDone(queue, id);
  assert.deepEqual((await state(queue, id)).result, [1]);
  const [{ headers, body }] = endpoint.received;
  assert.equal(body, 'hello');
  const expected = {
    authorization: 'Bearer t', 'content-type': 'text/plain', 'ce-specversion': '1.0',
    'ce-id': id, 'ce-type': 'tidegate.message', 'tidegate-queue': queue.name,
    'tidegate-id': id, 'tidegate-seq': String(seq), 'tidegate-attempt': '1',
    'tidegate-key': 'k', 'tidegate-attr-region': 'eu',
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(headers[name], value, name);
});

test('every secret signs what is sent, and none is ever shown', async () => {
  const endpoint = await receiver();
  const other = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  const queue = await pushing(endpoint, { format: 'raw', secret: [SECRET, other] });
  await queue.publish('signed');
  await count(endpoint, 1);
  const [{ headers, body }] = endpoint.received;
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const signatures = [SECRET, other].map((secret) => {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    return `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  });
  assert.equal(headers['webhook-signature'], signatures.join(' '));
  const shown = await queue.request('GET', '');
  assert.deepEqual(shown.json.push.secret, ['***', '***']);
  assert.ok(!shown.text.includes('MfKQ9r8') && !tide.server.logs().includes('MfKQ9r8'));
});

test('a failure is tried again, and dead after its attempts; the log has them', async () => {
  const endpoint = await receiver(() => ({ status: 500, body: 'out of order' }));
  const queue = await pushing(endpoint, {}, { delivery: { max_attempts: 3 } });
  const { id } = await queue.publish('x');
  await until(async () => (await state(queue, id)).state === 'dead');
  assert.deepEqual(endpoint.received.map((it) => it.headers['tidegate-attempt']), ['1', '2', '3']);
  const { attempts } = (await queue.request('GET', `/messages/${id}/attempts`)).json;
  assert.deepEqual(attempts.map((it) => [it.attempt, it.status, it.error, it.answer]), [
    [1, 500, 'status 500', 'out of order'], [2, 500, 'status 500', 'out of order'],
    [3, 500, 'status 500', 'out of order'],
  ]);
  assert.equal((await endpointOf(queue)).failed_total, 3);
});

test('a message may bring its own number of attempts', async () => {
  const endpoint = await receiver(() => ({ status: 500 }));
  const queue = await pushing(endpoint);
  const { id } = await queue.publish('x', { 'tidegate-max-attempts': '2' });
  await until(async () => (await state(queue, id)).state === 'dead');
  assert.equal(endpoint.received.length, 2);
});

test('an answer can say that trying again is of no use', async () => {
  const endpoint = await receiver(() => ({ status: 400, headers: { 'tidegate-retry': 'no' } }));
  const queue = await pushing(endpoint);
  const { id } = await queue.publish('x');
  await until(async () => (await state(queue, id)).state === 'dead');
  assert.equal(endpoint.received.length, 1);
});

test('a busy endpoint is not called before the time it asks for', async () => {
  const busy = { status: 429, headers: { 'retry-after': '1' } };
  const endpoint = await receiver((_, number) => (number === 1 ? busy : {}));
  const queue = await pushing(endpoint);
  await queue.publish('x');
  await count(endpoint, 2);
  const [first, second] = endpoint.received;
  assert.ok(second.at - first.at >= 990, `${second.at - first.at} ms`);
});

test('an endpoint that is gone is disabled until somebody enables it', async () => {
  const endpoint = await receiver(() => ({ status: 410 }));
  const queue = await pushing(endpoint);
  const { id } = await queue.publish('x');
  await until(async () => (await endpointOf(queue)).state === 'disabled');
  assert.equal((await endpointOf(queue)).reason, 'gone');
  assert.match(tide.server.logs(), /"event":"endpoint_disabled"/);
  endpoint.answer = () => ({});
  const enabled = await queue.request('POST', '/push/enable');
  assert.equal(enabled.status, 204);
  await isDone(queue, id);
});

test('a call that takes too long is cut, and so is one to nobody', async () => {
  const endpoint = await receiver(() => null);
  const queue = await pushing(endpoint, { timeout_ms: 100 }, { delivery: { max_attempts: 1 } });
  const { id } = await queue.publish('x');
  await until(async () => (await state(queue, id)).state === 'dead');
  const nobody = await pushing({ url: 'http://127.0.0.1:9/' }, {}, { delivery: { max_attempts: 1 } });
  const lost = await nobody.publish('x');
  await until(async () => (await state(nobody, lost.id)).state === 'dead');
  const totals = [await endpointOf(queue), await endpointOf(nobody)];
  assert.deepEqual(totals.map((it) => [it.timed_out_total, it.cut_total]), [[1, 0], [0, 1]]);
});

test('redirects are not followed', async () => {
  const endpoint = await receiver(() => ({ status: 302, headers: { location: '/elsewhere' } }));
  const queue = await pushing(endpoint, {}, { delivery: { max_attempts: 1 } });
  const { id } = await queue.publish('x');
  await until(async () => (await state(queue, id)).state === 'dead');
  assert.equal(endpoint.received.length, 1);
});

test('a batch goes when it is full or has waited, and may fail in part', async () => {
  const failing = (call, number) => {
    const { messages } = JSON.parse(call.body);
    const failed = number === 1 ? [messages[1].id] : [];
    const headers = { 'content-type': 'application/json' };
    return { status: 200, headers, body: JSON.stringify({ failed }) };
  };
  const endpoint = await receiver(failing);
  const queue = await pushing(endpoint, { format: 'batch', batch_size: 3, batch_wait_ms: 100 });
  await queue.postBatch(['a', 'b', 'c'].map((body) => ({ body })));
  await count(endpoint, 2);
  const bodies = endpoint.received.map((it) => JSON.parse(it.body).messages.map((m) => m.body));
  assert.deepEqual(bodies, [['a', 'b', 'c'], ['b']]);
  await until(async () => (await queue.figures()).acked_total === 3);
});

test('an order is kept, one call at a time', async () => {
  const endpoint = await receiver((_, number) => ({ status: number % 2 === 1 ? 500 : 204 }));
  const queue = await pushing(endpoint, { format: 'raw' }, { delivery: { order: 'fifo' } });
  await queue.publishMany(5);
  await count(endpoint, 10);
  assert.equal(endpoint.received.map((it) => it.body).join(''), '0011223344');
  assert.equal(endpoint.most, 1);
});

test('concurrency and rate hold at the endpoint, over a crash too', async () => {
  const endpoint = await receiver(() => ({ afterMs: 30 }));
  const push = { concurrency: 4, rate_per_second: 20, timeout_ms: 500, format: 'raw' };
  const queue = await pushing(endpoint, push);
  await queue.postBatch(Array.from({ length: 70 }, (_, n) => ({ body: String(n) })));
  await count(endpoint, 25);
  await tide.crash();
  await until(async () => (await queue.figures()).acked_total === 70, { withinMs: 30_000 });
  assert.ok(endpoint.most <= 4, `${endpoint.most} at a time`);
  const times = endpoint.received.map((it) => it.at);
  for (let n = 20; n < times.length; n += 1) {
    const ms = times[n] - times[n - 20];
    assert.ok(ms > 999, `calls ${n - 20} to ${n} came within ${ms} ms`);
  }
  const seen = new Set(endpoint.received.map((it) => it.body));
  assert.equal(seen.size, 70);
  assert.ok(endpoint.received.length <= 70 + 4, 'no more duplicates than calls that were cut');
});

test('where it pushes can be changed, and ended, while calls are out', async () => {
  const slow = await receiver(() => ({ afterMs: 300 }));
  const quick = await receiver();
  const queue = await pushing(slow, { concurrency: 1 });
  await queue.publishMany(3);
  await count(slow, 1);
  await queue.configure({ push: { url: quick.url } });
  await until(async () => (await queue.figures()).acked_total === 3);
  assert.deepEqual([slow.received.length, quick.received.length], [1, 2]);
  await queue.configure({ push: null });
  await queue.publish('x');
  assert.equal((await queue.figures()).endpoint, null);
  assert.equal((await queue.figures()).depth, 1);
});

test('what calls came to is counted for each queue that pushes', async () => {
  const endpoint = await receiver();
  const queue = await pushing(endpoint);
  const { id } = await queue.publish('x');
  await isDone(queue, id);
  assert.equal(await tide.metricSum('tidegate_push_attempts_total', queue.name), 1);
  const [last] = (await tide.metric('tidegate_push_duration_seconds_count', queue.name));
  assert.equal(last.value, 1);
});

test('an endpoint that cannot be one is refused, and nothing changes', async () => {
  const queue = await tide.queue({});
  for (const url of ['nope', 'ftp://example.com/', 'http://user@example.com/', 'http://127.1/']) {
    const answer = await queue.request('PUT', '', { json: { push: { url } } });
    assertProblem(answer, { status: 400, type: 'bad-request', field: 'push.url' });
  }
  const enable = await queue.request('POST', '/push/enable');
  assertProblem(enable, { status: 404, type: 'not-found' });
});
