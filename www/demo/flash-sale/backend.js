// The backend of the sale: pulls at a pace of its own, and acknowledges each message with an
// order number.

const WAIT_MS = 1000;
/** Pulls a second, so that the pace is smooth. */
const PULLS_PER_SECOND = 5;
const BATCH_MAX = 500;
const RETRY_MS = 500;

/** One worker. */
export class Backend {
  /**
   * @param {import("/client/index.js").Queue} queue
   * @param {number} perSecond
   */
  constructor(queue, perSecond) {
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
        if (signal.aborted) return;
        this.errors += 1;
        await pause(RETRY_MS, signal);
      }
    }
  }

  /** @returns {Promise<number>} how many there were to handle */
  async step(size, signal) {
    const messages = await this.queue.pull({ batchSize: size, waitMs: WAIT_MS, signal });
    const first = this.consumed + 1;
    const outcomes = await Promise.allSettled(
      messages.map(async (message, at) => {
        const order = this.orders.get(message.id) ?? first + at;
        await message.ack({ order });
        this.orders.set(message.id, order);
      }),
    );
    this.errors += outcomes.filter(({ status }) => status === "rejected").length;
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
