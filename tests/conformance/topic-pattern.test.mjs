// Topics: patterns. Durable subscriptions and live readers of many topics at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../harness/socket.mjs';
import { useServer } from './support.mjs';
import { Topic, eventually } from './topic.mjs';

const tide = useServer();

/** A pattern below a name of this test's own, and topics there. */
function usePattern(t, wildcard = '#') {
  const root = tide.name('p');
  const pattern = new Topic(tide, `${root}/${wildcard}`);
  t.after(() => pattern.close());
  return { root, pattern, topic: (name) => new Topic(tide, `${root}/${name}`) };
}

const bodies = (messages) => messages.map((it) => it.body).sort();

test('a subscription of a pattern gets what is published to each of its topics', async (t) => {
  const { pattern, topic } = usePattern(t);
  await topic('eu').publish('before');
  const made = await pattern.request('PUT', '/subscriptions/s', { json: {} });
  assert.equal(made.status, 201, String(made));
  assert.equal(made.headers.location, `${pattern.path}/subscriptions/s`);
  assert.deepEqual([made.json.name, made.json.pattern, made.json.settled], [
    's', pattern.name, true,
  ]);
  await topic('eu').publish('1');
  // One that did not exist: its first message is not lost.
  await topic('us/new').publish('2');
  const messages = await pattern.pull('s', 2);
  assert.deepEqual(bodies(messages), ['1', '2']);
  const origin = messages.find((it) => it.body === '2').attributes;
  assert.equal(origin['tidegate-topic'], topic('us/new').name);
  assert.equal(origin['tidegate-topic-seq'], '1');
  const acks = messages.map(({ lease_id }) => ({ lease_id }));
  const answer = await pattern.request('POST', '/subscriptions/s/ack', { json: { acks } });
  assert.equal(answer.json.acked, 2);
});

test('one level is one level', async (t) => {
  const { pattern, topic } = usePattern(t, '+/created');
  await pattern.subscribe('s');
  for (const name of ['eu/created', 'us/created', 'eu/x/created', 'created', 'eu/deleted']) {
    await topic(name).publish(name);
  }
  assert.deepEqual(bodies(await pattern.pull('s', 2)), ['eu/created', 'us/created']);
  assert.equal((await pattern.subscription('s')).topics.length, 2);
});

test('it begins where it is told to, and filters', async (t) => {
  const { pattern, topic } = usePattern(t);
  for (const name of ['a', 'b']) {
    for (const n of ['1', '2']) await topic(name).publish(name + n, { 'tidegate-attr-n': n });
  }
  await pattern.subscribe('all', { from: 'earliest' });
  await pattern.subscribe('some', { from: 'earliest', filter: "n = '2'" });
  assert.deepEqual(bodies(await pattern.pull('all', 4)), ['a1', 'a2', 'b1', 'b2']);
  assert.deepEqual(bodies(await pattern.pull('some', 2)), ['a2', 'b2']);
  const list = await pattern.request('GET', '/subscriptions');
  assert.deepEqual(list.json.subscriptions.map((it) => it.name), ['all', 'some']);
  const page = await pattern.request('GET', '/subscriptions?limit=1');
  assert.deepEqual([page.json.subscriptions.length, page.json.cursor], [1, 'all']);
  // A topic says which patterns read it.
  const own = (await topic('a').request('GET', '/subscriptions')).json.subscriptions;
  assert.deepEqual(own.map((it) => [it.name, it.pattern]), [
    ['all', pattern.name], ['some', pattern.name],
  ]);
});

test('it feeds a queue, is paused, changed, and says how far it is', async (t) => {
  const { root, pattern, topic } = usePattern(t);
  const queue = `${root}-sink`;
  await pattern.subscribe('s', { target: { queue }, paused: true });
  await topic('a').publish('1');
  await topic('b').publish('2');
  await eventually(async () => {
    const { lag, topics, paused, target } = await pattern.subscription('s');
    assert.deepEqual([lag, topics.length, paused, target], [2, 2, true, { queue }]);
  });
  await pattern.subscribe('s', { paused: false });
  await eventually(async () => {
    const { lag, delivered_total } = await pattern.subscription('s');
    assert.deepEqual([lag, delivered_total], [0, 2]);
  });
  const browsed = await tide.request('GET', `/v1/queues/${encodeURIComponent(queue)}/messages`);
  assert.deepEqual(bodies(browsed.json.messages), ['1', '2']);
});

test('a seek replays all topics to one subscription', async (t) => {
  const { pattern, topic } = usePattern(t);
  await pattern.subscribe('s');
  await pattern.subscribe('other');
  await topic('a').publish('a');
  await topic('b').publish('b');
  assert.deepEqual(bodies(await pattern.pull('s', 2)), ['a', 'b']);
  const sought = await pattern.request('POST', '/subscriptions/s/seek', { json: { at_ms: 0 } });
  assert.equal(sought.status, 204, String(sought));
  assert.deepEqual(bodies(await pattern.pull('s', 2)), ['a', 'b']);
  assert.deepEqual(bodies(await pattern.pull('other', 2)), ['a', 'b']);
  const more = { json: { batch_size: 10 } };
  const rest = await pattern.request('POST', '/subscriptions/other/pull', more);
  assert.deepEqual(rest.json.messages, []);
  const by = await pattern.request('POST', '/subscriptions/s/seek', { json: { seq: 1 } });
  assert.deepEqual([by.status, by.json.field], [400, 'seq']);
});

