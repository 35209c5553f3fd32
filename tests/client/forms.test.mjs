// Binary and JSON say the same: whatever is published, pulled and settled in one form has the
// outcome it has in the other, and a server without the binary form is spoken to in JSON.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ulidBytes, ulidText } from '../../clients/typescript/src/ulid.js';
import { range, useServer } from './support.mjs';

const BINARY = 'application/vnd.tidegate.batch';
const tide = useServer();

/** A fetch in front of a server that knows no binary form. */
async function jsonOnly(url, init) {
  if (init.headers['content-type'] === BINARY) {
    const problem = { type: 'unsupported-media', status: 415, detail: 'JSON, please' };
    return Response.json(problem, { status: 415 });
  }
  return fetch(url, { ...init, headers: { ...init.headers, accept: 'application/json' } });
}

/** A generator of numbers from 0 on (mulberry32): a failure repeats by its seed. */
function random(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const TEXTS = ['', 'a', 'grüße', '\u{1f30a}', 'x'.repeat(300), '"\\\n', '\ud800', '\ufeffbom'];

/** A body and options; some are refused. */
function publication(next) {
  const bodies = [
    ...TEXTS, new Uint8Array([0, 255, 128]), { a: [1, 'ü'] }, 7, null, 'y'.repeat(40_000),
  ];
  const options = {};
  const maybe = (name, values) => {
    if (next(3) === 0) options[name] = values[next(values.length)];
  };
  maybe('contentType', [...TEXTS, 'text/plain']);
  maybe('key', TEXTS);
  maybe('priority', [0, 4, 9, 10, 300]);
  maybe('ttlMs', [60_000, 0, 2 ** 40]);
  maybe('delayMs', [0, 700_000_000]);
  maybe('attributes', [{}, { region: 'eu', ü: 'ß' }, { 'tidegate-x': '1' }, { a: '' }]);
  return [bodies[next(bodies.length)], options];
}

/** What is seen of a message, but for what differs from queue to queue. */
function seen(message) {
  const { attempts, contentType, key, priority, attributes, state } = message;
  const body = Buffer.from(message.body).toString('hex');
  const text = message.text();
  return { attempts, contentType, key, priority, attributes, state, body, text };
}

const outcomes = async (promises) =>
  (await Promise.allSettled(promises)).map(({ status, reason, value }) =>
    (status === 'rejected'
      ? { type: reason.type, name: reason.name, field: reason.field, status: reason.status }
      : value && Object.keys(value).sort()));

test('whatever is published, pulled and settled has the same outcome in both forms', async () => {
  for (const seed of range(6)) {
    const worlds = [];
    for (const fetch of [undefined, jsonOnly]) {
      const next = random(seed);
      const { queue, client } = await tide.queue({ capacity: { maxMessages: 30 } }, {
        ordered: true, client: { fetch },
      });
      const published = await outcomes(
        range(40).map(() => queue.publish(...publication(next))),
      );
      const messages = await queue.pull({ batchSize: 100 });
      const asked = messages.map((message, n) => {
        const results = [undefined, { ok: n }, 'ß', [1, null]];
        const [result, kind] = [results[next(4)], next(5)];
        if (kind === 0) return message.retry({ delayMs: next(2) * 60_000 });
        if (kind === 1) return message.extend(1_000 + next(9_000));
        if (kind === 2) return message.release(result);
        return message.ack(result);
      });
      const settled = await outcomes(asked);
      const again = await outcomes(messages.map((message) => message.ack()));
      const states = [];
      for (const message of messages) {
        const { state, result } = await client.queue(queue.name).message(message.id).state()
          .catch((error) => ({ state: error.type }));
        states.push({ state, result });
      }
      assert.ok(messages.every(({ id, leaseId }) => id.length === 26 && leaseId.length === 26));
      worlds.push({ published, messages: messages.map(seen), settled, again, states });
    }
    assert.ok(worlds[0].messages.length > 10, 'enough was delivered');
    assert.deepEqual(worlds[0], worlds[1], `seed ${seed}`);
  }
});

test('a server that takes no binary batch is asked once, then spoken to in JSON', async () => {
  const { queue, calls } = await tide.queue(undefined, { client: { fetch: jsonOnly } });
  await Promise.all(range(5).map((n) => queue.publish(String(n))));
  await Promise.all(range(5).map((n) => queue.publish(String(n))));
  const messages = await queue.pull({ batchSize: 10 });
  await Promise.all(messages.map((message) => message.ack()));
  const types = calls.seen.map(({ init }) => init.headers['content-type']);
  assert.deepEqual(types.filter((type) => type === BINARY).length, 1);
  assert.equal(messages.length, 10);
});

test('an answer that is cut short or of another kind is an error, and nothing hangs', async () => {
  const whole = new Uint8Array([0x54, 0x47, 0x42, 1, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
  for (const bytes of [new Uint8Array(0), whole, whole.with(4, 3), whole.with(3, 2)]) {
    const headers = { 'content-type': BINARY };
    const { queue } = await tide.queue(undefined, {
      client: { fetch: async () => new Response(bytes, { headers }), retry: { attempts: 1 } },
    });
    for (const { reason } of await Promise.allSettled([queue.publish('a'), queue.publish('b')])) {
      assert.equal(reason?.type, 'unexpected-answer');
    }
    await assert.rejects(queue.pull(), { type: 'unexpected-answer' });
  }
});

test('identifiers are text and bytes of each other', () => {
  const next = random(1);
  for (const _ of range(500)) {
    const bytes = Uint8Array.from({ length: 16 }, () => next(256));
    const text = ulidText(bytes, 0);
    assert.match(text, /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
    assert.deepEqual(ulidBytes(text), bytes);
    assert.deepEqual(ulidBytes(text.toLowerCase()), bytes);
  }
  assert.equal(ulidText(Uint8Array.from('0123456789abcdef', (c) => c.charCodeAt(0)), 0).length, 26);
  for (const bad of ['', 'x', '8'.repeat(26), 'U'.repeat(26)]) {
    assert.equal(ulidBytes(bad), undefined);
  }
});
