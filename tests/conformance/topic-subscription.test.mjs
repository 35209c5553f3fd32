// Topics: durable subscriptions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useServer } from './support.mjs';
import { Topic, eventually } from './topic.mjs';

const tide = useServer();

const bodies = (messages) => messages.map((message) => message.body);

test('a subscription is pulled and acknowledged as a queue', async () => {
  const topic = new Topic(tide);
  await topic.publishMany(3);
  const made = await topic.subscribe('audit', { from: 'earliest' });
  assert.deepEqual([made.name, made.target, made.filter], ['audit', null, null]);
  const messages = await topic.pull('audit', 3);
  assert.deepEqual(bodies(messages), ['1', '2', '3']);
  assert.deepEqual(messages[0].attributes, {
    'tidegate-topic': topic.name, 'tidegate-topic-seq': '1',
  });
  const acks = messages.map(({ lease_id }) => ({ lease_id }));
  const json = { acks: acks.slice(0, 2), retries: [acks[2]] };
  const done = await topic.request('POST', '/subscriptions/audit/ack', { json });
  assert.deepEqual([done.json.acked, done.json.retried], [2, 1]);
  const again = await topic.pull('audit', 1);
  assert.deepEqual([again[0].body, again[0].attempts], ['3', 2]);
  const { json: listed } = await tide.request('GET', '/v1/queues');
  assert.ok(!listed.queues.some((it) => it.name.includes('~')), 'its queue shows');
});

test('a subscription begins with what is published after it, unless told otherwise', async () => {
  const topic = new Topic(tide);
  await topic.publish('old');
  await topic.subscribe('s');
  await topic.publish('new');
  assert.deepEqual(bodies(await topic.pull('s', 1)), ['new']);
  await eventually(async () => {
    const { lag, next_seq, delivered_total } = await topic.subscription('s');
    assert.deepEqual([lag, next_seq, delivered_total], [0, 3, 1]);
  });
});

test('a subscription feeds a queue with what its filter lets through', async () => {
  const topic = new Topic(tide);
  const queue = tide.name('q');
  const filter = { attributes: { region: ['eu'] } };
  const made = await topic.subscribe('eu', { filter, target: { queue }, from: 'earliest' });
  assert.deepEqual([made.filter, made.target], [filter, { queue }]);
  for (const region of ['eu', 'us', 'eu']) {
    await topic.publish(region, { 'tidegate-attr-region': region });
  }
  await eventually(async () => {
    const { json } = await tide.request('GET', `/v1/queues/${queue}/messages`);
    assert.deepEqual(bodies(json.messages), ['eu', 'eu']);
  });
  const other = await topic.request('PUT', '/subscriptions/eu', { json: { target: null } });
  assert.deepEqual([other.status, other.json.field], [400, 'target']);
});

test('a full queue holds a subscription up, and it goes on when there is room', async () => {
  const topic = new Topic(tide);
  const queue = await tide.queue({ capacity: { max_messages: 2 } });
  await topic.publishMany(5);
  await topic.subscribe('s', { target: { queue: queue.name }, from: 'earliest' });
  await eventually(async () => {
    const { lag, retrying } = await topic.subscription('s');
    assert.deepEqual([lag, retrying], [3, true]);
  });
  await queue.configure({ capacity: { max_messages: 10 } });
  await eventually(async () => {
    assert.equal((await topic.subscription('s')).lag, 0);
  }, 15_000);
  const { json } = await tide.request('GET', `/v1/queues/${queue.name}/messages`);
  assert.deepEqual(bodies(json.messages), ['1', '2', '3', '4', '5']);
});

test('a seek replays, and skips', async () => {
  const topic = new Topic(tide);
  await topic.publishMany(4);
  await topic.subscribe('s', { from: 'earliest' });
  assert.deepEqual(bodies(await topic.pull('s', 4)), ['1', '2', '3', '4']);
  const seek = (json) => topic.request('POST', '/subscriptions/s/seek', { json });
  assert.equal((await seek({ seq: 3 })).status, 204);
  assert.deepEqual(bodies(await topic.pull('s', 2)), ['3', '4']);
  assert.equal((await seek({ seq: 'latest' })).status, 204);
  await topic.publish('5');
  assert.deepEqual(bodies(await topic.pull('s', 1)), ['5']);
  assert.equal((await seek({ at_ms: 0 })).status, 204);
  assert.deepEqual(bodies(await topic.pull('s', 5)), ['1', '2', '3', '4', '5']);
});

test('a paused subscription keeps its place', async () => {
  const topic = new Topic(tide);
  await topic.subscribe('s', { paused: true });
  await topic.publishMany(2);
  assert.equal((await topic.subscription('s')).lag, 2);
  await topic.subscribe('s', { paused: false });
  assert.deepEqual(bodies(await topic.pull('s', 2)), ['1', '2']);
});

