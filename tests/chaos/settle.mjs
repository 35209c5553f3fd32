// The end of an epoch: waits until nothing moves any more, reads everything that can be read, takes
// all the room that ought to be left and some more, and drains the queue.

import { setTimeout as sleep } from 'node:timers/promises';
import { History } from './history.mjs';
import { now } from './server.mjs';
import { view } from './view.mjs';

/** After the last timer that could be running. */
const SLACK_MS = 20;
/** What is still held or leased after this much more will be so for good. */
const STILL_MS_MAX = 5_000;
const STILL_POLL_MS = 20;
/** A refusal from memory may be so old; a probe that meets one asks again after it. */
const VERDICT_MS_MAX = 1_000;
/** A limit that leaves more room than this is lowered for the probe. */
const ROOM_MAX = 40;
/** Publishes beyond the room, which must be refused. */
const BEYOND = 4;
/** Keys whose rest is probed. */
const KEYS_PROBED_MAX = 3;
const BACKLOG_MAX = 100_000;
/** No lease of the drain runs out during it. */
const DRAIN_LEASE_MS = 600_000;
const DRAIN_PULLS_MAX = 10_000;
const PAGE = 1_000;

/**
 * @typedef {object} End
 * @property {number} at
 * @property {any} figures the queue's description
 * @property {Record<string, { status: number, state?: string }>} states by id
 * @property {{ what: string, room: number, taken: number }[]} probes
 * @property {number} probed publishes that the probes got in
 * @property {string[]} left ids that were still there, the probes' among them
 * @property {import('./history.mjs').Delivery[]} drained
 * @property {any} figuresAfter the drain
 */

/**
 * Waits for quiet and notes what there is.
 * @param {import('./queue.mjs').Queue} queue
 * @param {{ isKilledAtEnd: boolean }} epoch
 */
export async function settle(queue, epoch) {
  const { history } = queue;
  if (epoch.isKilledAtEnd) history.havoc.kills.push(await queue.subject.crash());
  await sleep(Math.max(0, lastTimer(history) + SLACK_MS - now()));
  if (history.isLine) await dissolve(queue);
  await untilStill(queue);
  const sent_at = now();
  const browsed = await browse(queue);
  history.seen = browsed.map((message) => ({ ...message, sent_at, ended_at: now() }));
  const ids = [...new Set([...history.ids(), ...browsed.map(({ id }) => id)])];
  const states = await Promise.all(ids.map((id) => stateOf(queue, id)));
  const figures = await queue.must('GET');
  history.end = {
    at: now(),
    figures,
    states: Object.fromEntries(ids.map((id, index) => [id, states[index]])),
    probes: [],
    probed: 0,
    left: ids.filter((_, index) => !isFinal(states[index])),
    drained: [],
    figuresAfter: null,
  };
}

/** Lets in who still waits in line, or it would go on as one hold after the other ends. */
function dissolve(queue) {
  return queue.resize({ max_accepted: null, max_messages: BACKLOG_MAX });
}

/** What was cut off may have been served late; a timer that never ends shows in the figures. */
async function untilStill(queue) {
  for (const deadline = now() + STILL_MS_MAX; now() < deadline;) {
    const { held, in_flight: leased } = await queue.must('GET');
    if (held === 0 && leased === 0) return;
    await sleep(STILL_POLL_MS);
  }
}

/** When the last hold, lease and time to live must be over, had it begun as late as possible. */
function lastTimer(history) {
  const { publishes, deliveries, actions } = history;
  const endOf = (ended_at, timer) => ended_at + timer + history.late(timer);
  const ends = [
    ...publishes.flatMap(({ hold_ms, ttl_ms, attempts }) =>
      attempts.map(({ ended_at }) => endOf(ended_at, Math.max(hold_ms ?? 0, ttl_ms ?? 0)))),
    ...deliveries.map(({ ended_at, visibility_ms }) => endOf(ended_at, visibility_ms)),
    ...actions.map(({ ended_at, visibility_ms = 0 }) => endOf(ended_at, visibility_ms)),
  ];
  return ends.reduce((last, at) => Math.max(last, at), 0);
}

