// What goes wrong in a race, decided from its seed, and the one who brings it about: kills at any
// moment and at a given operation of the storage, power cuts, disks that fail, clocks that jump.

import { setTimeout as sleep } from 'node:timers/promises';
import { hasFaultLayer } from './faults.mjs';

/** Between two faults, or one and the server's being up again. */
const PAUSE_MS_MAX = 160;
/** A commit is some ten operations: a fault hits this one at the latest. */
const OPERATIONS_MAX = 60;
/** A disk fails for so long. */
const TROUBLE_MS_MAX = 150;
/** A clock jumps by so much. */
const JUMP_MS_MAX = 60_000;
const COMMIT = ['write', 'sync', 'change'];

/** How the server may be ended, the more frequent ones several times. */
const ENDS = [
  'kill', 'kill', 'kill', 'spoil',
  'killBefore', 'killAfter', 'killTorn', 'powerCut', 'powerCut', 'powerCut',
];
const TROUBLES = ['ioError', 'diskFull', 'readOnly', 'short'];

/**
 * @typedef {object} Fault
 * @property {'end' | 'trouble' | 'jump'} what
 * @property {number} afterMs
 * @property {number} seed
 * @property {string} [kind]
 * @property {number} [countdown]
 * @property {number} [lastsMs]
 * @property {number} [byMs]
 */

/**
 * @param {import('./random.mjs').Random} random
 * @param {number} kills
 * @returns {Fault[]} one after the other
 */
export function planHavoc(random, kills) {
  const faults = Array.from({ length: kills }, () => ({
    what: 'end',
    kind: hasFaultLayer() ? random.pick(ENDS) : 'kill',
    countdown: random.between(1, OPERATIONS_MAX),
    ...timeOf(random),
  }));
  if (kills === 0 || !hasFaultLayer()) return faults;
  if (random.chance(0.4)) {
    const trouble = {
      what: 'trouble', kind: random.pick(TROUBLES), lastsMs: random.between(5, TROUBLE_MS_MAX),
    };
    faults.splice(random.between(0, kills), 0, { ...trouble, ...timeOf(random) });
  }
  if (random.chance(0.2)) {
    const byMs = random.between(1, JUMP_MS_MAX) * (random.chance(0.5) ? 1 : -1);
    faults.splice(random.between(0, kills), 0, { what: 'jump', byMs, ...timeOf(random) });
  }
  return faults;
}

const timeOf = (random) =>
  ({ afterMs: random.between(1, PAUSE_MS_MAX), seed: random.between(0, 2 ** 31) });

/**
 * Brings the faults about. A clock that went back goes on again at the end, or timers that were
 * set before would take as long.
 * @param {import('./server.mjs').Subject} subject
 * @param {Fault[]} faults
 * @param {import('./history.mjs').Havoc} log
 */
export async function wreak(subject, faults, log) {
  let behindMs = 0;
  for (const fault of faults) {
    await sleep(fault.afterMs);
    if (fault.what === 'end') log.kills.push(await end(subject, fault));
    else if (fault.what === 'trouble') log.troubles.push(await trouble(subject, fault));
    else {
      log.jumps.push(subject.moveClock(fault.byMs));
      behindMs = Math.max(0, behindMs - fault.byMs);
    }
  }
  if (behindMs > 0) {
    await sleep(PAUSE_MS_MAX);
    log.jumps.push(subject.moveClock(behindMs));
  }
}

function end(subject, { kind, countdown, seed }) {
  if (kind === 'kill') return subject.crash();
  if (kind === 'spoil') return subject.crash({ spoilSeed: seed });
  return subject.crash({ fault: { kind, countdown, seed, classes: COMMIT } });
}

/** Reads fail as well where it is the disk itself, and not its room. */
function trouble(subject, { kind, lastsMs, seed }) {
  const classes = kind === 'ioError' && seed % 2 === 0 ? [...COMMIT, 'read'] : COMMIT;
  return subject.trouble({ kind, classes, countdown: 0 }, lastsMs);
}
