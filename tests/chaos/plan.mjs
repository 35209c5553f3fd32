// What a run will do, decided from its seed before it begins: the queue, the publishers and what
// they do with their places, the consumers, the changes of limits, a topic and a queue that pushes
// beside it, and what goes wrong.

import { planHavoc } from './havoc.mjs';
import { planPush } from './push-race.mjs';
import { Random } from './random.mjs';
import { planTopic } from './topic-race.mjs';

/** Publishers that race in one epoch. */
const PUBLISHERS_MIN = 12;
const PUBLISHERS_MAX = 48;
/** They arrive within this time: far less than they take to be served. */
const RUSH_MS = 120;
/** A race with changes and kills lasts about this long. */
const RACE_MS = 400;
/** A killed run has one to so many kills. */
const KILLS_MAX = 4;

/**
 * @typedef {object} Order what one publisher wants, once or in a batch
 * @property {string} key who it is for
 * @property {string | null} idempotencyKey
 * @property {number | null} holdMs
 * @property {number | null} ttlMs
 * @property {number | null} delayMs
 * @property {number} priority
 * @property {'ack' | 'release'} settle how a consumer finishes it
 * @property {'confirm' | 'cancel' | 'leave' | 'watch'} then what follows its acceptance
 * @property {number} thinkMs before that
 * @property {boolean} isRepeatedLater sends the same publish again at the end
 */

/**
 * @typedef {object} Epoch a race on a queue that is empty at first
 * @property {Publisher[]} publishers
 * @property {{ seed: number, visibilityMs: number, batchSize: number }[]} consumers
 * @property {{ atMs: number, capacity: Record<string, number | null> }[]} resizes
 * @property {import('./havoc.mjs').Fault[]} faults
 * @property {import('./topic-race.mjs').TopicPlan | null} topic
 * @property {import('./push-race.mjs').PushPlan | null} push
 * @property {boolean} isKilledAtEnd once more, when all is quiet
 * @property {number} spareRoom what the limit is set to leave at the end, if it leaves much more
 */

/**
 * @typedef {object} Publisher
 * @property {number} startMs
 * @property {number} insist how often it tries again after a refusal
 * @property {number} pauseMs before it does
 * @property {number} dropShare of its requests whose answer it does not wait for
 * @property {Order[][]} rounds one after the other; more than one order is a batch
 * @property {number} seed
 */

/**
 * @param {number} seed
 * @param {{ kills?: number | null }} [options] so many, whatever the seed says
 */
export function planOf(seed, { kills = null } = {}) {
  const random = new Random(seed).fork(0);
  const isKilled = random.chance(0.35);
  const drawn = random.between(1, KILLS_MAX);
  const count = kills ?? (isKilled ? drawn : 0);
  const hasPurge = random.chance(0.15);
  const shape = shapeOf(random);
  const epochs = Array.from({ length: hasPurge ? 2 : 1 }, (_, n) =>
    epochOf(new Random(seed).fork(n + 1), shape, n === 0 ? count : 0, n));
  return { seed, epochs, ...shape };
}

/** Which limits there are, and how tight. */
function shapeOf(random) {
  const people = random.between(PUBLISHERS_MIN, PUBLISHERS_MAX);
  const hasStock = random.chance(0.85);
  const hasBacklog = !hasStock || random.chance(0.3);
  const isPerKey = random.chance(0.5);
  const overflow = random.pick(['reject', 'reject', 'reject', 'redirect', 'wait']);
  const capacity = {
    max_accepted: hasStock ? random.between(0, people * 2) : null,
    max_messages: hasBacklog ? random.between(1, Math.ceil(people / 2)) : 100_000,
    max_per_key: isPerKey ? random.between(1, 3) : null,
  };
  capacity.overflow = overflow;
  if (overflow === 'redirect') capacity.redirect_url = 'https://shop.example/full';
  const configuration = {
    capacity,
    delivery: {
      max_attempts: 1000,
      order: random.pick(['best_effort', 'best_effort', 'fifo', 'key']),
    },
  };
  return { people, isPerKey, isLine: overflow === 'wait', configuration };
}

