// Topics: live readers, by Server-Sent Events and by WebSocket.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useServer } from './support.mjs';
import { Topic, eventually } from './topic.mjs';

const tide = useServer();

/** A topic whose readers are let go when the test ends. */
function useTopic(t, name) {
  const topic = new Topic(tide, name);
  t.after(() => topic.close());
  return topic;
}

test('events carry each message, and resume after the last one', async (t) => {
  const topic = useTopic(t);
  await topic.publishMany(2);
  const events = await topic.events({ from_seq: 1 });
  assert.equal(events.response.headers.get('content-type'), 'text/event-stream');
  const first = await events.next();
  assert.deepEqual([first.event, first.id, first.data.seq, first.data.body], ['message', '1', 1, '1']);
  assert.equal((await events.next()).id, '2');
  await topic.publish('live');
  assert.equal((await events.next()).data.body, 'live');
  events.close();
  await topic.publish('missed');
  const again = await topic.events({ from_seq: 1 }, { 'last-event-id': '3' });
  assert.equal((await again.next()).data.body, 'missed');
});

test('without a place, a reader gets what is published from then on', async (t) => {
  const topic = useTopic(t);
  await topic.publish('before');
  const events = await topic.events();
  await eventually(async () => assert.equal((await topic.figures()).readers, 1));
  await topic.publish('after');
  assert.equal((await events.next()).data.body, 'after');
});

test('a reader of last values gets those, then what is published', async (t) => {
  const topic = useTopic(t);
  for (const [key, body] of [['a', '1'], ['b', '2'], ['a', '3']]) {
    await topic.publish(body, { 'tidegate-key': key });
  }
  const events = await topic.events({ from_seq: 'last_per_key' });
  const bodies = [(await events.next()).data.body, (await events.next()).data.body];
  assert.deepEqual(bodies, ['2', '3']);
  await topic.publish('4', { 'tidegate-key': 'b' });
  assert.equal((await events.next()).data.body, '4');
});

test('a filter holds for live readers', async (t) => {
  const topic = useTopic(t);
  const events = await topic.events({ from_seq: 1, filter: "n <> '1'" });
  for (const n of ['1', '2', '3']) await topic.publish(n, { 'tidegate-attr-n': n });
  assert.deepEqual([(await events.next()).id, (await events.next()).id], ['2', '3']);
});

test('a socket publishes and subscribes, both ways', async (t) => {
  const topic = useTopic(t);
  const socket = await topic.socket();
  socket.send({ type: 'ping' });
  assert.deepEqual(await socket.next(), { type: 'pong' });
  socket.send({ type: 'subscribe', ref: 'a', topic: topic.name, from_seq: 'earliest' });
  assert.deepEqual(await socket.next(), {
    type: 'subscribed', ref: 'a', topic: topic.name, from_seq: 1,
  });
  socket.send({ type: 'publish', ref: 7, body: { n: 1 }, encoding: 'json', key: 'k' });
  const frames = [await socket.next(), await socket.next()];
  const ack = frames.find((frame) => frame.type === 'ack');
  const message = frames.find((frame) => frame.type === 'message');
  assert.deepEqual([ack.ref, ack.seq], [7, 1]);
  assert.deepEqual(
    [message.topic, message.seq, message.id, message.body, message.key],
    [topic.name, 1, ack.id, '{"n":1}', 'k'],
  );
  socket.send({ type: 'unsubscribe', ref: 'b', topic: topic.name });
  assert.deepEqual(await socket.next(), { type: 'unsubscribed', ref: 'b', topic: topic.name });
  await topic.publish('unheard');
  socket.send({ type: 'ping' });
  assert.deepEqual(await socket.next(), { type: 'pong' });
});

test('one socket follows several topics, and publishes to any in order', async (t) => {
  const topics = [useTopic(t), useTopic(t)];
  const socket = await topics[0].socket();
  for (const { name } of topics) {
    socket.send({ type: 'subscribe', ref: name, topic: name, from_seq: 'earliest' });
    assert.equal((await socket.until('subscribed')).topic, name);
  }
  for (let n = 0; n < 20; n += 1) {
    socket.send({ type: 'publish', ref: n, topic: topics[n % 2].name, body: `${n}` });
  }
  const heard = { [topics[0].name]: [], [topics[1].name]: [] };
  let acks = 0;
  while (acks < 20 || Object.values(heard).flat().length < 20) {
    const frame = await socket.next();
    assert.ok(frame, 'a frame is missing');
    if (frame.type === 'ack') {
      assert.equal(frame.ref, acks);
      acks += 1;
    } else heard[frame.topic].push(frame.body);
  }
  const numbers = (rest) => Array.from({ length: 10 }, (_, n) => `${2 * n + rest}`);
  assert.deepEqual(Object.values(heard), [numbers(0), numbers(1)]);
});

