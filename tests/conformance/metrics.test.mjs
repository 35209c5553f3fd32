// /metrics as Prometheus reads it, and as its conventions have it: every family with one HELP and
// one TYPE, its samples together, counters that end in _total, base units, histograms that add up,
// few labels.
// https://prometheus.io/docs/practices/naming/

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { useServer } from './support.mjs';

const tide = useServer();

/** What the contract names; labels beside `queue` or `topic`. */
const FAMILIES = [
  'tidegate_accepted_total', 'tidegate_rejected_total', 'tidegate_delivered_total',
  'tidegate_acked_total', 'tidegate_dead_total', 'tidegate_backlog_messages',
  'tidegate_backlog_bytes', 'tidegate_in_flight_messages', 'tidegate_oldest_message_age_seconds',
  'tidegate_object_requests_total', 'tidegate_rows_written_total', 'tidegate_rows_read_total',
  'tidegate_commits_total', 'tidegate_wasm_memory_bytes', 'tidegate_delivery_latency_seconds',
  'tidegate_ack_latency_seconds', 'tidegate_unreadable_objects',
  'tidegate_subscription_lag_messages', 'tidegate_subscription_delivered_total',
  'tidegate_subscription_missed_total',
];
/** Labels whose values are few, whatever clients send. */
const LABELS = [
  'queue', 'topic', 'subscription', 'pattern', 'reason', 'decided_by', 'le', 'outcome', 'state',
];
const UNITS = [
  'total', 'seconds', 'bytes', 'messages', 'readers', 'subscriptions', 'under_way', 'state', 'objects',
];
const SAMPLE =
  /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\d+(?:\.\d+)?|\+Inf)$/;
const SUFFIX = /_(bucket|sum|count)$/;

/** Reads the format and refuses what is not in it; families by name. */
function lint(text) {
  const families = new Map();
  let current = null;
  assert.ok(text.endsWith('\n'), 'the last line has an end');
  for (const line of text.slice(0, -1).split('\n')) {
    const [, kind, name, rest] = line.match(/^# (HELP|TYPE) ([a-z_]+) (.+)$/) ?? [];
    if (kind === 'HELP') {
      assert.ok(!families.has(name), `${name} has two heads, or its samples are apart`);
      current = { name, help: rest, type: null, samples: [] };
      families.set(name, current);
    } else if (kind === 'TYPE') {
      assert.equal(current?.name, name, `TYPE of ${name} without its HELP`);
      assert.match(rest, /^(counter|gauge|histogram)$/);
      current.type = rest;
    } else {
      current.samples.push(sample(line, current));
    }
  }
  return families;
}

function sample(line, { name: family, type }) {
  const [, name, labels = '', value] = line.match(SAMPLE) ?? assert.fail(`no sample: ${line}`);
  const base = type === 'histogram' ? name.replace(SUFFIX, '') : name;
  assert.equal(base, family, `a sample of ${name} among those of ${family}`);
  const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, k, v]) => [k, v]);
  const unknown = pairs.find(([label]) => !LABELS.includes(label));
  assert.equal(unknown, undefined, `a label of many values: ${line}`);
  const key = `${name}{${labels}}`;
  return { name, labels: Object.fromEntries(pairs), key, value: Number(value) };
}

/** Where a family breaks the conventions. */
function check({ name, help, type, samples }) {
  assert.match(name, /^tidegate_/);
  assert.ok(help.endsWith('.'), `${name}: ${help}`);
  assert.ok(UNITS.some((unit) => name.endsWith(`_${unit}`)), `${name} has no unit`);
  assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
  const keys = samples.map((it) => it.key);
  assert.equal(new Set(keys).size, keys.length, `${name} has a sample twice`);
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name, samples) {
  const queues = new Set(samples.map((it) => it.labels.queue));
  for (const queue of queues) {
    const of = (suffix) =>
      samples.filter((it) => it.labels.queue === queue && it.name === `${name}_${suffix}`);
    const buckets = of('bucket');
    const bounds = buckets.map((it) => Number(it.labels.le.replace('+Inf', 'Infinity')));
    assert.deepEqual(bounds, [...bounds].sort((a, b) => a - b), `${name}: bounds in order`);
    assert.equal(bounds.at(-1), Infinity);
    const counts = buckets.map((it) => it.value);
    assert.deepEqual(counts, [...counts].sort((a, b) => a - b), `${name}: buckets add up`);
    assert.equal(of('count')[0].value, counts.at(-1));
    assert.equal(of('sum').length, 1);
  }
}

