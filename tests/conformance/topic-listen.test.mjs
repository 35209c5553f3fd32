// Topics: sockets that only listen. Their request says where they begin, and the topic's object
// itself is at their other end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../harness/socket.mjs';
import { useServer } from './support.mjs';
import { Topic, eventually } from './topic.mjs';

const tide = useServer();

async function listen(t, topic, query) {
  const url = `${tide.url}${topic.path}/socket?${new URLSearchParams(query)}`;
  const socket = await connect(url);
  t.after(() => socket.cut());
  return socket;
}

test('a socket that says where it begins follows its topic at once', async (t) => {
  const topic = new Topic(tide);
  await topic.publishMany(3);
  const socket = await listen(t, topic, { from_seq: 2 });
  assert.deepEqual(await socket.next(), { type: 'subscribed', topic: topic.name, from_seq: 2 });
  for (const seq of [2, 3]) {
    const message = await socket.next();
    assert.deepEqual(
      [message.type, message.topic, message.seq, message.body],
      ['message', topic.name, seq, `${seq}`],
    );
  }
  await topic.publish('live');
  assert.equal((await socket.next()).body, 'live');
  const late = await listen(t, topic, { from_seq: 'latest' });
  assert.equal((await late.next()).from_seq, 5);
  await topic.publish('both');
  assert.deepEqual([(await socket.next()).body, (await late.next()).body], ['both', 'both']);
  const since = await listen(t, topic, { from_at_ms: 0 });
  assert.equal((await since.next()).from_seq, 1);
});

test('what is published together comes in its order, whatever the filter', async (t) => {
  const topic = new Topic(tide);
  await topic.configure();
  const all = await listen(t, topic, { from_seq: 'latest' });
  const even = await listen(t, topic, { from_seq: 'latest', filter: "n = 'even'" });
  await Promise.all([all.next(), even.next()]);
  const messages = Array.from({ length: 250 }, (_, n) => ({
    body: `${n}`,
    attributes: { n: n % 2 === 0 ? 'even' : 'odd' },
  }));
  await topic.request('POST', '/messages/batch', { json: { messages } });
  for (let n = 0; n < 250; n += 1) {
    assert.equal((await all.next()).body, `${n}`);
    if (n % 2 === 0) assert.equal((await even.next()).body, `${n}`);
  }
});

test('with batch, messages that are there together share a frame', async (t) => {
  const topic = new Topic(tide);
  await topic.publishMany(5);
  const socket = await listen(t, topic, { from_seq: 1, batch: true });
  assert.deepEqual(
    (await socket.next()).map((it) => it.type),
    ['subscribed', ...Array(5).fill('message')],
  );
  await topic.publish('alone');
  assert.equal((await socket.next()).body, 'alone');
});

test('one that does not read holds up nobody, and misses nothing', async (t) => {
  const topic = new Topic(tide);
  await topic.configure();
  const slow = await listen(t, topic, { from_seq: 1 });
  const quick = await listen(t, topic, { from_seq: 1 });
  await Promise.all([slow.next(), quick.next()]);
  slow.pause();
  const body = 'x'.repeat(100_000);
  const count = 240;
  for (let n = 0; n < count; n += 1) await topic.publish(body);
  for (let seq = 1; seq <= count; seq += 1) assert.equal((await quick.next()).seq, seq);
  slow.resume();
  for (let seq = 1; seq <= count; seq += 1) assert.equal((await slow.next()).seq, seq);
});

test('presence holds for those that listen', async (t) => {
  const topic = new Topic(tide);
  const ada = await listen(t, topic, { from_seq: 'latest', member: 'ada' });
  assert.deepEqual((await ada.until('here')).members, ['ada']);
  const bob = await listen(t, topic, { from_seq: 'latest', member: 'bob' });
  assert.equal((await ada.until('join')).member, 'bob');
  bob.cut();
  assert.equal((await ada.until('leave')).member, 'bob');
});

test('it says nothing but ping', async (t) => {
  const topic = new Topic(tide);
  const socket = await listen(t, topic, { from_seq: 'latest' });
  await socket.next();
  socket.send({ type: 'ping' });
  assert.deepEqual(await socket.next(), { type: 'pong' });
  socket.send({ type: 'publish', ref: 1, body: 'x' });
  const { type, problem } = await socket.next();
  assert.deepEqual([type, problem.status, problem.field], ['error', 400, 'type']);
  await topic.publish('still');
  assert.equal((await socket.next()).body, 'still');
});

test('what is wrong is said before it opens', async (t) => {
  const topic = new Topic(tide);
  for (const [query, field] of [
    ['from_seq=soon', 'from_seq'],
    ['from_seq=1&from_at_ms=1', 'from_at_ms'],
    ['from_seq=1&filter=((', 'filter'],
    ['from_seq=1&batch=yes', 'batch'],
    ['from_seq=1&member=', 'member'],
    ['filter=a%3D1', 'filter'],
    ['batch=true', 'batch'],
  ]) {
    const headers = { upgrade: 'websocket', connection: 'upgrade' };
    const refused = await connect(`${tide.url}${topic.path}/socket?${query}`, headers).then(
      () => null,
      (error) => error,
    );
    assert.match(refused?.message ?? 'let in', /400/, field);
  }
});

test('a deleted topic lets them go', async (t) => {
  const topic = new Topic(tide);
  const socket = await listen(t, topic, { from_seq: 'latest' });
  await socket.next();
  await eventually(async () => assert.equal((await topic.figures()).readers, 1));
  await topic.request('DELETE');
  assert.equal((await socket.next()).type, 'gone');
  assert.equal(await socket.next(), null);
});
