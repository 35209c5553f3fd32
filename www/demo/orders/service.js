// One of the services that do something about every order: called by the shop directly, or
// following the shop's topic by a durable subscription. Draws nothing.

/** What one order takes a service: a call to somebody else's server, as a rule. */
export const WORK_MS = 50;
const LEASE_MS = 10_000;

export class Service {
  isOn = true;
  /** Orders it has handled, by number: delivery is at least once, a mail goes out once. */
  handled = new Set();
  /** Orders that wait for it, as the server counts them. */
  behind = 0;
  #queue = null;
  #stop = new AbortController();

  /**
   * @param {{ name: string, label: string, does: string }} what
   * @param {() => void} onChange
   */
  constructor(what, onChange) {
    Object.assign(this, what);
    this.onChange = onChange;
  }

  /**
   * Follows the shop's topic from its first order: the subscription feeds a queue of the service,
   * which keeps what the service has no time for.
   * @param {import("/client/index.js").Tidegate} client
   * @param {import("/client/index.js").Topic} topic
   */
  async subscribe(client, topic) {
    const queue = client.queue(`${topic.name}/${this.name}`);
    await queue.configure({ delivery: { order: "key" } });
    const target = { queue: queue.name };
    await topic.subscription(this.name).configure({ target, from: "earliest" });
    this.#queue = queue;
    if (this.isOn) this.#work();
  }

  /** The queue's name, once there is one. */
  get queue() {
    return this.#queue?.name;
  }

  /** A service that is down takes nothing; what it would have got stays for it. */
  switch(isOn) {
    this.isOn = isOn;
    if (isOn && this.#queue) this.#work();
    if (!isOn) this.#stop.abort();
    this.onChange();
  }

  /** Does its work at once, for a shop that waits for it. */
  async call(number) {
    await wait(WORK_MS);
    if (!this.isOn) throw new Error(`${this.label} is down`);
    this.#done(number);
  }

  /** @param {number} lag of its subscription: orders that its queue has not got yet */
  async look(lag) {
    if (this.#queue) this.behind = lag + (await this.#queue.describe()).depth;
  }

  async delete() {
    this.#stop.abort();
    await this.#queue?.delete();
    this.#queue = null;
  }

  async #work() {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const handle = async (message) => {
      // What is down in the middle of its work gives it back.
      await wait(WORK_MS, signal);
      this.#done(message.json().number);
    };
    const options = { concurrency: 1, signal, visibilityTimeoutMs: LEASE_MS, onError() {} };
    // Only what is final ends it: the queue was deleted.
    await this.#queue.consume(handle, options).catch(() => {});
  }

  #done(number) {
    this.handled.add(number);
    this.onChange();
  }
}

/** Rejects when the signal comes first. */
export function wait(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
