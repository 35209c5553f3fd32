// What docs/HTTP.md says each metric does when the server was killed and started again: those that
// go on have the value they had.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Receiver } from '../conformance/receiver.mjs';
import { Tide, until } from '../conformance/support.mjs';
import { Topic } from '../conformance/topic.mjs';
import { parseMetrics } from '../conformance/wire.mjs';
import { documentedMetrics } from '../harness/documented-metrics.mjs';
import { databasesOf, query } from './database.mjs';

const tide = new Tide();
const receiver = new Receiver(({ body }) => ({ status: body === 'bad' ? 400 : 204 }));
before(() => Promise.all([tide.start({ ALLOW_PRIVATE_TARGETS: 'true' }), receiver.start()]));
after(() => Promise.all([tide.stop(), receiver.stop()]));

/** Sums of all samples, by family, with ` of topics` behind those that topics themselves have. */
async function sums() {
  const { text } = await tide.request('GET', '/metrics');
  const all = new Map();
  for (const { name, value, labels } of parseMetrics(text)) {
    if (labels.le) continue;
    const family = labels.topic && !labels.subscription ? `${name} of topics` : name;
    all.set(family, (all.get(family) ?? 0) + value);
  }
  return all;
}

/** Whether a family's figure is what the document says of it. */
function assertToldRight(family, restart, was, is) {
  const what = `${family}: ${was}, then ${is}`;
  // A start reads more rows than all that came before, here.
  if (restart === 'from zero') assert.ok(is < was || family.includes('_rows_read_'), what);
  if (!restart.startsWith('goes on')) return;
  const mayLack = restart.endsWith("a topic's may lack the latest")
    ? family.endsWith(' of topics')
    : restart.endsWith('may lack the latest');
  if (mayLack) assert.ok(is <= was, what);
  else if (family.includes('_age_')) assert.ok(is >= was, what);
  else assert.equal(is, was, what);
}

/** A topic that let go of messages before one subscription could be handed them. */
async function subscriptionThatMissed() {
  const full = await tide.queue({ capacity: { max_messages: 1 } });
  await full.publish();
  const topic = new Topic(tide, tide.name('topic'));
  await topic.configure({ max_messages: 2 });
  await topic.subscribe('behind', { target: { queue: full.name } });
  await topic.subscribe('own');
  for (let i = 0; i < 6; i++) await topic.publish(`${i}`);
  await until(async () => (await topic.subscription('own')).delivered_total === 6, { what: 'handed on' });
  await full.ack(await full.take());
  const goesOn = async () => (await topic.subscription('behind')).missed_total > 0;
  await until(goesOn, { withinMs: 20_000, what: 'missed' });
}

/** Every family of figures that go on has a value that is not zero. */
async function prepare() {
  const small = await tide.queue({ capacity: { max_accepted: 3, overflow: 'wait', max_waiting: 1 } });
  await small.publishMany(3);
  assert.equal((await small.postMessage('waits')).status, 202);
  assert.equal((await small.postMessage('refused')).status, 410);
  await small.ack(await small.take());
  await small.take({ visibility_timeout_ms: 600_000 });

  const dying = await tide.queue({ delivery: { max_attempts: 1 } });
  await dying.publish();
  await dying.retry(await dying.take());

  const pushing = await tide.queue({ push: { url: receiver.url } });
  await pushing.publish('good');
  await pushing.publish('bad');
  await until(async () => (await pushing.figures()).depth === 0, { what: 'pushed' });
  await subscriptionThatMissed();
}

/** A queue with four rows, one of them damaged and set aside. */
async function quarantine() {
  const hurt = await tide.queue({});
  for (let i = 0; i < 4; i++) await hurt.publish();
  await tide.server.kill9();
  for (const file of databasesOf(tide.server.dataDir, 'queue')) {
    const [[{ count }]] = await query(file, 'SELECT count(*) AS count FROM segments');
    if (count !== 4) continue;
    await query(file, 'UPDATE segments SET body = zeroblob(9) WHERE id = (SELECT min(id) FROM segments)');
  }
  await tide.restart();
  await hurt.drain();
}

test('what goes on after a kill goes on, and what begins anew begins anew', async () => {
  await quarantine();
  await prepare();
  const earlier = await sums();
  await tide.crash();
  const later = await sums();
  let seen = 0;
  for (const [name, restart] of documentedMetrics()) {
    const isOf = (family) => family.replace(/_(sum|count)$| of topics$/, '') === name;
    for (const family of [...earlier.keys()].filter(isOf)) {
      const [was, is] = [earlier.get(family), later.get(family) ?? 0];
      const isNothing = /_under_way$|_quarantined_total of/.test(family);
      assert.ok(was > 0 || isNothing || restart === '–', `${family} has nothing to lose`);
      assertToldRight(family, restart, was, is);
      seen += 1;
    }
  }
  assert.ok(seen >= 28, `${seen} families`);
});
