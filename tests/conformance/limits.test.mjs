// Every limit: what is at it passes, what is one beyond it gets the answer that docs/LIMITS.md
// names, and changes nothing. limits.json has the answers; the core's tests hold it to src/limits.rs.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { bearer } from './jwt.mjs';
import { ADMIN_TOKEN, CASES, TOKEN_SECRET } from './limit-cases.mjs';
import { assertProblemBody, useServer } from './support.mjs';
import { Topic } from './topic.mjs';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const LIMITS = JSON.parse(read('limits.json'));

/** Counted in whole numbers. */
const WHOLE_UNITS = new Set(['messages', 'bytes', 'ms', 'Unix ms', 'deliveries', 'publishes', 'calls', 'ms, 0 for never']);
/** What the rules between fields want beside one. */
const BESIDE = {
  'delivery.backoff.initial_ms': { max_ms: 604_800_000 },
  'capacity.publish_rate.burst': { per_second: 1, per: 'queue' },
  'capacity.publish_rate.per_second': { per: 'queue' },
};
const PUSH = { url: 'http://127.0.0.1:9/' };

/** The fields that docs/LIMITS.md has numbers for. */
function fields() {
  const rows = read('../../docs/LIMITS.md').split('\n').map((line) => line.split('|').map((it) => it.trim()));
  const number = (text) => Number(text.replaceAll(',', ''));
  return rows.filter((row) => row.length === 8 && /^[\d,.]+$/.test(row[3])).map((row) => ({
    path: row[1].replaceAll('`', ''), min: number(row[3]), max: number(row[4]), unit: row[5],
  }));
}

/** A configuration with a value at a path. */
function patch(path, value) {
  const [last, ...above] = path.split('.').reverse();
  const beside = { ...BESIDE[path], ...(path.startsWith('push.') ? PUSH : {}) };
  return above.reduce((inner, name) => ({ [name]: inner }), { ...beside, [last]: value });
}

const deep = (levels) => `{"body":${'{"a":'.repeat(levels - 1)}[1]${'}'.repeat(levels)}`;
const filterOf = (text) => ({
  headers: { 'content-type': 'application/json' }, body: `{"filter":${text}}`,
});
const text = (bytes) => JSON.stringify(`a = '${'x'.repeat(bytes - 8)}'`);
const many = (values) => `{"key":[${'1,'.repeat(values - 1)}1]}`;
const stars = (count) => JSON.stringify({ key: [{ wildcard: 'a*'.repeat(count) }] });

/** Pulls at a limit that is documented elsewhere, and beyond it. */
const OTHERS = [
  ['the bytes of a filter', filterOf(text(4_096)), filterOf(text(4_097)), 'filter'],
  ['the depth of a filter', filterOf(deep(32)), filterOf(deep(33)), 'filter…'],
  ['the parts of a filter', filterOf(many(255)), filterOf(many(256)), 'filter…'],
  ['the wildcards of a filter', filterOf(stars(8)), filterOf(stars(9)), 'filter…'],
];

let scene;
const env = { ADMIN_TOKEN, TOKEN_SECRET, PUSH_QUEUES: 'OUT=127.0.0.1:9' };
const tide = useServer(env, async () => {
  const request = tide.request.bind(tide);
  tide.request = (method, path, options = {}) =>
    request(method, path, { ...options, headers: { ...bearer(ADMIN_TOKEN), ...options.headers } });
  const topic = new Topic(tide);
  const socket = topic.socket.bind(topic);
  topic.socket = () => socket(bearer(ADMIN_TOKEN));
  scene = {
    tide,
    topic,
    queue: await tide.queue({}),
    large: await tide.queue({ max_message_bytes: LIMITS.MESSAGE_BYTES_MAX.value }),
  };
});

/** Whether an answer refuses with this problem. */
function assertRefuses(answer, { answer: words, field }, name) {
  const [status, type] = words.split(' ');
  assert.equal(answer.status, Number(status), `${name}: ${JSON.stringify(answer.json)}`);
  assertProblemBody(answer.json, { status: Number(status), type });
  if (field) {
    const [found, wanted] = [answer.json.field, field].map((it) => String(it).toLowerCase());
    const isWhole = !wanted.endsWith('…');
    assert.ok(isWhole ? found === wanted : found.startsWith(wanted.slice(0, -1)), `${name}: ${found}`);
  }
}

describe('a limit', () => {
  const driven = Object.entries(LIMITS).filter(([, it]) => it.test === undefined);
  for (const [name, limit] of driven) {
    test(`${name}: what is at it passes, what is one beyond it does not`, async () => {
      const ask = CASES[name];
      const beyond = limit.value + (name.endsWith('_MIN') ? -1 : 1);
      const at = await ask(limit.value, scene);
      assert.ok(at.status < 300, `${name} at ${limit.value}: ${at.status} ${JSON.stringify(at.json)}`);
      const refused = await ask(beyond, scene);
      if (limit.answer) assertRefuses(refused, limit, name);
      else assert.equal(refused.status, 206, `${name}: ${limit.says}`);
    });
  }

  test('a message that names no priority has the default', async () => {
    const queue = await tide.queue({});
    await queue.publish();
    assert.equal((await queue.take()).priority, LIMITS.PRIORITY_DEFAULT.value);
  });

  test('that has a case is one whose answer is known', () => {
    assert.deepEqual(Object.keys(CASES).sort(), driven.map(([name]) => name).sort());
  });
});

describe('a field of a configuration', () => {
  for (const { path, min, max, unit } of fields()) {
    test(`${path}: from ${min} to ${max}`, async () => {
      const put = (value) => tide.request('PUT', `/v1/queues/${tide.name()}`, { json: patch(path, value) });
      const step = WHOLE_UNITS.has(unit) ? 1 : 0.0001;
      for (const value of [min, max]) {
        const answer = await put(value);
        assert.equal(answer.status, 201, `${value}: ${answer}`);
      }
      for (const value of [min - step, Math.min(max + step, Number.MAX_VALUE)]) {
        // A whole number beyond those that JavaScript has is written as a larger one.
        const beyond = value === max ? max * 2 : value;
        assertRefuses(await put(beyond), { answer: '400 bad-request', field: path }, path);
      }
    });
  }

  test('is found in docs/LIMITS.md', () => {
    assert.ok(fields().length > 25, `${fields().length} fields`);
  });
});

describe('what is bounded elsewhere', () => {
  for (const [name, at, beyond, field] of OTHERS) {
    test(name, async () => {
      const ask = (value) => tide.request('POST', `${scene.queue.path}/messages/pull`, value);
      const passes = await ask(at);
      assert.equal(passes.status, 200, String(passes));
      assertRefuses(await ask(beyond), { answer: '400 bad-request', field }, name);
    });
  }
});
