// A topic whose readers are idle leaves memory, keeps their sockets, and goes on where they are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEvents } from '../harness/events.mjs';
import { startServer } from '../harness/server.mjs';
import { connect } from '../harness/socket.mjs';

/** An idle object hibernates after ten seconds. */
const ASLEEP_MS = 13_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('readers do not keep a topic awake, and it does not forget them', async () => {
  const server = await startServer();
  try {
    const topic = `${server.url}/v1/topics/idle`;
    const figures = async () => (await fetch(topic)).json();
    const publish = async (body) =>
      (await fetch(`${topic}/messages`, { method: 'POST', body })).json();
    await publish('0');
    const events = await openEvents(`${topic}/events?from_seq=1`);
    await events.next();
    const socket = await connect(`${topic}/socket`);
    socket.send({ type: 'subscribe', ref: 1, from_seq: 1, member: 'ada' });
    await socket.until('message');
    for (let n = 1; n <= 30; n += 1) {
      await publish(`${n}`);
      assert.equal((await events.next()).data.body, `${n}`);
      assert.equal((await socket.until('message')).body, `${n}`);
    }
    const before = await figures();
    assert.equal(before.readers, 2);
    await sleep(ASLEEP_MS);
    const after = await figures();
    // What is counted since the object started began anew: it was gone.
    assert.ok(
      after.object_requests_total < before.object_requests_total,
      `${after.object_requests_total} requests after ${before.object_requests_total}`,
    );
    assert.deepEqual([after.readers, after.members], [2, ['ada']]);
    assert.equal((await publish('after')).seq, 32);
    assert.equal((await events.next()).data.body, 'after');
    assert.equal((await socket.until('message')).body, 'after');
    events.close();
    // One that has gone is noticed with the next comment, a quarter of a minute later at most.
    const until = Date.now() + 40_000;
    while ((await figures()).readers > 1 && Date.now() < until) await sleep(500);
    assert.equal((await figures()).readers, 1);
  } finally {
    await server.stop();
  }
});
