// Who takes part in a race: publishers who see to their places, and consumers. Each follows the
// plan with a generator of its own, whatever the server does.

import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from './random.mjs';
import { Lost } from './server.mjs';

/** Where the answer is not waited for, the connection is cut within this time after sending. */
const DROP_MS_MAX = 4;
/** How often an operation without an answer is tried again. */
const REPEATS_MAX = 50;
/** Consumers wait so long for messages. */
const PULL_WAIT_MS = 40;
/** Publishers watch a message for so long. */
const WATCH_MS_MAX = 300;

/**
 * Publishes what the plan says, round after round, and sees to what was accepted.
 * @param {import('./queue.mjs').Queue} queue
 * @param {import('./plan.mjs').Publisher} plan
 */
export async function publisher(queue, plan) {
  const random = new Random(plan.seed);
  await sleep(plan.startMs);
  const followUps = [];
  for (const round of plan.rounds) {
    const wanted = round.map((order) => ({ order, record: queue.history.publish(order) }));
    await publishUntilSettled(queue, wanted, plan, random);
    for (const one of wanted.filter(({ record }) => idOf(record))) {
      followUps.push(followUp(queue, one, random.fork(one.record.n), plan.dropShare));
    }
  }
  await Promise.all(followUps);
}

/** Sends until each is accepted, or refused often enough, or lost without a key to repeat it by. */
async function publishUntilSettled(queue, wanted, { insist, pauseMs, dropShare }, random) {
  let left = wanted;
  for (let refusals = 0; left.length > 0;) {
    await queue.publish(left, dropAfter(random, dropShare, left));
    const last = ({ record }) => record.attempts.at(-1).outcome;
    const lost = left.filter((one) => last(one) === 'lost' && one.order.idempotencyKey);
    const refused = left.filter((one) => last(one) === 'refused');
    if (refused.length > 0) refusals += 1;
    left = refused.length > 0 && refusals <= insist ? [...lost, ...refused] : lost;
    if (left.length > lost.length) await sleep(pauseMs);
  }
}

/** What a publisher does with its place. */
async function followUp(queue, { order, record }, random, dropShare) {
  const id = idOf(record);
  await sleep(order.thinkMs);
  if (isWaiting(record)) await watch(queue, id, random);
  if (order.then === 'watch') await watch(queue, id, random);
  if (order.then === 'confirm' || order.then === 'cancel') {
    // The answer to a repeat says that it was done before; the history keeps all of them.
    for (let repeats = 0; repeats < REPEATS_MAX; repeats += 1) {
      if ((await queue.act(order.then, id, dropAfter(random, dropShare))) !== null) break;
    }
  }
  if (order.isRepeatedLater) await queue.publish([{ order, record }]);
}

/** Waits for the end of a message, which may come or not. */
async function watch(queue, id, random) {
  const path = `/messages/${id}?wait_ms=${random.between(1, WATCH_MS_MAX)}`;
  await queue.call('GET', path).catch((error) => {
    if (!(error instanceof Lost)) throw error;
  });
}

/**
 * Takes messages until told to stop, and does with them what consumers do: most it acknowledges,
 * some it gives back, prolongs, forgets or is too late with.
 * @param {import('./queue.mjs').Queue} queue
 * @param {{ seed: number, visibilityMs: number, batchSize: number }} plan
 * @param {AbortSignal} stop
 */
export async function consumer(queue, { seed, visibilityMs, batchSize }, stop) {
  const random = new Random(seed);
  while (!stop.aborted) {
    const dropAfterMs = random.chance(0.05) ? random.between(0, DROP_MS_MAX) : null;
    const deliveries =
      await queue.pull({ batchSize, visibilityMs, waitMs: PULL_WAIT_MS, dropAfterMs });
    if (deliveries.length === 0) await sleep(1);
    const isLate = random.chance(0.08);
    await sleep(isLate ? visibilityMs + 30 : random.between(0, 20));
    const entries = deliveries.map((delivery) => decide(delivery, visibilityMs, random));
    const kept = entries.filter(({ kind }) => kind !== 'forget');
    if (kept.length > 0) {
      await queue.settle(kept, random.chance(0.05) ? random.between(0, DROP_MS_MAX) : null);
    }
  }
}

function decide(delivery, visibilityMs, random) {
  const choice = random.next();
  if (choice < 0.72) return { kind: 'ack', delivery };
  if (choice < 0.84) return { kind: 'retry', delivery, delayMs: random.between(0, 60) };
  if (choice < 0.9) return { kind: 'extend', delivery, visibilityMs };
  return { kind: 'forget', delivery };
}

/** Only what can be repeated, or whose message stays to be seen, may go without its answer. */
function dropAfter(random, share, wanted = []) {
  const isSafe = wanted.every(({ order }) => order.idempotencyKey);
  return random.chance(share) && isSafe ? random.between(0, DROP_MS_MAX) : null;
}

const isWaiting = ({ attempts }) => attempts.some((attempt) => attempt.isWaiting);

function idOf(record) {
  return record.attempts.find(({ id }) => id !== undefined)?.id;
}
