// Following a topic live, by both transports: no message is left out and none told twice, however
// often the way to the server breaks.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { NotFoundError } from '../../clients/typescript/index.js';
import { openProxy } from '../harness/proxy.mjs';
import { TestWebSocket } from '../harness/web-socket.mjs';
import { range, until, useServer } from './support.mjs';

const tide = useServer();
let proxy;
before(async () => (proxy = await openProxy(() => tide.server.port)));
after(() => proxy.close());

/** A client whose way to the server can be cut, and one whose way cannot. */
function useTopic() {
  const { topic, client } = tide.topic();
  const through = tide.client({ url: proxy.url, WebSocket: TestWebSocket }).client;
  return { topic, client, followed: through.topic(topic.name) };
}

/** Follows in the background; what it saw. */
function watch(t, topic, options) {
  const stop = new AbortController();
  const seen = { texts: [], seqs: [], states: [], members: [], changes: [], stop };
  seen.ended = (async () => {
    const callbacks = {
      onState: (state) => seen.states.push(state),
      onPresence: (members, change) => {
        seen.members = members;
        seen.changes.push(change);
      },
    };
    const all = { ...callbacks, signal: stop.signal, ...options };
    for await (const message of topic.subscribe(all)) {
      seen.texts.push(message.text());
      seen.seqs.push(message.seq);
    }
  })();
  seen.ended.catch(() => {});
  t.after(() => stop.abort());
  return seen;
}

const isOpen = (seen) => until(() => seen.states.at(-1), (state) => state === 'open');

for (const transport of ['websocket', 'events']) {
  describe(`by ${transport}`, () => {
    test('what is published is told, from then on', async (t) => {
      const { topic, followed } = useTopic();
      await topic.publish('before');
      const seen = watch(t, followed, { transport });
      await isOpen(seen);
      await topic.publish('after', { attributes: { a: 'b' } });
      await until(() => seen.texts, ({ length }) => length === 1);
      assert.deepEqual([seen.texts, seen.seqs], [['after'], [2]]);
    });

    test('the history comes first, and a filter holds for both', async (t) => {
      const { topic, followed } = useTopic();
      const send = (n) => topic.publish(String(n), { attributes: { odd: String(n % 2) } });
      for (const n of range(5)) await send(n);
      const filter = { attributes: { odd: ['1'] } };
      const seen = watch(t, followed, { transport, fromSeq: 'earliest', filter });
      await until(() => seen.texts.length, (count) => count === 2);
      for (const n of [5, 6, 7]) await send(n);
      await until(() => seen.texts.length, (count) => count === 4);
      assert.deepEqual(seen.texts, ['1', '3', '5', '7']);
    });

    test('no gap and no duplicate over broken connections', async (t) => {
      const { topic, followed } = useTopic();
      const seen = watch(t, followed, { transport });
      for (const round of range(12)) {
        await isOpen(seen);
        const publishing = Promise.all(range(20).map((n) => topic.publish(`${round}.${n}`)));
        if (round % 3 === 0) proxy.cut();
        await publishing;
        if (round % 3 === 1) proxy.cut();
      }
      await until(() => seen.seqs.length, (count) => count >= 240, { within_ms: 15_000 });
      assert.deepEqual(seen.seqs, range(240).map((n) => n + 1));
      assert.ok(seen.states.filter((state) => state === 'reconnecting').length >= 4);
    });

    test('nothing is missed while the way to the server is closed before the first', async (t) => {
      const { topic, followed } = useTopic();
      const seen = watch(t, followed, { transport });
      await isOpen(seen);
      proxy.isOpen = false;
      proxy.cut();
      await until(() => seen.states.at(-1), (state) => state === 'reconnecting');
      await topic.publish('in the dark');
      proxy.isOpen = true;
      await until(() => seen.texts, ({ length }) => length === 1);
      assert.deepEqual(seen.texts, ['in the dark']);
    });

    test('who is here is told, and who comes and goes', async (t) => {
      const { followed } = useTopic();
      const ada = watch(t, followed, { transport, member: 'ada' });
      await until(() => ada.members.join(), (members) => members === 'ada');
      const grace = watch(t, followed, { transport, member: 'grace' });
      await until(() => ada.members.join(), (members) => members === 'ada,grace');
      await until(() => grace.members.join(), (members) => members === 'ada,grace');
      assert.deepEqual(ada.changes.at(-1), { joined: ['grace'], left: [] });
      grace.stop.abort();
      await grace.ended;
      if (transport === 'events') return; // Noticed with the next comment only.
      await until(() => ada.members.join(), (members) => members === 'ada');
      assert.deepEqual(ada.changes.at(-1), { joined: [], left: ['grace'] });
    });

    test('the signal ends it; a topic that is deleted does, too', async (t) => {
      const { topic, followed } = useTopic();
      const seen = watch(t, followed, { transport });
      const other = watch(t, followed, { transport });
      await Promise.all([isOpen(seen), isOpen(other)]);
      seen.stop.abort();
      await seen.ended;
      await topic.delete();
      await assert.rejects(other.ended, NotFoundError);
    });

    test('a pattern follows many topics, each message once, over broken connections', async (t) => {
      const { topic, client } = useTopic();
      const through = tide.client({ url: proxy.url, WebSocket: TestWebSocket }).client;
      const seen = watch(t, through.topic(`${topic.name}/+`), { transport });
      await isOpen(seen);
      const topics = ['a', 'b'].map((level) => client.topic(`${topic.name}/${level}`));
      for (const round of range(6)) {
        for (const each of topics) await each.publish(`${each.name.at(-1)}${round}`);
        await until(() => seen.texts.length, (count) => count === 2 * (round + 1));
        proxy.cut();
      }
      const all = topics.flatMap(({ name }) => range(6).map((n) => `${name.at(-1)}${n}`));
      assert.deepEqual([...seen.texts].sort(), all);
    });

    test('what the server refuses is thrown', async () => {
      const { followed } = useTopic();
      const wrong = followed.subscribe({ transport, filter: 'this is no selector' });
      await assert.rejects(wrong.next(), { type: 'bad-request', field: 'filter' });
    });
  });
}

