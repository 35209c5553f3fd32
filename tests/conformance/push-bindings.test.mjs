// Push to what is bound to the deployment: a Worker, called as an endpoint is, and a Cloudflare
// Queue, which is handed batches. Both are at addresses, as `npm start` binds them; the queue speaks
// what workerd's own binding of a queue does.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { Receiver } from './receiver.mjs';
import { assertProblem, Tide, until } from './support.mjs';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const JSON_TYPE = { 'content-type': 'application/json' };
const OK = { status: 200, headers: JSON_TYPE, body: '{}' };
/** What a queue answers, which workerd's binding reads. */
const METRICS = { backlogCount: 1, backlogBytes: 1, oldestMessageTimestamp: 0 };
const TAKEN = { ...OK, body: JSON.stringify({ metadata: { metrics: METRICS } }) };
const worker = new Receiver();
const cloud = new Receiver();
const tide = new Tide();

before(async () => {
  await worker.start();
  await cloud.start();
  await tide.start({
    // A binding leads where its operator says, whatever addresses are allowed.
    ALLOW_PRIVATE_TARGETS: 'false',
    PUSH_WORKERS: `BILLING=127.0.0.1:${worker.port}`,
    PUSH_QUEUES: `ORDERS=127.0.0.1:${cloud.port}`,
  });
});
after(async () => {
  await tide.stop();
  await worker.stop();
  await cloud.stop();
});
beforeEach(() => {
  for (const receiver of [worker, cloud]) receiver.received.length = 0;
  worker.answer = () => ({});
  cloud.answer = () => TAKEN;
});

const state = async (queue, id) => (await queue.request('GET', `/messages/${id}`)).json;
const isDone = (queue, id) => until(async () => (await state(queue, id)).state === 'done');

/** What the queue was sent: its batches, each a list of what the messages hold. */
function batches() {
  return cloud.received.map(({ body }) => JSON.parse(body).messages.map((it) => {
    const bytes = Buffer.from(it.body, 'base64');
    if (it.contentType === 'bytes') return [it.contentType, bytes.toString('hex')];
    const text = bytes.toString();
    return [it.contentType, it.contentType === 'json' ? JSON.parse(text) : text];
  }));
}

test('a Worker is called as an endpoint is, signed, and its answer is the result', async () => {
  worker.answer = () => ({ ...OK, body: '{"result":{"paid":true}}' });
  const push = { worker: 'BILLING', secret: SECRET, headers: { authorization: 'Bearer t' } };
  const queue = await tide.queue({ push });
  const { id } = await queue.publish('hello', { 'content-type': 'text/plain' });
  await isDone(queue, id);
  assert.deepEqual((await state(queue, id)).result, { paid: true });
  const [{ headers, body }] = worker.received;
  assert.equal(body, 'hello');
  const names = ['content-type', 'authorization', 'ce-id', 'tidegate-id', 'tidegate-queue'];
  const expected = ['text/plain', 'Bearer t', id, id, queue.name];
  assert.deepEqual(names.map((name) => headers[name]), expected);
  const content = `${id}.${headers['webhook-timestamp']}.hello`;
  const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(content).digest('base64');
  assert.equal(headers['webhook-signature'], `v1,${signature}`);
  const shown = (await queue.request('GET', '')).json.push;
  assert.deepEqual([shown.worker, shown.url, shown.secret], ['BILLING', undefined, '***']);
});

test('a Worker that fails is called again, and is disabled when it says 410', async () => {
  worker.answer = (_, number) => ({ status: number === 1 ? 500 : 204 });
  const queue = await tide.queue({ push: { worker: 'BILLING' } });
  const { id } = await queue.publish('x');
  await isDone(queue, id);
  assert.deepEqual(worker.received.map((it) => it.headers['tidegate-attempt']), ['1', '2']);
  worker.answer = () => ({ status: 410 });
  await queue.publish('y');
  await until(async () => (await queue.figures()).endpoint.state === 'disabled');
});

test('a queue that is named gets an event when what is called is disabled', async () => {
  worker.answer = () => ({ status: 410 });
  const events = await tide.queue({});
  const queue = await tide.queue({ push: { worker: 'BILLING', events_queue: events.name } });
  await queue.publish('x');
  const { messages: [event] } = await events.pull({ wait_ms: 5_000 });
  assert.equal(event.attributes['ce-type'], 'tidegate.endpoint.disabled');
  const { queue: name, reason, worker: called, error } = JSON.parse(event.body);
  assert.deepEqual([name, reason, called, error], [queue.name, 'gone', 'BILLING', 'status 410']);
  await until(async () => (await queue.figures()).dead === 0);
  for (const name of [queue.name, 'a//b', 7]) {
    const answer = await queue.request('PUT', '', { json: { push: { events_queue: name } } });
    assertProblem(answer, { status: 400, type: 'bad-request', field: 'push.events_queue' });
  }
});

