// Topics: the log, and reading it from an offset.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ULID, useServer } from './support.mjs';
import { Topic, eventually } from './topic.mjs';

const tide = useServer();

test('a topic is created, changed, described, listed and deleted', async () => {
  const topic = new Topic(tide, 'orders/eu/created');
  assert.equal((await topic.request('GET')).status, 404);
  const created = await topic.configure({ max_messages: 10 });
  assert.equal(created.status, 201);
  assert.equal(created.headers.location, '/v1/topics/orders%2Feu%2Fcreated');
  assert.equal((await topic.configure({ max_bytes: 1000 })).status, 200);
  await topic.publish('a');
  const { name, max_messages, max_bytes, persistence, messages, bytes, first_seq, last_seq } =
    await topic.figures();
  assert.deepEqual(
    { name, max_messages, max_bytes, persistence, messages, bytes, first_seq, last_seq },
    {
      name: 'orders/eu/created', max_messages: 10, max_bytes: 1000, persistence: 'durable',
      messages: 1, bytes: 1, first_seq: 1, last_seq: 1,
    },
  );
  await eventually(async () => {
    const { json } = await tide.request('GET', '/v1/topics');
    assert.ok(json.topics.some((it) => it.name === topic.name));
  });
  const { json } = await tide.request('GET', '/v1/queues');
  assert.ok(!json.queues.some((it) => it.name === topic.name));
  assert.equal((await topic.request('DELETE')).status, 204);
  assert.equal((await topic.request('GET')).status, 404);
});

test('a publish creates a topic, and numbers have no gaps', async () => {
  const topic = new Topic(tide);
  const first = await topic.request('POST', '/messages', {
    body: 'a',
    headers: { 'tidegate-key': 'k', 'content-type': 'text/plain', 'tidegate-attr-region': 'eu' },
  });
  assert.equal(first.status, 202);
  assert.match(first.json.id, ULID);
  const many = Array.from({ length: 50 }, (_, n) => ({ body: `${n}` }));
  const batch = await topic.request('POST', '/messages/batch', { json: { messages: many } });
  assert.deepEqual([batch.json.accepted, batch.json.rejected], [50, 0]);
  const { messages, next_seq, first_seq, last_seq, missed } = await topic.read({ limit: 1000 });
  assert.deepEqual(messages.map((it) => it.seq), Array.from({ length: 51 }, (_, n) => n + 1));
  assert.deepEqual([next_seq, first_seq, last_seq, missed], [52, 1, 51, 0]);
  const { id, timestamp_ms, ...rest } = messages[0];
  assert.equal(id, first.json.id);
  assert.equal(timestamp_ms, first.json.timestamp_ms);
  assert.deepEqual(rest, {
    seq: 1, attempts: 1, body: 'a', encoding: 'utf8', content_type: 'text/plain', key: 'k',
    priority: 4, attributes: { region: 'eu' },
  });
  const place = await tide.request('GET', first.headers.location);
  assert.deepEqual(place.json.messages.map((it) => it.seq), [1]);
});

test('a read begins where it is told to', async () => {
  const topic = new Topic(tide);
  await topic.publish('1', { 'tidegate-key': 'a' });
  await topic.publish('2', { 'tidegate-key': 'b' });
  const third = await topic.publish('3', { 'tidegate-key': 'a' });
  await topic.publish('4');
  assert.deepEqual(await topic.bodies(), ['1', '2', '3', '4']);
  assert.deepEqual(await topic.bodies({ from_seq: 'earliest', limit: 2 }), ['1', '2']);
  assert.deepEqual(await topic.bodies({ from_seq: 3 }), ['3', '4']);
  assert.deepEqual(await topic.bodies({ from_seq: 'latest' }), []);
  assert.deepEqual(await topic.bodies({ from_seq: 99 }), []);
  assert.deepEqual(await topic.bodies({ from_seq: 'last_per_key' }), ['2', '3']);
  await topic.publish('5', { 'tidegate-key': 'b' });
  assert.deepEqual(await topic.bodies({ from_seq: 'last_per_key' }), ['3', '5']);
  assert.ok((await topic.bodies({ from_at_ms: third.timestamp_ms })).includes('3'));
  assert.deepEqual(await topic.bodies({ from_at_ms: Date.now() + 60_000 }), []);
});

