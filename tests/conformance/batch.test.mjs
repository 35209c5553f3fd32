// Publishing many: verdicts by message, in input order; encodings; the limits of a batch.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ULID, assertProblem, assertProblemBody, until, useServer } from './support.mjs';

const tide = useServer();

const postLines = (queue, lines) => queue.request('POST', '/messages/batch', {
  headers: { 'content-type': 'application/x-ndjson' }, body: lines,
});

test('a batch is accepted in input order', async () => {
  const queue = await tide.queue();
  const sent = Array.from({ length: 50 }, (_, n) => ({ body: `m${n}` }));
  const { accepted, rejected, messages } = await queue.batch(sent);
  assert.deepEqual({ accepted, rejected }, { accepted: 50, rejected: 0 });
  assert.equal(messages.length, 50);
  for (let n = 0; n < 50; n += 1) {
    assert.match(messages[n].id, ULID);
    assert.ok(n === 0 || messages[n].seq > messages[n - 1].seq);
    assert.ok(n === 0 || messages[n].id > messages[n - 1].id);
  }
  const pulled = await queue.pull({ batch_size: 100 });
  assert.deepEqual(pulled.messages.map((m) => m.body), sent.map((m) => m.body));
  assert.deepEqual(pulled.messages.map((m) => m.id), messages.map((m) => m.id));
});

test('every field of a message in a batch does what its header does', async () => {
  const queue = await tide.queue();
  const { messages } = await queue.batch([
    { body: 'a', content_type: 'text/plain', key: 'k', priority: 9, attributes: { region: 'eu' } },
    { body: 'held', hold_ms: 60_000 },
    { body: 'later', delay_ms: 60_000 },
    { body: 'gone', ttl_ms: 100 },
  ]);
  const message = await queue.take();
  assert.equal(message.content_type, 'text/plain');
  assert.equal(message.key, 'k');
  assert.equal(message.priority, 9);
  assert.deepEqual(message.attributes, { region: 'eu' });
  assert.equal(await queue.state(messages[1].id), 'held');
  assert.equal(await queue.state(messages[2].id), 'delayed');
  await queue.untilState(messages[3].id, 'expired');
});

test('a body may be text, base64 or JSON', async () => {
  const queue = await tide.queue();
  const bytes = Buffer.from([0, 159, 146, 150, 255]);
  await queue.batch([
    { body: 'plain ünïcödé' },
    { body: 'also plain', encoding: 'utf8' },
    { body: bytes.toString('base64'), encoding: 'base64' },
    { body: { a: [1, null, 'x'] }, encoding: 'json' },
    { body: 'a string', encoding: 'json' },
  ]);
  const { messages } = await queue.pull();
  assert.equal(messages[0].body, 'plain ünïcödé');
  assert.equal(messages[1].body, 'also plain');
  assert.ok(Buffer.from(messages[2].body, messages[2].encoding).equals(bytes));
  assert.deepEqual(JSON.parse(messages[3].body), { a: [1, null, 'x'] });
  assert.equal(JSON.parse(messages[4].body), 'a string');
});

test('a bad message is refused by itself and the others are taken', async () => {
  const queue = await tide.queue({ max_message_bytes: 10 });
  const bad = [
    [{ body: 'x', priority: 10 }, 'bad-request', 400, 'priority'],
    [{ body: 'x', priority: 1.5 }, 'bad-request', 400, 'priority'],
    [{ body: 'x', delay_ms: -1 }, 'bad-request', 400, 'delay_ms'],
    [{ body: 'x', ttl_ms: 'soon' }, 'bad-request', 400, 'ttl_ms'],
    [{ body: 'x', hold_ms: -5 }, 'bad-request', 400, 'hold_ms'],
    [{ body: 'x', encoding: 'hex' }, 'bad-request', 400, 'encoding'],
    [{ body: '@@', encoding: 'base64' }, 'bad-request', 400, 'body'],
    [{ body: { not: 'text' } }, 'bad-request', 400, 'body'],
    [{ body: 'x', attributes: { a: 1 } }, 'bad-request', 400, ['attributes', 'a']],
    [{ body: 'x', attributes: [] }, 'bad-request', 400, 'attributes'],
    [{ body: 'x', key: 7 }, 'bad-request', 400, 'key'],
    [{ body: '12345678901' }, 'message-too-large', 413, undefined],
  ];
  for (const [message, type, status, field] of bad) {
    const answer = await queue.batch([{ body: 'before' }, message, { body: 'after' }]);
    const { accepted, rejected, messages } = answer;
    assert.deepEqual({ accepted, rejected }, { accepted: 2, rejected: 1 }, JSON.stringify(message));
    assert.match(messages[0].id, ULID);
    assertProblemBody(messages[1].error, { type, status, field });
    assert.equal(messages[1].id, undefined);
    assert.match(messages[2].id, ULID);
  }
  assert.equal((await queue.figures()).depth, 2 * bad.length);
});

