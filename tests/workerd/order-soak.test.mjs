// Order over restarts: consumers that fail, a server that is killed, and nothing out of turn.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OrderModel, random } from '../conformance/order-model.mjs';
import { Tide } from '../conformance/support.mjs';

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

const WITHIN_MS = 60_000;

/** A call that may fall into a restart: `undefined` where it got no answer. */
async function attempt(call) {
  try {
    return await call();
  } catch (error) {
    if (error.code === 'ERR_ASSERTION') throw error;
    // Nobody is there: not worth asking again at once.
    await sleep(20);
    return undefined;
  }
}

/**
 * One consumer that fails on purpose: it gives back every fifth message and what comes behind it in
 * its line. An acknowledgement without an answer counts as one: the message may be finished, and if
 * it is not, it comes again and is acknowledged again.
 */
async function consume(queue, model, { next, total, deadline }) {
  while (model.finished < total) {
    assert.ok(Date.now() < deadline, `${model.finished} of ${total} in time`);
    const reply = await attempt(() => queue.pull({ batch_size: 50, wait_ms: 200 }));
    if (!reply?.messages.length) continue;
    model.deliver(reply.messages);
    const failed = new Set();
    const entries = { acks: [], retries: [] };
    for (const message of reply.messages) {
      const line = model.line(message);
      if (next() < 0.2) failed.add(line);
      if (failed.has(line)) entries.retries.push({ lease_id: message.lease_id, delay_ms: 0 });
      else {
        entries.acks.push({ lease_id: message.lease_id });
        model.finish(message);
      }
    }
    const settled = await attempt(() => queue.settle(entries));
    for (const { lease_id: lease } of settled?.errors ?? []) {
      const message = reply.messages.find((m) => m.lease_id === lease);
      if (entries.acks.some((a) => a.lease_id === lease)) model.unfinish(message);
    }
  }
}

for (const [order, total] of [['fifo', 600], ['key', 4_000]]) {
  test(`${total} messages in ${order} order over kills of the server`, async () => {
    const queue = await tide.queue({
      delivery: { order, max_attempts: 1_000, visibility_timeout_ms: 1_000 },
    });
    for (let n = 0; n < total; n += 200) {
      await queue.batch(Array.from({ length: 200 }, (_, k) => {
        return { body: String(n + k), key: `key-${((n + k) * 7) % 50}` };
      }));
    }
    const model = new OrderModel(order);
    const run = { next: random(7), total, deadline: Date.now() + WITHIN_MS };
    // One connection each and no more than these: `fifo` has one in flight anyway.
    const consumers = Array.from({ length: 3 }, () => consume(queue, model, run));
    const all = Promise.all(consumers);
    for (const share of [0.25, 0.6]) {
      while (model.finished < total * share) {
        await Promise.race([all, sleep(20)]);
      }
      await tide.crash();
    }
    await all;
    assert.equal(model.finished, total);
    // What was acknowledged without an answer may come once more; nothing else is left.
    const rest = await queue.drain();
    assert.ok(rest.length <= 150, `${rest.length} left`);
  });
}