test('what is deleted is gone from all topics, and can be made anew', async (t) => {
  const { pattern, topic } = usePattern(t);
  await pattern.subscribe('s');
  await topic('a').publish('old');
  await eventually(async () => assert.equal((await pattern.subscription('s')).lag, 0));
  assert.equal((await pattern.request('DELETE', '/subscriptions/s')).status, 204);
  for (const [method, rest] of [['GET', ''], ['DELETE', ''], ['POST', '/seek']]) {
    const json = method === 'POST' ? { at_ms: 0 } : undefined;
    const answer = await pattern.request(method, `/subscriptions/s${rest}`, { json });
    assert.equal(answer.status, 404, `${method} ${rest} ${answer}`);
  }
  assert.deepEqual((await topic('a').request('GET', '/subscriptions')).json.subscriptions, []);
  await topic('a').publish('between');
  await pattern.subscribe('s');
  await topic('a').publish('new');
  assert.deepEqual(bodies(await pattern.pull('s', 1)), ['new']);
});

test('a topic that is deleted and comes again is read from its first message', async (t) => {
  const { pattern, topic } = usePattern(t);
  await pattern.subscribe('s');
  for (const body of ['1', '2']) {
    await topic('a').publish(body);
    assert.deepEqual(bodies(await pattern.pull('s', 1)), [body]);
    await topic('a').request('DELETE');
  }
});

test('a hundred topics at once lose nothing', async (t) => {
  const { pattern, topic } = usePattern(t, '+');
  await pattern.subscribe('s');
  const names = Array.from({ length: 100 }, (_, n) => `n${n}`);
  await Promise.all(names.map((name) => topic(name).publish(name)));
  const messages = await pattern.pull('s', 100);
  assert.deepEqual(bodies(messages), [...names].sort());
});

test('events of a pattern come from all its topics, new ones too, and resume', async (t) => {
  const { pattern, topic } = usePattern(t);
  await topic('a').publish('before');
  const events = await pattern.events();
  await eventually(async () => {
    const { subscriptions } = await topic('a').figures();
    assert.equal(subscriptions, 1);
  });
  await topic('a').publish('1');
  const first = await events.next();
  assert.deepEqual(
    [first.data.body, first.data.topic, first.data.seq, first.data.pattern],
    ['1', topic('a').name, 2, pattern.name],
  );
  assert.equal(first.id, `${first.data.pattern_seq}`);
  assert.deepEqual(first.data.attributes, {});
  await topic('new').publish('2');
  const second = await events.next();
  assert.deepEqual([second.data.body, second.data.topic], ['2', topic('new').name]);
  events.close();
  await topic('a').publish('3');
  await topic('later').publish('4');
  const again = await pattern.events({}, { 'last-event-id': second.id });
  const rest = [(await again.next()).data.body, (await again.next()).data.body];
  assert.deepEqual(rest.sort(), ['3', '4']);
});

test('a socket follows a pattern beside a topic', async (t) => {
  const { pattern, topic } = usePattern(t, '+');
  const home = new Topic(tide);
  t.after(() => home.close());
  const socket = await home.socket();
  socket.send({ type: 'subscribe', ref: 1, topic: pattern.name });
  assert.deepEqual((await socket.until('subscribed')).topic, pattern.name);
  await topic('x').publish('hello');
  const message = await socket.until('message');
  assert.deepEqual([message.topic, message.seq, message.body], [topic('x').name, 1, 'hello']);
  socket.send({ type: 'publish', ref: 2, topic: pattern.name, body: 'no' });
  assert.equal((await socket.until('error')).problem.field, 'topic');
  socket.send({ type: 'unsubscribe', ref: 3, topic: pattern.name });
  assert.equal((await socket.until('unsubscribed')).topic, pattern.name);
  const url = `${tide.url}${pattern.path}/socket?from_seq=latest`;
  const listens = await connect(url);
  t.after(() => listens.cut());
  assert.equal((await listens.until('subscribed')).topic, pattern.name);
  await topic('y').publish('all');
  assert.equal((await listens.until('message')).topic, topic('y').name);
});

test('what cannot be is named', async (t) => {
  const { root, pattern } = usePattern(t);
  for (const [method, path, json, field] of [
    ['PUT', `${root}%2F%23`, {}, 'topic'],
    ['GET', `${root}%2F%23/messages`, undefined, 'topic'],
    ['POST', `${root}%2F%23/messages/batch`, { messages: [] }, 'topic'],
    ['GET', `${root}%2F%23%2Fx/events`, undefined, 'topic'],
    ['GET', `${root}%2Fx%23/events`, undefined, 'topic'],
    ['GET', `${root}%2F%2Bx/subscriptions`, undefined, 'topic'],
    ['GET', `${root}%2F%23/events?member=ada`, undefined, 'member'],
    ['PUT', `${root}%2F%23/subscriptions/s`, { from: 7 }, 'from'],
    ['PUT', `${root}%2F%23/subscriptions/s`, { filter: '((' }, 'filter'],
    ['PUT', `${root}%2F%23/subscriptions/s`, { wish: 1 }, 'wish'],
    ['PUT', `${root}%2F%23/subscriptions/%23`, {}, 'subscription'],
  ]) {
    const answer = await tide.request(method, `/v1/topics/${path}`, { json });
    assert.deepEqual([answer.status, answer.json.field], [400, field], `${path}: ${answer}`);
  }
  await pattern.subscribe('s');
  const other = await pattern.request('PUT', '/subscriptions/s', { json: { target: { queue: 'q' } } });
  assert.deepEqual([other.status, other.json.field], [400, 'target']);
});
