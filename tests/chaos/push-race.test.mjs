// The judge of what is pushed, on histories made by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { History } from './history.mjs';
import { checkPush } from './push-race.mjs';

/** Two messages of one key, taken one after the other. */
function pushed() {
  const history = new History(0, {});
  for (const n of [0, 1]) {
    const made = history.publish({ key: 'k', idempotencyKey: `p${n}` });
    made.attempts.push({ sent_at: 0, ended_at: 5, outcome: 'accepted', id: `m${n}`, seq: n + 1 });
  }
  history.order = 'key';
  history.end = { at: 90_000, figures: { depth: 0 } };
  return {
    history,
    calls: [{ n: 0, from: 10, until: 20, status: 204 }, { n: 1, from: 30, until: 40, status: 204 }],
  };
}

function rulesOf(change) {
  const made = pushed();
  change(made);
  return [...new Set(checkPush(made.history, made.calls).map(({ rule }) => rule))];
}

const again = (from, status = 204) => ({ calls }) =>
  calls.push({ n: 1, from, until: from + 10, status });

test('what was taken once is in order, and so is a repeat after a failure', () => {
  assert.deepEqual(rulesOf(() => {}), []);
  const failed = (made) => {
    made.calls[1].status = 500;
    again(60)(made);
  };
  assert.deepEqual(rulesOf(failed), []);
});

test('what is never taken, or nobody published, is seen', () => {
  assert.deepEqual(rulesOf(({ calls }) => calls.pop()), ['lost']);
  assert.deepEqual(rulesOf(({ history }) => (history.end.figures.depth = 1)), ['lost']);
  assert.deepEqual(rulesOf(({ calls }) => calls.push({ ...calls[0], n: 7 })), ['delivery']);
});

test('what comes after it was taken is seen, unless the server was killed in between', () => {
  assert.deepEqual(rulesOf(again(60)), ['delivery']);
  const killed = (made) => {
    made.history.havoc.kills.push({ kind: 'kill', from: 35, gone_at: 45, up_at: 50 });
    again(60)(made);
  };
  assert.deepEqual(rulesOf(killed), []);
});

test('an answer to a server that had ended meanwhile counts for nothing', () => {
  for (const [goneAt, rules] of [[35, []], [25, ['delivery']]]) {
    const killed = (made) => {
      made.history.havoc.kills.push({ kind: 'kill', from: 20, gone_at: goneAt, up_at: 50 });
      again(60)(made);
    };
    assert.deepEqual(rulesOf(killed), rules, `gone at ${goneAt}, called from 30 to 40`);
  }
});

test('a call before the ones ahead were taken is seen', () => {
  const early = ({ calls }) => (calls[1].from = 15);
  assert.deepEqual(rulesOf(early), ['order']);
});