test('a read waits for a message, and no longer than it was told to', async () => {
  const topic = new Topic(tide);
  await topic.configure();
  const begun = Date.now();
  const empty = await topic.read({ wait_ms: 200 });
  assert.deepEqual(empty.messages, []);
  assert.ok(Date.now() - begun >= 150);
  const requests = async () => (await topic.figures()).object_requests_total;
  const before = await requests();
  const waiting = topic.read({ from_seq: 'latest', wait_ms: 10_000 });
  const filter = JSON.stringify({ attributes: { n: ['2'] } });
  const choosy = topic.read({ from_seq: 'latest', wait_ms: 10_000, filter });
  let looks = 0;
  await eventually(async () => {
    looks += 1;
    assert.ok((await requests()) - before - looks >= 2);
  });
  await topic.publish('a', { 'tidegate-attr-n': '1' });
  assert.deepEqual((await waiting).messages.map((it) => it.body), ['a']);
  await topic.publish('b', { 'tidegate-attr-n': '2' });
  assert.deepEqual((await choosy).messages.map((it) => it.body), ['b']);
});

test('a filter chooses, by pattern and by selector', async () => {
  const topic = new Topic(tide);
  for (const region of ['eu', 'us', 'eu']) {
    await topic.publish(region, { 'tidegate-attr-region': region });
  }
  const pattern = JSON.stringify({ attributes: { region: ['eu'] } });
  const read = await topic.read({ filter: pattern });
  assert.deepEqual(read.messages.map((it) => it.seq), [1, 3]);
  assert.equal(read.next_seq, 4);
  assert.deepEqual(await topic.bodies({ filter: "region = 'us'" }), ['us']);
  const wrong = await topic.request('GET', '/messages?filter=%7B');
  assert.deepEqual([wrong.status, wrong.json.field], [400, 'filter']);
});

test('retention keeps what it is told to, by count, bytes and age', async () => {
  const topic = new Topic(tide);
  await topic.configure({ max_messages: 3 });
  await topic.publishMany(5);
  assert.deepEqual(await topic.bodies(), ['3', '4', '5']);
  const late = await topic.read({ from_seq: 1 });
  assert.deepEqual([late.missed, late.first_seq, late.messages[0].seq], [2, 3, 3]);
  await topic.configure({ max_bytes: 2 });
  assert.deepEqual(await topic.bodies(), ['4', '5']);
  await topic.configure({ max_messages: 100, max_bytes: null });
  assert.deepEqual(await topic.bodies(), ['4', '5']);
  await topic.configure({ retention_ms: 1_000 });
  await eventually(async () => assert.deepEqual(await topic.bodies(), []));
  assert.equal((await topic.publish('6')).seq, 6);
});

test('a message with a time to live is read until then', async () => {
  const topic = new Topic(tide);
  await topic.publish('short', { 'tidegate-ttl-ms': '1500' });
  await topic.publish('long');
  assert.deepEqual(await topic.bodies(), ['short', 'long']);
  await eventually(async () => assert.deepEqual(await topic.bodies(), ['long']));
});

test('a conditional publish happens only after the number it names', async () => {
  const topic = new Topic(tide);
  const expect = (seq) => ({ 'tidegate-expect-seq': String(seq) });
  await topic.publish('first', expect(0));
  const posts = Array.from({ length: 16 }, (_, n) =>
    topic.request('POST', '/messages', { body: `${n}`, headers: expect(1) }));
  const answers = await Promise.all(posts);
  const statuses = answers.map((it) => it.status).sort();
  assert.deepEqual(statuses, [202, ...Array(15).fill(412)]);
  const problem = answers.find((it) => it.status === 412).json;
  assert.deepEqual([problem.type, problem.last_seq], ['seq-mismatch', 2]);
  const queue = await tide.queue();
  const refused = await queue.postMessage('x', expect(1));
  assert.deepEqual([refused.status, refused.json.field], [400, 'Tidegate-Expect-Seq']);
});

test('a repeat gets the first answer again, even where a number is expected', async () => {
  const topic = new Topic(tide);
  const headers = { 'idempotency-key': 'once', 'tidegate-expect-seq': '0' };
  const first = await topic.publish('a', headers);
  await topic.publish('b');
  assert.deepEqual(await topic.publish('a', headers), first);
  await tide.restart();
  assert.deepEqual(await topic.publish('a', headers), first);
  assert.equal((await topic.figures()).messages, 2);
});