async function browse(queue) {
  const all = [];
  for (let after = 0; ;) {
    const { messages } = await queue.must('GET', `/messages?limit=${PAGE}&after_seq=${after}`);
    if (messages.length === 0) return all;
    for (const { id, seq, body } of messages) all.push({ id, seq, n: Number.parseInt(body, 10) });
    after = messages.at(-1).seq;
  }
}

async function stateOf(queue, id) {
  const { status, json } = await queue.insist('GET', `/messages/${id}`);
  return { status, state: json.state };
}

const isFinal = ({ state }) => ['done', 'dead', 'expired', 'cancelled'].includes(state);

/**
 * Takes what room there is, of each kind, and asks for more; then drains the queue.
 * @param {import('./queue.mjs').Queue} queue
 * @param {{ isPerKey: boolean }} plan
 * @param {{ spareRoom: number }} epoch
 */
export async function probeRoom(queue, plan, epoch) {
  const { history } = queue;
  const { places, keys, depth } = view(history).totals;
  const limits = new Map(history.changes.map(({ field, value }) => [field, value]));
  const prober = new Prober(queue, history.end);
  if (history.isLine) await prober.limit({ overflow: 'reject' });
  queue.history = prober.history;
  if (plan.isPerKey) {
    await prober.open();
    for (const [key, taken] of mostOf(keys)) {
      await prober.take(`key ${key}`, limits.get('max_per_key') - taken, () => key);
    }
  }
  const stock = limits.get('max_accepted');
  const occupied = places + history.end.probed;
  const isKept = stock !== null && stock - occupied <= ROOM_MAX;
  const limit = isKept ? stock : occupied + epoch.spareRoom;
  await prober.limit({ max_accepted: limit, max_messages: BACKLOG_MAX });
  await prober.take('stock', limit - occupied);

  const backlog = depth + history.end.probed + epoch.spareRoom;
  await prober.limit({ max_accepted: null, max_messages: backlog });
  await prober.take('backlog', epoch.spareRoom);
  await drain(queue, history.end);
}

function mostOf(keys) {
  return [...keys].sort((a, b) => b[1] - a[1]).slice(0, KEYS_PROBED_MAX);
}

/** Publishes against limits, in a history of its own that is not judged. */
class Prober {
  #queue;
  #end;

  constructor(queue, end) {
    this.#queue = queue;
    this.#end = end;
    this.history = new History(10_000_000, {});
  }

  /** Sets a limit. It is at work, verdicts at the edge included, from the answer on. */
  limit(capacity) {
    return this.#queue.must('PUT', '', { capacity });
  }

  open() {
    return this.limit({ max_accepted: null, max_messages: BACKLOG_MAX });
  }

  /** A race for the room: just so many get in. */
  async take(what, room, keyOf = (n) => `probe-${what}-${n}`) {
    const wanted = Math.max(0, room);
    const began = now();
    let taken = await this.#publish(wanted + BEYOND, keyOf);
    // Refused from memory, perhaps, which may be a second old.
    for (let round = 1; taken < wanted && now() - began <= 2 * VERDICT_MS_MAX; round += 1) {
      await sleep(VERDICT_MS_MAX / 4);
      taken += await this.#publish(wanted - taken, (n) => keyOf(`${n}-${round}`));
    }
    this.#end.probes.push({ what, room: wanted, taken });
    this.#end.probed += taken;
  }

  async #publish(count, keyOf) {
    const orders = Array.from({ length: count }, (_, n) => ({ key: keyOf(n), priority: 4 }));
    const wanted = orders.map((order) => ({ order, record: this.history.publish(order) }));
    await Promise.all(wanted.map((one) => this.#queue.publish([one])));
    const ids = wanted.flatMap(({ record }) => record.attempts.map(({ id }) => id)).filter(Boolean);
    this.#end.left.push(...ids);
    return ids.length;
  }
}

/** Takes and finishes all there is. */
async function drain(queue, end) {
  for (let pulls = 0; pulls < DRAIN_PULLS_MAX; pulls += 1) {
    const deliveries =
      await queue.pull({ batchSize: PAGE, visibilityMs: DRAIN_LEASE_MS, waitMs: 0 });
    if (deliveries.length === 0) break;
    end.drained.push(...deliveries);
    await queue.settle(deliveries.map((delivery) => ({ kind: 'ack', delivery })));
  }
  end.figuresAfter = await queue.must('GET');
}
