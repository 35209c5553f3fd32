// CloudEvents 1.0 over HTTP: the binary, structured and batched content modes say the same thing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, assertProblemBody, useServer } from './support.mjs';

const tide = useServer();

const EVENT = {
  specversion: '1.0', id: 'e-1', source: '/shop/eu', type: 'com.example.order.created',
  subject: 'order-17', time: '2026-01-02T03:04:05Z', datacontenttype: 'application/json',
};
const BINARY = {
  'ce-specversion': '1.0', 'ce-id': 'e-1', 'ce-source': '/shop/eu',
  'ce-type': 'com.example.order.created', 'ce-subject': 'order-17',
  'ce-time': '2026-01-02T03:04:05Z',
  'content-type': 'application/json',
};
const STRUCTURED = { 'content-type': 'application/cloudevents+json' };
const BATCHED = { 'content-type': 'application/cloudevents-batch+json' };

const postStructured = (queue, event) =>
  queue.postMessage(typeof event === 'string' ? event : JSON.stringify(event), STRUCTURED);

const postBatched = (queue, events) =>
  queue.request('POST', '/messages/batch', { headers: BATCHED, body: JSON.stringify(events) });

/** What a consumer sees of an event, without what differs from delivery to delivery. */
async function delivered(queue) {
  const { body, encoding, content_type: type, attributes } = await queue.take();
  return { data: Buffer.from(body, encoding), type, attributes };
}

/** The value of a context attribute, under whatever prefix it is kept. */
const attribute = (message, name) =>
  Object.entries(message.attributes).find(([key]) => new RegExp(`(^|\\W)${name}$`).test(key))?.[1];

test('a binary event keeps its data as it is and its context as attributes', async () => {
  const queue = await tide.queue();
  await queue.publish('{"total": 5}', BINARY);
  const message = await delivered(queue);
  assert.equal(message.data.toString(), '{"total": 5}');
  assert.equal(message.type, 'application/json');
  for (const name of ['id', 'source', 'type', 'subject', 'time', 'specversion']) {
    assert.equal(attribute(message, name), EVENT[name], name);
  }
});

test('a structured event is delivered as the same event in binary mode is', async () => {
  const queue = await tide.queue();
  await queue.publish('{"total":5}', BINARY);
  const binary = await delivered(queue);
  assert.equal((await postStructured(queue, { ...EVENT, data: { total: 5 } })).status, 202);
  const structured = await delivered(queue);
  assert.deepEqual(JSON.parse(structured.data), JSON.parse(binary.data));
  assert.deepEqual(structured.attributes, binary.attributes);
  assert.equal(structured.type, binary.type);
});

test('a batch of events is delivered as the same events one by one are', async () => {
  const queue = await tide.queue();
  await queue.publish('{"total":5}', BINARY);
  const binary = await delivered(queue);
  const events = [{ ...EVENT, data: { total: 5 } }, { ...EVENT, id: 'e-2', data: 'two' }];
  const answer = await postBatched(queue, events);
  assert.equal(answer.status, 200, String(answer));
  assert.equal(answer.json.accepted, 2);
  const [one, two] = [await delivered(queue), await delivered(queue)];
  assert.deepEqual(one.attributes, binary.attributes);
  assert.equal(attribute(two, 'id'), 'e-2');
});

test('data in base64 is delivered as the bytes it stands for', async () => {
  const queue = await tide.queue();
  const bytes = Buffer.from([0, 255, 1, 254, 10, 13]);
  const { datacontenttype: _, ...event } = EVENT;
  const answer = await postStructured(queue, {
    ...event, datacontenttype: 'image/png', data_base64: bytes.toString('base64'),
  });
  assert.equal(answer.status, 202, String(answer));
  const message = await delivered(queue);
  assert.ok(message.data.equals(bytes));
  assert.equal(message.type, 'image/png');
});

test('text data is delivered as the text, not as JSON', async () => {
  const queue = await tide.queue();
  const event = { ...EVENT, datacontenttype: 'text/plain', data: 'plain "text"' };
  assert.equal((await postStructured(queue, event)).status, 202);
  assert.equal((await delivered(queue)).data.toString(), 'plain "text"');
});

test('an event without data has an empty body', async () => {
  const queue = await tide.queue();
  const { datacontenttype: _, ...event } = EVENT;
  assert.equal((await postStructured(queue, event)).status, 202);
  assert.equal((await delivered(queue)).data.length, 0);
});

test('extension attributes are kept', async () => {
  const queue = await tide.queue();
  await queue.publish('1', { ...BINARY, 'ce-region': 'eu' });
  assert.equal(attribute(await delivered(queue), 'region'), 'eu');
  assert.equal((await postStructured(queue, { ...EVENT, region: 'us', data: 1 })).status, 202);
  assert.equal(attribute(await delivered(queue), 'region'), 'us');
});

test('the headers of a publish go with an event too', async () => {
  const queue = await tide.queue();
  await queue.publish('1', { ...BINARY, 'tidegate-key': 'k', 'tidegate-priority': '8' });
  const message = await queue.take();
  assert.deepEqual([message.key, message.priority], ['k', 8]);
});

for (const name of ['id', 'source', 'type']) {
  test(`an event without ${name} is refused in every mode`, async () => {
    const queue = await tide.queue({});
    const { [name]: _, ...event } = EVENT;
    const { [`ce-${name}`]: __, ...headers } = BINARY;
    const expected = { status: 400, type: 'bad-request', field: [name, `ce-${name}`] };
    assertProblem(await postStructured(queue, { ...event, data: 1 }), expected);
    assertProblem(await queue.postMessage('1', headers), expected);
    const batched = await postBatched(queue, [event]);
    if (batched.status === 200) assertProblemBody(batched.json.messages[0].error, expected);
    else assertProblem(batched, expected);
    assert.equal((await queue.figures()).accepted_total, 0);
  });
}

for (const [fault, body] of [
  ['is not JSON', '{"specversion":"1.0"'],
  ['is not an object', '[1]'],
  ['is of another version', JSON.stringify({ ...EVENT, specversion: '0.3' })],
  ['has its data twice', JSON.stringify({ ...EVENT, data: 1, data_base64: 'AA==' })],
  ['has data that is not base64', JSON.stringify({ ...EVENT, data_base64: '!!!' })],
  ['has a number for a type', JSON.stringify({ ...EVENT, type: 7 })],
]) {
  test(`a structured event that ${fault} is refused`, async () => {
    const queue = await tide.queue({});
    assertProblem(await postStructured(queue, body), { status: 400, type: 'bad-request' });
    assert.equal((await queue.figures()).accepted_total, 0);
  });
}

test('a batch of events that is not an array is refused', async () => {
  const queue = await tide.queue({});
  assertProblem(await postBatched(queue, EVENT), { status: 400, type: 'bad-request' });
});