const read = async () => {
  const answer = await tide.request('GET', '/metrics');
  assert.equal(answer.status, 200);
  return lint(answer.text);
};

test('the conventions are kept, by every family of the contract', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 3 } });
  await queue.publishMany(3);
  assert.equal((await queue.postMessage('refused')).status, 429);
  await queue.ack(await queue.take());
  const families = await read();
  for (const family of families.values()) check(family);
  for (const name of FAMILIES) assert.ok(families.has(name), `${name} is missing`);

  const value = (name, labels = {}) =>
    families.get(name.replace(SUFFIX, '')).samples.find(
      (it) => it.name === name && it.labels.queue === queue.name &&
        Object.entries(labels).every(([label, text]) => it.labels[label] === text))?.value;
  assert.equal(value('tidegate_accepted_total'), 3);
  assert.equal(value('tidegate_rejected_total', { reason: 'queue-full', decided_by: 'object' }), 1);
  assert.equal(value('tidegate_delivery_latency_seconds_count'), 1);
  assert.equal(value('tidegate_ack_latency_seconds_count'), 1);
  assert.equal(value('tidegate_ack_latency_seconds_bucket', { le: '+Inf' }), 1);
});

test('what a subscription was handed and nobody took is told, by its queue', async () => {
  const topic = `metrics/${tide.name()}`;
  const of = (place) => `/v1/topics/${encodeURIComponent(place)}`;
  const json = (method, path, body) => tide.request(method, path, { json: body });
  for (const path of [
    of(topic), `${of(topic)}/subscriptions/own`, `${of(`${topic}/#`)}/subscriptions/all`,
  ]) {
    const made = await json('PUT', path, {});
    assert.ok(made.status < 300, `${path}: ${made.status} ${made.text}`);
  }
  for (const n of [1, 2]) assert.equal((await json('POST', `${of(topic)}/messages`, { n })).status, 202);
  const value = (families, name, labels) =>
    families.get(name).samples.find((it) =>
      Object.entries(labels).every(([label, text]) => it.labels[label] === text))?.value;
  const backlog = (families, queue) => value(families, 'tidegate_backlog_messages', { queue });
  const own = [`${topic}~own`, `${topic}/#~all`];
  let families = await read();
  for (let n = 0; n < 100 && own.some((queue) => backlog(families, queue) !== 2); n += 1) families = await read();
  assert.deepEqual(own.map((queue) => backlog(families, queue)), [2, 2]);
  for (const family of families.values()) check(family);
  const lag = (labels) => value(families, 'tidegate_subscription_lag_messages', { topic, ...labels });
  assert.equal(lag({ subscription: 'own' }), 0);
  assert.equal(lag({ subscription: 'all', pattern: `${topic}/#` }), 0);
  assert.equal(value(families, 'tidegate_subscription_delivered_total', { topic, subscription: 'own' }), 2);
});

test('alerts are of metrics that there are, of labels they have, and in the docs', async () => {
  const text = (file) => readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8');
  const [alerts, operations] = [text('alerts.yml'), text('operations.md')];
  await tide.queue({ push: { url: 'https://hook.example/' } });
  const families = await read();
  const reasons = [...text('ERRORS.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, slug]) => slug);
  const used = [...alerts.matchAll(/(tidegate_[a-z_]+)(?:\{([^}]*)\})?/g)];
  assert.ok(used.length >= 9, `${used.length} metrics are watched`);
  for (const [, name, selector = ''] of used) {
    assert.ok(families.has(name.replace(SUFFIX, '')), `there is no ${name}`);
    for (const [, label, value] of selector.matchAll(/([a-z_]+)[!=]=?~?"([^"]*)"/g)) {
      assert.ok(LABELS.includes(label), `${name} has no ${label}`);
      if (label === 'reason') assert.ok(reasons.includes(value), `nothing is refused as ${value}`);
    }
  }
  const names = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.ok(operations.includes(`\`${name}\``), `${name} is not told of`);
});

test('whatever clients send becomes no label', async () => {
  const queue = await tide.queue({});
  const before = await read();
  const count = (families) =>
    [...families.values()].reduce((sum, it) => sum + it.samples.length, 0);
  await queue.publish('x', { 'tidegate-key': 'k-1', 'tidegate-attr-a': 'v-1' });
  await tide.request('GET', '/v1/queues/none-such-1');
  await tide.request('GET', '/v1/queues/none-such-2/messages');
  assert.equal(count(await read()), count(before));
});
