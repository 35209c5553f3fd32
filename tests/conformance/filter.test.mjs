// Filters of a pull: event patterns over a message and selectors over its attributes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, useServer } from './support.mjs';

const tide = useServer();

const ORDERS = [
  { body: 'a', key: 'k1', attributes: { region: 'eu', amount: '50' } },
  { body: 'b', key: 'k2', attributes: { region: 'eu', amount: '150' } },
  { body: 'c', key: 'k3', attributes: { region: 'us', amount: '250' } },
  { body: { total: 300, kind: 'refund' }, encoding: 'json', content_type: 'application/json' },
];

async function orders() {
  const queue = await tide.queue();
  await queue.batch(ORDERS);
  return queue;
}

/** Which of the orders a filter picks, by their letters; the one of JSON is `d`. */
async function picked(filter) {
  const queue = await orders();
  const { messages } = await queue.pull({ batch_size: 100, filter });
  return messages.map((m) => (m.body.startsWith('{') ? 'd' : m.body)).join('');
}

for (const [filter, expected] of [
  [{ attributes: { region: ['eu'] } }, 'ab'],
  [{ attributes: { region: ['eu', 'us'] } }, 'abc'],
  [{ attributes: { region: [{ prefix: 'u' }] } }, 'c'],
  [{ attributes: { region: [{ suffix: 'u' }] } }, 'ab'],
  [{ attributes: { region: [{ 'anything-but': 'eu' }] } }, 'c'],
  [{ attributes: { region: [{ exists: false }] } }, 'd'],
  [{ attributes: { region: [{ wildcard: '*s' }] } }, 'c'],
  [{ attributes: { region: ['eu'] }, key: ['k2'] }, 'b'],
  [{ body: { total: [{ numeric: ['>', 100, '<=', 300] }] } }, 'd'],
  [{ body: { kind: ['refund'] }, content_type: [{ prefix: 'application/' }] }, 'd'],
  [{ $or: [{ key: ['k1'] }, { body: { kind: ['refund'] } }] }, 'ad'],
  ["region = 'eu'", 'ab'],
  ["region = 'eu' AND amount > 100", 'b'],
  ["amount BETWEEN 50 AND 150 OR region IN ('us', 'asia')", 'abc'],
  ["region LIKE 'e_'", 'ab'],
  ['region IS NULL', 'd'],
  ["NOT (region = 'eu')", 'c'],
  ["region = 'nowhere'", ''],
]) {
  test(`${JSON.stringify(filter)} picks ${expected || 'nothing'}`, async () => {
    assert.equal(await picked(filter), expected);
  });
}

test('what a filter passes over stays where it is, for others', async () => {
  const queue = await orders();
  const { messages } = await queue.pull({ filter: "region = 'us'" });
  assert.deepEqual(messages.map((m) => m.body), ['c']);
  const rest = await queue.pull();
  const seen = rest.messages.slice(0, 2).map((m) => [m.body, m.attempts]);
  assert.deepEqual(seen, [['a', 1], ['b', 1]]);
});

test('a waiting pull is woken by a message that its filter picks, not by another', async () => {
  const queue = await tide.queue({});
  const waiting = queue.take({ filter: "region = 'eu'", wait_ms: 20_000 });
  await queue.publish('us', { 'tidegate-attr-region': 'us' });
  await queue.publish('eu', { 'tidegate-attr-region': 'eu' });
  assert.equal((await waiting).body, 'eu');
  assert.equal((await queue.take()).body, 'us');
});

for (const filter of [
  "region = 'eu", 'region ==', 'AND', '', 7, [], { attributes: 'eu' }, { nope: ['x'] },
  { attributes: { region: [{ nope: 1 }] } }, { body: { total: [{ numeric: ['>'] }] } },
]) {
  test(`the filter ${JSON.stringify(filter)} is refused`, async () => {
    const queue = await orders();
    const answer = await queue.postPull({ filter });
    const problem = assertProblem(answer, { status: 400, type: 'bad-request' });
    assert.match(problem.field, /^filter/);
    assert.equal((await queue.figures()).in_flight, 0);
  });
}
