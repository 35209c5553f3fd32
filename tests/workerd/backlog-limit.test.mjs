// A backlog of at most a thousand, with publishers that flood it and consumers that empty it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Tide, until } from '../conformance/support.mjs';
import { flood } from '../harness/flood.mjs';

const LIMIT = 1_000;
const PUBLISHES = 12_000;
const CONSUMERS = 4;

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

/** Pulls and acknowledges until told to stop, and notes every depth it is told. */
async function consume(queue, state) {
  while (!state.stopped) {
    const { messages, depth } = await queue.pull({ batch_size: 25, wait_ms: 100 });
    state.depths.push(depth);
    if (messages.length) await queue.ack(messages);
    state.delivered.push(...messages.map((m) => m.id));
  }
}

async function watch(queue, state) {
  while (!state.stopped) {
    const { depth, in_flight: inFlight } = await queue.figures();
    state.depths.push(depth);
    assert.ok(inFlight <= depth, `${inFlight} in flight of ${depth}`);
  }
}

test('the backlog never passes its limit, and the object refuses at the limit only', async () => {
  const queue = await tide.queue({ capacity: { max_messages: LIMIT, retry_after_ms: 0 } });
  const state = { stopped: false, depths: [], delivered: [] };
  const workers = Array.from({ length: CONSUMERS }, () => consume(queue, state));
  workers.push(watch(queue, state));

  const accepted = [];
  const refusedBy = { edge: 0, object: 0 };
  const wrong = [];
  await flood(`${tide.url}${queue.path}/messages`, {
    total: PUBLISHES, connections: 64, body: 'x'.repeat(64),
    onResponse({ status, headers, body }) {
      const json = JSON.parse(body);
      if (status === 202) return accepted.push(json.id);
      const by = headers['tidegate-decided-by'];
      if (status !== 429 || json.type !== 'queue-full') return wrong.push(body);
      refusedBy[by] += 1;
      state.depths.push(json.depth);
      if (json.limit !== LIMIT || json.depth > LIMIT) wrong.push(body);
      if (by === 'object' && json.depth !== LIMIT) wrong.push(body);
    },
  });
  // The consumers empty the queue; then all that was promised has been delivered.
  await until(async () => (await queue.figures()).depth === 0, { withinMs: 20_000, what: 'empty' });
  state.stopped = true;
  await Promise.all(workers);

  assert.deepEqual(wrong, []);
  assert.ok(Math.max(...state.depths) <= LIMIT, `depth ${Math.max(...state.depths)}`);
  assert.equal(accepted.length + refusedBy.edge + refusedBy.object, PUBLISHES);
  assert.ok(accepted.length >= LIMIT, `${accepted.length} accepted`);
  assert.deepEqual(state.delivered.toSorted(), accepted.toSorted(), 'each delivered, and once');
  const { accepted_total: acceptedTotal, acked_total: ackedTotal } = await queue.figures();
  assert.deepEqual([acceptedTotal, ackedTotal], [accepted.length, accepted.length]);
});

test('without a consumer the flood fills the queue to the last place', async () => {
  const queue = await tide.queue({ capacity: { max_messages: LIMIT } });
  const { statuses } = await flood(`${tide.url}${queue.path}/messages`, {
    total: 3 * LIMIT, connections: 64, body: 'x',
  });
  assert.deepEqual(statuses, { 202: LIMIT, 429: 2 * LIMIT });
  assert.equal((await queue.figures()).depth, LIMIT);
});