test('no gap and no duplicate over kills of the server', async (t) => {
  const { topic, followed } = useTopic();
  const watching = ['websocket', 'events'].map((transport) => watch(t, followed, { transport }));
  for (const round of range(3)) {
    await Promise.all(watching.map(isOpen));
    await Promise.all(range(50).map((n) => topic.publish(`${round}.${n}`)));
    await tide.server.restart({ wait: false });
    await until(() => topic.describe().catch(() => undefined), (it) => it !== undefined);
  }
  for (const seen of watching) {
    await until(() => seen.seqs.length, (count) => count >= 150, { within_ms: 15_000 });
    assert.deepEqual(seen.seqs, range(150).map((n) => n + 1));
  }
});

test('a reader that takes its time gets all, and the buffer is bounded', async () => {
  const { topic, followed } = useTopic();
  const reader = followed.subscribe({ transport: 'websocket', fromSeq: 'earliest' });
  for (const _ of range(5)) await Promise.all(range(500).map((n) => topic.publish(String(n))));
  const { value: first } = await reader.next();
  const opened = proxy.connections;
  // Meanwhile more arrives than it may hold.
  await until(() => topic.describe(), ({ readers }) => readers === 0, { within_ms: 10_000 });
  const seqs = [first.seq];
  for await (const { seq } of reader) {
    seqs.push(seq);
    if (seq === 2500) break;
  }
  assert.deepEqual(seqs, range(2500).map((n) => n + 1));
  assert.ok(proxy.connections > opened);
});

test('options that are unknown are refused at once', () => {
  const { topic } = tide.topic();
  assert.throws(() => topic.subscribe({ transport: 'carrier-pigeon' }), { field: 'transport' });
  assert.throws(() => topic.subscribe({ form: 'x' }), { field: 'form' });
});
