// What becomes of a server whose clock is set back or ahead: nothing stands still until the clock is
// where it was, and nothing runs out early.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Clock } from '../../host/clock.js';
import { openEvents } from '../harness/events.mjs';
import { History } from './history.mjs';
import { hasFaultLayer } from './faults.mjs';
import { Queue } from './queue.mjs';
import { Subject } from './server.mjs';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** How long calls may take on a machine that does other things, too. */
const SLACK_MS = 2_500;
const skip = hasFaultLayer() ? false : 'only where a library can be preloaded';

test('a refusal from memory ends when the clock goes back', { skip }, async () => {
  const subject = await Subject.start();
  try {
    const queue = new Queue(subject, '/v1/queues/one-place');
    queue.history = new History(0, {});
    await queue.must('PUT', '', { capacity: { max_accepted: 1 } });
    const publish = () => subject.send('POST', `${queue.path}/messages`, { body: '0 release' });
    assert.equal((await publish()).status, 202);
    assert.equal((await publish()).headers['tidegate-decided-by'], 'object');
    // The same again, so that it is given without asking.
    for (let n = 0; n < 3; n += 1) {
      const refused = await publish();
      assert.deepEqual([refused.status, refused.headers['tidegate-decided-by']], [410, 'edge']);
    }
    subject.moveClock(-HOUR_MS);
    // An object that is awake makes room for another first.
    const answers = [await publish(), await publish()];
    const refusals = answers.filter(({ status }) => status === 410);
    assert.equal(refusals[0].headers['tidegate-decided-by'], 'object');
  } finally {
    await subject.stop();
  }
});

test('an object\'s time goes at half the pace until the clock is there', () => {
  const now = 1_000_000;
  const clock = new Clock(now + 1_000, now);
  assert.equal(clock.read(now), now + 1_000);
  let last = 0;
  for (let at = now; at < now + 3_000; at += 7) {
    const time = clock.read(at);
    assert.ok(time >= last && time >= at, `${time} at ${at}`);
    assert.ok(last === 0 || time - last <= 7, `${time} after ${last}`);
    const instant = clock.instantOf(time);
    assert.ok(clock.read(instant) >= time, 'an alarm that comes early');
    assert.ok(instant <= at + 1, `an alarm ${instant - at} ms late`);
    last = time;
  }
  assert.equal(clock.read(now + 1_998), now + 1_999);
  assert.equal(clock.read(now + 2_000), now + 2_000);
  assert.equal(new Clock(now - 5, now).read(now + 9), now + 9);
});

for (const [title, ms] of [
  ['back by a minute', -MINUTE_MS],
  ['back by a day', -DAY_MS],
  ['ahead by a day', DAY_MS],
]) {
  test(`a queue and a topic that are awake go on when the clock goes ${title}`, { skip }, async () => {
    const subject = await Subject.start();
    try {
      await goesOn(subject, ms);
    } finally {
      await subject.stop();
    }
  });
}

async function goesOn(subject, ms) {
  const send = (method, path, options) => subject.send(method, `/v1/${path}`, options);
  const config = { delivery: { visibility_timeout_ms: 1_000 }, retention_ms: 10 * DAY_MS };
  const topic = { retention_ms: 10 * DAY_MS };
  assert.equal((await send('PUT', 'queues/q', { json: config })).status, 201);
  assert.equal((await send('PUT', 'topics/t', { json: topic })).status, 201);
  const publish = (path, body) => send('POST', `${path}/messages`, { body });
  const pull = (wait_ms) =>
    send('POST', 'queues/q/messages/pull', { json: { batch_size: 10, wait_ms } });
  await publish('queues/q', 'before');
  await publish('topics/t', 'before');
  const [lease] = (await pull(0)).json.messages;
  const leasedAt = performance.now();
  const reader = await openEvents(`${subject.url}/v1/topics/t/events?from_seq=1`);
  subject.moveClock(ms);

  // Whoever finds an object whose time stands still is told to try again, and then it goes on.
  for (const path of ['queues/q', 'topics/t']) {
    const first = await publish(path, 'after');
    assert.ok([202, 503].includes(first.status), path);
    if (first.status === 503) assert.equal((await publish(path, 'after')).status, 202, path);
    assert.equal((await publish(path, 'after')).status, 202, path);
  }
  const bodies = [];
  while (!bodies.includes('before')) {
    assert.ok(performance.now() - leasedAt < 2_000 + SLACK_MS, 'the lease does not run out');
    const { messages } = (await pull(500)).json;
    bodies.push(...messages.map(({ body }) => body));
    const acks = messages.map(({ lease_id }) => ({ lease_id }));
    if (acks.length > 0) await send('POST', 'queues/q/messages/ack', { json: { acks } });
  }
  // Ahead is ahead: there the lease is over at once.
  if (ms < 0) assert.ok(performance.now() - leasedAt >= 990, 'the lease ran out early');
  assert.deepEqual(bodies.sort(), ['after', 'after', 'before']);
  const late = { acks: [{ lease_id: lease.lease_id }] };
  assert.equal((await send('POST', 'queues/q/messages/ack', { json: late })).json.acked, 0);
  await waits(pull, 400);
  for (let seq = 1; seq <= 2; seq += 1) assert.equal((await messageOf(reader)).seq, seq);
  reader.close();
  // The timers of its stream stand still: only with something to say it learns that nobody listens.
  await publish('topics/t', 'last');
}

async function messageOf(reader) {
  for (;;) {
    const { event, data } = (await reader.next()) ?? { event: 'end' };
    assert.notEqual(event, 'end');
    if (event === 'message') return data;
  }
}

/** A wait on a queue without messages is as long as it was asked for, or twice that. */
async function waits(pull, ms) {
  const began = performance.now();
  assert.deepEqual((await pull(ms)).json.messages, []);
  const took = performance.now() - began;
  assert.ok(took >= ms - 5 && took < 2 * ms + SLACK_MS, `waited for ${took} ms`);
}
