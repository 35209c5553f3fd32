// Publishing one message: the answer, the order of identifiers, what is kept, what is refused for
// its size.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ULID, assertProblem, until, useServer } from './support.mjs';

const tide = useServer();
const MIB = 1_048_576;

/** The bytes of a delivered message. */
const bytesOf = ({ body, encoding }) => Buffer.from(body, encoding);

test('an accepted publish is answered with its id, seq, time, position and place', async () => {
  const queue = await tide.queue();
  const answer = await queue.postMessage('hello');
  assert.equal(answer.status, 202);
  assert.match(answer.headers['content-type'], /^application\/json\b/);
  const { id, seq, timestamp_ms: at, position } = answer.json;
  assert.match(id, ULID);
  assert.ok(Number.isSafeInteger(seq) && seq >= 0);
  assert.ok(Math.abs(at - Date.now()) < 5_000, `timestamp_ms ${at}`);
  assert.equal(position, 1);
  assert.equal(answer.headers.location, `${queue.path}/messages/${id}`);
  const found = await tide.request('GET', answer.headers.location);
  assert.equal(found.json.id, id);
});

test('ids and seqs are in the order of acceptance', async () => {
  const queue = await tide.queue();
  const accepted = await queue.publishMany(30);
  for (let n = 1; n < accepted.length; n += 1) {
    assert.ok(accepted[n].id > accepted[n - 1].id, 'id grows');
    assert.ok(accepted[n].seq > accepted[n - 1].seq, 'seq grows');
    const [earlier, later] = [accepted[n - 1].timestamp_ms, accepted[n].timestamp_ms];
    assert.ok(later >= earlier, 'time does not run backwards');
  }
});

test('publishes that arrive together get different ids and seqs', async () => {
  const queue = await tide.queue();
  const accepted = await Promise.all(Array.from({ length: 64 }, (_, n) => queue.publish(`${n}`)));
  assert.equal(new Set(accepted.map((a) => a.id)).size, 64);
  assert.equal(new Set(accepted.map((a) => a.seq)).size, 64);
  const byId = accepted.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((a) => a.seq);
  assert.deepEqual(byId, byId.toSorted((a, b) => a - b), 'ids sort as seqs do');
});

test('the position counts those ahead', async () => {
  const queue = await tide.queue();
  const accepted = await queue.publishMany(4);
  assert.deepEqual(accepted.map((a) => a.position), [1, 2, 3, 4]);
});

test('a message that is held or delayed has no position', async () => {
  const queue = await tide.queue();
  const held = await queue.publish('h', { 'tidegate-hold-ms': '60000' });
  const delayed = await queue.publish('d', { 'tidegate-delay-ms': '60000' });
  assert.equal(held.position ?? null, null);
  assert.equal(delayed.position ?? null, null);
});

test('content type, key, priority and attributes are handed on as published', async () => {
  const queue = await tide.queue();
  const sent = await queue.publish('{"a":1}', {
    'content-type': 'application/json; charset=utf-8',
    'tidegate-key': 'buyer-7',
    'tidegate-priority': '7',
    'tidegate-attr-region': 'eu',
    'tidegate-attr-trace-id': 'a, b; c="d"',
  });
  const message = await queue.take();
  assert.equal(message.id, sent.id);
  assert.equal(message.seq, sent.seq);
  assert.equal(message.timestamp_ms, sent.timestamp_ms);
  assert.equal(message.content_type, 'application/json; charset=utf-8');
  assert.equal(message.key, 'buyer-7');
  assert.equal(message.priority, 7);
  assert.deepEqual(message.attributes, { region: 'eu', 'trace-id': 'a, b; c="d"' });
});

test('a message that names none has priority 4, no key and no attributes', async () => {
  const queue = await tide.queue();
  await queue.publish('x');
  const message = await queue.take();
  assert.equal(message.priority, 4);
  assert.equal(message.key ?? null, null);
  assert.deepEqual(message.attributes ?? {}, {});
});

