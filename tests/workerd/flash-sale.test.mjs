// The sale: a hundred pieces, twenty thousand buyers at once, and the same with the server killed.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Tide, until } from '../conformance/support.mjs';
import { flood } from '../harness/flood.mjs';

const STOCK = 100;
const BUYERS = 20_000;
const CONNECTIONS = 128;

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

/** Sends buyers and sorts what they are told. */
async function sell(queue, total, onAnswer = () => {}) {
  const sale = { accepted: [], refusedBy: { edge: 0, object: 0 }, other: [] };
  const { failures } = await flood(`${tide.url}${queue.path}/messages`, {
    total, connections: CONNECTIONS, body: (n) => `buyer ${n}`,
    onResponse(answer) {
      const { status, headers, body } = answer;
      if (status === 202) sale.accepted.push(JSON.parse(body).id);
      else if (status === 410) sale.refusedBy[headers['tidegate-decided-by']] += 1;
      else sale.other.push(`${status} ${body.slice(0, 200)}`);
      onAnswer(sale);
    },
  });
  return { ...sale, lost: failures.length };
}

test('of twenty thousand buyers a hundred get a piece, and the edge refuses the rest', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: STOCK } });
  const { accepted, refusedBy, other, lost } = await sell(queue, BUYERS);
  assert.deepEqual(other, []);
  assert.equal(lost, 0);
  assert.equal(accepted.length, STOCK);
  assert.equal(new Set(accepted).size, STOCK);
  assert.equal(refusedBy.edge + refusedBy.object, BUYERS - STOCK);
  const share = refusedBy.edge / (BUYERS - STOCK);
  assert.ok(share >= 0.99, `the edge decided ${(share * 100).toFixed(2)} %`);

  const figures = await queue.figures();
  assert.equal(figures.accepted_total, STOCK);
  assert.equal(figures.depth, STOCK);
  const held = new Set((await queue.browse()).map((m) => m.id));
  assert.ok(accepted.every((id) => held.has(id)));
  await until(async () => (await queue.figures()).rejected_total === BUYERS - STOCK, {
    what: 'every refusal is counted',
  });
});

test('a sale that is killed half-way keeps every promise and makes none too many', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: STOCK } });
  let killed;
  const first = await sell(queue, BUYERS / 2, ({ accepted }) => {
    // In the middle of the hundred, with publishes on their way.
    if (accepted.length >= STOCK / 2) killed ??= tide.server.kill9();
  });
  await killed;
  assert.ok(killed, 'the server was killed during the sale');
  await tide.crash();
  const second = await sell(queue, BUYERS / 2);

  assert.deepEqual([...first.other, ...second.other], []);
  assert.equal(second.lost, 0);
  const promised = [...first.accepted, ...second.accepted];
  assert.equal(new Set(promised).size, promised.length, 'no id was given out twice');
  assert.ok(promised.length <= STOCK, `${promised.length} promised`);

  // Answers on their way at the kill are lost; the places they took are not given out again.
  const { accepted_total: accepted, depth } = await queue.figures();
  assert.equal(accepted, STOCK, 'sold out, by the server\'s own count');
  assert.equal(depth, STOCK);
  const held = new Set((await queue.browse()).map((m) => m.id));
  assert.equal(held.size, STOCK);
  for (const id of promised) {
    assert.ok(held.has(id), `${id} was promised`);
    assert.equal(await queue.state(id), 'queued');
  }
  const delivered = await queue.drain();
  assert.equal(delivered.length, STOCK);
});

test('buyers with idempotency keys are refused at the edge too, and repeats get their answer', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: STOCK } });
  const url = `${tide.url}${queue.path}/messages`;
  const key = (n) => ({ 'idempotency-key': `buyer-${n}` });
  const won = new Map();
  let atEdge = 0;
  await flood(url, {
    total: BUYERS / 2, connections: CONNECTIONS, headers: key, body: 'one',
    onResponse({ index, status, headers, body }) {
      if (status === 202) won.set(index, JSON.parse(body).id);
      else if (headers['tidegate-decided-by'] === 'edge') atEdge += 1;
    },
  });
  assert.equal(won.size, STOCK);
  const share = atEdge / (BUYERS / 2 - STOCK);
  assert.ok(share >= 0.98, `the edge decided ${(share * 100).toFixed(2)} %`);

  // Sold out, and the edge says so from memory; who had won and asks again is told so.
  const winners = [...won.keys()];
  const again = new Map();
  await flood(url, {
    total: STOCK, connections: 8, headers: (i) => key(winners[i]), body: 'one',
    onResponse({ index, status, body }) {
      again.set(winners[index], status === 202 ? JSON.parse(body).id : `${status} ${body}`);
    },
  });
  assert.deepEqual(new Map([...again].sort()), new Map([...won].sort()));
  assert.equal((await queue.figures()).accepted_total, STOCK);
});
