// Live readers that are cut off hundreds of times, and a server that is killed under them: with
// `durable` they miss nothing and hear nothing twice, whichever way they listen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEvents } from '../harness/events.mjs';
import { startServer } from '../harness/server.mjs';
import { connect } from '../harness/socket.mjs';

const CUTS = 200;
const KILLS = 3;
const PACE_MS = 2;
const SEED = 7;

/** Numbers that are the same for the same seed. */
function random(seed) {
  let state = BigInt(seed) * 0x9e3779b97f4a7c15n | 1n;
  return (below) => {
    state ^= (state << 13n) & 0xffffffffffffffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffffffffffffffffn;
    return Number(state % BigInt(below));
  };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Publishes until told to stop; a publish that got no answer is repeated under its key. */
async function publishAll(server, run) {
  let n = 0;
  while (!run.isEnding || run.isDown) {
    const accepted = await fetch(`${server.url}/v1/topics/news/messages`, {
      method: 'POST', body: `${n}`, headers: { 'idempotency-key': `k${n}` },
    }).then(async (response) => (response.status === 202 ? response.json() : null))
      .catch(() => null);
    if (accepted === null) {
      await sleep(20);
      continue;
    }
    n += 1;
    run.last = accepted.seq;
    await sleep(PACE_MS);
  }
}

/** Reads by events, leaving in the middle of it; goes on after the last one. */
async function readEvents(server, run, seen, pick) {
  while (!run.isOver || (seen.at(-1) ?? 0) < run.last) {
    const after = { 'last-event-id': `${seen.at(-1) ?? 0}` };
    const events = await openEvents(`${server.url}/v1/topics/news/events`, after)
      .catch(() => null);
    if (events === null) {
      await sleep(20);
      continue;
    }
    // Nothing more would come, and nobody would close it.
    if (run.isOver && (seen.at(-1) ?? 0) >= run.last) {
      events.close();
      break;
    }
    run.streams.add(events);
    for (let left = 1 + pick(8); left > 0 || run.isOver; left -= 1) {
      const event = await events.next();
      if (event === null) break;
      assert.equal(event.event, 'message');
      assert.equal(Number(event.id), event.data.seq);
      seen.push(event.data.seq);
      if (run.isOver && event.data.seq >= run.last) break;
    }
    run.streams.delete(events);
    events.close();
    run.cuts += 1;
  }
}

/** Reads by WebSocket, cutting it off; goes on with the number after the last one. */
async function readSocket(server, run, seen, pick) {
  while (!run.isOver || (seen.at(-1) ?? 0) < run.last) {
    const socket = await connect(`${server.url}/v1/topics/news/socket`).catch(() => null);
    if (socket === null) {
      await sleep(20);
      continue;
    }
    socket.send({ type: 'subscribe', ref: 1, from_seq: (seen.at(-1) ?? 0) + 1 });
    for (let left = 1 + pick(8); left > 0 || run.isOver; left -= 1) {
      const frame = await socket.until('message', 2_000);
      if (!frame) break;
      seen.push(frame.seq);
      if (run.isOver && frame.seq >= run.last) break;
    }
    socket.cut();
    run.cuts += 1;
  }
}

test('readers that are cut off hear every message once', { timeout: 300_000 }, async () => {
  const server = await startServer();
  const run = {
    isEnding: false, isOver: false, isDown: false, last: 0, cuts: 0, streams: new Set(),
  };
  const pick = random(SEED);
  try {
    await fetch(`${server.url}/v1/topics/news`, { method: 'PUT', body: '{}',
      headers: { 'content-type': 'application/json' } });
    const heard = [[], [], [], []];
    const readers = [
      readEvents(server, run, heard[0], pick), readEvents(server, run, heard[1], pick),
      readSocket(server, run, heard[2], pick), readSocket(server, run, heard[3], pick),
    ];
    const publisher = publishAll(server, run);
    for (let kill = 1; kill <= KILLS; kill += 1) {
      while (run.cuts < (kill * CUTS) / (KILLS + 1)) await sleep(20);
      run.isDown = true;
      await server.restart({ wait: false });
      run.isDown = false;
    }
    while (run.cuts < CUTS) await sleep(20);
    run.isEnding = true;
    await publisher;
    // Only now is the last message known, and who has heard it may leave.
    run.isOver = true;
    while (!heard.every((seen) => seen.at(-1) === run.last)) await sleep(20);
    // One that is up to date waits for more.
    for (const stream of run.streams) stream.close();
    await Promise.all(readers);
    const all = Array.from({ length: run.last }, (_, n) => n + 1);
    for (const seen of heard) assert.deepEqual(seen, all);
    assert.ok(run.cuts >= CUTS && run.last > CUTS, `${run.cuts} cuts, ${run.last} messages`);
    console.log(`${run.cuts} cuts, ${KILLS} kills, ${run.last} messages, each heard once by four`);
  } finally {
    await server.stop();
  }
});
