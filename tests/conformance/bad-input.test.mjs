// Malformed requests: each gets its problem document, which names the field, and changes nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, useServer } from './support.mjs';

let queue;

const tide = useServer({}, async () => {
  queue = await tide.queue({});
  await queue.publishMany(2);
  await queue.publish('held', { 'tidegate-hold-ms': '600000' });
  await queue.publish('later', { 'tidegate-delay-ms': '600000' });
  await queue.take({ visibility_timeout_ms: 600_000 });
});

const JSON_TYPE = { 'content-type': 'application/json' };
const NAME = ['queue', 'name'];
const LONG = 'x'.repeat(10_000);
const NUMBERS = ['-1', 'soon', '1.5', '1e3', '99999999999999999999', '0x10'];

/** A row: the faulty request and what is said to it. `rest` is below the queue's path. */
const row = (name, method, rest, expected, sent = {}) =>
  ({ name, method, rest, ...expected, ...sent });

const bad = (field) => ({ status: 400, type: 'bad-request', field });

const header = (name, value) =>
  row(`${name} of ${JSON.stringify(value).slice(0, 40)}`, 'POST', '/messages', bad(name), {
    headers: { [name]: value }, body: 'x',
  });

const json = (call, value, field) => {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  const name = `${call} of ${body.slice(0, 60)}`;
  return row(name, 'POST', `/messages/${call}`, bad(field), { headers: JSON_TYPE, body });
};

const config = (value, field) => {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  const sent = { headers: JSON_TYPE, body };
  return row(`configuration ${body.slice(0, 60)}`, 'PUT', '', bad(field), sent);
};

const query = (rest, field) => row(`query ${rest}`, 'GET', rest, bad(field));

const named = (name) => ['PUT', 'GET', 'DELETE'].map((method) => ({
  ...row(`${method} of the name ${name.slice(0, 40)}`, method, '', bad(NAME)),
  path: `/v1/queues/${name}`,
  ...(method === 'PUT' ? { headers: JSON_TYPE, body: '{}' } : {}),
}));

const publishTo = (name) => ({
  ...row(`publish to the name ${name.slice(0, 40)}`, 'POST', '', bad(NAME), { body: 'x' }),
  path: `/v1/queues/${name}/messages`,
});

const structured = (event, field) => row(
  `an event ${JSON.stringify(event).slice(0, 50)}`, 'POST', '/messages', bad(field),
  { headers: { 'content-type': 'application/cloudevents+json' }, body: JSON.stringify(event) },
);

const EVENT = { specversion: '1.0', id: '1', source: '/s', type: 't' };

