// The judge of topics, on histories made by hand: what each rule must see, and what it must let
// pass.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { repeatsOf } from './duplicates.mjs';
import { History } from './history.mjs';
import { checkTopic } from './topic-check.mjs';

/** Two messages, published one after the other, heard by one reader, and taken once each. */
function topic() {
  const history = new History(0, {});
  for (const [n, at] of [[0, 0], [1, 20]]) {
    const made = history.publish({ key: 'k', idempotencyKey: `p${n}` });
    made.expect_seq = null;
    made.attempts.push(
      { sent_at: at, ended_at: at + 10, outcome: 'accepted', id: `m${n}`, seq: n + 1 });
    lease(history, n, 100 + at, 'ack');
  }
  const log = history.publishes.map(({ n, key }) => ({ id: `m${n}`, seq: n + 1, n, key }));
  history.end = { at: 1_000, log, figures: { last_seq: 2 } };
  history.order = 'fifo';
  return { history, heard: { events: [{ seq: 1, body: '0 ack' }, { seq: 2, body: '1 ack' }] } };
}

/** Hands a message out, and has the lease settled a moment later. */
function lease(history, n, at, kind, id = `d${n}`) {
  const lease_id = `l${n}.${at}`;
  history.deliveries.push(
    { id, n, key: 'k', lease_id, visibility_ms: 300, sent_at: at, ended_at: at + 5 });
  if (kind === null) return;
  history.actions.push({ kind, id, lease_id, sent_at: at + 6, ended_at: at + 9, ok: true });
}

function rulesOf(change) {
  const made = topic();
  change(made);
  return [...new Set(checkTopic(made.history, made.heard).map(({ rule }) => rule))];
}

test('a topic that did what it should is in order', () => {
  assert.deepEqual(rulesOf(() => {}), []);
});

test('a number that is missing or given again is seen', () => {
  assert.ok(rulesOf(({ history: { end } }) => (end.log[1].seq = 3)).includes('log'));
  assert.ok(rulesOf(({ history: { end } }) => (end.log[1].seq = 1)).includes('log'));
  assert.deepEqual(rulesOf(({ history: { end } }) => (end.figures.last_seq = 3)), ['log']);
});

test('a publish that was accepted and is not there, or is there twice, is seen', () => {
  assert.ok(rulesOf(({ history: { end } }) => end.log.pop()).includes('lost'));
  const repeated = ({ history: { end } }) => end.log.push({ id: 'm2', seq: 3, n: 1, key: 'k' });
  assert.ok(rulesOf(repeated).includes('repeat'));
});

test('a publish that was answered one number and has another is seen', () => {
  const changed = ({ history: { publishes } }) => (publishes[1].attempts[0].seq = 9);
  assert.ok(rulesOf(changed).includes('repeat'));
});

test('a later publish with an earlier number is seen', () => {
  const swapped = ({ history: { publishes } }) => {
    Object.assign(publishes[0].attempts[0], { sent_at: 50, ended_at: 60 });
  };
  assert.deepEqual(rulesOf(swapped), ['order']);
});

test('a publish that was to follow another one, and does not, is seen', () => {
  assert.deepEqual(rulesOf(({ history }) => (history.publishes[1].expect_seq = 0)), ['order']);
  assert.deepEqual(rulesOf(({ history }) => (history.publishes[1].expect_seq = 1)), []);
});

test('a reader that misses a message, hears one twice, or stops early is seen', () => {
  assert.deepEqual(rulesOf(({ heard }) => heard.events.shift()), ['gap']);
  assert.deepEqual(rulesOf(({ heard }) => heard.events.pop()), ['gap']);
  const twice = ({ heard }) => heard.events.splice(1, 0, heard.events[0]);
  assert.deepEqual(rulesOf(twice), ['twice']);
});

test('a subscription that forgets, repeats or overtakes is seen', () => {
  const none = ({ history }) => history.deliveries.splice(1, 1);
  assert.ok(rulesOf(none).includes('lost'));
  const again = ({ history }) => lease(history, 0, 500, null);
  assert.ok(rulesOf(again).includes('delivery'));
  const another = ({ history }) => lease(history, 1, 500, 'ack', 'other');
  assert.ok(rulesOf(another).includes('repeat'));
  const overtaken = ({ history }) => lease(history, 1, 50, 'retry');
  assert.deepEqual(rulesOf(overtaken), ['order']);
});

test('what is done under a lease that was over is seen', () => {
  const late = (sent_at) => ({ history }) => {
    history.actions[1] = { ...history.actions[1], sent_at, ended_at: sent_at + 3 };
  };
  assert.deepEqual(rulesOf(late(420)), []);
  assert.deepEqual(rulesOf(late(480)), ['fence']);
});

test('a kill may repeat what was leased, and that is counted', () => {
  const { history } = topic();
  history.havoc.kills.push({ kind: 'kill', hasHit: false, from: 107, gone_at: 110, up_at: 300 });
  assert.deepEqual(repeatsOf(history), { outstanding: 1, duplicates: 0 });
  history.actions[0].ok = null;
  lease(history, 0, 500, 'ack');
  assert.deepEqual(repeatsOf(history), { outstanding: 1, duplicates: 1 });
});
