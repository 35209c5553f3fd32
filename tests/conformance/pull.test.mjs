// Pulling: the shape of a delivery, how many, how long, who first.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until, useServer } from './support.mjs';

const tide = useServer();

/** Sends a request that waits, and what it brings once it has reached the queue: in an array. */
async function arrived(queue, send) {
  const requests = async () => (await queue.figures()).object_requests_total;
  const before = await requests();
  const answer = send();
  let looks = 0;
  await until(async () => {
    looks += 1;
    return (await requests()) - before - looks >= 1;
  }, { what: 'it is there' });
  return [answer];
}

test('a delivery has all that its consumer needs', async () => {
  const queue = await tide.queue();
  const sent = await queue.publish('hello', { 'content-type': 'text/plain', 'tidegate-key': 'k' });
  const { messages, depth } = await queue.pull();
  assert.equal(messages.length, 1);
  const { lease_id: lease, ...rest } = messages[0];
  assert.ok(typeof lease === 'string' && lease.length > 0);
  const { id, seq, attempts, timestamp_ms, body, encoding, content_type, key, priority } = rest;
  const plain = { id, seq, attempts, timestamp_ms, body, encoding, content_type, key, priority };
  assert.deepEqual(plain, {
    id: sent.id, seq: sent.seq, attempts: 1, timestamp_ms: sent.timestamp_ms, body: 'hello',
    encoding: 'utf8', content_type: 'text/plain', key: 'k', priority: 4,
  });
  assert.equal(typeof rest.attributes, 'object');
  assert.equal(depth, 1);
});

test('an empty queue gives nothing at once', async () => {
  const queue = await tide.queue({});
  const started = Date.now();
  assert.deepEqual(await queue.pull(), { messages: [], depth: 0 });
  assert.ok(Date.now() - started < 2_000, 'no wait was asked for');
});

test('a pull takes as many as it asks for and ten where it does not say', async () => {
  const queue = await tide.queue();
  await queue.batch(Array.from({ length: 30 }, (_, n) => ({ body: String(n) })));
  assert.equal((await queue.pull({ batch_size: 3 })).messages.length, 3);
  assert.equal((await queue.pull()).messages.length, 10);
  assert.equal((await queue.pull({ batch_size: 1_000 })).messages.length, 17);
});

test('a pull without a body is one with the defaults', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const answer = await queue.request('POST', '/messages/pull');
  assert.equal(answer.status, 200, String(answer));
  assert.equal(answer.json.messages.length, 1);
});

test('the depth of a pull counts what is in flight', async () => {
  const queue = await tide.queue();
  await queue.publishMany(5);
  assert.equal((await queue.pull({ batch_size: 2 })).depth, 5);
  const { depth, in_flight: inFlight } = await queue.figures();
  assert.deepEqual({ depth, inFlight }, { depth: 5, inFlight: 2 });
});

test('a body is utf8 where its bytes are, and base64 where they are not', async () => {
  const queue = await tide.queue();
  await queue.publish('naïve 🌊');
  await queue.publish(Buffer.from([0xC3, 0x28]));
  await queue.publish(Buffer.from([0xED, 0xA0, 0x80]));
  const { messages } = await queue.pull();
  assert.deepEqual(messages.map((m) => m.encoding), ['utf8', 'base64', 'base64']);
  assert.equal(messages[0].body, 'naïve 🌊');
  assert.equal(messages[1].body, Buffer.from([0xC3, 0x28]).toString('base64'));
});

test('a higher priority goes first, and the same in order', async () => {
  const queue = await tide.queue();
  for (const [body, priority] of [['a', 4], ['b', 0], ['c', 9], ['d', 4], ['e', 9]]) {
    await queue.publish(body, { 'tidegate-priority': String(priority) });
  }
  const { messages } = await queue.pull();
  assert.deepEqual(messages.map((m) => m.body), ['c', 'e', 'a', 'd', 'b']);
});

test('a publish wakes a waiting pull promptly', async () => {
  const queue = await tide.queue({});
  const [pull] = await arrived(queue, () =>
    queue.pull({ wait_ms: 20_000 }).then((reply) => ({ reply, at: Date.now() })));
  const sent = await queue.publish('a');
  const published = Date.now();
  const { reply, at } = await pull;
  assert.deepEqual(reply.messages.map((m) => m.id), [sent.id]);
  assert.ok(at - published < 5_000, `woken after ${at - published} ms`);
});

test('a wait that is over is answered with nothing', async () => {
  const queue = await tide.queue({});
  const started = Date.now();
  assert.deepEqual((await queue.pull({ wait_ms: 300 })).messages, []);
  const took = Date.now() - started;
  assert.ok(took >= 300 && took < 3_000, `took ${took} ms`);
});

test('waiting pulls are served first come, first served', async () => {
  const queue = await tide.queue({});
  const order = [];
  const pulls = [];
  for (const name of ['first', 'second', 'third', 'fourth']) {
    pulls.push(...await arrived(queue, () =>
      queue.take({ wait_ms: 20_000 }).then((m) => order.push([name, m.body]))));
  }
  for (const body of ['1', '2', '3', '4']) await queue.publish(body);
  await Promise.all(pulls);
  const served = Object.fromEntries(order);
  assert.deepEqual(served, { first: '1', second: '2', third: '3', fourth: '4' });
});

test('a pull that comes later does not overtake one that waits', async () => {
  const queue = await tide.queue({});
  const [waiting] = await arrived(queue, () => queue.take({ wait_ms: 20_000 }));
  const publish = queue.publish('a');
  const late = queue.pull();
  await publish;
  assert.equal((await waiting).body, 'a');
  assert.deepEqual((await late).messages, []);
});

test('no message is delivered to two consumers at a time', async () => {
  const queue = await tide.queue();
  await queue.batch(Array.from({ length: 500 }, (_, n) => ({ body: String(n) })));
  const pulls = Array.from({ length: 25 }, () => queue.pull({ batch_size: 20 }));
  const ids = (await Promise.all(pulls)).flatMap((reply) => reply.messages.map((m) => m.id));
  assert.equal(ids.length, 500);
  assert.equal(new Set(ids).size, 500);
});

test('a leased message is invisible until its lease runs out', async () => {
  const queue = await tide.queue({ delivery: { visibility_timeout_ms: 1_500 } });
  await queue.publish('a');
  const leased = Date.now();
  const first = await queue.take();
  await queue.assertNothing();
  const second = await queue.take();
  assert.ok(Date.now() - leased >= 1_500, 'not early');
  assert.equal(second.id, first.id);
  assert.equal(second.attempts, 2);
  assert.notEqual(second.lease_id, first.lease_id);
});

test('a pull may choose how long its leases last', async () => {
  const queue = await tide.queue({ delivery: { visibility_timeout_ms: 60_000 } });
  await queue.publish('a');
  await queue.take({ visibility_timeout_ms: 200 });
  assert.equal((await queue.take({ wait_ms: 5_000 })).attempts, 2);
});

test('what a client that went away was given is delivered to another', async () => {
  const queue = await tide.queue({ delivery: { visibility_timeout_ms: 500 } });
  const gone = new AbortController();
  const [pull] = await arrived(queue, () => queue.pull({ wait_ms: 20_000 }, { signal: gone.signal }));
  gone.abort();
  await assert.rejects(pull);
  await queue.publish('a');
  assert.equal((await queue.take({ wait_ms: 10_000 })).body, 'a');
});