const ROWS = [
  ...NUMBERS.map((value) => header('tidegate-delay-ms', value)),
  ...NUMBERS.map((value) => header('tidegate-ttl-ms', value)),
  ...NUMBERS.map((value) => header('tidegate-hold-ms', value)),
  ...['10', '-1', '4.5', 'high', '99'].map((value) => header('tidegate-priority', value)),
  header('tidegate-key', LONG),
  header('idempotency-key', LONG),
  header('idempotency-key', '""'),
  row('publish with more attributes than there is room for', 'POST', '/messages', {
    status: 400, type: 'bad-request',
  }, {
    headers: Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`tidegate-attr-${n}`, 'v'])),
    body: 'x',
  }),
  row('publish with an attribute larger than there is room for', 'POST', '/messages', {
    status: 400, type: 'bad-request',
  }, { headers: { 'tidegate-attr-a': 'v'.repeat(40_000) }, body: 'x' }),

  ...[
    'a%20b', '%2Fa', 'a%2F', 'a%2F%2Fb', '%C3%BC', 'a%00', 'a%zz', 'a*b', 'a%23b',
    LONG.slice(0, 129),
  ].flatMap((name) => [...named(name), publishTo(name)]),

  ...['nonsense', '0'.repeat(25), '0'.repeat(27), `8${'0'.repeat(25)}`, `${'0'.repeat(25)}U`]
    .flatMap((id) => [
      row(`the state of ${id}`, 'GET', `/messages/${id}`, bad('id')),
      row(`cancelling ${id}`, 'DELETE', `/messages/${id}`, bad('id')),
      row(`confirming ${id}`, 'POST', `/messages/${id}/confirm`, bad('id')),
    ]),

  ...['0', '-1', 'x', '1.5'].map((value) => query(`/messages?limit=${value}`, 'limit')),
  ...['-1', 'x', '1.5'].map((value) => query(`/messages?after_seq=${value}`, 'after_seq')),
  ...['0', '-1', 'x'].map((value) => (
    { ...query(`/v1/queues?limit=${value}`, 'limit'), path: `/v1/queues?limit=${value}` }
  )),

  json('batch', '{"messages":', ['body', 'messages']),
  json('batch', '[]', ['body', 'messages']),
  json('batch', {}, 'messages'),
  json('batch', { messages: {} }, 'messages'),
  json('batch', { messages: [] }, 'messages'),
  json('batch', '', ['body', 'messages']),
  row('batch in a content type that is none', 'POST', '/messages/batch', {
    status: 415, type: 'unsupported-media',
  }, { headers: { 'content-type': 'text/plain' }, body: 'x' }),

  json('pull', '{', 'body'),
  json('pull', '[]', 'body'),
  json('pull', '['.repeat(100_000), 'body'),
  ...[0, 1_001, -1, 1.5, '10', true].map((n) => json('pull', { batch_size: n }, 'batch_size')),
  ...[0, 99, -1, 1.5, '1000', []].map((n) => (
    json('pull', { visibility_timeout_ms: n }, 'visibility_timeout_ms')
  )),
  ...[-1, 30_001, 1.5, '10', {}].map((n) => json('pull', { wait_ms: n }, 'wait_ms')),

  json('ack', '{', 'body'),
  json('ack', '[]', 'body'),
  json('ack', { acks: {} }, 'acks'),
  json('ack', { retries: 'x' }, 'retries'),
  json('ack', { extends: 7 }, 'extends'),

  config('{', 'body'),
  config('[]', 'body'),
  config('"x"', 'body'),
  config('{"retention_ms":1e400}', ['retention_ms', 'body']),
  config({ nope: 1 }, 'nope'),
  config({ capacity: { nope: 1 } }, 'capacity.nope'),
  config({ delivery: { backoff: { nope: 1 } } }, 'delivery.backoff.nope'),
  config({ max_message_bytes: 0 }, 'max_message_bytes'),
  config({ delivery: { visibility_timeout_ms: 1 } }, 'delivery.visibility_timeout_ms'),

  structured([], 'body'),
  structured({ ...EVENT, id: undefined }, ['id', 'ce-id']),
  structured({ ...EVENT, source: '' }, ['source', 'ce-source']),
  structured({ ...EVENT, type: 7 }, ['type', 'ce-type']),
  structured({ ...EVENT, specversion: '2.0' }, ['specversion', 'ce-specversion']),
];

async function everything() {
  const { queues } = (await tide.request('GET', '/v1/queues')).json;
  return { names: queues.map((q) => q.name), figures: await queue.snapshot() };
}

test('there are enough rows to mean something', () => {
  assert.ok(ROWS.length >= 60, `${ROWS.length}`);
});

for (const { name, method, rest, path, headers, body, ...expected } of ROWS) {
  test(name, async () => {
    const earlier = await everything();
    const answer = await tide.request(method, path ?? queue.path + rest, { headers, body });
    assertProblem(answer, expected);
    assert.deepEqual(await everything(), earlier);
  });
}

test('a request that a client breaks off leaves nothing behind', async () => {
  const earlier = await everything();
  const broken = new AbortController();
  const post = queue.request('POST', '/messages', {
    headers: { 'content-length': '1000' }, body: ['only a part'], signal: broken.signal,
  });
  await everything();
  broken.abort();
  await assert.rejects(post);
  assert.deepEqual(await everything(), earlier);
});
