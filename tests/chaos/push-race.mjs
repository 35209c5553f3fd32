// A queue in a race that pushes to an endpoint, beside the others and on the same server; and what
// its endpoint saw, judged.

import { setTimeout as sleep } from 'node:timers/promises';
import { Endpoint } from './endpoint.mjs';
import { History } from './history.mjs';
import { Queue } from './queue.mjs';
import { Random } from './random.mjs';
import { now } from './server.mjs';
import { groupBy } from './view.mjs';

/** Long enough for a busy machine: a call that takes longer has failed, whatever was answered. */
const TIMEOUT_MS = 2_000;
/** Everything is pushed within this time after the last publish. */
const END_MS_MAX = 30_000;
const POLL_MS = 25;
/** What an endpoint has answered is written down within this time, on a busy machine. */
const SETTLED_MS_MAX = 1_500;

/**
 * @typedef {object} PushPlan
 * @property {{ key: string, idempotencyKey: string, pauseMs: number }[]} orders
 * @property {'best_effort' | 'fifo' | 'key'} order
 * @property {number} concurrency
 * @property {number} seed
 */

/** @param {Random} random @returns {PushPlan} */
export function planPush(random) {
  return {
    orders: Array.from({ length: random.between(15, 50) }, (_, n) => ({
      key: `key-${random.between(1, 5)}`, idempotencyKey: `push-${n}`,
      pauseMs: random.between(0, 30),
    })),
    order: random.pick(['best_effort', 'fifo', 'key']),
    concurrency: random.pick([1, 4, 16]),
    seed: random.between(0, 2 ** 31),
  };
}

/** One pushing queue through one race. */
export class PushRace {
  history = new History(0, {});
  /** @type {import('./endpoint.mjs').Call[]} */
  calls = [];
  /** @type {import('./endpoint.mjs').Endpoint['stalls']} */
  stalls = [];
  #plan;
  #queue;
  #endpoint;

  /**
   * @param {import('./server.mjs').Subject} subject
   * @param {string} name
   * @param {PushPlan} plan
   */
  constructor(subject, name, plan) {
    this.#plan = plan;
    this.#queue = new Queue(subject, `/v1/queues/${encodeURIComponent(name)}`);
    this.#queue.history = this.history;
    this.history.order = plan.order;
  }

  async open() {
    this.#endpoint = await Endpoint.open(new Random(this.#plan.seed));
    this.calls = this.#endpoint.calls;
    this.stalls = this.#endpoint.stalls;
    await this.#queue.insist('DELETE');
    const { order, concurrency } = this.#plan;
    await this.#queue.must('PUT', '', {
      delivery: { order, max_attempts: 1000, backoff: { initial_ms: 10, max_ms: 50 } },
      push: { url: this.#endpoint.url, format: 'raw', concurrency, timeout_ms: TIMEOUT_MS },
    });
  }

  async run() {
    for (const { pauseMs, ...order } of this.#plan.orders) {
      await sleep(pauseMs);
      const record = this.history.publish(order);
      do await this.#queue.publish([{ order, record }]);
      while (record.attempts.at(-1).outcome === 'lost');
    }
  }

  check() {
    return checkPush(this.history, this.calls, this.stalls);
  }

  /** Waits until everything is pushed. */
  async settle() {
    const deadline = now() + END_MS_MAX;
    let figures = await this.#queue.must('GET');
    while (figures.depth > 0 && now() < deadline) {
      await sleep(POLL_MS);
      figures = await this.#queue.must('GET');
    }
    this.history.end = { at: now(), figures };
    await this.#queue.must('DELETE');
    this.#endpoint.close();
  }
}

/**
 * @param {History} history
 * @param {import('./endpoint.mjs').Call[]} calls
 * @param {{ from: number, until: number }[]} [stalls] of the endpoint: calls may have waited
 *   longer than their time-out
 * @returns {import('./check.mjs').Violation[]}
 */
export function checkPush(history, calls, stalls = []) {
  const violations = [];
  const report = (rule, detail) => violations.push({ rule, detail: `push: ${detail}` });
  const { publishes, end, order } = history;
  const callsOf = groupBy(calls, ({ n }) => n);
  const known = new Set(publishes.map(({ n }) => n));
  for (const n of callsOf.keys()) if (!known.has(n)) report('delivery', `nobody published ${n}`);
  if (end.figures.depth > 0) report('lost', `${end.figures.depth} were never taken`);
  for (const { n } of publishes) {
    const own = callsOf.get(n) ?? [];
    if (!own.some(isTaken)) report('lost', `${n} was never taken`);
    checkCalls(n, own, { ...history.havoc, stalls }, report);
  }
  checkLines(publishes, callsOf, order, report);
  return violations;
}

const isTaken = ({ status }) => status === 204;

/** One at a time, and none after one was taken, unless something went wrong in between. */
function checkCalls(n, calls, havoc, report) {
  const own = calls.toSorted((a, b) => a.from - b.from);
  own.slice(1).forEach((later, index) => {
    const earlier = own[index];
    const isOut = later.from < Math.min(earlier.until, earlier.from + TIMEOUT_MS);
    if (isOut && !isDisturbed(earlier.from, later.from, havoc)) {
      report('delivery', `${n} was called for twice at a time`);
    }
    // Nobody hears the answer to a call that was under way when the server ended.
    const mayBeForgotten = isDisturbed(earlier.from, earlier.until + SETTLED_MS_MAX, havoc);
    if (isTaken(earlier) && !mayBeForgotten) report('delivery', `${n} came after it was taken`);
  });
}

/** Whether the server ended, its disk failed, or its clock jumped past the end of a lease. */
const isDisturbed = (from, until, { kills, troubles, jumps, stalls }) =>
  kills.some((kill) => kill.from <= until && kill.gone_at >= from)
  || [...troubles, ...jumps, ...stalls]
    .some((it) => it.from <= until && it.until + SETTLED_MS_MAX >= from);

/** Within a line none is called for before those ahead of it were taken. */
function checkLines(publishes, callsOf, order, report) {
  if (order === 'best_effort') return;
  const accepted = publishes.flatMap(({ n, key, attempts }) => {
    const seq = attempts.find(({ outcome }) => outcome === 'accepted')?.seq;
    return seq === undefined ? [] : [{ n, seq, line: order === 'fifo' ? '' : key }];
  });
  for (const line of groupBy(accepted, (it) => it.line).values()) {
    line.sort((a, b) => a.seq - b.seq);
    line.slice(1).forEach(({ n }, index) => {
      const ahead = callsOf.get(line[index].n) ?? [];
      const taken = Math.min(...ahead.filter(isTaken).map(({ until }) => until));
      const first = Math.min(...(callsOf.get(n) ?? []).map(({ from }) => from));
      if (first < taken) report('order', `${n} was called for before ${line[index].n} was taken`);
    });
  }
}
