// Dead letters: given up after the configured attempts, kept or moved with their history, redriven.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, until, useServer } from './support.mjs';

const tide = useServer();

const HISTORY = ['queue', 'id', 'attempts', 'reason', 'at-ms']
  .map((name) => `tidegate-dead-${name}`);

/** A queue that gives up after `attempts`, and its dead-letter queue. */
async function pair(attempts = 1) {
  const dead = await tide.queue({}, tide.name('dead'));
  const queue = await tide.queue({
    delivery: { max_attempts: attempts, dead_letter_queue: dead.name },
  });
  return { queue, dead };
}

/** Lets a message fail as often as it takes for it to be given up. */
async function fail(queue, attempts = 1) {
  for (let n = 1; n <= attempts; n += 1) {
    const message = await queue.take();
    assert.equal(message.attempts, n);
    await queue.retry(message);
  }
}

test('a message is given up after its last attempt, not before', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 3 } });
  const { id } = await queue.publish('a');
  await fail(queue, 2);
  assert.notEqual(await queue.state(id), 'dead');
  const last = await queue.take();
  assert.equal(last.attempts, 3);
  await queue.retry(last);
  assert.equal(await queue.state(id), 'dead');
  await queue.assertNothing();
});

test('a lease that runs out is a failed attempt too', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 1, visibility_timeout_ms: 100 } });
  const { id } = await queue.publish('a');
  await queue.take();
  await queue.untilState(id, 'dead');
  await queue.assertNothing();
});

test('an acknowledgement in the last attempt saves the message', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 2 } });
  const { id } = await queue.publish('a');
  await fail(queue, 1);
  await queue.ack(await queue.take());
  assert.equal(await queue.state(id), 'done');
  assert.equal((await queue.figures()).dead_total, 0);
});

test('without a dead-letter queue a dead letter stays here, out of the backlog', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 1 } });
  const { id } = await queue.publish('a');
  await fail(queue);
  const { depth, dead_total: dead, backlog_bytes: bytes } = await queue.figures();
  assert.deepEqual({ depth, dead, bytes }, { depth: 0, dead: 1, bytes: 0 });
  assert.equal(await queue.state(id), 'dead');
});

test('a dead letter leaves its place in the backlog to another', async () => {
  const queue = await tide.queue({
    delivery: { max_attempts: 1 }, capacity: { max_messages: 1 },
  });
  await queue.publish('a');
  await fail(queue);
  await queue.publish('b');
});

test('a dead letter arrives in the dead-letter queue with its history', async () => {
  const { queue, dead } = await pair(2);
  const sent = await queue.publish('{"n":1}', {
    'content-type': 'application/json', 'tidegate-key': 'k', 'tidegate-attr-region': 'eu',
  });
  await fail(queue, 2);
  assert.equal(await queue.state(sent.id), 'dead');
  const letter = await dead.take();
  assert.equal(letter.body, '{"n":1}');
  assert.equal(letter.content_type, 'application/json');
  assert.equal(letter.key, 'k');
  assert.equal(letter.attributes.region, 'eu');
  for (const name of HISTORY) assert.ok(letter.attributes[name], name);
  assert.equal(letter.attributes['tidegate-dead-queue'], queue.name);
  assert.equal(letter.attributes['tidegate-dead-id'], sent.id);
  assert.equal(letter.attributes['tidegate-dead-attempts'], '2');
  const at = Number(letter.attributes['tidegate-dead-at-ms']);
  assert.ok(at >= sent.timestamp_ms && at <= Date.now() + 1_000, `at ${at}`);
  assert.equal((await queue.figures()).depth, 0);
});

test('every dead letter arrives, and once', async () => {
  const { queue, dead } = await pair(1);
  const count = 250;
  await queue.batch(Array.from({ length: count }, (_, n) => ({ body: String(n) })));
  const { messages } = await queue.pull({ batch_size: 1_000 });
  await queue.settle({ retries: messages.map((m) => ({ lease_id: m.lease_id, delay_ms: 0 })) });
  await until(async () => (await dead.figures()).depth >= count, { what: 'all dead letters' });
  const letters = await dead.drain();
  assert.equal(letters.length, count);
  assert.equal(new Set(letters.map((m) => m.body)).size, count);
  assert.equal((await queue.figures()).dead_total, count);
});

test('a dead-letter queue that was never configured comes into being', async () => {
  const name = tide.name('dead');
  const queue = await tide.queue({ delivery: { max_attempts: 1, dead_letter_queue: name } });
  await queue.publish('a');
  await fail(queue);
  const dead = await tide.queue(undefined, name);
  await until(async () => (await dead.request('GET')).status === 200, { what: 'the queue' });
  assert.equal((await dead.take()).body, 'a');
});