test('an event alone is structured where that is asked for', async () => {
  const queue = await tide.queue({ push: { worker: 'BILLING', mode: 'structured' } });
  const { id } = await queue.publish('{"n":1}', {
    'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-id': 'e1',
    'ce-source': '/shop', 'ce-type': 'order', 'ce-time': '2026-01-02T03:04:05Z',
  });
  await isDone(queue, id);
  const [{ headers, body }] = worker.received;
  assert.equal(headers['content-type'], 'application/cloudevents+json');
  assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith('ce-')), []);
  const event = JSON.parse(body);
  const { specversion, id: own, source, type, time, data, datacontenttype } = event;
  assert.deepEqual(
    { specversion, own, source, type, time, data, datacontenttype },
    {
      specversion: '1.0', own: 'e1', source: '/shop', type: 'order',
      time: '2026-01-02T03:04:05Z', data: { n: 1 }, datacontenttype: 'application/json',
    },
  );
  // Names of attributes of CloudEvents 1.0 are lower-case letters and digits.
  for (const name of Object.keys(event)) assert.match(name, /^[a-z0-9]+$/);
  // What is sent can be published, and is the same event then.
  const back = await tide.queue({});
  await back.publish(body, { 'content-type': headers['content-type'] });
  const [again] = (await back.pull()).messages;
  assert.deepEqual([again.body, again.content_type], ['{"n":1}', 'application/json']);
  assert.equal(again.attributes['ce-id'], 'e1');
});

test('a Cloudflare Queue is handed what is there in batches, in the form each has', async () => {
  const queue = await tide.queue({});
  const ids = [];
  for (const [body, type] of [
    ['grüße', 'text/plain'], ['{"n":[1,null]}', 'application/json'], ['\u0000', 'image/png'],
  ]) ids.push((await queue.publish(body, { 'content-type': type })).id);
  await queue.configure({ push: { cloudflare_queue: 'ORDERS', format: 'raw' } });
  for (const id of ids) await isDone(queue, id);
  assert.deepEqual(batches(), [[['text', 'grüße'], ['json', { n: [1, null] }], ['bytes', '00']]]);
});

test('a Cloudflare Queue is handed events, and gets them again when it fails', async () => {
  cloud.answer = (_, number) => (number === 1 ? { status: 500 } : TAKEN);
  const queue = await tide.queue({ push: { cloudflare_queue: 'ORDERS' } });
  const { id } = await queue.publish('hi', { 'content-type': 'text/plain' });
  await isDone(queue, id);
  assert.equal(cloud.received.length, 2);
  const [[[form, event]]] = batches().slice(1);
  assert.deepEqual([form, event.id, event.data], ['json', id, 'hi']);
  assert.deepEqual([event.specversion, event.tidegateattempt], ['1.0', 2]);
});

test('what a Cloudflare Queue does not take of a call comes again, and no more', async () => {
  cloud.answer = (_, number) => (number === 2 ? { status: 500 } : TAKEN);
  const queue = await tide.queue({});
  const ids = [];
  for (let n = 0; n < 5; n += 1) {
    const body = `${n}${'x'.repeat(100_000)}`;
    ids.push((await queue.publish(body, { 'content-type': 'text/plain' })).id);
  }
  await queue.configure({ push: { cloudflare_queue: 'ORDERS', format: 'raw', concurrency: 1 } });
  for (const id of ids) await isDone(queue, id);
  const seen = batches().map((batch) => batch.map(([, text]) => text[0]).join(''));
  assert.deepEqual(seen, ['01', '23', '23', '4']);
});

test('a Cloudflare Queue that does not answer in time has failed, and gets it again', async () => {
  cloud.answer = (_, number) => (number === 1 ? null : TAKEN);
  const push = { cloudflare_queue: 'ORDERS', format: 'raw', timeout_ms: 200 };
  const queue = await tide.queue({ push });
  const { id } = await queue.publish('x', { 'content-type': 'text/plain' });
  await isDone(queue, id);
  const { attempts } = (await queue.request('GET', `/messages/${id}/attempts`)).json;
  assert.deepEqual(attempts.map(({ status, error }) => [status, error]), [
    [null, 'timeout'], [200, null],
  ]);
});

test('a message that no Cloudflare Queue takes is a dead letter that says so', async () => {
  const dead = tide.name('dead');
  const delivery = { dead_letter_queue: dead };
  const queue = await tide.queue({ delivery, push: { cloudflare_queue: 'ORDERS', format: 'raw' } });
  const large = await queue.publish('x'.repeat(130_000), { 'content-type': 'text/plain' });
  const small = await queue.publish('y', { 'content-type': 'text/plain' });
  await isDone(queue, small.id);
  assert.deepEqual(batches(), [[['text', 'y']]]);
  const letters = await tide.queue(undefined, dead);
  const { messages: [letter] } = await letters.pull({ wait_ms: 5_000 });
  assert.equal(letter.attributes['tidegate-dead-reason'], 'too_large');
  assert.equal(letter.attributes['tidegate-dead-id'], large.id);
});

test('what the deployment does not offer is refused by name', async () => {
  const queue = await tide.queue({ push: { worker: 'BILLING' } });
  for (const push of [
    { worker: 'NOBODY' }, { worker: 'ORDERS' }, { worker: 'OUTBOUND' }, { worker: 'QUEUE' },
    { cloudflare_queue: 'BILLING' }, { cloudflare_queue: 'NOBODY' },
    { worker: 'a b' }, { worker: 7 }, { worker: 'BILLING', url: 'https://example.com/' },
  ]) {
    const [name] = Object.keys(push);
    const answer = await queue.request('PUT', '', { json: { push } });
    const expected = { status: 400, type: 'bad-request', field: `push.${name}` };
    assertProblem(answer, expected);
  }
  assert.equal((await queue.request('GET', '')).json.push.worker, 'BILLING');
});