function epochOf(random, shape, kills, number) {
  const keys = areKeysShared(random, shape) ? random.between(2, 8) : shape.people;
  const publishers = Array.from({ length: shape.people }, (_, n) =>
    publisherOf(random.fork(n), `${number}.${n}`, keys, { ...shape, kills }));
  const consumers = Array.from({ length: random.between(0, 3) }, () => ({
    seed: random.between(0, 2 ** 31),
    visibilityMs: random.between(100, 350),
    batchSize: random.pick([1, 2, 5, 20]),
  }));
  return {
    publishers,
    consumers,
    resizes: resizesOf(random, shape),
    faults: planHavoc(random.fork(1_000), kills),
    topic: number === 0 ? planTopic(random.fork(1_001)) : null,
    push: number === 0 ? planPush(random.fork(1_002)) : null,
    isKilledAtEnd: kills > 0 && random.chance(0.5),
    spareRoom: random.between(0, 12),
  };
}

/** A limit per key says something only where buyers come back, or share a key. */
function areKeysShared(random, { isPerKey }) {
  return random.chance(isPerKey ? 0.8 : 0.3);
}

function publisherOf(random, name, keys, { isLine, kills }) {
  const rounds = Array.from({ length: random.between(1, 3) }, (_, round) => {
    const size = random.chance(0.12) ? random.between(2, 8) : 1;
    return Array.from({ length: size }, (_, n) =>
      orderOf(random, `${name}.${round}.${n}`, `key-${random.between(1, keys)}`, isLine));
  });
  return {
    // Who is killed more often has more people still to come.
    startMs: random.between(0, RUSH_MS * (1 + kills)),
    insist: random.pick([0, 0, 1, 3]),
    pauseMs: random.between(5, 80),
    dropShare: random.pick([0, 0, 0.2, 0.5]),
    rounds,
    seed: random.between(0, 2 ** 31),
  };
}

function orderOf(random, name, key, isLine) {
  const isHeld = random.chance(0.4);
  // One that ran out in the line never had a place, and nobody could tell.
  const isTimed = !isHeld && !isLine && random.chance(0.1);
  // What may end without being seen again needs a key, or its fate could not be told.
  const hasKey = isHeld || isTimed || random.chance(0.6);
  const followUps = isHeld
    ? ['confirm', 'confirm', 'cancel', 'leave']
    : ['leave', 'leave', 'cancel', 'watch'];
  return {
    key,
    idempotencyKey: hasKey ? `order-${name}` : null,
    holdMs: isHeld ? random.between(30, 500) : null,
    ttlMs: isTimed ? random.between(50, 500) : null,
    delayMs: random.chance(0.1) ? random.between(1, 200) : null,
    priority: random.between(0, 9),
    settle: random.chance(0.3) ? 'release' : 'ack',
    then: random.pick(followUps),
    thinkMs: random.between(0, 150),
    isRepeatedLater: hasKey && random.chance(0.3),
  };
}

/** Raised, lowered (below what is accepted, at times) and lifted, while the race is on. */
function resizesOf(random, shape) {
  const { max_accepted: stock, max_messages: backlog } = shape.configuration.capacity;
  const most = random.chance(0.6) ? random.between(1, 6) : 0;
  return Array.from({ length: most }, () => {
    const capacity = {};
    const field = random.pick(['max_accepted', 'max_accepted', 'max_messages', 'max_per_key']);
    if (field === 'max_per_key' && shape.isPerKey) capacity[field] = random.between(1, 4);
    else if (field === 'max_messages' && backlog < 100_000) {
      capacity[field] = random.between(0, shape.people);
    } else {
      const isLifted = random.chance(0.15);
      capacity.max_accepted = isLifted ? null : random.between(0, (stock ?? shape.people) + 10);
    }
    return { atMs: random.between(0, RACE_MS), capacity };
  }).sort((a, b) => a.atMs - b.atMs);
}
