// Many runs, several at a time, each lane with a server of its own; and their sum as a table.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/tools.mjs';
import { RULES } from './check.mjs';
import { race } from './race.mjs';
import { Subject } from './server.mjs';

/** Histories of runs that failed, for who looks into them. */
const FAILED = path.join(ROOT, 'build', 'stress');
/** Runs that fail before a campaign is called off. */
const FAILURES_MAX = 10;

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
 * @param {(seed: number) => boolean | undefined} [options.isKilled] whether a run has kills;
 *   undefined leaves it to its seed
 * @param {(sums: Sums, failure?: object) => void} [options.onRun]
 * @returns {Promise<Sums>}
 */
export async function campaign({ runs, seed, lanes = 2, port = 0, isKilled, onRun = () => {} }) {
  const violations = Object.fromEntries(Object.keys(RULES).map((rule) => [rule, 0]));
  const sums = { counts: {}, violations, failed: [] };
  let next = seed;
  const lane = async (number) => {
    const subject = await Subject.start(port === 0 ? 0 : port + number);
    try {
      while (next < seed + runs && sums.failed.length < FAILURES_MAX) {
        onRun(sums, await one(subject, next++, isKilled, sums));
      }
    } finally {
      await subject.stop();
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, runs) }, (_, number) => lane(number)));
  return sums;
}

/** One run, added to the sums; the failure, if it failed. */
async function one(subject, seed, isKilled, sums) {
  let failure;
  try {
    const outcome = await race(subject, seed, { isKilled: isKilled?.(seed) });
    add(sums.counts, countsOf(outcome));
    for (const { rule } of outcome.violations) sums.violations[rule] += 1;
    if (outcome.violations.length === 0) return undefined;
    failure = { seed, violations: outcome.violations };
    mkdirSync(FAILED, { recursive: true });
    writeFileSync(path.join(FAILED, `${seed}.json`), JSON.stringify(outcome, null, 1));
  } catch (error) {
    failure = { seed, violations: [], error };
  }
  sums.failed.push(failure);
  return failure;
}

function add(sums, counts) {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}

/** What happened in a run, by the names of the table's lines. */
function countsOf({ histories, publishers, purges }) {
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
    kills: all('kills').length,
    purges,
    'probes of the room left': histories.flatMap(({ end }) => end.probes).length,
  };
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** @param {Sums} sums @returns {string} the table */
export function tableOf({ counts, violations }) {
  const line = (name, count) => `  ${name.padEnd(36)} ${count.toLocaleString('en').padStart(10)}`;
  return [
    ...Object.entries(counts).map(([name, count]) => line(name, count)),
    '',
    ...Object.entries(RULES).map(([rule, name]) => line(name, violations[rule])),
  ].join('\n');
}
