// A queue that is flooded, and another one beside it: the flood's publishers are told in slices,
// its other requests are let in a few at a time, and who publishes into the other queue is served
// in between.

import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, test } from 'node:test';
import { Gathering } from '../../host/gathering.js';
import { hasNeighbour, noteUse } from '../../host/neighbours.js';
import { useServer } from '../conformance/support.mjs';

test('a neighbour is another object that was in use within a second', () => {
  assert.equal(hasNeighbour('a', 1_000), false, 'nobody yet');
  noteUse('a', 1_000);
  assert.equal(hasNeighbour('a', 1_000), false, 'alone');
  assert.equal(hasNeighbour('b', 1_999), true);
  assert.equal(hasNeighbour('b', 2_000), false, 'no longer');
  noteUse('b', 5_000);
  noteUse('a', 5_400);
  noteUse('a', 5_500);
  assert.equal(hasNeighbour('a', 5_999), true);
  assert.equal(hasNeighbour('a', 6_000), false);
  assert.equal(hasNeighbour('b', 6_000), true);
  assert.equal(hasNeighbour('c', 6_499), true, 'the latest of both counts');
  noteUse('c', 6_400);
  assert.equal(hasNeighbour('c', 6_499), true);
  assert.equal(hasNeighbour('a', 6_000), false, 'what lies ahead was before the clock went back');
});

/** How many were told before the first wait, between that and the next, and so on. */
async function toldBetween(gathering, count) {
  const answers = Array.from({ length: count }, (_, n) => `answer ${n}`);
  const told = [0];
  const all = answers.map(async (answer, n) => {
    const at = gathering.take(`command ${n}`);
    const heard = await gathering.told(at);
    assert.equal(heard[at], answer);
    told[told.length - 1] += 1;
  });
  await gathering.tell(answers, async () => {
    await new Promise(setImmediate);
    told.push(0);
  });
  await Promise.all(all);
  return told;
}

test('beside a neighbour those that share a call are told four at a time', async () => {
  assert.deepEqual(await toldBetween(new Gathering(true), 18), [4, 4, 4, 4, 2]);
  assert.deepEqual(await toldBetween(new Gathering(true), 128), Array(32).fill(4));
  assert.deepEqual(await toldBetween(new Gathering(true), 4), [4]);
  assert.deepEqual(await toldBetween(new Gathering(true), 1), [1]);
});

test('the slices of very many are larger, and no more than 32', async () => {
  const told = await toldBetween(new Gathering(true), 4_096);
  assert.deepEqual(told, Array(32).fill(128));
});

test('without one they are told at once', async () => {
  assert.deepEqual(await toldBetween(new Gathering(false), 300), [300]);
});

const FLOOD_CONNECTIONS = 64;
const PUBLISHES = 60;
/** Answers of the flood ahead of the median publish: let in all at once, it is half of them or all. */
const AHEAD_MAX = FLOOD_CONNECTIONS / 4;
const TRIES_MAX = 5;

/** A connection that sends the same request once more after each answer, until told otherwise. */
function repeat(port, request, onAnswer) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let text = '';
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      text += bytes.latin1Slice();
      const head = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Infinity);
      if (head < 0 || text.length < head + 4 + length) return;
      const status = Number(text.slice(9, 12));
      text = '';
      if (onAnswer(status)) socket.write(request);
      else resolve(void socket.destroy());
    });
    socket.write(request);
  });
}

const post = (path, body = 'hello', headers = '') =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`;
const json = (path, value) => post(path, JSON.stringify(value), 'content-type: application/json\r\n');

/** What a queue is flooded with, and how each request is answered. */
const FLOODS = {
  publishes: ({ open }) => [post(`${open.path}/messages`), 202],
  batches: ({ open }) => [json(`${open.path}/messages/batch`, { messages: [{ body: 'x' }] }), 200],
  pulls: ({ empty }) => [json(`${empty.path}/messages/pull`, { batch_size: 1 }), 200],
  'refusals from memory': ({ full }) => [post(`${full.path}/messages`), 429],
  'requests that the edge refuses': ({ open }) => [json(`${open.path}/messages/pull`, { no: 1 }), 400],
};

/** How many answers of a flood come before each of the neighbour's, all as they should be. */
async function answersAhead(port, [request, expected], quiet) {
  let answers = 0;
  let isOver = false;
  const flood = Array.from({ length: FLOOD_CONNECTIONS }, () =>
    repeat(port, request, (status) => {
      assert.equal(status, expected);
      answers += 1;
      return !isOver;
    }));
  const ahead = [];
  let before = 0;
  await repeat(port, post(`${quiet.path}/messages`), (status) => {
    assert.equal(status, 202);
    ahead.push(answers - before);
    before = answers;
    return ahead.length < PUBLISHES;
  });
  isOver = true;
  await Promise.all(flood);
  return ahead.toSorted((a, b) => a - b);
}

describe('who publishes beside a flood is not behind all of it', () => {
  const tide = useServer();
  for (const [kind, requestTo] of Object.entries(FLOODS)) {
    test(`of ${kind}`, async () => {
      const [open, empty, quiet] = await Promise.all([1, 2, 3].map(() => tide.queue({})));
      const full = await tide.queue({ capacity: { max_messages: 1 } });
      await full.publish();
      const flood = requestTo({ open, empty, full });
      const port = Number(new URL(tide.url).port);
      // How fast whose requests come is the machine's to say: it gets a few tries.
      const medians = [];
      while (medians.length < TRIES_MAX && !medians.some((ahead) => ahead <= AHEAD_MAX)) {
        const ahead = await answersAhead(port, flood, quiet);
        medians.push(ahead[PUBLISHES / 2]);
      }
      assert.ok(medians.some((ahead) => ahead <= AHEAD_MAX), `${medians} answers of the flood ahead`);
    });
  }

  test('and who waits for a message holds up nobody who does not', async () => {
    const [awaited, quiet] = [await tide.queue({}), await tide.queue({})];
    await quiet.publish();
    const answered = [];
    const pull = async (wait_ms) => {
      await awaited.postPull({ batch_size: 1, wait_ms });
      answered.push(wait_ms);
    };
    const waits = Array.from({ length: 40 }, () => pull(900));
    await Promise.all([pull(0), ...waits]);
    assert.equal(answered[0], 0);
  });
});
