// When publishes are taken and how fast: `opens_at_ms`, `closes_at_ms` and `publish_rate`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, assertProblemBody, assertRefused, until, useServer } from './support.mjs';

const tide = useServer();

const HOUR = 3_600_000;
const RATE = { status: 429, type: 'rate-limited' };

const opened = (capacity) => tide.queue({ capacity });
const by = (key) => ({ 'tidegate-key': key });

test('before it opens a queue refuses, and says when it will', async () => {
  const opensAt = Date.now() + HOUR;
  const queue = await opened({ opens_at_ms: opensAt });
  for (let n = 0; n < 3; n += 1) {
    const answer = await queue.postMessage();
    const problem = assertRefused(answer, { status: 409, type: 'not-open' });
    assert.equal(problem.opens_at_ms, opensAt);
    const seconds = Number(answer.headers['retry-after']);
    assert.ok(seconds > 3_500 && seconds <= 3_601, `Retry-After ${seconds}`);
  }
  assert.equal((await queue.figures()).depth, 0);
});

test('a queue opens on time: not a moment early, and no more than a moment late', async () => {
  const opensAt = Date.now() + 700;
  const queue = await opened({ opens_at_ms: opensAt });
  const first = await until(async () => {
    const answer = await queue.postMessage();
    return answer.status === 202 && answer.json;
  }, { everyMs: 5, what: 'open' });
  assert.ok(first.timestamp_ms >= opensAt, `${opensAt - first.timestamp_ms} ms early`);
  assert.ok(first.timestamp_ms <= opensAt + 1_100, `${first.timestamp_ms - opensAt} ms late`);
});

test('a queue closes on time', async () => {
  const closesAt = Date.now() + 1_500;
  const queue = await opened({ closes_at_ms: closesAt });
  const last = await queue.publish();
  assert.ok(last.timestamp_ms < closesAt);
  let accepted = last;
  const refusal = await until(async () => {
    const answer = await queue.postMessage();
    if (answer.status === 202) accepted = answer.json;
    return answer.status !== 202 && answer;
  }, { everyMs: 5, what: 'closed' });
  assertRefused(refusal, { status: 410, type: 'closed' });
  assert.ok(accepted.timestamp_ms < closesAt, 'nothing accepted after the end');
});

test('a closed queue still hands out what it has', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  await queue.configure({ capacity: { closes_at_ms: Date.now() - 1 } });
  assertRefused(await queue.postMessage(), { status: 410, type: 'closed' });
  await queue.ack(await queue.take());
});

test('an opening that is moved holds from the answer on', async () => {
  const queue = await opened({ opens_at_ms: Date.now() + HOUR });
  assert.equal((await queue.postMessage()).status, 409);
  await queue.configure({ capacity: { opens_at_ms: null } });
  await queue.publish();
  await queue.configure({ capacity: { closes_at_ms: Date.now() - 1 } });
  assert.equal((await queue.postMessage()).status, 410);
  await queue.configure({ capacity: { closes_at_ms: Date.now() + HOUR } });
  await queue.publish();
});

test('outside its hours a queue refuses a batch message by message', async () => {
  const queue = await opened({ opens_at_ms: Date.now() + HOUR });
  const { accepted, messages } = await queue.batch([{ body: 'a' }, { body: 'b' }]);
  assert.equal(accepted, 0);
  for (const { error } of messages) assertProblemBody(error, { status: 409, type: 'not-open' });
});

test('a rate lets the burst through and then refuses', async () => {
  const queue = await opened({ publish_rate: { per_second: 0.1, burst: 3, per: 'queue' } });
  await queue.publishMany(3);
  const answer = await queue.postMessage();
  assertRefused(answer, RATE);
  const seconds = Number(answer.headers['retry-after']);
  assert.ok(seconds >= 1 && seconds <= 11, `Retry-After ${seconds}`);
  assert.equal((await queue.figures()).accepted_total, 3);
});

test('a rate refills', async () => {
  const queue = await opened({ publish_rate: { per_second: 2, burst: 1, per: 'queue' } });
  const started = Date.now();
  for (let n = 0; n < 3; n += 1) {
    await until(async () => (await queue.postMessage()).status === 202, { what: 'a token' });
  }
  assert.ok(Date.now() - started >= 990, 'three messages at two a second take a second');
});

test('publishes that arrive together do not exceed the burst', async () => {
  const queue = await opened({ publish_rate: { per_second: 0.1, burst: 5, per: 'queue' } });
  const answers = await Promise.all(Array.from({ length: 50 }, () => queue.postMessage()));
  assert.equal(answers.filter((a) => a.status === 202).length, 5);
});

test('a rate per key slows one key and no other', async () => {
  const queue = await opened({ publish_rate: { per_second: 0.1, burst: 2, per: 'key' } });
  await queue.publish('1', by('a'));
  await queue.publish('2', by('a'));
  assertProblem(await queue.postMessage('3', by('a')), RATE);
  await queue.publish('1', by('b'));
  assertProblem(await queue.postMessage('4', by('a')), RATE);
});

test('a rate that is lifted holds no one back', async () => {
  const queue = await opened({ publish_rate: { per_second: 0.1, burst: 1, per: 'queue' } });
  await queue.publish();
  assertProblem(await queue.postMessage(), RATE);
  await queue.configure({ capacity: { publish_rate: null } });
  await queue.publishMany(5);
});
