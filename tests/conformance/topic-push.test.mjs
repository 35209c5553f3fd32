// Topics: a durable subscription that calls an endpoint (`target.url`).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { useReceivers } from './receiver.mjs';
import { assertProblem, until, useServer } from './support.mjs';
import { Topic } from './topic.mjs';

const tide = useServer();
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const receiver = useReceivers();

const bodiesOf = (endpoint) => endpoint.received.map((call) => call.body);
const got = (endpoint, n) => until(() => endpoint.received.length >= n, { what: `${n} calls` });
const put = (topic, name, json) => topic.request('PUT', `/subscriptions/${name}`, { json });
const ownQueue = async (topic, name) =>
  (await topic.request('GET', `/subscriptions/${name}/queue`)).json;
/** How long nothing has to come for it to be believed that nothing does. */
const QUIET_MS = 300;
const quiet = () => new Promise((resolve) => setTimeout(resolve, QUIET_MS));

/** Waits for calls that had begun: they may arrive up to a quarter of a second later. */
async function begunCalls(endpoint) {
  await quiet();
  await until(() => endpoint.open === 0);
}

test('each message is a signed call, in order, with its place in the topic', async () => {
  const endpoint = await receiver();
  const topic = new Topic(tide, tide.name('orders/eu'));
  const target = {
    url: endpoint.url, secret: SECRET, headers: { authorization: 'Bearer t' }, concurrency: 1,
  };
  const made = await topic.subscribe('hook', { target, delivery: { order: 'fifo' } });
  assert.deepEqual(made.target, {
    url: endpoint.url, format: 'cloudevents', mode: 'binary', headers: { authorization: '***' },
    batch_size: 1, batch_wait_ms: 0, concurrency: 1, rate_per_second: null, timeout_ms: 10_000,
    secret: '***', disable_after_ms: 432_000_000, events_queue: null,
  });
  await topic.publishMany(3);
  await got(endpoint, 3);
  assert.deepEqual(bodiesOf(endpoint), ['1', '2', '3']);
  for (const { headers, body } of endpoint.received) {
    assert.deepEqual(new Webhook(SECRET).verify(body, headers), JSON.parse(body));
    assert.equal(headers.authorization, 'Bearer t');
    assert.equal(headers['tidegate-attr-tidegate-topic'], topic.name);
    assert.equal(headers['tidegate-attr-tidegate-topic-seq'], body);
    const name = encodeURIComponent(encodeURIComponent(topic.name));
    assert.equal(headers['ce-source'], `/v1/topics/${name}/subscriptions/hook`);
  }
  const shown = await topic.subscription('hook');
  assert.deepEqual([shown.lag, shown.endpoint.state, shown.delivered_total], [0, 'active', 3]);
  const { json: all } = await topic.request('GET', '/subscriptions');
  assert.deepEqual(all.subscriptions.map((it) => it.target), [made.target]);
  assert.ok(!JSON.stringify([shown, all]).includes('MfKQ9r8'));
  const { json: listed } = await tide.request('GET', '/v1/queues');
  assert.ok(!listed.queues.some((it) => it.name.includes('~')), 'its queue shows');
});

test('what a target says wrong is named, and nothing is made of it', async () => {
  const topic = new Topic(tide);
  await topic.configure();
  const url = 'https://example.com/hook';
  for (const [target, field] of [
    [{}, 'target.url'], [{ url: null }, 'target.url'], [{ url: 5 }, 'target.url'],
    [{ url: 'ftp://example.com/' }, 'target.url'], [{ url, colour: 1 }, 'target.colour'],
    [{ url, format: 'xml' }, 'target.format'], [{ url, mode: 'odd' }, 'target.mode'],
    [{ url, headers: { host: 'x' } }, 'target.headers.host'],
    [{ url, batch_size: 0 }, 'target.batch_size'],
    [{ url, batch_wait_ms: -1 }, 'target.batch_wait_ms'],
    [{ url, concurrency: 0 }, 'target.concurrency'],
    [{ url, rate_per_second: 0 }, 'target.rate_per_second'],
    [{ url, timeout_ms: 1 }, 'target.timeout_ms'], [{ url, secret: 'x' }, 'target.secret'],
    [{ url, disable_after_ms: -1 }, 'target.disable_after_ms'],
    [{ url, events_queue: 'a b' }, 'target.events_queue'],
    [{ url, format: 'raw', batch_size: 2 }, 'target.batch_size'],
    [{ url, queue: 'q' }, 'target.url'], [{ worker: 'NONE' }, 'target.worker'],
    [{ cloudflare_queue: 'NONE' }, 'target.cloudflare_queue'], ['x', 'target'],
  ]) {
    const text = JSON.stringify(target);
    const answer = await put(topic, 's', { target });
    assertProblem(answer, { status: 400, type: 'bad-request', field }, text);
    assert.equal((await topic.request('GET', '/subscriptions/s')).status, 404, text);
  }
});

