// A topic in a race, beside the queue and on the same server: publishers, readers of every kind,
// and the competing consumers of a durable subscription; at the end, its whole log.

import { setTimeout as sleep } from 'node:timers/promises';
import { consumer } from './actors.mjs';
import { History } from './history.mjs';
import { Queue } from './queue.mjs';
import { Random } from './random.mjs';
import { READERS } from './readers.mjs';
import { now } from './server.mjs';
import { checkTopic, readLog } from './topic-check.mjs';

/** A reader leaves after so many messages at most. */
const STAY_MESSAGES_MAX = 12;
/** Nobody may need longer to have everything once the race is over. */
const END_MS_MAX = 30_000;
const PAGE = 1_000;
/** Of the last deliveries; longer than any answer takes. */
const DRAIN_LEASE_MS = 2_000;
const DRAIN_WAIT_MS = 100;

/**
 * @typedef {object} TopicPlan
 * @property {TopicPublisher[]} publishers
 * @property {{ seed: number, visibilityMs: number, batchSize: number }[]} consumers
 * @property {(keyof typeof READERS)[]} readers
 * @property {'best_effort' | 'fifo' | 'key'} order of the subscription
 * @property {number} seed
 *
 * @typedef {object} TopicPublisher
 * @property {{ orders: object[], pauseMs: number, isExpecting: boolean }[]} rounds
 */

/** @param {Random} random @returns {TopicPlan} */
export function planTopic(random) {
  const publishers = Array.from({ length: random.between(1, 4) }, (_, person) => ({
    rounds: Array.from({ length: random.between(6, 16) }, (__, round) => ({
      orders: ordersOf(random, `${person}.${round}`),
      pauseMs: random.between(0, 40),
      isExpecting: random.chance(0.15),
    })),
  }));
  const consumers = Array.from({ length: random.between(1, 3) }, () => ({
    seed: random.between(0, 2 ** 31),
    visibilityMs: random.between(100, 350),
    batchSize: random.pick([1, 2, 5, 20]),
  }));
  const readers = Object.keys(READERS);
  return {
    publishers, consumers, readers,
    order: random.pick(['best_effort', 'fifo', 'key']),
    seed: random.between(0, 2 ** 31),
  };
}

function ordersOf(random, name) {
  const size = random.chance(0.2) ? random.between(2, 20) : 1;
  return Array.from({ length: size }, (_, n) => ({
    key: `key-${random.between(1, 6)}`,
    idempotencyKey: random.chance(0.7) ? `event-${name}.${n}` : null,
  }));
}

/** One topic through one race. */
export class TopicRace {
  history = new History(0, {});
  /** By reader: what it heard. */
  heard = {};
  #plan;
  #topic;
  #path;
  #reading;
  #last = 0;

  /**
   * @param {import('./server.mjs').Subject} subject
   * @param {string} name
   * @param {TopicPlan} plan
   */
  constructor(subject, name, plan) {
    this.#plan = plan;
    this.#path = `/v1/topics/${encodeURIComponent(name)}`;
    this.#topic = new Queue(subject, this.#path, `${this.#path}/subscriptions/audit`);
    this.#topic.history = this.history;
    this.history.order = plan.order;
    this.#reading = {
      url: () => subject.url + this.#path, random: new Random(plan.seed),
      messagesMax: STAY_MESSAGES_MAX, last: null, cuts: 0,
    };
  }

  async open() {
    await this.#topic.insist('DELETE');
    await this.#topic.must('PUT', '', {});
    const delivery = { order: this.#plan.order, max_attempts: 1000 };
    await this.#topic.must('PUT', '/subscriptions/audit', { from: 'earliest', delivery });
  }

  /** Everybody at once; returns when the publishers are done and everybody has heard everything. */
  async run() {
    const stop = new AbortController();
    const consumers = this.#plan.consumers.map((plan) => consumer(this.#topic, plan, stop.signal));
    const readers = this.#plan.readers.map((kind) =>
      READERS[kind](this.#reading, (this.heard[kind] = [])));
    try {
      await Promise.all(this.#plan.publishers.map((plan) => this.#publish(plan)));
    } finally {
      stop.abort();
      await Promise.all(consumers);
      this.#reading.last = (await this.#topic.must('GET')).last_seq;
      const late = sleep(END_MS_MAX, 'late', { ref: false });
      if (await Promise.race([Promise.all(readers), late]) === 'late') this.#sayWhoIsLate();
    }
  }

  check() {
    return checkTopic(this.history, this.heard);
  }

  #sayWhoIsLate() {
    const at = Object.entries(this.heard).map(([kind, all]) => `${kind} ${all.at(-1)?.seq ?? 0}`);
    throw new Error(`readers did not get to ${this.#reading.last}: ${at.join(', ')}`);
  }

  /** Reads the log, and takes what the subscription still has. */
  async settle() {
    const log = await readLog(this.#topic);
    await this.#drain(log);
    const figures = await this.#topic.must('GET');
    this.history.end = { at: now(), log, figures };
    await this.#topic.must('DELETE');
  }

  async #drain(log) {
    for (const deadline = now() + END_MS_MAX; now() < deadline;) {
      const deliveries = await this.#topic.pull(
        { batchSize: PAGE, visibilityMs: DRAIN_LEASE_MS, waitMs: DRAIN_WAIT_MS });
      if (deliveries.length > 0) {
        await this.#topic.settle(deliveries.map((delivery) => ({ kind: 'ack', delivery })));
        continue;
      }
      const { actions } = this.history;
      const acked = new Set(
        actions.filter(({ kind, ok }) => kind === 'ack' && ok).map(({ id }) => id));
      if (acked.size >= log.length) return;
      const { lag } = await this.#topic.must('GET', '/subscriptions/audit');
      const { retrying } = await this.#topic.must('GET', '/subscriptions/audit');
      if (lag === 0 && !retrying && now() > deadline - END_MS_MAX + DRAIN_LEASE_MS) return;
    }
  }

  async #publish({ rounds }) {
    for (const { orders, pauseMs, isExpecting } of rounds) {
      await sleep(pauseMs);
      const expectSeq = isExpecting && orders.length === 1 ? this.#last : null;
      const wanted = orders.map((order) => ({
        order: { ...order, expectSeq }, record: this.history.publish(order),
      }));
      for (const { record } of wanted) record.expect_seq = expectSeq;
      await this.#insist(wanted);
    }
  }

  /** Sends what is repeatable until it is accepted or refused. */
  async #insist(wanted) {
    for (let left = wanted; left.length > 0;) {
      await this.#topic.publish(left);
      const last = ({ record }) => record.attempts.at(-1);
      for (const one of left) this.#last = Math.max(this.#last, last(one).seq ?? 0);
      left = left.filter((one) => last(one).outcome === 'lost' && one.order.idempotencyKey);
    }
  }
}
