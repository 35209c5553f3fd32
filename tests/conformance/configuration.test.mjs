// The configuration of a queue: its defaults, partial changes, and the values each field takes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIGURATION, FIGURES, assertProblem, useServer } from './support.mjs';

const tide = useServer();

const DEFAULTS = {
  capacity: {
    max_messages: 100_000, max_bytes: 1_073_741_824, max_accepted: null, overflow: 'reject',
    redirect_url: null, retry_after_ms: 1_000, max_per_key: null, opens_at_ms: null,
    closes_at_ms: null, publish_rate: null, ticket_ttl_ms: null, admission: 'fifo',
    draw_at_ms: null, max_waiting: 100_000,
  },
  delivery: {
    visibility_timeout_ms: 30_000, max_attempts: 5,
    backoff: { initial_ms: 0, max_ms: 900_000, multiplier: 2 },
    dead_letter_queue: null, callback_queue: null, failure_callback_queue: null,
    order: 'best_effort',
  },
  retention_ms: 345_600_000,
  result_retention_ms: 600_000,
  dedup_window_ms: 300_000,
  max_message_bytes: 262_144,
  cors_origins: [],
  push: null,
};

/** `{ 'a.b': 1 }` as `{ a: { b: 1 } }`. */
function nested(path, value) {
  return path.split('.').reduceRight((inner, name) => ({ [name]: inner }), value);
}

const at = (object, path) => path.split('.').reduce((inner, name) => inner?.[name], object);

async function configuration(queue) {
  const all = await queue.figures();
  return Object.fromEntries(CONFIGURATION.map((name) => [name, all[name]]));
}

const put = (queue, json) => queue.request('PUT', '', { json });

test('a new queue has the defaults, every one of them', async () => {
  const queue = await tide.queue({});
  assert.deepEqual(await configuration(queue), DEFAULTS);
});

test('a queue that came into being by a publish has the defaults', async () => {
  const queue = await tide.queue();
  await queue.publish();
  assert.deepEqual(await configuration(queue), DEFAULTS);
});

test('the first configuration creates, the next change', async () => {
  const queue = await tide.queue();
  assert.equal((await put(queue, { retention_ms: 60_000 })).status, 201);
  assert.equal((await put(queue, { retention_ms: 70_000 })).status, 200);
  assert.equal((await put(queue, {})).status, 200);
  assert.equal((await queue.figures()).retention_ms, 70_000);
});

test('a queue that exists by a publish is changed, not created', async () => {
  const queue = await tide.queue();
  await queue.publish();
  assert.equal((await put(queue, {})).status, 200);
});

test('a new queue has every figure, and all of them are zero', async () => {
  const queue = await tide.queue({});
  const figures = await queue.figures();
  for (const name of FIGURES) {
    if (name === 'oldest_at_ms') assert.equal(figures[name] ?? null, null);
    else assert.equal(figures[name], 0, name);
  }
});

test('a change keeps what it does not name, on every level', async () => {
  const queue = await tide.queue({
    capacity: { max_messages: 7, retry_after_ms: 5 },
    delivery: { backoff: { initial_ms: 10, multiplier: 3 }, order: 'key' },
    cors_origins: ['https://a.example'],
  });
  await queue.configure({
    capacity: { retry_after_ms: 9 }, delivery: { backoff: { multiplier: 1.5 } },
  });
  assert.deepEqual(await configuration(queue), {
    ...DEFAULTS,
    capacity: { ...DEFAULTS.capacity, max_messages: 7, retry_after_ms: 9 },
    delivery: {
      ...DEFAULTS.delivery, order: 'key',
      backoff: { initial_ms: 10, max_ms: 900_000, multiplier: 1.5 },
    },
    cors_origins: ['https://a.example'],
  });
});

test('a change touches no message', async () => {
  const queue = await tide.queue();
  await queue.publishMany(3);
  await queue.configure({ delivery: { order: 'fifo' }, max_message_bytes: 1 });
  assert.equal((await queue.figures()).depth, 3);
  assert.equal((await queue.take()).body, '0');
});

test('a configuration survives a restart', async () => {
  const config = {
    capacity: { max_messages: 9, publish_rate: { per_second: 2.5, burst: 4, per: 'key' } },
    delivery: { order: 'fifo', dead_letter_queue: 'dead/letters' },
    cors_origins: ['https://shop.example'],
  };
  const queue = await tide.queue(config);
  const before = await configuration(queue);
  await tide.restart();
  assert.deepEqual(await configuration(queue), before);
});