test('a batch takes what fits and refuses the rest, message by message', async () => {
  const queue = await tide.queue({ capacity: { max_messages: 3 } });
  const bodies = ['1', '2', '3', '4', '5'];
  const { accepted, rejected, messages } = await queue.batch(bodies.map((body) => ({ body })));
  assert.deepEqual({ accepted, rejected }, { accepted: 3, rejected: 2 });
  for (const { error } of messages.slice(3)) {
    assertProblemBody(error, { type: 'queue-full', status: 429 });
    assert.equal(error.limit, 3);
  }
  const again = await queue.batch([{ body: '6' }]);
  assert.deepEqual([again.accepted, again.rejected], [0, 1]);
  const pulled = await queue.pull();
  assert.deepEqual(pulled.messages.map((m) => m.body), ['1', '2', '3']);
});

test('a batch of a thousand is taken, and one of a thousand and one is not', async () => {
  const queue = await tide.queue();
  const many = (count) => Array.from({ length: count }, (_, n) => ({ body: String(n) }));
  const { accepted } = await queue.batch(many(1_000));
  assert.equal(accepted, 1_000);
  const answer = await queue.postBatch(many(1_001));
  assert.ok(answer.status === 400 || answer.status === 413, String(answer));
  assert.equal((await queue.figures()).depth, 1_000);
  const { messages } = await queue.pull({ batch_size: 1_000 });
  assert.deepEqual(messages.map((m) => m.body), many(1_000).map((m) => m.body));
});

test('a batch of more than four mebibytes is refused', async () => {
  const queue = await tide.queue({});
  const body = 'x'.repeat(250_000);
  const fits = await queue.postBatch(Array.from({ length: 16 }, () => ({ body })));
  assert.equal(fits.status, 200, String(fits));
  // A server may close before it has read all of a body that it refuses, at the price of the answer.
  const tooMany = Array.from({ length: 17 }, () => ({ body }));
  const answer = await until(() => queue.postBatch(tooMany).catch(() => undefined));
  assertProblem(answer, { status: 413, type: 'request-too-large' });
  assert.equal((await queue.figures()).depth, 16);
});

test('a batch may be one message a line', async () => {
  const queue = await tide.queue();
  const lines = '{"body":"one"}\n{"body":"two","key":"k"}\r\n{"body":{"n":3},"encoding":"json"}\n';
  const answer = await postLines(queue, lines);
  assert.equal(answer.status, 200, String(answer));
  assert.equal(answer.json.accepted, 3);
  const { messages } = await queue.pull();
  assert.deepEqual(messages.map((m) => m.body), ['one', 'two', '{"n":3}']);
  assert.equal(messages[1].key, 'k');
});

test('lines need no newline at the end', async () => {
  const queue = await tide.queue();
  const answer = await postLines(queue, '{"body":"one"}\n{"body":"two"}');
  assert.equal(answer.json.accepted, 2);
});

test('a line that is not JSON is not taken', async () => {
  const queue = await tide.queue({});
  const answer = await postLines(queue, '{"body":"one"}\n{"body":\n{"body":"three"}\n');
  if (answer.status === 200) {
    assert.deepEqual([answer.json.accepted, answer.json.rejected], [2, 1]);
    assertProblemBody(answer.json.messages[1].error, { type: 'bad-request', status: 400 });
  } else {
    assertProblem(answer, { status: 400, type: 'bad-request' });
    assert.equal((await queue.figures()).depth, 0);
  }
});

test('a batch in another content type is refused', async () => {
  const queue = await tide.queue({});
  const answer = await queue.request('POST', '/messages/batch', {
    headers: { 'content-type': 'text/csv' }, body: 'body\nx\n',
  });
  assertProblem(answer, { status: 415, type: 'unsupported-media' });
  assert.equal((await queue.figures()).depth, 0);
});
