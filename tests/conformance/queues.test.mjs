// Queues as things: names, listing, coming into being, browsing, pausing, purging, going.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FIGURES, Tide, assertProblem, until, useServer } from './support.mjs';

const tide = useServer();

/** Every page of the list, asserting that no page is larger than asked for. */
async function listAll(limit) {
  const all = [];
  for (let cursor; ;) {
    const query = `limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    const answer = await tide.request('GET', `/v1/queues?${query}`);
    assert.equal(answer.status, 200, String(answer));
    const page = answer.json;
    assert.ok(page.queues.length <= limit);
    all.push(...page.queues);
    if (!('cursor' in page)) return all;
    assert.equal(typeof page.cursor, 'string');
    cursor = page.cursor;
  }
}

test('every queue is listed once, with its figures, page by page', async () => {
  const names = [];
  for (let n = 0; n < 7; n += 1) {
    const queue = await tide.queue(n % 2 ? {} : undefined, tide.name('listed'));
    for (let k = 0; k <= n; k += 1) if (!(n % 2)) await queue.publish('x');
    names.push([queue.name, n % 2 ? 0 : n + 1]);
  }
  for (const limit of [1, 3, 100]) {
    const listed = await until(async () => {
      const all = (await listAll(limit)).filter((q) => names.some(([name]) => name === q.name));
      return all.length >= names.length && all;
    }, { what: 'all queues in the list' });
    const found = listed.map((q) => [q.name, q.depth]).toSorted();
    assert.deepEqual(found, names.toSorted());
    for (const queue of listed) {
      for (const figure of FIGURES.filter((f) => f !== 'oldest_at_ms')) {
        assert.equal(typeof queue[figure], 'number', figure);
      }
    }
  }
});

test('a name may have levels, dots, dashes and underscores, up to 128 characters', async () => {
  for (const stem of ['shop/eu/orders', 'a.b_c-d', '0', 'Z'.repeat(100), 'UPPER/lower']) {
    const name = `${stem}${tide.name('-')}`;
    const queue = await tide.queue({}, name);
    const { id } = await queue.publish('a');
    assert.equal(await queue.state(id), 'queued');
    assert.equal((await queue.figures()).depth, 1);
    assert.equal((await queue.take()).id, id);
  }
  await tide.queue({}, tide.name('x'.repeat(110)).padEnd(128, 'x'));
});

test('names differ in case', async () => {
  const upper = await tide.queue(undefined, `CASE-${tide.name()}`);
  const lower = await tide.queue({}, upper.name.toLowerCase());
  await upper.publish('a');
  assert.equal((await lower.figures()).depth, 0);
});

test('a queue that was never published to nor configured is not found', async () => {
  const queue = await tide.queue();
  for (const [method, rest] of [
    ['GET', ''], ['DELETE', ''], ['GET', '/messages'], ['POST', '/purge'], ['POST', '/pause'],
    ['POST', '/resume'], ['GET', '/messages/01ARZ3NDEKTSV4RRFFQ69G5FAV'],
  ]) {
    const answer = await queue.request(method, rest);
    assertProblem(answer, { status: 404, type: 'not-found' });
  }
  assert.equal((await queue.request('GET')).status, 404, 'asking does not create');
});

test('a deleted queue is gone with all its messages', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 3 } });
  const { id } = await queue.publish('a');
  await queue.publish('b');
  assert.equal((await queue.request('DELETE')).status, 204);
  assertProblem(await queue.request('GET'), { status: 404, type: 'not-found' });
  assertProblem(await queue.getMessage(id), { status: 404, type: 'not-found' });
  assertProblem(await queue.request('DELETE'), { status: 404, type: 'not-found' });
  const listed = async () => (await listAll(100)).some((q) => q.name === queue.name);
  await until(async () => !(await listed()), { what: 'off the list' });
});

test('a queue made anew under an old name has nothing of the old one', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 1 } });
  await queue.publish('old', { 'idempotency-key': 'k' });
  assert.equal((await queue.postMessage()).status, 410);
  await queue.request('DELETE');
  const { body } = await queue.publish('new', { 'idempotency-key': 'k' }).then(() => queue.take());
  assert.equal(body, 'new');
  const { capacity, accepted_total: accepted } = await queue.figures();
  assert.deepEqual([capacity.max_accepted, accepted], [null, 1]);
});

test('a purge drops every message, leased and delayed too', async () => {
  const queue = await tide.queue();
  await queue.publishMany(5);
  await queue.publish('d', { 'tidegate-delay-ms': '60000' });
  await queue.publish('h', { 'tidegate-hold-ms': '60000' });
  const message = await queue.take();
  assert.equal((await queue.request('POST', '/purge')).status, 204);
  const figures = await queue.figures();
  for (const name of ['depth', 'delayed', 'in_flight', 'backlog_bytes']) {
    assert.equal(figures[name], 0, name);
  }
  const reply = await queue.settle({ acks: [{ lease_id: message.lease_id }] });
  assert.equal(reply.acked, 0);
  await queue.assertNothing();
});

test('seq goes on growing after a purge', async () => {
  const queue = await tide.queue();
  const first = await queue.publish('a');
  await queue.request('POST', '/purge');
  const second = await queue.publish('b');
  assert.ok(second.seq > first.seq);
  assert.ok(second.id > first.id);
});

test('a paused queue takes messages and hands out none until it is resumed', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  assert.equal((await queue.request('POST', '/pause')).status, 204);
  assert.equal((await queue.request('POST', '/pause')).status, 204);
  await queue.publish('b');
  await queue.assertNothing();
  const waiting = queue.pull({ wait_ms: 20_000 });
  assert.equal((await queue.request('POST', '/resume')).status, 204);
  const { messages } = await waiting;
  assert.deepEqual(messages.map((m) => m.body), ['a', 'b']);
});

test('what was leased before a pause can be acknowledged during it', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const message = await queue.take();
  await queue.request('POST', '/pause');
  await queue.ack(message);
});

test('browsing shows messages in order and leases none', async () => {
  const queue = await tide.queue();
  const sent = await queue.publishMany(5, { 'tidegate-key': 'k', 'content-type': 'text/plain' });
  const answer = await queue.request('GET', '/messages');
  assert.equal(answer.status, 200);
  const { messages } = answer.json;
  assert.deepEqual(messages.map((m) => m.id), sent.map((m) => m.id));
  assert.deepEqual(messages.map((m) => m.body), ['0', '1', '2', '3', '4']);
  for (const message of messages) {
    assert.ok(!('lease_id' in message));
    const { key, content_type: type, encoding, attempts, priority } = message;
    assert.deepEqual({ key, type, encoding, attempts, priority }, {
      key: 'k', type: 'text/plain', encoding: 'utf8', attempts: 0, priority: 4,
    });
  }
  const { in_flight: inFlight, depth } = await queue.figures();
  assert.deepEqual({ inFlight, depth }, { inFlight: 0, depth: 5 });
});

test('browsing goes on after a seq, page by page', async () => {
  const queue = await tide.queue();
  const sent = await queue.publishMany(10);
  assert.deepEqual((await queue.browse(3)).map((m) => m.seq), sent.map((m) => m.seq));
  const tail = await queue.request('GET', `/messages?after_seq=${sent[7].seq}&limit=100`);
  assert.deepEqual(tail.json.messages.map((m) => m.seq), [sent[8].seq, sent[9].seq]);
});

test('browsing leaves out what is final', async () => {
  const queue = await tide.queue();
  const sent = await queue.publishMany(4);
  await queue.ack(await queue.take());
  await queue.cancel(sent[2].id);
  assert.deepEqual((await queue.browse()).map((m) => m.body), ['1', '3']);
});

describe('without AUTO_CREATE', () => {
  const strict = new Tide();
  before(() => strict.start({ AUTO_CREATE: 'false' }));
  after(() => strict.stop());

  test('a publish or a pull does not create a queue, a configuration does', async () => {
    const queue = await strict.queue();
    const notFound = { status: 404, type: 'not-found' };
    assertProblem(await queue.postMessage(), notFound);
    assertProblem(await queue.postBatch([{ body: 'x' }]), notFound);
    assertProblem(await queue.postPull(), notFound);
    assertProblem(await queue.request('GET'), notFound);
    await queue.configure({});
    await queue.publish('a');
    assert.equal((await queue.take()).body, 'a');
  });
});
