// One run: a queue, one race or two upon it, a topic and a queue that pushes
// beside the first, what goes wrong meanwhile, and what is left of it, judged.

import { setTimeout as sleep } from 'node:timers/promises';
import { consumer, publisher } from './actors.mjs';
import { check } from './check.mjs';
import { History } from './history.mjs';
import { planOf } from './plan.mjs';
import { wreak } from './havoc.mjs';
import { PushRace } from './push-race.mjs';
import { Queue } from './queue.mjs';
import { probeRoom, settle } from './settle.mjs';
import { TopicRace } from './topic-race.mjs';

/** Numbers of publishes of one epoch lie apart from those of another. */
const EPOCH_NUMBERS = 100_000;

/**
 * @typedef {object} Outcome
 * @property {number} seed
 * @property {import('./check.mjs').Violation[]} violations
 * @property {History[]} histories one an epoch
 * @property {TopicRace[]} topics
 * @property {PushRace[]} pushes
 * @property {number} publishers
 * @property {number} purges
 */

/**
 * Carries a run out.
 * @param {import('./server.mjs').Subject} subject
 * @param {number} seed
 * @param {{ kills?: number | null }} [options]
 * @returns {Promise<Outcome>}
 */
export async function race(subject, seed, options) {
  const plan = planOf(seed, options);
  const name = encodeURIComponent(`chaos/${seed}`);
  const queue = new Queue(subject, `/v1/queues/${name}`);
  // Left by a run of the same seed on the same data, if any.
  await queue.insist('DELETE');
  await queue.must('PUT', '', plan.configuration);
  const histories = [];
  const topics = [];
  const pushes = [];
  const violations = [];
  const { capacity } = plan.configuration;
  let totals = 0;
  for (const [number, epoch] of plan.epochs.entries()) {
    if (number > 0) {
      await queue.must('POST', '/purge');
      await queue.must('PUT', '', plan.configuration);
    }
    const history = new History(number * EPOCH_NUMBERS, capacity);
    history.order = plan.configuration.delivery.order;
    history.isSlowed = histories.some(({ havoc }) => havoc.jumps.some(({ byMs }) => byMs < 0));
    queue.history = history;
    histories.push(history);
    const others = await openOthers(subject, seed, epoch, history.havoc);
    topics.push(...others.filter((other) => other instanceof TopicRace));
    pushes.push(...others.filter((other) => other instanceof PushRace));
    await holdRace(queue, others, epoch);
    await settle(queue, epoch);
    for (const other of others) await other.settle();
    await probeRoom(queue, plan, epoch);
    violations.push(...check(history, totals));
    for (const other of others) violations.push(...other.check());
    totals = history.end.figures.accepted_total + history.end.probed;
    if (violations.length > 0) break;
  }
  await queue.must('DELETE');
  const publishers = plan.epochs.reduce((sum, epoch) => sum + epoch.publishers.length, 0);
  const purges = plan.epochs.length - 1;
  return { seed, violations, histories, topics, pushes, publishers, purges };
}

/** What races beside the queue: each with a history of its own, and the same havoc. */
async function openOthers(subject, seed, { topic, push }, havoc) {
  const others = [];
  if (topic) others.push(new TopicRace(subject, `chaos/${seed}`, topic));
  if (push) others.push(new PushRace(subject, `push/${seed}`, push));
  for (const other of others) {
    other.history.havoc = havoc;
    await other.open();
  }
  return others;
}

/** Everybody at once; returns when the publishers, the operator and the others are done. */
async function holdRace(queue, others, epoch) {
  const stop = new AbortController();
  const consumers = epoch.consumers.map((plan) => consumer(queue, plan, stop.signal));
  const { subject, history: { havoc } } = queue;
  const operators = [operator(queue, epoch.resizes), wreak(subject, epoch.faults, havoc)];
  try {
    const publishers = epoch.publishers.map((plan) => publisher(queue, plan));
    await Promise.all([...publishers, ...operators, ...others.map((it) => it.run())]);
  } finally {
    stop.abort();
    await Promise.all(consumers);
  }
}

/** Changes limits while the race is on, one after the other. */
async function operator(queue, resizes) {
  let at = 0;
  for (const { atMs, capacity } of resizes) {
    await sleep(Math.max(0, atMs - at));
    at = atMs;
    await queue.resize(capacity);
  }
}
