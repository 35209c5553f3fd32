// Whatever is sent, the answer is one that the OpenAPI document names: a short scan, and what shows
// that a scan would notice an answer that is not. `npm run scan` is the long one.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startServer } from '../harness/server.mjs';
import { judge } from './check.mjs';
import { scan } from './scan.mjs';
import { faults } from './schema.mjs';

const REQUESTS = 1_500;
const SEED = Number(process.env.TIDEGATE_SEED ?? 1);

describe('against the server', () => {
  let server;
  before(async () => (server = await startServer()));
  after(() => server.stop());

  test(`${REQUESTS} requests, right and wrong, are answered as the document says`, async () => {
    const options = { requests: REQUESTS, seed: SEED };
    const { findings, statuses, operations } = await scan(server.url, options);
    assert.deepEqual(findings, [], findings.join('\n'));
    // A scan in which nothing goes through, or nothing is refused, says little.
    for (const status of [200, 201, 202, 204, 400, 404, 405]) {
      assert.ok(statuses[status] > 5, `${status}: ${JSON.stringify(statuses)}`);
    }
    assert.ok(operations > 30, `${operations} operations`);
  });

  test('answers that the document does not name are noticed', async () => {
    const document = await (await fetch(`${server.url}/v1/openapi.json`)).json();
    const check = judge(document);
    const request = { operation: 'GET /v1/queues/{queue}', method: 'GET', path: '/v1/queues/a' };
    const answer = (changes) => ({
      status: 404,
      headers: { 'content-type': 'application/problem+json', 'x-content-type-options': 'nosniff' },
      text: '{"type":"not-found","title":"t","status":404,"detail":"d"}',
      ...changes,
    });
    assert.deepEqual(check(request, answer({})), []);
    const headers = { 'content-type': 'text/html', 'x-content-type-options': 'nosniff' };
    for (const [changes, words] of [
      [{ status: 500 }, /failed with 500/],
      [{ status: 418 }, /answers 418/],
      [{ status: 405 }, /without Allow/],
      [{ headers }, /of the type text\/html/],
      [{ headers: { 'content-type': 'application/problem+json' } }, /no nosniff/],
      [{ text: '{"type":"lost","title":"t","status":404,"detail":"d"}' }, /type is none of/],
      [{ text: '{"type":"not-found","title":"t","status":404}' }, /has no detail/],
      [{ text: '{' }, /cannot be checked/],
    ]) {
      assert.match(check(request, answer(changes)).join('\n'), words, JSON.stringify(changes));
    }
  });
});

test('a schema is held to every keyword', () => {
  const document = { parts: { short: { type: 'string', maxLength: 2 } } };
  const schema = {
    type: 'object',
    required: ['a'],
    additionalProperties: false,
    properties: {
      a: { type: ['integer', 'null'], minimum: 1, maximum: 3 },
      b: { $ref: '#/parts/short' },
      c: { oneOf: [{ const: 1 }, { enum: ['x', 'y'] }] },
      d: { type: 'array', items: { type: 'string', pattern: '^z', minLength: 1 }, maxItems: 2 },
      e: { type: 'object', maxProperties: 1, additionalProperties: { type: 'boolean' } },
    },
  };
  for (const good of [
    { a: 1 }, { a: null, b: 'ab', c: 'x', d: ['z', 'zz'], e: { f: true } },
  ]) {
    assert.deepEqual(faults(document, schema, good), []);
  }
  for (const bad of [
    [], {}, { a: 0 }, { a: 4 }, { a: 1.5 }, { a: '1' }, { a: 1, b: 'abc' }, { a: 1, c: 2 },
    { a: 1, d: ['y'] }, { a: 1, d: ['z', 'z', 'z'] }, { a: 1, e: { f: 1 } },
    { a: 1, e: { f: true, g: true } }, { a: 1, f: 1 },
  ]) {
    assert.notDeepEqual(faults(document, schema, bad), [], JSON.stringify(bad));
  }
  assert.throws(() => faults({}, { multipleOf: 2 }, 3), /not understood/);
});