test('a refused change changes nothing, and what is hidden may be sent back', async () => {
  const endpoint = await receiver();
  const topic = new Topic(tide);
  await topic.subscribe('s', { target: { url: endpoint.url, secret: SECRET } });
  const before = await topic.subscription('s');
  assertProblem(await put(topic, 's', { paused: true, target: { batch_size: 0 } }), {
    status: 400, type: 'bad-request', field: 'target.batch_size',
  });
  assertProblem(await put(topic, 's', { target: { queue: 'q' } }), {
    status: 400, type: 'bad-request', field: 'target',
  });
  assert.deepEqual(await topic.subscription('s'), before);
  const changed = await topic.subscribe('s', { target: { ...before.target, timeout_ms: 5_000 } });
  assert.deepEqual(changed.target, { ...before.target, timeout_ms: 5_000 });
  await topic.publish('{}');
  await got(endpoint, 1);
  const [{ headers, body }] = endpoint.received;
  assert.deepEqual(new Webhook(SECRET).verify(body, headers), {});
});

test('the filter decides what is called with', async () => {
  const endpoint = await receiver();
  const topic = new Topic(tide);
  const filter = { attributes: { region: ['eu'] } };
  await topic.subscribe('s', { filter, target: { url: endpoint.url } });
  for (const region of ['us', 'eu']) await topic.publish(region, { 'tidegate-attr-region': region });
  await got(endpoint, 1);
  assert.deepEqual(bodiesOf(endpoint), ['eu']);
});

test('a failure is tried again, and dead after its attempts; the log has them', async () => {
  const endpoint = await receiver(() => ({ status: 500, body: 'out of order' }));
  const topic = new Topic(tide);
  const dead = await tide.queue({});
  await topic.subscribe('s', {
    target: { url: endpoint.url },
    delivery: { max_attempts: 3, dead_letter_queue: dead.name },
  });
  await topic.publish('x');
  await got(endpoint, 3);
  const letter = await dead.take({ wait_ms: 5_000 });
  assert.equal(letter.body, 'x');
  assert.equal(letter.attributes['tidegate-topic'], topic.name);
  const id = endpoint.received[0].headers['tidegate-id'];
  const { json } = await topic.request('GET', `/subscriptions/s/messages/${id}/attempts`);
  assert.deepEqual(json.attempts.map((it) => [it.status, it.answer]), [
    [500, 'out of order'], [500, 'out of order'], [500, 'out of order'],
  ]);
});

test('410 disables the endpoint, and it is called again once that is asked for', async () => {
  const endpoint = await receiver(() => ({ status: 410 }));
  const topic = new Topic(tide);
  await topic.subscribe('s', { target: { url: endpoint.url } });
  await topic.publish('x');
  await until(async () => (await topic.subscription('s')).endpoint.state === 'disabled');
  assert.equal((await topic.subscription('s')).endpoint.reason, 'gone');
  endpoint.answer = () => ({});
  const calls = endpoint.received.length;
  const enabled = await topic.request('POST', '/subscriptions/s/push/enable');
  assert.equal(enabled.status, 204, String(enabled));
  await got(endpoint, calls + 1);
  assert.equal((await topic.subscription('s')).endpoint.state, 'active');
});

test('one that is paused calls nothing, and loses nothing', async () => {
  const endpoint = await receiver(() => ({ status: 500 }));
  const topic = new Topic(tide);
  await topic.subscribe('s', {
    target: { url: endpoint.url }, delivery: { max_attempts: 50, backoff: { initial_ms: 20 } },
  });
  await topic.publish('before');
  await got(endpoint, 1);
  const paused = await topic.subscribe('s', { paused: true });
  assert.deepEqual([paused.paused, paused.target.url], [true, endpoint.url]);
  await begunCalls(endpoint);
  const calls = endpoint.received.length;
  await topic.publish('meanwhile');
  await quiet();
  assert.equal(endpoint.received.length, calls);
  endpoint.answer = () => ({});
  await topic.subscribe('s', { paused: false });
  await got(endpoint, calls + 2);
  assert.deepEqual(bodiesOf(endpoint).slice(calls).sort(), ['before', 'meanwhile']);
});

test('one that calls no longer is pulled: what was not delivered is there', async () => {
  const endpoint = await receiver(() => ({ status: 503, headers: { 'retry-after': '1' } }));
  const topic = new Topic(tide);
  await topic.subscribe('s', { target: { url: endpoint.url } });
  await topic.publish('x');
  await got(endpoint, 1);
  await until(() => endpoint.open === 0);
  const changed = await topic.subscribe('s', { target: null });
  assert.equal(changed.target, null);
  const calls = endpoint.received.length;
  const [message] = await topic.pull('s', 1);
  assert.equal(message.body, 'x');
  await topic.publish('y');
  assert.equal((await topic.pull('s', 1))[0].body, 'y');
  assert.equal(endpoint.received.length, calls);
  endpoint.answer = () => ({});
  await topic.subscribe('s', { target: { url: endpoint.url } });
  await topic.publish('z');
  await until(() => bodiesOf(endpoint).includes('z'));
});

