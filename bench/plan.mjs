// How much is measured: the full plan, the quick one, and what the command line changes of them.

import { parseArgs } from 'node:util';
import { Failure } from '../scripts/lib/steps.mjs';

/**
 * @typedef {object} Plan
 * @property {boolean} quick
 * @property {number} rounds of which medians are taken
 * @property {number} warmUpMs
 * @property {number} durationMs of each measurement under HTTP load
 * @property {number} count of messages in each run at 256 in flight
 * @property {number} depth of the backlog
 * @property {number} drain messages pulled from the backlog
 * @property {number} starts of a process
 * @property {string[]} only sections; all when empty
 */

const FULL = {
  rounds: 3,
  warmUpMs: 1000,
  durationMs: 3000,
  count: 100_000,
  depth: 1_000_000,
  drain: 50_000,
  starts: 9,
};

const QUICK = {
  rounds: 1,
  warmUpMs: 300,
  durationMs: 1000,
  count: 5000,
  depth: 50_000,
  drain: 5000,
  starts: 3,
};

const HELP = `npm run bench -- [options]

  --quick         a look in a minute or two: one round of short runs
  --rounds K      medians are of K rounds (${FULL.rounds})
  --seconds S     under HTTP load, each time (${FULL.durationMs / 1000})
  --count N       messages in each run at 256 in flight (${FULL.count})
  --depth N       messages in the backlog (${FULL.depth})
  --only A,B      only these sections: SECTIONS
                  (prints the table, and writes no files)`;

/**
 * @param {string[]} args of the command line
 * @param {string[]} sections that there are
 * @returns {Plan | string} the plan, or the help that was asked for
 */
export function readPlan(args, sections) {
  const number = { type: 'string' };
  const { values } = parse(args, {
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    rounds: number,
    seconds: number,
    count: number,
    depth: number,
  });
  if (values.help) return HELP.replace('SECTIONS', sections.join(', '));
  const only = values.only.split(',').filter(Boolean);
  const unknown = only.find((name) => !sections.includes(name));
  if (unknown) throw new Failure(`There is no section "${unknown}": ${sections.join(', ')}.`);
  const base = values.quick ? QUICK : FULL;
  const depth = positive(values, 'depth') ?? base.depth;
  return {
    ...base,
    quick: values.quick,
    only,
    rounds: positive(values, 'rounds') ?? base.rounds,
    durationMs: (positive(values, 'seconds') ?? base.durationMs / 1000) * 1000,
    count: positive(values, 'count') ?? base.count,
    depth,
    drain: Math.min(base.drain, depth),
  };
}

function parse(args, options) {
  try {
    return parseArgs({ args, options });
  } catch (error) {
    throw new Failure(`${error.message}\n\n${HELP}`);
  }
}

function positive(values, name) {
  if (values[name] === undefined) return undefined;
  const value = Number(values[name].replaceAll('_', ''));
  if (Number.isInteger(value) && value > 0) return value;
  throw new Failure(`--${name} is "${values[name]}"; it must be a whole number above 0.`);
}
