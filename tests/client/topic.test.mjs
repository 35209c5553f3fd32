// Topics: publishing, reading the log, durable subscriptions. Live readers have a file of their own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotFoundError, SeqMismatchError } from '../../clients/typescript/index.js';
import { collect, range, take, until, useServer } from './support.mjs';

const tide = useServer();
const texts = (messages) => messages.map((message) => message.text());

test('messages published together go together, and have numbers in their order', async () => {
  const { topic, calls } = tide.topic();
  const accepted = await Promise.all(range(250).map((n) => topic.publish(String(n), { key: 'k' })));
  assert.deepEqual([calls.count('/messages'), calls.count('/batch')], [0, 1]);
  assert.deepEqual(accepted.map((it) => it.seq), range(250).map((n) => n + 1));
  assert.equal(calls.seen[0].init.headers['content-type'], 'application/vnd.tidegate.batch');
  const { messages, nextSeq, lastSeq, missed } = await topic.read({ fromSeq: 249 });
  assert.deepEqual([texts(messages), nextSeq, lastSeq, missed], [['248', '249'], 251, 250, 0]);
  assert.deepEqual([messages[0].seq, messages[0].key], [249, 'k']);
});

test('a publish that expects a number is accepted only after it', async () => {
  const { topic } = tide.topic();
  assert.equal((await topic.publish({ n: 1 }, { expectSeq: 0 })).seq, 1);
  await assert.rejects(topic.publish('late', { expectSeq: 0 }), (error) => {
    assert.ok(error instanceof SeqMismatchError);
    assert.equal(error.lastSeq, 1);
    return true;
  });
  assert.deepEqual((await topic.read()).messages[0].json(), { n: 1 });
});

test('the log is read to its end as it is at the first read, page after page', async () => {
  const { topic, calls } = tide.topic();
  await Promise.all(range(25).map((n) => topic.publish(`m${n}`, { attributes: { n: String(n) } })));
  const seen = [];
  for await (const message of topic.log({ batchSize: 10 })) {
    seen.push(message.text());
    if (seen.length === 1) await topic.publish('later');
  }
  assert.deepEqual(seen, range(25).map((n) => `m${n}`));
  assert.equal(calls.count('/messages') - 1, 3);
  const filtered = await collect(topic.log({ filter: { attributes: { n: ['7', '9'] } } }));
  assert.deepEqual(texts(filtered), ['m7', 'm9']);
  assert.deepEqual(texts(await collect(topic.log({ fromSeq: 25 }))), ['m24', 'later']);
  assert.deepEqual(texts(await collect(topic.log({ filter: "n = '3'" }))), ['m3']);
});

test('a topic is configured, described, listed and deleted', async () => {
  const { topic, client } = tide.topic();
  const made = await topic.configure({ maxMessages: 5, persistence: 'memory' });
  assert.deepEqual([made.maxMessages, made.persistence, made.lastSeq], [5, 'memory', 0]);
  await until(() => collect(client.topics({ pageSize: 2 })),
    (all) => all.some(({ name }) => name === topic.name));
  await topic.delete();
  await assert.rejects(topic.describe(), NotFoundError);
});

test('a subscription is consumed with the consumer of queues', async () => {
  const { topic, calls } = tide.topic();
  const mail = topic.subscription('mail');
  const filter = { attributes: { wantsMail: ['yes'] } };
  const made = await mail.configure({ filter, from: 'earliest' });
  assert.deepEqual([made.name, made.filter, made.lag], ['mail', filter, 0]);
  await Promise.all(range(20).map((n) =>
    topic.publish({ n }, { attributes: { wantsMail: n % 2 ? 'yes' : 'no' } })));
  const stop = new AbortController();
  const seen = [];
  await mail.consume(async (message, { signal }) => {
    signal.throwIfAborted();
    seen.push(message.json().n);
    if (seen.length === 1) throw new Error('the first time it fails');
    if (seen.length === 11) stop.abort();
  }, { signal: stop.signal, concurrency: 4, onError: () => {} });
  assert.deepEqual([...new Set(seen)].sort((a, b) => a - b), range(10).map((n) => 2 * n + 1));
  assert.equal(seen.length, 11);
  assert.deepEqual((await mail.pull()).length, 0);
  const acks = calls.seen.filter(({ path }) => path.endsWith('/ack'));
  assert.ok(acks.every(({ init }) => init.body instanceof Uint8Array), 'acks are binary');
});

test('a subscription is paused, lags, goes on, and is sought', async () => {
  const { topic } = tide.topic();
  const audit = topic.subscription('audit');
  await audit.configure();
  await audit.pause();
  for (const body of ['a', 'b', 'c']) await topic.publish(body);
  const { lag, paused, nextSeq } = await audit.describe();
  assert.deepEqual([lag, paused, nextSeq], [3, true, 1]);
  await audit.seek({ seq: 3 });
  await audit.resume();
  const message = await take(audit);
  assert.deepEqual([message.text(), message.attributes['tidegate-topic-seq']], ['c', '3']);
  await message.ack();
  await audit.seek({ atMs: 0 });
  const first = await take(audit);
  assert.equal(first.text(), 'a');
  await Promise.all([first.ack(), audit.flush()]);
  assert.deepEqual((await collect(topic.subscriptions())).map(({ name }) => name), ['audit']);
  await audit.delete();
  await assert.rejects(audit.describe(), NotFoundError);
});

test('a subscription that feeds a queue is consumed there', async () => {
  const { topic, client } = tide.topic();
  const queue = client.queue(`${topic.name}-sink`);
  await queue.configure({});
  await topic.subscription('feed').configure({ target: { queue: queue.name } });
  await topic.publish('over there');
  assert.equal((await take(queue)).text(), 'over there');
});

test('any call of the interface can be made', async () => {
  const { client } = tide.client();
  const name = `/v1/queues/raw-${process.pid}`;
  const made = await client.request('PUT', name, { json: { capacity: { max_messages: 3 } } });
  assert.deepEqual([made.status, made.json.capacity.max_messages], [201, 3]);
  const headers = { 'content-type': 'text/plain', 'tidegate-key': 'k' };
  const { status } = await client.request('POST', `${name}/messages`, { body: 'x', headers });
  assert.equal(status, 202);
  await assert.rejects(client.request('GET', `${name}/nothing`), NotFoundError);
});
