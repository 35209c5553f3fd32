// Many runs, several at a time, each lane with a server of its own; and their sum as a table.

import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/tools.mjs';
import { RULES } from './check.mjs';
import { repeatsOf } from './duplicates.mjs';
import { race } from './race.mjs';
import { Subject } from './server.mjs';

/** Histories of runs that failed, for who looks into them. */
const FAILED = path.join(ROOT, 'build', 'chaos');
/** Runs that fail before a campaign is called off. */
export const FAILURES_MAX = 10;

/**
 * @typedef {object} Sums
 * @property {Record<string, number>} counts what happened, by name
 * @property {Record<string, number>} violations by rule
 * @property {Failure[]} failed
 *
 * @typedef {{ seed: number, violations: import('./check.mjs').Violation[], error?: Error }} Failure
 */

/**
 * @param {object} options
 * @param {number} options.runs
 * @param {number} options.seed of the first run; the others count on from it
 * @param {number} [options.lanes] runs at a time
 * @param {number} [options.port] of the first lane's server, the others' follow; any unless given
 * @param {number | null} [options.kills] of each run; null leaves it to its seed
 * @param {number} [options.failures] ends after so many failed runs
 * @param {(sums: Sums, failure?: object) => void} [options.onRun]
 * @returns {Promise<Sums>}
 */
export async function campaign(options) {
  const { runs, seed, lanes = 2, port = 0, kills = null, onRun = () => {} } = options;
  const { failures = FAILURES_MAX } = options;
  const violations = Object.fromEntries(Object.keys(RULES).map((rule) => [rule, 0]));
  const sums = { counts: {}, violations, failed: [] };
  let next = seed;
  const lane = async (number) => {
    const subject = await Subject.start(port === 0 ? 0 : port + number);
    try {
      while (next < seed + runs && sums.failed.length < failures) {
        onRun(sums, await one(subject, next++, kills, sums));
      }
    } finally {
      await subject.stop();
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, runs) }, (_, number) => lane(number)));
  return sums;
}

/** One run, added to the sums; the failure, if it failed. */
async function one(subject, seed, kills, sums) {
  let failure;
  try {
    const outcome = await race(subject, seed, { kills });
    add(sums.counts, countsOf(outcome));
    for (const { rule } of outcome.violations) sums.violations[rule] += 1;
    if (outcome.violations.length === 0) return undefined;
    failure = { seed, violations: outcome.violations };
    keep(subject, seed, outcome);
  } catch (error) {
    failure = { seed, violations: [], error };
    keep(subject, seed, { seed, error: error.stack, logs: subject.logs() });
  }
  sums.failed.push(failure);
  return failure;
}

/** What was seen, and the data of the server, of a run that failed. */
function keep(subject, seed, outcome) {
  const directory = path.join(FAILED, String(seed));
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const text = JSON.stringify(outcome, (_, value) => (value === Infinity ? 'never' : value), 1);
  writeFileSync(path.join(directory, 'history.json'), text);
  cpSync(subject.dataDir, path.join(directory, 'data'), { recursive: true });
}

function add(sums, counts) {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}

/** What happened in a run, by the names of the table's lines. */
function countsOf({ histories, topics, pushes, publishers, purges }) {
  const all = (field) => histories.flatMap((history) => history[field]);
  const attempts = all('publishes').flatMap((publish) => publish.attempts);
  const outcomes = (outcome) => attempts.filter((attempt) => attempt.outcome === outcome);
  const refused = outcomes('refused');
  const by = (where) => refused.filter(({ decided_by }) => decided_by === where).length;
  const done = (kind) =>
    all('actions').filter((action) => action.kind === kind && action.ok).length;
  const states = histories.flatMap(({ end }) => Object.values(end.states));
  const repeats = all('publishes').map(({ attempts: own }) =>
    Math.max(0, own.filter(({ outcome }) => outcome === 'accepted').length - 1));
  const released = histories.flatMap(({ deliveries, end }) =>
    deliveries.filter(({ id, settle }) =>
      settle === 'release' && end.states[id]?.state === 'done'));
  return {
    runs: 1,
    'racing publishers': publishers,
    'publishes sent': attempts.length,
    accepted: outcomes('accepted').length - sum(repeats),
    'told to wait in line': attempts.filter(({ isWaiting }) => isWaiting).length,
    'repeats given the first answer': sum(repeats),
    'refused at the edge': by('edge'),
    'refused by the object': by('object'),
    'refused in a batch or by redirect': refused.length - by('edge') - by('object'),
    'answers lost': outcomes('lost').length,
    'holds confirmed': done('confirm'),
    cancelled: done('cancel'),
    'expired (holds and times to live)': states.filter(({ state }) => state === 'expired').length,
    acknowledged: done('ack'),
    'places released by them': new Set(released.map(({ id }) => id)).size,
    'given back for another delivery': done('retry'),
    'limits changed live': all('changes').filter(({ sent_at }) => sent_at > 0).length,
    purges,
    ...countsOfHavoc(histories, topics),
    ...countsOfTopics(topics),
    'pushed to endpoints': sum(pushes.map(({ calls }) => calls.length)),
    'probes of the room left': histories.flatMap(({ end }) => end.probes).length,
  };
}

function countsOfHavoc(histories, topics) {
  const all = (field) => histories.flatMap(({ havoc }) => havoc[field]);
  const troubles = all('troubles');
  const crashes = troubles.map(({ crash }) => crash).filter(Boolean);
  const kills = [...all('kills'), ...crashes];
  const by = (...kinds) => kills.filter(({ kind }) => kinds.includes(kind));
  const repeats = [...histories, ...topics.map(({ history }) => history)].map(repeatsOf);
  const hit = by('killBefore', 'killAfter', 'killTorn').filter(({ hasHit }) => hasHit);
  return {
    kills: kills.length,
    '  in the middle of a commit': hit.length,
    '  power cuts in the middle of a commit': by('powerCut').filter((it) => it.hasHit).length,
    '  with garbage behind the logs': by('spoil').length,
    'leases at the kills': sum(repeats.map(({ outstanding }) => outstanding)),
    '  repeated though their consumer was done': sum(repeats.map((it) => it.duplicates)),
    'disks that failed for a while': troubles.length,
    'jumps of the clock': all('jumps').length,
  };
}

function countsOfTopics(topics) {
  const heard = topics.flatMap((topic) => Object.values(topic.heard));
  return {
    'published to topics': sum(topics.map(({ history }) => history.end.log.length)),
    'heard by live readers': sum(heard.map((all) => all.length)),
    'handed on by durable subscriptions': sum(
      topics.map(({ history }) => history.deliveries.length)),
  };
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** @param {Sums} sums @returns {string} the table */
export function tableOf({ counts, violations }) {
  const line = (name, count) => `  ${name.padEnd(44)} ${count.toLocaleString('en').padStart(10)}`;
  return [
    ...Object.entries(counts).map(([name, count]) => line(name, count)),
    '',
    ...Object.entries(RULES).map(([rule, name]) => line(name, violations[rule])),
  ].join('\n');
}