test('a seek calls again with what was delivered before', async () => {
  const endpoint = await receiver();
  const topic = new Topic(tide);
  await topic.subscribe('s', { target: { url: endpoint.url, concurrency: 1 } });
  await topic.publishMany(3);
  await got(endpoint, 3);
  const sought = await topic.request('POST', '/subscriptions/s/seek', { json: { seq: 2 } });
  assert.equal(sought.status, 204, String(sought));
  await got(endpoint, 5);
  assert.deepEqual(bodiesOf(endpoint).slice(3).sort(), ['2', '3']);
});

for (const what of ['the subscription', 'the topic']) {
  test(`nothing is called once the deletion of ${what} was answered`, async () => {
    const endpoint = await receiver(() => ({ status: 500 }));
    const topic = new Topic(tide);
    const delivery = { max_attempts: 100, backoff: { initial_ms: 50, max_ms: 50 } };
    await topic.subscribe('s', { target: { url: endpoint.url }, delivery });
    await topic.publishMany(5);
    await got(endpoint, 5);
    const rest = what === 'the topic' ? '' : '/subscriptions/s';
    const gone = await topic.request('DELETE', rest);
    assert.equal(gone.status, 204, String(gone));
    await begunCalls(endpoint);
    const calls = endpoint.received.length;
    await quiet();
    assert.equal(endpoint.received.length, calls);
    assert.equal((await topic.request('GET', '/subscriptions/s/queue')).status, 404);
    assert.equal((await topic.request('GET', '/subscriptions/s')).status, 404);
  });
}

test('a pattern’s subscription calls with what its topics get', async () => {
  const endpoint = await receiver();
  const stem = tide.name('p');
  const pattern = new Topic(tide, `${stem}/#`);
  const made = await pattern.subscribe('s', { target: { url: endpoint.url, secret: SECRET } });
  assert.deepEqual([made.target.url, made.target.secret], [endpoint.url, '***']);
  for (const name of ['a', 'b']) await new Topic(tide, `${stem}/${name}`).publish(name);
  await got(endpoint, 2);
  assert.deepEqual(bodiesOf(endpoint).sort(), ['a', 'b']);
  const shown = await pattern.subscription('s');
  assert.deepEqual([shown.target.url, shown.endpoint.state], [endpoint.url, 'active']);
  assert.equal((await ownQueue(pattern, 's')).endpoint.state, 'active');
  const wrong = await put(pattern, 's', { target: { timeout_ms: 1 } });
  assertProblem(wrong, { status: 400, type: 'bad-request', field: 'target.timeout_ms' });
  const changed = await pattern.subscribe('s', { target: null });
  assert.equal(changed.target, null);
  await new Topic(tide, `${stem}/a`).publish('pulled');
  assert.equal((await pattern.pull('s', 1))[0].body, 'pulled');
  assert.equal(endpoint.received.length, 2);
  await pattern.subscribe('s', { target: { url: endpoint.url } });
  const gone = await pattern.request('DELETE', '/subscriptions/s');
  assert.equal(gone.status, 204, String(gone));
  await new Topic(tide, `${stem}/a`).publish('nobody');
  await quiet();
  assert.ok(!bodiesOf(endpoint).includes('nobody'));
});

test('a kill at any moment loses no call, and no subscription', async () => {
  const endpoint = await receiver((_, n) => ({ status: n % 3 === 0 ? 500 : 204 }));
  const delivery = { max_attempts: 100, backoff: { initial_ms: 20, max_ms: 50 } };
  const subscription = { target: { url: endpoint.url, timeout_ms: 500 }, delivery };
  const topic = new Topic(tide);
  for (let n = 0; n < 30; n += 1) await topic.publish(`a${n}`);
  // Killed while its queue is made: it is there all the same, or was never answered.
  const made = put(topic, 's', { ...subscription, from: 'earliest' }).catch(() => null);
  await Promise.race([made, new Promise((resolve) => setTimeout(resolve, 15))]);
  await tide.crash();
  await made;
  await topic.subscribe('s', { ...subscription, from: 'earliest' });
  // Calls that were under way keep their places until their time is over.
  await until(() => endpoint.received.length > 5, { what: 'six calls', withinMs: 30_000 });
  for (let n = 0; n < 10; n += 1) await topic.publish(`b${n}`);
  await tide.crash();
  const wanted = [
    ...Array.from({ length: 30 }, (_, n) => `a${n}`), ...Array.from({ length: 10 }, (_, n) => `b${n}`),
  ];
  const done = () => new Set(bodiesOf(endpoint));
  // Whoever looks wakes the topic, which would do by itself within half a minute.
  await topic.subscription('s');
  await until(() => wanted.every((body) => done().has(body)), { what: 'all messages', withinMs: 30_000 });
  await until(async () => (await ownQueue(topic, 's')).depth === 0, { withinMs: 30_000 });
});
