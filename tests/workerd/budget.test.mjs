// The bill: how many rows are written for what, counted by the server as the platform does.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Tide } from '../conformance/support.mjs';
import { flood } from '../harness/flood.mjs';

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

const rows = (queue) => tide.metricSum('tidegate_rows_written_total', queue.name);

/** Runs some work and gives the rows that were written for it. */
async function rowsFor(queue, work) {
  const earlier = await rows(queue);
  await work();
  return (await rows(queue)) - earlier;
}

/** A queue past its beginnings: tables made, first rows written. */
async function warmQueue(config) {
  const queue = await tide.queue(config);
  await queue.publish('warm');
  await queue.drain();
  return queue;
}

async function throughBatches(queue, count, size) {
  for (let n = 0; n < count; n += size) {
    const messages = Array.from({ length: size }, (_, k) => ({ body: `message ${n + k}` }));
    const { accepted } = await queue.batch(messages);
    assert.equal(accepted, size);
    const pulled = await queue.pull({ batch_size: size });
    assert.equal(pulled.messages.length, size);
    await queue.ack(pulled.messages);
  }
}

test('a thousand messages in batches of a hundred cost at most 0.032 rows each', async () => {
  const queue = await warmQueue({});
  const written = await rowsFor(queue, () => throughBatches(queue, 1_000, 100));
  assert.ok(written > 0, 'something was written, and counted');
  // Thirty, and what a checkpoint or the alarm may add.
  assert.ok(written <= 32, `${written} rows`);
});

test('a thousand single publishes, 64 at a time, cost at most 0.3 rows each', async () => {
  const queue = await warmQueue({});
  const written = await rowsFor(queue, async () => {
    const { statuses } = await flood(`${tide.url}${queue.path}/messages`, {
      total: 1_000, connections: 64, body: 'x'.repeat(128),
    });
    assert.deepEqual(statuses, { 202: 1_000 });
  });
  assert.ok(written > 0, 'something was written, and counted');
  assert.ok(written <= 300, `${written} rows`);
});

for (const [name, capacity, status] of [
  ['that is sold out', { max_accepted: 1 }, 410],
  ['that is full', { max_messages: 1 }, 429],
  ['that has not opened', { opens_at_ms: Date.now() + 86_400_000 }, 409],
]) {
  test(`five thousand refusals by a queue ${name} cost no row`, async () => {
    const queue = await tide.queue({ capacity });
    const first = await queue.postMessage('x');
    assert.ok(first.status === 202 || first.status === status);
    const written = await rowsFor(queue, async () => {
      const { statuses } = await flood(`${tide.url}${queue.path}/messages`, {
        total: 5_000, connections: 64, body: 'x',
      });
      assert.deepEqual(statuses, { [status]: 5_000 });
    });
    assert.equal(written, 0);
  });
}

test('a queue nobody uses writes nothing, however often it is looked at', async () => {
  const queue = await warmQueue({});
  const written = await rowsFor(queue, async () => {
    for (let n = 0; n < 20; n += 1) {
      await queue.figures();
      await queue.browse();
      await queue.assertNothing();
    }
  });
  assert.equal(written, 0);
});

test('an acknowledgement of a hundred leases costs a few rows, not a hundred', async () => {
  const queue = await warmQueue({});
  await queue.batch(Array.from({ length: 100 }, (_, n) => ({ body: String(n) })));
  const { messages } = await queue.pull({ batch_size: 100 });
  const written = await rowsFor(queue, () => queue.ack(messages));
  assert.ok(written <= 2, `${written} rows`);
});
