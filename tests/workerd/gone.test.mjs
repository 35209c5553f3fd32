// Clients that go, or that do not read: what waits for them is given up, and nothing piles up here.

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { useServer } from '../conformance/support.mjs';
import { Topic } from '../conformance/topic.mjs';

const tide = useServer();

/** A connection on which a pull waits. */
async function waitingPull(queue) {
  const socket = net.connect(Number(new URL(tide.url).port), '127.0.0.1');
  const body = '{"wait_ms":20000}';
  const head = `POST ${queue.path}/messages/pull HTTP/1.1\r\nhost: 127.0.0.1\r\n`;
  socket.write(`${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

for (const count of [1, 8, 40]) {
  test(`no message is leased to ${count} whose connections were reset`, async () => {
    const queue = await tide.queue({});
    const pulls = await Promise.all(Array.from({ length: count }, () => waitingPull(queue)));
    // Each look is a request of the queue's object, too, as was its configuration.
    let looks = 1;
    const requests = async () => {
      looks += 1;
      return (await queue.figures()).object_requests_total - looks;
    };
    while ((await requests()) < count);
    for (const socket of pulls) socket.resetAndDestroy();
    // Two more round trips, and the resets have come in.
    await requests();
    await requests();
    await queue.publish('for who is here');
    assert.deepEqual((await queue.pull()).messages.map(({ body }) => body), ['for who is here']);
  });
}

/** Bytes that a client may send that never reads, before it is cut off at the latest. */
const UNREAD_BYTES_MAX = 64 << 20;
/** What is on the way is held by the sockets of both sides, too. */
const ANSWERED_BYTES_MAX = 24 << 20;
const STALLED_MS = 2_000;

test('a socket that sends and does not read is closed', async (t) => {
  const topic = new Topic(tide);
  const socket = await topic.socket();
  t.after(() => socket.cut());
  let received = 0;
  socket.stream.on('data', (bytes) => (received += bytes.length));
  socket.pause();
  const wrong = { ref: 'a'.repeat(200) };
  let sent = 0;
  for (let isStalled = false; !isStalled && sent < UNREAD_BYTES_MAX && !socket.isClosed;) {
    for (let n = 0; n < 1_000; n += 1) socket.send(wrong);
    sent += 1_000 * 220;
    if (!socket.stream.writableNeedDrain) continue;
    isStalled = await new Promise((resolve) => {
      const timer = setTimeout(resolve, STALLED_MS, true);
      socket.stream.once('drain', () => {
        clearTimeout(timer);
        resolve(false);
      });
    });
  }
  const closed = new Promise((resolve) => socket.stream.once('close', resolve));
  socket.resume();
  await Promise.race([closed, socket.until('nothing')]);
  assert.ok(socket.isClosed, `open after ${sent} bytes`);
  assert.equal(socket.code ?? 1013, 1013);
  assert.ok(received < ANSWERED_BYTES_MAX, `${received} bytes of answers to ${sent} bytes`);
});

test('what waits of one socket is bounded in bytes, and each publish is told', async (t) => {
  const topic = new Topic(tide);
  const socket = await topic.socket();
  t.after(() => socket.cut());
  const count = 60;
  const body = 'x'.repeat(260_000);
  socket.stream.cork();
  for (let ref = 1; ref <= count; ref += 1) socket.send({ type: 'publish', ref, body });
  socket.stream.uncork();
  const told = new Map();
  while (told.size < count) {
    const frame = await socket.next(20_000);
    assert.ok(frame, `${told.size} of ${count}`);
    told.set(frame.ref, frame.problem?.type ?? frame.type);
  }
  const accepted = [...told.values()].filter((type) => type === 'ack').length;
  assert.deepEqual([...new Set(told.values())].sort(), ['ack', 'overloaded']);
  assert.equal((await topic.figures()).last_seq, accepted);
});
