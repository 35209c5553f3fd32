// The draw: who takes part, who wins, and how anyone checks it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { assertProblem, assertRefused, until, useServer } from './support.mjs';

const tide = useServer();

const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

const drawn = async (ms, capacity = {}) => {
  const at = Date.now() + ms;
  const queue = await tide.queue({
    capacity: { max_accepted: 3, admission: 'draw', draw_at_ms: at, ...capacity },
  });
  return { queue, at };
};

const outcome = (queue) => until(async () => {
  const { draw } = await queue.figures();
  return draw.seed !== undefined && draw;
}, { what: 'the draw' });

const takePart = async (queue, count) => {
  const answers = await Promise.all(Array.from({ length: count }, () => queue.postMessage('me')));
  for (const { status } of answers) assert.equal(status, 202);
  return answers.map(({ json }) => json);
};

test('as many win as there are places, and anyone can check who', async () => {
  const { queue, at } = await drawn(2_500);
  const before = (await queue.figures()).draw;
  assert.deepEqual(Object.keys(before).sort(), ['at_ms', 'commitment']);
  const all = await takePart(queue, 20);
  for (const { state, position, draw_at_ms: drawAt } of all) {
    assert.deepEqual([state, position, drawAt], ['waiting', undefined, at]);
  }
  const loserOrWinner = tide.request('GET', `${queue.path}/messages/${all[0].id}?wait_ms=20000`);
  const draw = await outcome(queue);
  assert.ok(Date.now() >= at);
  assert.deepEqual([draw.participants, draw.drawn, draw.at_ms], [20, 3, at]);
  const seed = Buffer.from(draw.seed, 'hex');
  assert.equal(draw.commitment, before.commitment);
  assert.equal(sha256(seed), draw.commitment);
  const ranked = all.map(({ id }) => ({ id, rank: sha256(seed, id) }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  for (const [place, { id, rank }] of ranked.entries()) {
    assert.equal(await queue.state(id), place < 3 ? 'queued' : 'not-drawn');
    assert.equal(rank <= draw.threshold, place < 3);
  }
  const { state } = (await loserOrWinner).json;
  assert.ok(['queued', 'not-drawn'].includes(state), state);
  assertRefused(await queue.postMessage('late'), { status: 410, type: 'sold-out' });
});

test('a draw is held though the server was killed before it', async () => {
  const { queue } = await drawn(3_000);
  const all = await takePart(queue, 5);
  const { commitment } = (await queue.figures()).draw;
  await tide.crash();
  const draw = await outcome(queue);
  assert.equal(draw.commitment, commitment);
  const states = await Promise.all(all.map(({ id }) => queue.state(id)));
  assert.equal(states.filter((state) => state === 'queued').length, 3);
  assert.equal(states.filter((state) => state === 'not-drawn').length, 2);
});

test('who takes part may leave before the draw', async () => {
  const { queue } = await drawn(1_500);
  const all = await takePart(queue, 4);
  await queue.cancel(all[0].id);
  const draw = await outcome(queue);
  assert.deepEqual([draw.participants, draw.drawn], [3, 3]);
  assert.equal(await queue.state(all[0].id), 'cancelled');
});

test('a draw needs an instant, after the opening and to come', async () => {
  const at = Date.now() + 60_000;
  for (const capacity of [
    { admission: 'draw' },
    { admission: 'draw', draw_at_ms: at, opens_at_ms: at },
    { admission: 'draw', draw_at_ms: Date.now() - 1 },
  ]) {
    const answer = await tide.request('PUT', `/v1/queues/${tide.name()}`, { json: { capacity } });
    assertProblem(answer, { status: 400, type: 'bad-request', field: 'capacity.draw_at_ms' });
  }
});