test('what is wrong with a frame is said, and the socket stays', async (t) => {
  const topic = useTopic(t);
  const socket = await topic.socket();
  for (const [frame, field] of [
    [[1], 'body'],
    [{}, 'type'],
    [{ type: 'fly', ref: 1 }, 'type'],
    [{ type: 'publish', ref: 1 }, 'body'],
    [{ type: 'publish', ref: 1, body: 'x', priority: 10 }, 'priority'],
    [{ type: 'publish', ref: 1, body: 'x', delay_ms: 5 }, 'delay_ms'],
    [{ type: 'subscribe', ref: 1, topic: 'a b' }, 'topic'],
    [{ type: 'subscribe', ref: 1, topic: 'a/+b' }, 'topic'],
    [{ type: 'subscribe', ref: 1, from_seq: -1 }, 'from_seq'],
    [{ type: 'subscribe', ref: 1, filter: 7 }, 'filter'],
    [{ type: 'subscribe', ref: 1, filter: '((' }, 'filter'],
    [{ type: 'subscribe', ref: 1, wish: 7 }, 'wish'],
  ]) {
    socket.send(frame);
    const answer = await socket.next();
    assert.equal(answer.type, 'error', JSON.stringify(frame));
    assert.deepEqual([answer.problem.status, answer.problem.field], [400, field]);
    if (frame.ref !== undefined) assert.equal(answer.ref, 1);
  }
  socket.send({ type: 'ping' });
  assert.deepEqual(await socket.next(), { type: 'pong' });
});

test('a deleted topic lets its readers go', async (t) => {
  const topic = useTopic(t);
  await topic.publish('x');
  const events = await topic.events({ from_seq: 1 });
  await events.next();
  const socket = await topic.socket();
  socket.send({ type: 'subscribe', ref: 1, from_seq: 1 });
  await socket.until('message');
  await topic.request('DELETE');
  assert.equal((await events.next()).event, 'gone');
  assert.equal(await events.next(), null);
  assert.equal((await socket.until('unsubscribed')).topic, topic.name);
});

test('those who are here see who comes and goes', async (t) => {
  const topic = useTopic(t);
  const ada = await topic.socket();
  ada.send({ type: 'subscribe', ref: 1, member: 'ada' });
  assert.deepEqual((await ada.until('here')).members, ['ada']);
  const bob = await topic.socket();
  bob.send({ type: 'subscribe', ref: 1, member: 'bob' });
  assert.deepEqual((await bob.until('here')).members, ['ada', 'bob']);
  assert.equal((await ada.until('join')).member, 'bob');
  assert.deepEqual((await topic.figures()).members, ['ada', 'bob']);
  bob.cut();
  assert.equal((await ada.until('leave')).member, 'bob');
});

test('that somebody left an event stream is told soon', async (t) => {
  const topic = useTopic(t);
  const ada = await topic.socket();
  ada.send({ type: 'subscribe', ref: 1, member: 'ada' });
  await ada.until('here');
  const bob = await topic.events({ member: 'bob' });
  assert.equal((await ada.until('join')).member, 'bob');
  bob.close();
  // The comment that others get would tell after 15 s.
  assert.equal((await ada.until('leave', 6_000))?.member, 'bob');
  assert.equal((await topic.figures()).readers, 1);
});

test('a slow reader is told that it lags, and misses nothing', async (t) => {
  const topic = useTopic(t);
  const socket = await topic.socket();
  socket.send({ type: 'subscribe', ref: 1, from_seq: 'earliest' });
  await socket.until('subscribed');
  await topic.publish('0');
  await socket.until('message');
  socket.pause();
  const body = 'x'.repeat(20_000);
  for (let n = 0; n < 40; n += 1) {
    const messages = Array.from({ length: 50 }, () => ({ body }));
    await topic.request('POST', '/messages/batch', { json: { messages } });
  }
  socket.resume();
  const seen = [];
  let lagged = 0;
  while (seen.length < 2_000) {
    const frame = await socket.next(20_000);
    assert.ok(frame, `${seen.length} of 2000`);
    if (frame.type === 'lagged') lagged += 1;
    else seen.push(frame.seq);
  }
  assert.deepEqual(seen, Array.from({ length: 2_000 }, (_, n) => n + 2));
  assert.ok(lagged >= 1, 'it was never told');
});
