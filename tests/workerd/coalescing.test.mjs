// Publishes that share a call to their object: everybody gets an own answer, whoever else comes,
// goes away, or is refused.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Tide } from '../conformance/support.mjs';
import { flood } from '../harness/flood.mjs';

/** Answered, as the contract has it, in far less. */
const ANSWER_MS_MAX = 10_000;

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

const target = (queue) => `${tide.url}${queue.path}/messages`;
const calls = (queue) => tide.metricSum('tidegate_object_requests_total', queue.name);

/** What was accepted, by identifier, and every other answer. */
async function publishAll(queue, options) {
  const accepted = new Map();
  const others = [];
  const { failures } = await flood(target(queue), {
    ...options,
    onResponse({ index, status, headers, body }) {
      if (status === 202) accepted.set(JSON.parse(body).id, options.body(index));
      else others.push({ status, headers, body });
    },
  });
  assert.deepEqual(failures, []);
  return { accepted, others };
}

const pairs = (messages) => messages.map(({ id, body }) => `${id} ${body}`).sort();
const pairsOf = (accepted) => [...accepted].map(([id, body]) => `${id} ${body}`).sort();

for (const connections of [1, 2, 64, 500]) {
  test(`${connections} at a time, each is told of its own message`, async () => {
    const queue = await tide.queue({});
    const total = Math.max(50, connections * 4);
    const body = (n) => `{"order":${n},"of":"é ${queue.name}"}`;
    const { accepted, others } = await publishAll(queue, { total, connections, body });
    assert.deepEqual(others, []);
    assert.equal(accepted.size, total);
    assert.deepEqual(pairs(await queue.drain({ withinMs: 60_000 })), pairsOf(accepted));
  });
}

test('what arrives together shares calls', async () => {
  const queue = await tide.queue({});
  const total = 4_000;
  const made = [];
  // How many are on their way at a time is the machine's to say: it gets a few tries.
  while (made.length < 5 && !made.some((calls) => calls < total * 0.9)) {
    const earlier = await calls(queue);
    const { accepted } = await publishAll(queue, { total, connections: 500, body: String });
    assert.equal(accepted.size, total);
    made.push((await calls(queue)) - earlier);
  }
  assert.ok(made.some((calls) => calls < total * 0.9), `${made} calls for ${total} publishes`);
});

test('a publish that comes alone is a call of its own', async () => {
  const queue = await tide.queue({});
  const earlier = await calls(queue);
  await queue.publishMany(20);
  // The last one is the description's own.
  assert.equal((await calls(queue)) - earlier, 20 + 1);
});

test('one after the other on a connection keeps its order among others', async () => {
  const queue = await tide.queue({});
  const sent = Array.from({ length: 16 }, () => []);
  await Promise.all(sent.map(async (mine, lane) => {
    for (let n = 0; n < 40; n += 1) mine.push((await queue.publish(`${lane}:${n}`)).seq);
  }));
  for (const mine of sent) assert.deepEqual(mine, mine.toSorted((a, b) => a - b));
  const bodies = (await queue.drain()).map(({ body }) => body);
  for (let lane = 0; lane < sent.length; lane += 1) {
    const mine = bodies.filter((body) => body.startsWith(`${lane}:`));
    assert.deepEqual(mine, Array.from({ length: 40 }, (_, n) => `${lane}:${n}`));
  }
});

test('accepted and refused in one call, and the edge learns of the refusals', async () => {
  const queue = await tide.queue({ capacity: { max_accepted: 30 } });
  // So many that they take more than one call.
  const { accepted, others } = await publishAll(queue, {
    total: 1_200, connections: 600, body: (n) => `buyer ${n}`.padEnd(2_000),
  });
  assert.equal(accepted.size, 30);
  assert.equal(others.length, 1_170);
  const by = { edge: 0, object: 0 };
  for (const { status, headers, body } of others) {
    assert.equal(status, 410, body);
    assert.match(headers['content-type'], /^application\/problem\+json/);
    assert.equal(JSON.parse(body).type, 'sold-out');
    assert.equal(headers['tidegate-verdict'], undefined, 'a verdict is not for clients');
    by[headers['tidegate-decided-by']] += 1;
  }
  assert.ok(by.object >= 1 && by.edge >= 1, JSON.stringify(by));
  assert.equal(by.edge + by.object, 1_170);
  assert.deepEqual(pairs(await queue.drain()), pairsOf(accepted));
});