test('what was accepted survives a kill; what is kept in memory says what is missing', async () => {
  const [durable, memory] = [new Topic(tide), new Topic(tide)];
  await memory.configure({ persistence: 'memory' });
  await durable.publishMany(20);
  await memory.publishMany(20);
  assert.equal((await memory.read()).messages.length, 20);
  await tide.crash();
  assert.equal((await durable.read()).messages.length, 20);
  assert.equal((await durable.publish('next')).seq, 21);
  const after = await memory.read({ from_seq: 21 });
  assert.deepEqual(after.messages, []);
  const { seq } = await memory.publish('next');
  assert.ok(seq > 20, `${seq} was given before`);
  const changed = await memory.request('PUT', '', { json: { persistence: 'durable' } });
  assert.deepEqual([changed.status, changed.json.field], [400, 'persistence']);
});

test('what is wrong is named, and changes nothing', async () => {
  const topic = new Topic(tide);
  await topic.configure();
  for (const [method, rest, options, field] of [
    ['PUT', '', { json: { max_mesages: 1 } }, 'max_mesages'],
    ['PUT', '', { json: { max_messages: 0 } }, 'max_messages'],
    ['GET', '/messages?from_seq=x', {}, 'from_seq'],
    ['GET', '/messages?from_seq=1&from_at_ms=1', {}, 'from_at_ms'],
    ['GET', '/messages?limit=1001', {}, 'limit'],
    ['GET', '/messages?wait_ms=30001', {}, 'wait_ms'],
    ['POST', '/messages', { body: 'x', headers: { 'tidegate-delay-ms': '1' } }, 'delay_ms'],
    ['POST', '/messages', { body: 'x', headers: { 'tidegate-hold-ms': '1' } }, 'hold_ms'],
    ['POST', '/messages', { body: 'x', headers: { 'tidegate-expect-seq': '-1' } },
      'Tidegate-Expect-Seq'],
    ['GET', '/events?from_seq=soon', {}, 'from_seq'],
    ['GET', '/events', { headers: { 'last-event-id': 'x' } }, 'Last-Event-ID'],
    ['GET', '/events?filter=7', {}, 'filter'],
    ['GET', '/socket', {}, 'Upgrade'],
    ['PUT', '/subscriptions/a%20b', { json: {} }, 'subscription'],
    ['PUT', '/subscriptions/s', { json: { target: { url: 'ftp://a.b/' } } }, 'target.url'],
    ['PUT', '/subscriptions/s', { json: { target: { topic: 'x' } } }, 'target.topic'],
    ['PUT', '/subscriptions/s', { json: { filter: { a: 1 } } }, 'filter'],
    ['PUT', '/subscriptions/s', { json: { from: 'start' } }, 'from'],
    ['PUT', '/subscriptions/s', { json: { delivery: { max_attempts: 0 } } },
      'delivery.max_attempts'],
    ['PUT', '/subscriptions/s', { json: { to: 1 } }, 'to'],
  ]) {
    const answer = await topic.request(method, rest, options);
    const seen = [answer.status, answer.json?.type, answer.json?.field];
    assert.deepEqual(seen, [400, 'bad-request', field], `${method} ${rest} ${answer}`);
  }
  const large = await topic.request('POST', '/messages', { body: 'x'.repeat(262_145) });
  assert.deepEqual([large.status, large.json.type], [413, 'message-too-large']);
  const { last_seq, subscriptions } = await topic.figures();
  assert.deepEqual([last_seq, subscriptions], [0, 0]);
  assert.equal((await topic.request('POST', '/events')).status, 405);
  assert.equal((await topic.request('GET', '/subscriptions/none')).status, 404);
  assert.equal((await topic.request('POST', '/purge')).status, 404);
});

test('metrics have a label for the topic', async () => {
  const topic = new Topic(tide);
  await topic.publishMany(3);
  await eventually(async () => {
    const { text } = await tide.request('GET', '/metrics');
    const line = `tidegate_accepted_total{topic="${topic.name}"} 3`;
    assert.ok(text.split('\n').includes(line), text);
  });
});
