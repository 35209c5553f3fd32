// The judge itself, on histories made by hand: what each rule must see, and what it must let pass.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from './check.mjs';
import { History } from './history.mjs';

/** A history with a stock of one, and publishes `[sent_at, ended_at, outcome or seq]` each. */
function historyOf(capacity, publishes) {
  const history = new History(0, { max_messages: 100_000, max_per_key: null, ...capacity });
  publishes.forEach(([sent_at, ended_at, told], index) => {
    const accepted = { outcome: 'accepted', id: `m${told}`, seq: told };
    const refused = { outcome: 'refused', type: 'sold-out', decided_by: 'object' };
    const verdict = typeof told === 'number' ? accepted : refused;
    const made = history.publish({ key: `key-${index}` });
    made.attempts.push({ sent_at, ended_at, ...verdict });
  });
  return history;
}

/** Ends it: all that was accepted is there, unless said otherwise, and drained. */
function end(history, states = {}) {
  const ids = history.ids();
  const stateOf = (id) => states[id] ?? 'queued';
  const left = ids.filter((id) => stateOf(id) === 'queued');
  const places = ids.length - ids.filter((id) => stateOf(id) === 'cancelled').length;
  history.seen = left.map((id) => {
    const isIts = (attempt) => attempt.id === id;
    const { n, attempts } = history.publishes.find((publish) => publish.attempts.some(isIts));
    return { id, seq: attempts.find(isIts).seq, n, sent_at: 900, ended_at: 910 };
  });
  history.end = {
    at: 1_000,
    figures: {
      accepted: places, depth: left.length, held: 0, in_flight: 0, waiting: 0,
      accepted_total: ids.length,
    },
    states: Object.fromEntries(ids.map((id) => [id, { status: 200, state: stateOf(id) }])),
    probes: [], probed: 0, left,
    drained: left.map((id) => ({ id, settle: 'ack' })),
    figuresAfter: { depth: 0, accepted: places, accepted_total: ids.length },
  };
  return history;
}

const rulesOf = (history) => check(history, 0).map(({ rule }) => rule);

test('a stock of one that is sold once, and refused after, is in order', () => {
  assert.deepEqual(check(end(historyOf({ max_accepted: 1 }, [[0, 10, 1], [20, 30, 'no']])), 0), []);
});

test('one too many is seen', () => {
  const history = end(historyOf({ max_accepted: 1 }, [[0, 10, 1], [5, 12, 2]]));
  assert.deepEqual(rulesOf(history), ['limit']);
});

test('a refusal with room is seen, and one while the last place was going is not', () => {
  const early = end(historyOf({ max_accepted: 1 }, [[20, 30, 1], [0, 10, 'no']]));
  assert.deepEqual(rulesOf(early), ['refusal']);
  assert.deepEqual(rulesOf(end(historyOf({ max_accepted: 1 }, [[5, 30, 1], [0, 10, 'no']]))), []);
});

test('a place that was given back may be taken again, but not before', () => {
  const cancelled = (sent_at) => {
    const history = historyOf({ max_accepted: 1 }, [[0, 10, 1], [40, 50, 2]]);
    const id = 'm1';
    history.actions.push({ kind: 'cancel', id, sent_at, ended_at: sent_at + 5, ok: true });
    return rulesOf(end(history, { m1: 'cancelled' }));
  };
  assert.deepEqual(cancelled(20), []);
  assert.deepEqual(cancelled(60), ['limit']);
});

test('a limit that was lowered holds from the answer on', () => {
  const lowered = (sent_at, ended_at) => {
    const history = historyOf({ max_accepted: 5 }, [[0, 10, 1], [40, 50, 2]]);
    history.changes.push({ field: 'max_accepted', value: 1, sent_at, ended_at });
    return rulesOf(end(history));
  };
  assert.deepEqual(lowered(20, 30), ['limit']);
  assert.deepEqual(lowered(20, 45), []);
});

test('an end that nobody brought about is a loss', () => {
  const history = end(historyOf({ max_accepted: 5 }, [[0, 10, 1]]), { m1: 'done' });
  assert.deepEqual(rulesOf(history), ['lost', 'stock']);
});

test('a repeat that got a second message, and a figure that is off by one, are seen', () => {
  const history = historyOf({ max_accepted: 5 }, [[0, 10, 1], [20, 30, 2]]);
  history.publishes[0].attempts.push({ ...history.publishes[1].attempts[0], id: 'm9', seq: 9 });
  assert.ok(rulesOf(end(history)).includes('repeat'));
  const other = end(historyOf({ max_accepted: 5 }, [[0, 10, 1]]));
  other.end.figures.accepted += 1;
  assert.ok(rulesOf(other).includes('stock'));
});

test('two leases of a message at a time are seen', () => {
  const leased = (sent_at) => {
    const history = historyOf({ max_accepted: 5 }, [[0, 10, 1]]);
    const one = { id: 'm1', seq: 1, n: 0, key: 'key-0', visibility_ms: 300 };
    history.deliveries.push(
      { ...one, lease_id: 'a', sent_at: 20, ended_at: 30 },
      { ...one, lease_id: 'b', sent_at, ended_at: sent_at + 10 },
    );
    return rulesOf(end(history));
  };
  assert.deepEqual(leased(100), ['delivery']);
  assert.deepEqual(leased(340), []);
});

test('a lease lasts no longer than it should, or twice that where the clock was set back', () => {
  const acked = (at, isSlowed) => {
    const history = historyOf({ max_accepted: 1 }, [[0, 10, 1]]);
    const lease = { id: 'm1', lease_id: 'l1' };
    history.deliveries.push({ ...lease, n: 0, sent_at: 20, ended_at: 30, visibility_ms: 200 });
    history.actions.push({ ...lease, kind: 'ack', sent_at: at, ended_at: at + 5, ok: true });
    history.isSlowed = isSlowed;
    return rulesOf(end(history, { m1: 'done' }));
  };
  const isLate = (...when) => acked(...when).includes('fence');
  assert.deepEqual([isLate(250, false), isLate(300, false)], [false, true]);
  assert.deepEqual([isLate(300, true), isLate(450, true), isLate(500, true)], [false, false, true]);
});
