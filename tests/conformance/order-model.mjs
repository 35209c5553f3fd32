// The oracle of order: what may be delivered next, given all that was delivered and settled before.
//
// A message may be delivered when every earlier one of its line is finished, or goes before it in
// the same delivery. The line is the queue (`fifo`) or the key (`key`). Consumers fail on purpose,
// from a seed.

import assert from 'node:assert/strict';

/** A small generator with a seed (mulberry32), so that a failure can be repeated. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Checks deliveries against the order that was promised. */
export class OrderModel {
  // By line: the seqs delivered and not finished.
  #open = new Map();
  // By seq: the leases under which it was acknowledged.
  #finished = new Map();

  /** @param {'fifo'|'key'} order */
  constructor(order) {
    this.order = order;
  }

  /** How many messages are finished. */
  get finished() {
    return this.#finished.size;
  }

  /** The name of a message's line. */
  line(message) {
    return this.order === 'fifo' ? '' : message.key;
  }

  #openOf(message) {
    const line = this.line(message);
    if (!this.#open.has(line)) this.#open.set(line, new Set());
    return this.#open.get(line);
  }

  /** Takes one delivery; throws where a message comes before its time. */
  deliver(messages) {
    for (const [place, message] of messages.entries()) {
      const before = new Set(messages.slice(0, place).map((m) => m.seq));
      for (const open of this.#openOf(message)) {
        const inOrder = open >= message.seq || before.has(open);
        assert.ok(inOrder, `${message.seq} delivered while ${open} is not finished`);
      }
      if (!this.#finished.has(message.seq)) this.#openOf(message).add(message.seq);
    }
  }

  /** Takes an acknowledgement, before it is sent: the next message may be out before the answer. */
  finish(message) {
    const leases = this.#finished.get(message.seq) ?? new Set();
    this.#finished.set(message.seq, leases.add(message.lease_id));
    this.#openOf(message).delete(message.seq);
  }

  /** Takes back an acknowledgement that came too late to count. */
  unfinish(message) {
    const leases = this.#finished.get(message.seq);
    leases.delete(message.lease_id);
    if (leases.size > 0) return;
    this.#finished.delete(message.seq);
    this.#openOf(message).add(message.seq);
  }
}

/**
 * Consumes a queue to its end with consumers that fail: they give messages back, with and without
 * a delay, or keep them until their lease has run out.
 *
 * @returns {Promise<{delivered: number, failures: number}>}
 */
export async function consume(queue, { order, total, consumers, seed, withinMs, batchSize = 10 }) {
  const model = new OrderModel(order);
  const next = random(seed);
  const deadline = Date.now() + withinMs;
  const counts = { delivered: 0, failures: 0 };
  const work = async () => {
    while (model.finished < total) {
      assert.ok(Date.now() < deadline, `${model.finished} of ${total} in time, seed ${seed}`);
      const { messages } = await queue.pull({ batch_size: batchSize, wait_ms: 300 });
      if (!messages.length) continue;
      model.deliver(messages);
      counts.delivered += messages.length;
      await settle(messages);
    }
  };
  const settle = async (messages) => {
    const failed = new Set();
    const acked = new Map();
    const retries = [];
    for (const message of messages) {
      const luck = next();
      // Behind one that failed, a consumer that keeps order has to fail as well.
      if (luck >= 0.2 && !failed.has(model.line(message))) {
        acked.set(message.lease_id, message);
        model.finish(message);
        continue;
      }
      failed.add(model.line(message));
      counts.failures += 1;
      const delay_ms = luck < 0.12 ? 0 : 30;
      // One in five of those is kept until its lease has run out.
      if (luck >= 0.04) retries.push({ lease_id: message.lease_id, delay_ms });
    }
    const acks = Array.from(acked.keys(), (lease_id) => ({ lease_id }));
    if (acks.length + retries.length === 0) return;
    const { errors } = await queue.settle({ acks, retries });
    for (const { lease_id: lease, error } of errors) {
      assert.equal(error.type, 'lease-expired', `seed ${seed}`);
      if (acked.has(lease)) model.unfinish(acked.get(lease));
    }
  };
  await Promise.all(Array.from({ length: consumers }, work));
  return counts;
}