test('dead letters kept here are redriven into their queue', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 1 } });
  await queue.publishMany(3);
  for (let n = 0; n < 3; n += 1) await fail(queue);
  await queue.assertNothing();
  const answer = await queue.request('POST', '/redrive');
  assert.equal(answer.status, 200, String(answer));
  assert.deepEqual(answer.json, { moved: 3 });
  const bodies = (await queue.drain()).map((m) => m.body);
  assert.deepEqual(bodies.toSorted(), ['0', '1', '2']);
});

test('dead letters in another queue are redriven from there', async () => {
  const { queue, dead } = await pair(1);
  await queue.publishMany(3);
  for (let n = 0; n < 3; n += 1) await fail(queue);
  await until(async () => (await dead.figures()).depth === 3, { what: 'the dead letters' });
  const answer = await queue.request('POST', '/redrive');
  assert.equal(answer.status, 200, String(answer));
  assert.equal(answer.json.moved, 3);
  const back = await queue.drain();
  assert.deepEqual(back.map((m) => m.body).toSorted(), ['0', '1', '2']);
  const empty = async () => (await dead.figures()).depth === 0;
  await until(empty, { what: 'an empty dead-letter queue' });
});

test('nothing comes back from a dead-letter queue that nothing went to', async () => {
  const queue = await tide.queue({ delivery: { dead_letter_queue: tide.name('dead') } });
  const answer = await queue.request('POST', '/redrive');
  assert.equal(answer.status, 200, String(answer));
  assert.deepEqual(answer.json, { moved: 0 });
});

test('a redrive leaves the dead letters of other queues where they are', async () => {
  const { queue, dead } = await pair(1);
  const other = await tide.queue({
    delivery: { max_attempts: 1, dead_letter_queue: dead.name },
  });
  await queue.publish('mine');
  await other.publish('theirs');
  await fail(queue);
  await fail(other);
  await until(async () => (await dead.figures()).depth === 2, { what: 'the dead letters' });
  const answer = await queue.request('POST', '/redrive');
  assert.equal(answer.json.moved, 1);
  assert.equal((await queue.take()).body, 'mine');
  assert.deepEqual((await dead.browse()).map((m) => m.body), ['theirs']);
});

test('a selection of dead letters comes back, from here and from another queue', async () => {
  for (const elsewhere of [false, true]) {
    const { queue, dead } = elsewhere
      ? await pair(1)
      : { queue: await tide.queue({ delivery: { max_attempts: 1 } }), dead: null };
    for (const colour of ['red', 'blue', 'red']) {
      await queue.publish(colour, { 'Tidegate-Attr-colour': colour });
      await fail(queue);
    }
    if (dead) await until(async () => (await dead.figures()).depth === 3, { what: 'the dead' });
    const redrive = (json) => queue.request('POST', '/redrive', { json });
    assert.deepEqual((await redrive({ to_at_ms: 1 })).json, { moved: 0 });
    assert.deepEqual((await redrive({ filter: "colour = 'red'" })).json, { moved: 2 });
    assert.deepEqual((await queue.drain()).map((m) => m.body), ['red', 'red']);
    const filter = { attributes: { colour: ['blue'], 'tidegate-dead-reason': ['max_attempts'] } };
    assert.deepEqual((await redrive({ from_at_ms: 1, filter })).json, { moved: 1 });
  }
});

test('a selection that cannot be read is refused by its field', async () => {
  const queue = await tide.queue({});
  for (const [json, field] of [
    [{ from_at_ms: 'x' }, 'from_at_ms'],
    [{ from_at_ms: 5, to_at_ms: 5 }, 'to_at_ms'],
    [{ filter: 'a =' }, 'filter'],
    [{ filter: 3 }, 'filter'],
    [{ after_seq: -1 }, 'after_seq'],
    [{ all: true }, 'all'],
  ]) {
    const answer = await queue.request('POST', '/redrive', { json });
    assertProblem(answer, { status: 400, type: 'bad-request', field });
  }
});

test('a redrive delivers nothing again that is in somebody\'s hands', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 1 } });
  await queue.publish('dead');
  await fail(queue);
  const { id } = await queue.publish('confirmed', { 'tidegate-hold-ms': '60000' });
  await queue.confirm(id);
  assert.equal((await queue.take()).body, 'confirmed');
  assert.deepEqual((await queue.request('POST', '/redrive')).json, { moved: 1 });
  assert.deepEqual((await queue.pull()).messages.map((m) => m.body), ['dead']);
});

test('a message that was redriven has its attempts before it again', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 2 } });
  await queue.publish('a');
  await fail(queue, 2);
  await queue.request('POST', '/redrive');
  await queue.retry(await queue.take());
  const again = await queue.take();
  assert.equal(again.body, 'a');
  await queue.ack(again);
});

test('a redrive without dead letters moves none', async () => {
  const queue = await tide.queue({});
  const answer = await queue.request('POST', '/redrive');
  assert.deepEqual(answer.json, { moved: 0 });
});

test('a redrive of a queue that does not exist is not found', async () => {
  const answer = await tide.request('POST', `/v1/queues/${tide.name()}/redrive`);
  assertProblem(answer, { status: 404, type: 'not-found' });
});
