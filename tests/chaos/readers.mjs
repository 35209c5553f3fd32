// Live readers of a topic that leave in the middle of it and come back: by Server-Sent Events, by
// WebSocket, and by reads that wait. Each goes on behind the last message that it had.

import { setTimeout as sleep } from 'node:timers/promises';
import { openEvents } from '../harness/events.mjs';
import { connect } from '../harness/socket.mjs';

/** Before another try where nobody listens. */
const RETRY_MS = 20;
/** A reader that hears nothing for so long comes again. */
const SILENCE_MS = 2_000;
/** How often a reader that waits looks whether there is anything to come. */
const SLICE_MS = 50;
/** How long a read of the log waits for the next message. */
const WAIT_MS = 300;

/**
 * @typedef {object} Reading what readers of one topic share
 * @property {() => string} url of the topic, as it is now
 * @property {import('./random.mjs').Random} random
 * @property {number} messagesMax a reader leaves after so many at most
 * @property {number | null} last the number of the last message, once it is known: who has it ends
 * @property {number} cuts connections that readers have cut
 *
 * @typedef {{ seq: number, body: string }} Heard
 */

/** Every way to read, by name: each fills the list that it is given. */
export const READERS = {
  events: readEvents, socket: readSocket, listening: readListening, log: readLog,
};

const lastOf = (heard) => heard.at(-1)?.seq ?? 0;
const isDone = (reading, heard) => reading.last !== null && lastOf(heard) >= reading.last;

/** Reads by events. */
async function readEvents(reading, heard) {
  while (!isDone(reading, heard)) {
    const headers = { 'last-event-id': String(lastOf(heard)) };
    const events = await openEvents(`${reading.url()}/events`, headers).catch(() => null);
    if (events === null) {
      await sleep(RETRY_MS);
      continue;
    }
    const closing = setInterval(() => isDone(reading, heard) && events.close(), SLICE_MS);
    for (let left = reading.random.between(1, reading.messagesMax); left > 0; left -= 1) {
      const event = await events.next();
      if (event === null || event.event === 'gone') break;
      if (event.event !== 'message') continue;
      if (Number(event.id) !== event.data.seq) throw new Error(`${event.id} is not its number`);
      heard.push(event.data);
      if (isDone(reading, heard)) break;
    }
    clearInterval(closing);
    events.close();
    reading.cuts += 1;
  }
}

/** Reads by a WebSocket that subscribes. */
function readSocket(reading, heard) {
  return readFrames(reading, heard, async () => {
    const socket = await connect(`${reading.url()}/socket`);
    socket.send({ type: 'subscribe', ref: 1, from_seq: lastOf(heard) + 1 });
    return socket;
  });
}

/** Reads by a WebSocket that only listens. */
function readListening(reading, heard) {
  return readFrames(reading, heard, () =>
    connect(`${reading.url()}/socket?from_seq=${lastOf(heard) + 1}`));
}

async function readFrames(reading, heard, open) {
  while (!isDone(reading, heard)) {
    const socket = await open().catch(() => null);
    if (socket === null) {
      await sleep(RETRY_MS);
      continue;
    }
    for (let left = reading.random.between(1, reading.messagesMax); left > 0; left -= 1) {
      const frame = await nextMessage(reading, heard, socket);
      if (!frame) break;
      heard.push(frame);
    }
    socket.cut();
    reading.cuts += 1;
  }
}

/** The next message; nothing where the socket is closed or silent, or everything was heard. */
async function nextMessage(reading, heard, socket) {
  for (let silentMs = 0; silentMs < SILENCE_MS && !isDone(reading, heard); silentMs += SLICE_MS) {
    const frame = await socket.until('message', SLICE_MS);
    if (frame !== undefined) return frame;
  }
  return null;
}

/** Reads the log, waiting at its end. */
async function readLog(reading, heard) {
  while (!isDone(reading, heard)) {
    const limit = reading.random.between(1, reading.messagesMax);
    const query = `from_seq=${lastOf(heard) + 1}&limit=${limit}&wait_ms=${WAIT_MS}`;
    const answer = await fetch(`${reading.url()}/messages?${query}`)
      .then((response) => (response.ok ? response.json() : null)).catch(() => null);
    if (answer === null) await sleep(RETRY_MS);
    else heard.push(...answer.messages);
  }
}
