// What happens with nobody asking: a waiting pull is woken by the clock alone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Tide } from '../conformance/support.mjs';

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

/** How late the clock may be on a machine that is busy. */
const LATE_MS_MAX = 1_500;

/** Asserts that something came after its time, and not long after. */
function assertOnTime(from, due) {
  const took = Date.now() - from;
  assert.ok(took >= due, `${due - took} ms early`);
  assert.ok(took <= due + LATE_MS_MAX, `${took - due} ms late`);
}

test('a lease that runs out wakes a waiting pull', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const leased = Date.now();
  await queue.take({ visibility_timeout_ms: 700 });
  assert.equal((await queue.take({ wait_ms: 20_000 })).attempts, 2);
  assertOnTime(leased, 700);
});

test('a delayed message that comes due wakes a waiting pull', async () => {
  const queue = await tide.queue();
  const published = Date.now();
  await queue.publish('a', { 'tidegate-delay-ms': '700' });
  assert.equal((await queue.take({ wait_ms: 20_000 })).body, 'a');
  assertOnTime(published, 700);
});

test('a retry that comes due wakes a waiting pull', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const message = await queue.take();
  const returned = Date.now();
  await queue.retry(message, 700);
  await queue.take({ wait_ms: 20_000 });
  assertOnTime(returned, 700);
});

test('an earlier moment is not missed for a later one that was armed first', async () => {
  const queue = await tide.queue();
  await queue.publish('late', { 'tidegate-delay-ms': '20000' });
  const published = Date.now();
  await queue.publish('early', { 'tidegate-delay-ms': '500' });
  assert.equal((await queue.take({ wait_ms: 15_000 })).body, 'early');
  assertOnTime(published, 500);
});

test('a state that somebody waits for changes by the clock alone', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 1 } });
  const published = Date.now();
  const held = await queue.publish('a', { 'tidegate-hold-ms': '500' });
  assert.equal((await queue.message(held.id, '?wait_ms=20000')).state, 'expired');
  assertOnTime(published, 500);

  const dead = await queue.publish('b');
  const leased = Date.now();
  await queue.take({ visibility_timeout_ms: 500 });
  assert.equal((await queue.message(dead.id, '?wait_ms=20000')).state, 'dead');
  assertOnTime(leased, 500);
});

test('a hold that runs out frees its place with nobody asking', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 1 } });
  await queue.publish('a', { 'tidegate-hold-ms': '400' });
  assert.equal((await queue.postMessage()).status, 410);
  // Past the hold, and past the second for which a refusal may be repeated from memory.
  await sleep(1_500);
  assert.equal((await queue.postMessage()).status, 202);
});

test('a lease that runs out after a restart wakes a pull that waits since', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  const leased = Date.now();
  await queue.take({ visibility_timeout_ms: 4_000 });
  await tide.crash();
  assert.equal((await queue.take({ wait_ms: 20_000 })).attempts, 2);
  assert.ok(Date.now() - leased >= 4_000, 'not early');
});

test('a dead letter reaches a consumer that waits in the other queue', async () => {
  const dead = await tide.queue({});
  const queue = await tide.queue({ delivery: { max_attempts: 1, dead_letter_queue: dead.name } });
  await queue.publish('a');
  const letter = dead.take({ wait_ms: 20_000 });
  await queue.take({ visibility_timeout_ms: 300 });
  assert.equal((await letter).body, 'a');
});