const GOOD = {
  'capacity.max_messages': [0, 1, 10_000_000],
  'capacity.max_bytes': [0, 1, 10_737_418_240],
  'capacity.max_accepted': [1, 1_000_000, null],
  'capacity.retry_after_ms': [0, 60_000],
  'capacity.redirect_url': ['https://waiting.example/room', 'http://10.0.0.1:8080/?a=b', null],
  'capacity.max_per_key': [1, 1_000, null],
  'capacity.opens_at_ms': [1, 4_102_444_800_000, null],
  'capacity.closes_at_ms': [4_102_444_800_000, null],
  'capacity.publish_rate': [
    { per_second: 10, burst: 20, per: 'queue' }, { per_second: 0.5, burst: 1, per: 'key' }, null,
  ],
  'capacity.overflow': ['drop_oldest', 'reject'],
  'delivery.visibility_timeout_ms': [100, 1_000, 43_200_000],
  'delivery.max_attempts': [1, 100],
  'delivery.backoff': [{ initial_ms: 100, max_ms: 1_000, multiplier: 1 }],
  'delivery.backoff.max_ms': [60_000],
  'delivery.backoff.multiplier': [1, 1.5, 10],
  'delivery.dead_letter_queue': ['dead', 'dead/orders.eu_1', null],
  'delivery.callback_queue': ['done', null],
  'delivery.failure_callback_queue': ['failed', null],
  'delivery.order': ['fifo', 'key', 'best_effort'],
  retention_ms: [1_000, 1_209_600_000],
  result_retention_ms: [1_000, 86_400_000],
  dedup_window_ms: [1_000, 3_600_000],
  max_message_bytes: [1, 1_048_576],
  cors_origins: [['https://a.example', 'http://localhost:3000'], ['*'], []],
  push: [null],
};

for (const [field, values] of Object.entries(GOOD)) {
  test(`${field} takes its good values, and gives them back`, async () => {
    const queue = await tide.queue({});
    for (const value of values) {
      await queue.configure(nested(field, value));
      assert.deepEqual(at(await queue.figures(), field), value);
    }
  });
}

const COUNT = [-1, 1.5, '1', true, [], {}];
const BAD = {
  'capacity.max_messages': COUNT,
  'capacity.max_bytes': COUNT,
  'capacity.max_accepted': COUNT,
  'capacity.retry_after_ms': COUNT,
  'capacity.max_per_key': [...COUNT, 0],
  'capacity.opens_at_ms': COUNT,
  'capacity.closes_at_ms': COUNT,
  'capacity.overflow': ['explode', 1, ''],
  'capacity.redirect_url': [
    'waiting.example', '/room', 'ftp://a.example/', 'https://a.example/\r\nx', 7,
  ],
  'capacity.publish_rate': [5, 'fast', []],
  'capacity.publish_rate.per_second': [0, -1, '1'],
  'delivery.visibility_timeout_ms': [...COUNT, 0, 99],
  'delivery.max_attempts': [...COUNT, 0],
  'delivery.backoff': [1, 'slow', []],
  'delivery.backoff.initial_ms': COUNT,
  'delivery.backoff.max_ms': COUNT,
  'delivery.backoff.multiplier': [-1, '2', []],
  'delivery.dead_letter_queue': ['', '/a', 'a//b', 'a b', 'ü', 'x'.repeat(129), 7],
  'delivery.callback_queue': ['', 'a//b', 7],
  'delivery.failure_callback_queue': ['', 'a//b', 7],
  'delivery.order': ['lifo', 1],
  retention_ms: COUNT,
  result_retention_ms: COUNT,
  dedup_window_ms: COUNT,
  max_message_bytes: [...COUNT, 0, 1_048_577],
  cors_origins: ['https://a.example', ['not an origin'], ['https://a.example/path'], [7]],
  capacity: [1, 'x', []],
  delivery: [1, 'x', []],
};

for (const [field, values] of Object.entries(BAD)) {
  test(`${field} refuses its bad values by name and applies nothing beside them`, async () => {
    const queue = await tide.queue({ retention_ms: 60_000 });
    const before = await configuration(queue);
    for (const value of values) {
      // Beside a good change, which must not be applied either.
      const good = field === 'retention_ms' ? 'dedup_window_ms' : 'retention_ms';
      const beside = { [good]: 5_000 };
      const answer = await put(queue, { ...beside, ...nested(field, value) });
      const problem = assertProblem(answer, { status: 400, type: 'bad-request' });
      assert.ok(String(problem.field).startsWith(field), `field ${problem.field} for ${field}`);
      assert.deepEqual(await configuration(queue), before);
    }
  });
}

for (const field of [
  'nope', 'Capacity', 'capacity.nope', 'delivery.nope', 'delivery.backoff.nope',
  'capacity.publish_rate.nope',
]) {
  test(`the unknown field ${field} is named, never ignored`, async () => {
    const queue = await tide.queue();
    const answer = await put(queue, nested(field, 1));
    assertProblem(answer, { status: 400, type: 'bad-request', field });
    assert.equal((await queue.request('GET')).status, 404, 'nothing was created');
  });
}

test('redirect needs a redirect_url, and dead_letter a dead-letter queue', async () => {
  const queue = await tide.queue({});
  const without = async (overflow, field) => {
    const answer = await put(queue, { capacity: { overflow } });
    assertProblem(answer, { status: 400, type: 'bad-request', field });
  };
  await without('redirect', 'capacity.redirect_url');
  await without('dead_letter', 'delivery.dead_letter_queue');
  await queue.configure({
    capacity: { overflow: 'dead_letter' }, delivery: { dead_letter_queue: 'dead' },
  });
  const answer = await put(queue, { delivery: { dead_letter_queue: null } });
  assertProblem(answer, { status: 400, type: 'bad-request', field: 'delivery.dead_letter_queue' });
});
