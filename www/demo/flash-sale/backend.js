// The backend of the sale: pulls at a pace of its own, and acknowledges each message with an
// order number.

import { ack, pull } from "../../calls.js";

const WAIT_MS = 1000;
/** Pulls a second, so that the pace is smooth. */
const PULLS_PER_SECOND = 5;
const BATCH_MAX = 500;
const RETRY_MS = 500;

/** One worker. */
export class Backend {
  /**
   * @param {import("../../api.js").Api} api
   * @param {string} queue
   * @param {number} perSecond
   */
  constructor(api, queue, perSecond) {
    this.api = api;
    this.queue = queue;
    this.perSecond = perSecond;
    /** What has been acknowledged, by id: delivery is at least once, an order is taken once. */
    this.orders = new Map();
    this.errors = 0;
  }

  get consumed() {
    return this.orders.size;
  }

  /**
   * Works until it is told to stop, or everything is done.
   * @param {() => boolean} isDone asked when there was nothing to pull
   * @param {AbortSignal} signal
   */
  async run(isDone, signal) {
    const least = this.perSecond / PULLS_PER_SECOND;
    let dueMs = performance.now();
    while (!signal.aborted && !isDone()) {
      try {
        // What answers took to come is made up for, up to a second's worth.
        dueMs = Math.max(performance.now() - 1000, dueMs);
        const late = ((performance.now() - dueMs) * this.perSecond) / 1000;
        const size = Math.min(BATCH_MAX, Math.max(1, Math.round(least + late)));
        dueMs += ((await this.step(size, signal)) * 1000) / this.perSecond;
        await pause(dueMs - performance.now(), signal);
      } catch (error) {
        if (error.name === "AbortError") return;
        this.errors += 1;
        await pause(RETRY_MS, signal);
      }
    }
  }

  async step(size, signal) {
    const options = { signal, isUrgent: true };
    const call = pull(this.queue, { batch_size: size, wait_ms: WAIT_MS });
    const { body } = await this.api.send(call, options);
    const { messages } = body;
    if (messages.length === 0) return 0;
    const numbered = messages.map((message, at) => ({
      ...message,
      order: this.orders.get(message.id) ?? this.consumed + at + 1,
    }));
    const acks = numbered.map(({ lease_id: lease, order }) => ({
      lease_id: lease,
      result: { order },
    }));
    const answer = await this.api.send(ack(this.queue, { acks }), options);
    const failed = new Set(answer.body.errors?.map((entry) => entry.lease_id));
    for (const { id, lease_id: lease, order } of numbered) {
      if (!failed.has(lease)) this.orders.set(id, order);
    }
    return messages.length;
  }
}

/** Rests, unless there is no time to. */
function pause(ms, signal) {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