test('each publish is taken for itself: keys, priorities, faults', async () => {
  const queue = await tide.queue({ max_message_bytes: 20 });
  const forms = [
    { headers: { 'idempotency-key': 'same' }, body: 'once' },
    { headers: { 'tidegate-priority': '3' }, body: 'important' },
    { headers: {}, body: 'far too much for this queue' },
    { headers: {}, body: '' },
  ];
  const statuses = forms.map(() => ({}));
  const ids = new Set();
  await flood(target(queue), {
    total: 400, connections: 64,
    headers: (n) => forms[n % 4].headers,
    body: (n) => forms[n % 4].body,
    onResponse({ index, status, body }) {
      const form = index % 4;
      statuses[form][status] = (statuses[form][status] ?? 0) + 1;
      if (form === 0) ids.add(JSON.parse(body).id);
    },
  });
  assert.deepEqual(statuses, [{ 202: 100 }, { 202: 100 }, { 413: 100 }, { 202: 100 }]);
  assert.equal(ids.size, 1, 'one message for one key');
  assert.equal((await queue.drain()).length, 1 + 100 + 100);
});

/** A publish whose client goes away `afterMs` after it was sent. */
function sendAndLeave(queue, body, afterMs) {
  const { hostname, port } = new URL(tide.url);
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), hostname, () => {
      socket.write(
        `POST ${queue.path}/messages HTTP/1.1\r\nhost: ${hostname}:${port}\r\n`
        + `content-length: ${body.length}\r\n\r\n${body}`,
        () => setTimeout(() => socket.destroy(), afterMs),
      );
    });
    socket.on('error', () => {});
    socket.on('close', resolve);
  });
}

/** A publish on a connection of its own; its answer, and how long it took. */
function sendAndStay(queue, body) {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.request(target(queue), { agent: false, method: 'POST' }, (response) => {
      let text = '';
      response.on('data', (part) => (text += part));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ body, status: response.statusCode, text, ms: performance.now() - began }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('clients that go away take nobody with them', async () => {
  const queue = await tide.queue({});
  const ids = new Map();
  let stayed = 0;
  for (let round = 0; round < 6; round += 1) {
    const leaving = [];
    const staying = [];
    for (let n = 0; n < 250; n += 1) {
      // The first leaves too: its request is the one that the others' answers come through.
      leaving.push(sendAndLeave(queue, `left ${round}:${n}`, (n * 7) % 11));
      staying.push(sendAndStay(queue, `stayed ${round}:${n}`));
    }
    for (const { body, status, text, ms } of await Promise.all(staying)) {
      assert.ok(status === 202 || status === 503, `${status} ${text}`);
      assert.ok(ms < ANSWER_MS_MAX, `${ms} ms`);
      if (status === 202) ids.set(JSON.parse(text).id, body);
      stayed += 1;
    }
    await Promise.all(leaving);
  }
  assert.equal(stayed, 1_500);
  const messages = await queue.drain({ withinMs: 60_000 });
  const bodies = messages.map(({ body }) => body);
  assert.equal(new Set(bodies).size, bodies.length, 'nothing is published twice');
  const staying = messages.filter(({ body }) => body.startsWith('stayed'));
  const known = staying.filter(({ id }) => ids.has(id));
  assert.deepEqual(pairs(known), pairsOf(ids));
  assert.ok(ids.size >= 1_400, `${ids.size} of 1500 were told of their message`);
  // And nothing is left behind that would hold up the next.
  const { status, ms } = await sendAndStay(queue, 'next');
  assert.equal(status, 202);
  assert.ok(ms < 1_000, `${ms} ms`);
});

test('a queue that is deleted under load answers everybody', async () => {
  const queue = await tide.queue({});
  const statuses = {};
  const load = flood(target(queue), {
    total: 3_000, connections: 64, body: String,
    onResponse: ({ status }) => (statuses[status] = (statuses[status] ?? 0) + 1),
  });
  for (let n = 0; n < 5; n += 1) await queue.request('DELETE');
  const { failures } = await load;
  assert.deepEqual(failures, []);
  const { 202: accepted = 0, 404: missing = 0, 503: failed = 0, ...others } = statuses;
  assert.deepEqual(others, {});
  assert.equal(accepted + missing + failed, 3_000);
});