test('a delayed message is not delivered before its time and is delivered then', async () => {
  const queue = await tide.queue();
  const sent = await queue.publish('later', { 'tidegate-delay-ms': '1500' });
  assert.equal(await queue.state(sent.id), 'delayed');
  const { depth, delayed } = await queue.figures();
  assert.deepEqual({ depth, delayed }, { depth: 1, delayed: 1 });
  const message = await queue.take({ wait_ms: 5_000 });
  assert.equal(message.id, sent.id);
  assert.ok(Date.now() - sent.timestamp_ms >= 1_500, 'not early');
});

test('a message past its time to live is never delivered', async () => {
  const queue = await tide.queue();
  const short = await queue.publish('short', { 'tidegate-ttl-ms': '150' });
  const long = await queue.publish('long', { 'tidegate-ttl-ms': '60000' });
  await queue.untilState(short.id, 'expired');
  assert.equal((await queue.take()).id, long.id);
  await queue.assertNothing();
  assert.equal((await queue.figures()).depth, 1);
});

test('every byte of a body survives', async () => {
  const queue = await tide.queue();
  const bodies = [
    Buffer.from(Array.from({ length: 256 }, (_, n) => n)),
    randomBytes(65_536),
    Buffer.from('\r\n\r\n\0\u2028 ünïcödé 🌊 "quoted" \\'),
    Buffer.from('{"messages":[]}'),
    Buffer.from([0xEF, 0xBB, 0xBF, 0x41]),
  ];
  for (const body of bodies) {
    await queue.publish(body);
    const message = await queue.take();
    assert.ok(bytesOf(message).equals(body), `a body of ${body.length} bytes`);
  }
});

test('an empty body is a message', async () => {
  const queue = await tide.queue();
  await queue.publish('');
  const message = await queue.take();
  assert.equal(message.body, '');
  assert.equal((await queue.figures()).backlog_bytes, 0);
});

test('a body at the limit is taken and one byte more is not', async () => {
  const queue = await tide.queue({ max_message_bytes: 1_000 });
  await queue.publish(Buffer.alloc(1_000, 1));
  const answer = await queue.postMessage(Buffer.alloc(1_001, 1));
  assertProblem(answer, { status: 413, type: 'message-too-large' });
  assert.equal((await queue.figures()).depth, 1);
});

test('without a configuration the limit is 262144 bytes', async () => {
  const queue = await tide.queue();
  await queue.publish(Buffer.alloc(262_144, 7));
  const answer = await queue.postMessage(Buffer.alloc(262_145, 7));
  assertProblem(answer, { status: 413, type: 'message-too-large' });
  assert.equal(bytesOf(await queue.take()).length, 262_144);
});

test('a mebibyte is taken where the queue allows it, and nothing larger anywhere', async () => {
  const queue = await tide.queue({ max_message_bytes: MIB });
  const body = randomBytes(MIB);
  await queue.publish(body);
  assert.ok(bytesOf(await queue.take()).equals(body));
  const answer = await queue.postMessage(Buffer.alloc(MIB + 1));
  assertProblem(answer, { status: 413, type: 'message-too-large' });
});

test('a chunked body is a body like any other', async () => {
  const queue = await tide.queue({ max_message_bytes: 50_000 });
  const chunks = Array.from({ length: 40 }, () => randomBytes(1_250));
  await queue.publish(chunks);
  assert.ok(bytesOf(await queue.take()).equals(Buffer.concat(chunks)));
});

test('a chunked body over the limit is refused', async () => {
  const queue = await tide.queue({ max_message_bytes: 50_000 });
  const answer = await queue.postMessage([Buffer.alloc(50_000), Buffer.alloc(1)]);
  assertProblem(answer, { status: 413, type: 'message-too-large' });
  assert.equal((await queue.figures()).accepted_total, 0);
});

test('the figures follow what is published', async () => {
  const queue = await tide.queue();
  const first = await queue.publish('12345');
  await queue.publish('1234567890');
  const figures = await queue.figures();
  assert.equal(figures.depth, 2);
  assert.equal(figures.backlog_bytes, 15);
  assert.equal(figures.accepted_total, 2);
  assert.equal(figures.oldest_at_ms, first.timestamp_ms);
  assert.equal(figures.in_flight, 0);
});

test('a message past the retention of its queue is gone', async () => {
  const queue = await tide.queue({ retention_ms: 1_000 });
  await queue.publish('old');
  await until(async () => (await queue.figures()).depth === 0, { what: 'the message expired' });
  await queue.assertNothing();
});
