// One flash sale from its opening to its end: a fresh queue, the crowd, the backend, and what was
// counted of them. Draws nothing.

import { openClient, wordsOf } from "../../client.js";
import { Backend } from "./backend.js";

const WORKERS_MAX = 4;
const SERVER_EVERY_MS = 500;
/**
 * How long the server's own counters may lag: refusals at the edge are reported about once a
 * second.
 */
const AGREE_WITHIN_MS = 15_000;

/**
 * @typedef {object} Settings
 * @property {number} stock
 * @property {number} crowd buyers
 * @property {number} tries attempts of each
 * @property {number} perKey items a buyer may have; 0 for no limit
 * @property {number} concurrency
 * @property {number} pace messages a second
 */

/** A sale. `phase` goes from opening over selling and draining to done, or to stopped or failed. */
export class Sale {
  /**
   * @param {{ token: () => string | null, onUnauthorized: () => void }} reach the way to the server
   * @param {Settings} settings
   */
  constructor(reach, settings) {
    this.reach = reach;
    this.settings = settings;
    this.name = `demo/flash-sale-${Date.now().toString(36)}`;
    // The backend and the figures go before the crowd, where the browser has them wait in line.
    this.queue = openClient({ ...reach, isUrgent: true }).queue(this.name);
    this.phase = "opening";
    this.totals = { admitted: 0, edge: 0, object: 0, limited: 0, errors: 0 };
    this.lastError = null;
    this.startedMs = 0;
    this.endedMs = 0;
    /** @type {Map<string, { key: string, atMs: number }>} by id */
    this.admitted = new Map();
    /** @type {{ key: string, order: number, afterMs: number }[]} */
    this.results = [];
    /** What the server says of the queue. */
    this.figures = null;
    this.backend = new Backend(this.queue, settings.pace);
    this.leave = new AbortController();
    this.workers = [];
  }

  get refused() {
    return this.totals.edge + this.totals.object;
  }

  get attempts() {
    return this.totals.admitted + this.refused + this.totals.errors;
  }

  get attemptsMax() {
    return this.settings.crowd * this.settings.tries;
  }

  get elapsedMs() {
    return this.startedMs === 0 ? 0 : (this.endedMs || performance.now()) - this.startedMs;
  }

  /** Accepted messages whose order nobody has taken. */
  get lost() {
    return [...this.admitted.keys()].filter((id) => !this.backend.orders.has(id)).length;
  }

  /** The most that one buyer was given. */
  get mostPerBuyer() {
    const counts = new Map();
    for (const { key } of this.admitted.values()) counts.set(key, (counts.get(key) ?? 0) + 1);
    return Math.max(0, ...counts.values());
  }

  /** Whether the server has counted what the page has. */
  get agrees() {
    const { figures } = this;
    return (
      figures !== null &&
      figures.acceptedTotal === this.totals.admitted &&
      figures.rejectedTotal === this.refused &&
      figures.ackedTotal === this.backend.consumed
    );
  }

  /** Runs the whole sale; resolves when it is over, however it ends. */
  async run() {
    try {
      const { stock, perKey } = this.settings;
      const capacity = { maxAccepted: stock, ...(perKey > 0 && { maxPerKey: perKey }) };
      await this.queue.configure({ capacity }, { signal: this.leave.signal });
      this.startedMs = performance.now();
      this.phase = "selling";
      const crowd = this.startCrowd().then(() => this.closeShop());
      const backend = this.backend.run(() => this.isWorkedOff(), this.leave.signal);
      this.watchServer();
      const results = this.watchResults();
      await Promise.all([crowd, backend]);
      this.endedMs = performance.now();
      await Promise.all([this.compare(), results]);
      if (!this.leave.signal.aborted) this.phase = "done";
    } catch (error) {
      this.fail(error);
    }
    this.endedMs ||= performance.now();
    this.leave.abort();
  }

  /** Ends it now. What was accepted stays in the queue. */
  stop() {
    this.phase = "stopped";
    this.leave.abort();
  }

  fail(error) {
    if (this.phase === "stopped") return;
    this.phase = "failed";
    this.lastError = wordsOf(error);
  }

  closeShop() {
    if (this.phase === "selling") this.phase = "draining";
  }

  isWorkedOff() {
    return this.phase === "draining" && this.lost === 0;
  }

  /** The crowd, shared out among Web Workers; resolves when the last buyer has an answer. */
  startCrowd() {
    const { tries, concurrency } = this.settings;
    const parts = Math.max(
      1,
      Math.min(WORKERS_MAX, concurrency, (navigator.hardwareConcurrency || 2) - 1),
    );
    const share = (total, part) => Math.floor((total * part) / parts);
    const waits = Array.from({ length: parts }, (_, part) =>
      this.startWorker({
        queue: this.name,
        token: this.reach.token(),
        first: share(this.settings.crowd, part) * tries,
        end: share(this.settings.crowd, part + 1) * tries,
        tries,
        concurrency: share(concurrency, part + 1) - share(concurrency, part),
      }),
    );
    return Promise.all(waits);
  }

  /** @param {import("./crowd.js").Orders} orders */
  startWorker(orders) {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./crowd.js", import.meta.url), { type: "module" });
      const end = (finish, value) => {
        worker.terminate();
        finish(value);
      };
      worker.addEventListener("message", ({ data }) => {
        this.count(data);
        if (data.isOver) end(resolve);
      });
      worker.addEventListener("error", () => end(reject, new Error("The crowd's worker failed.")));
      this.leave.signal.addEventListener("abort", () => end(resolve), { once: true });
      worker.postMessage(orders);
    });
  }

  /** @param {import("./crowd.js").Tally} tally */
  count(tally) {
    for (const { id, key, atMs } of tally.admitted) this.admitted.set(id, { key, atMs });
    this.totals.admitted += tally.admitted.length;
    for (const name of ["edge", "object", "limited", "errors"]) this.totals[name] += tally[name];
    this.lastError = tally.lastError ?? this.lastError;
  }

  /** Reads the server's own counters now and then. */
  async watchServer() {
    while (!this.leave.signal.aborted && this.endedMs === 0) {
      await this.readFigures().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, SERVER_EVERY_MS));
    }
  }

  async readFigures() {
    this.figures = await this.queue.describe({ signal: this.leave.signal });
  }

  /** Waits until the server's counters agree, for as long as they may lag. */
  async compare() {
    const deadline = performance.now() + AGREE_WITHIN_MS;
    while (!this.leave.signal.aborted && performance.now() < deadline) {
      await this.readFigures();
      if (this.agrees) return;
      await new Promise((resolve) => setTimeout(resolve, SERVER_EVERY_MS));
    }
  }

  /**
   * Waits for the results of three buyers, the first, one in the middle and the last, as their own
   * browsers would: one at a time, since a wait takes up a connection.
   */
  async watchResults() {
    const { stock } = this.settings;
    for (const wanted of new Set([0, Math.floor(stock / 2), stock - 1])) {
      const found = await this.admittedAt(wanted);
      if (found === null) return;
      await this.watchResult(...found).catch(() => {});
    }
  }

  /** The admitted buyer of that rank as soon as there is one; `null` if there will be none. */
  async admittedAt(rank) {
    while (!this.leave.signal.aborted) {
      if (this.admitted.size > rank) return [...this.admitted][rank];
      if (this.phase !== "selling") return null;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return null;
  }

  async watchResult(id, { key, atMs }) {
    const { order } = await this.queue.message(id).result({ signal: this.leave.signal });
    this.results.push({ key, order, afterMs: Date.now() - atMs });
  }
}