test('delivery is said to a subscription of its own, and dead letters go where it says', async () => {
  const topic = new Topic(tide);
  const dead = tide.name('dead');
  const delivery = { max_attempts: 1, dead_letter_queue: dead };
  await topic.subscribe('s', { delivery });
  await topic.publish('bad');
  const [message] = await topic.pull('s', 1);
  const json = { retries: [{ lease_id: message.lease_id }] };
  await topic.request('POST', '/subscriptions/s/ack', { json });
  await eventually(async () => {
    const { json: found } = await tide.request('GET', `/v1/queues/${dead}/messages`);
    assert.deepEqual(bodies(found.messages ?? []), ['bad']);
  });
  const refused = await topic.request('PUT', '/subscriptions/q', {
    json: { delivery, target: { queue: 'x' } },
  });
  assert.deepEqual([refused.status, refused.json.field], [400, 'delivery']);
});

test('a deleted subscription is gone, and another of its name begins anew', async () => {
  const topic = new Topic(tide);
  await topic.subscribe('s');
  await topic.publish('old');
  await topic.pull('s', 1);
  assert.equal((await topic.request('DELETE', '/subscriptions/s')).status, 204);
  assert.equal((await topic.request('GET', '/subscriptions/s')).status, 404);
  assert.equal((await topic.request('DELETE', '/subscriptions/s')).status, 404);
  await topic.subscribe('s');
  await topic.publish('new');
  assert.deepEqual(bodies(await topic.pull('s', 1)), ['new']);
});

test('subscriptions are listed by name, a page at a time', async () => {
  const topic = new Topic(tide);
  const target = { queue: tide.name('sink') };
  for (const name of ['c', 'a', 'b']) await topic.subscribe(name, { target });
  const first = await topic.request('GET', '/subscriptions?limit=2');
  assert.deepEqual(first.json.subscriptions.map((it) => it.name), ['a', 'b']);
  const rest = await topic.request('GET', `/subscriptions?cursor=${first.json.cursor}`);
  assert.deepEqual(rest.json.subscriptions.map((it) => it.name), ['c']);
  assert.equal(rest.json.cursor, undefined);
});

test('subscriptions survive a kill: nothing is lost and nothing doubled', async () => {
  const topic = new Topic(tide);
  const queue = tide.name('q');
  await topic.subscribe('s', { target: { queue }, from: 'earliest' });
  for (let round = 0; round < 3; round += 1) {
    await topic.publishMany(10);
    await tide.crash();
  }
  const numbers = Array.from({ length: 30 }, (_, n) => `${(n % 10) + 1}`);
  await eventually(async () => {
    // By itself it wakes for its alarm, which may take half a minute.
    await topic.figures();
    const { json } = await tide.request('GET', `/v1/queues/${queue}/messages?limit=1000`);
    assert.deepEqual(bodies(json.messages ?? []), numbers);
  }, 20_000);
});

test('batches, pulls and acknowledgements come in binary form, too', async () => {
  const topic = new Topic(tide);
  await topic.subscribe('s');
  const type = 'application/vnd.tidegate.batch';
  const send = (path, hex, headers = {}) =>
    topic.request('POST', path, {
      body: Buffer.from(hex.replaceAll(' ', ''), 'hex'),
      headers: { 'content-type': type, ...headers },
    });
  // The two messages of docs/BATCH.md; the second has the higher priority.
  const batch = await send('/messages/batch', `54 47 42 01 01 00 02 00
    02 00 00 00 02 04 00 00 01 00 6b 68 69 02 00 00 00 01 09 01 00
    10 00 61 70 70 6c 69 63 61 74 69 6f 6e 2f 6a 73 6f 6e
    06 00 72 65 67 69 6f 6e 02 00 65 75 7b 7d`.replaceAll(/\s/g, ''));
  assert.deepEqual([batch.status, batch.json.accepted], [200, 2]);
  const messages = await topic.pull('s', 2);
  assert.deepEqual(messages.map(({ body, key }) => [body, key]), [['{}', undefined], ['hi', 'k']]);
  const nonsense = '54 47 42 02';
  for (const path of ['/messages/batch', '/subscriptions/s/pull', '/subscriptions/s/ack']) {
    const refused = await send(path, nonsense);
    assert.deepEqual([refused.status, refused.json.field], [400, 'body'], path);
  }
  const accept = { accept: type };
  const pulled = await topic.request('POST', '/subscriptions/s/pull', { json: {}, headers: accept });
  assert.deepEqual([pulled.status, pulled.headers['content-type']], [200, type]);
});
