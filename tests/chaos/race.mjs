// One run: a queue, one race or two upon it, a topic beside the first, what goes wrong meanwhile,
// and what is left of it, judged.

import { setTimeout as sleep } from 'node:timers/promises';
import { consumer, publisher } from './actors.mjs';
import { check } from './check.mjs';
import { History } from './history.mjs';
import { planOf } from './plan.mjs';
import { wreak } from './havoc.mjs';
import { Queue } from './queue.mjs';
import { probeRoom, settle } from './settle.mjs';
import { checkTopic } from './topic-check.mjs';
import { TopicRace } from './topic-race.mjs';

/** Numbers of publishes of one epoch lie apart from those of another. */
const EPOCH_NUMBERS = 100_000;

/**
 * @typedef {object} Outcome
 * @property {number} seed
 * @property {import('./check.mjs').Violation[]} violations
 * @property {History[]} histories one an epoch
 * @property {TopicRace[]} topics
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
    queue.history = history;
    histories.push(history);
    const topic = epoch.topic && new TopicRace(subject, `chaos/${seed}`, epoch.topic);
    if (topic) {
      topic.history.havoc = history.havoc;
      topics.push(topic);
      await topic.open();
    }
    await holdRace(queue, topic, epoch);
    await settle(queue, epoch);
    await topic?.settle();
    await probeRoom(queue, plan, epoch);
    violations.push(...check(history, totals));
    if (topic) violations.push(...checkTopic(topic.history, topic.heard));
    totals = history.end.figures.accepted_total + history.end.probed;
    if (violations.length > 0) break;
  }
  await queue.must('DELETE');
  const publishers = plan.epochs.reduce((sum, epoch) => sum + epoch.publishers.length, 0);
  return { seed, violations, histories, topics, publishers, purges: plan.epochs.length - 1 };
}

/** Everybody at once; returns when the publishers, the operator and the topic are done. */
async function holdRace(queue, topic, epoch) {
  const stop = new AbortController();
  const consumers = epoch.consumers.map((plan) => consumer(queue, plan, stop.signal));
  const { subject, history: { havoc } } = queue;
  const operators = [operator(queue, epoch.resizes), wreak(subject, epoch.faults, havoc)];
  const others = topic ? [topic.run()] : [];
  try {
    const publishers = epoch.publishers.map((plan) => publisher(queue, plan));
    await Promise.all([...publishers, ...operators, ...others]);
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
