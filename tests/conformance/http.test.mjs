// HTTP itself: unknown paths and methods, HEAD and OPTIONS, other origins, the pages of operations.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, useServer } from './support.mjs';

const tide = useServer();

const ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const SHOP = 'https://shop.example';

/** Every path of the interface with the methods it takes, as templates. */
const PATHS = [
  ['/v1/queues', ['GET']],
  ['/v1/queues/{queue}', ['GET', 'PUT', 'DELETE']],
  ['/v1/queues/{queue}/messages', ['GET', 'POST']],
  ['/v1/queues/{queue}/messages/batch', ['POST']],
  ['/v1/queues/{queue}/messages/pull', ['POST']],
  ['/v1/queues/{queue}/messages/ack', ['POST']],
  ['/v1/queues/{queue}/messages/{id}', ['GET', 'DELETE']],
  ['/v1/queues/{queue}/messages/{id}/confirm', ['POST']],
  ['/v1/queues/{queue}/purge', ['POST']],
  ['/v1/queues/{queue}/pause', ['POST']],
  ['/v1/queues/{queue}/resume', ['POST']],
  ['/v1/queues/{queue}/redrive', ['POST']],
  ['/healthz', ['GET']],
  ['/metrics', ['GET']],
  ['/v1/openapi.json', ['GET']],
];

const filled = (template, queue) => template.replace('{queue}', queue).replace('{id}', ID);
const list = (header) => String(header).split(',').map((item) => item.trim().toUpperCase());

for (const path of [
  '/v1', '/v1/', '/v2/queues', '/v1/queue', '/v1/queues/a/nope', '/v1/queues/a/messages/batch/x',
  `/v1/queues/a/messages/${ID}/nope`, `/v1/queues/a/messages/${ID}/confirm/x`, '/healthz/x',
  '/nope',
  '/v1/queues/a/b/c', '/V1/queues',
]) {
  test(`${path} is not found`, async () => {
    for (const method of ['GET', 'POST']) {
      assertProblem(await tide.request(method, path), { status: 404, type: 'not-found' });
    }
  });
}

for (const [template, methods] of PATHS) {
  test(`${template} names its methods to one it does not take`, async () => {
    const queue = await tide.queue();
    const path = filled(template, queue.name);
    for (const method of ['GET', 'PUT', 'POST', 'DELETE', 'PATCH']) {
      if (methods.includes(method)) continue;
      const answer = await tide.request(method, path);
      assertProblem(answer, { status: 405, type: 'method-not-allowed' });
      const allowed = list(answer.headers.allow);
      for (const taken of methods) assert.ok(allowed.includes(taken), `${taken} in ${allowed}`);
      assert.ok(!allowed.includes(method), `${method} not in ${allowed}`);
    }
    assert.equal((await queue.request('GET')).status, 404, 'nothing came into being');
  });

  test(`OPTIONS of ${template} tells its methods`, async () => {
    const answer = await tide.request('OPTIONS', filled(template, tide.name()));
    assert.ok(answer.status === 200 || answer.status === 204, String(answer));
    const allowed = list(answer.headers.allow);
    for (const method of methods) assert.ok(allowed.includes(method), `${method} in ${allowed}`);
  });
}

test('HEAD is GET without the body', async () => {
  const queue = await tide.queue();
  const { id } = await queue.publish('a');
  for (const path of [
    '/healthz', '/metrics', '/v1/openapi.json', '/v1/queues', queue.path, `${queue.path}/messages`,
    `${queue.path}/messages/${id}`,
  ]) {
    const [head, get] = [await tide.request('HEAD', path), await tide.request('GET', path)];
    assert.equal(head.status, 200, path);
    assert.equal(head.bytes.length, 0, path);
    assert.equal(head.headers['content-type'], get.headers['content-type'], path);
  }
  assert.equal((await tide.request('HEAD', '/nope')).status, 404);
  assert.equal((await tide.request('HEAD', `/v1/queues/${tide.name()}`)).status, 404);
});

test('an answer of the interface is not kept by caches', async () => {
  const queue = await tide.queue();
  await queue.publish('a');
  for (const path of [queue.path, `${queue.path}/messages`, '/v1/queues']) {
    const { headers } = await tide.request('GET', path);
    assert.match(String(headers['cache-control']), /no-store/, path);
  }
});

const preflight = (queue, origin, method = 'POST') => queue.request('OPTIONS', '/messages', {
  headers: {
    origin, 'access-control-request-method': method,
    'access-control-request-headers': 'content-type, tidegate-key, idempotency-key, authorization',
  },
});

test('a file has a tag as RFC 9110, 8.8.3 wants it, and is not sent again to who has it', async () => {
  const { headers } = await tide.request('GET', '/');
  const { etag } = headers;
  assert.match(etag, /^(W\/)?"[!#-~]+"$/);
  const again = await tide.request('GET', '/', { headers: { 'if-none-match': etag } });
  assert.equal(again.status, 304);
});

test('a preflight of an origin that is listed is granted', async () => {
  const queue = await tide.queue({ cors_origins: [SHOP, 'http://localhost:3000'] });
  const { status, headers } = await preflight(queue, SHOP);
  assert.ok(status === 200 || status === 204, `status ${status}`);
  assert.equal(headers['access-control-allow-origin'], SHOP);
  assert.ok(list(headers['access-control-allow-methods']).includes('POST'));
  const allowed = list(headers['access-control-allow-headers']);
  // A wildcard does not cover Authorization (the Fetch standard, 3.2.3).
  assert.ok(allowed.includes('AUTHORIZATION'));
  assert.ok(allowed.includes('*') || allowed.includes('TIDEGATE-KEY'));
  assert.ok(list(headers.vary).includes('ORIGIN'));
});

test('a preflight of an origin that is not listed is granted nothing', async () => {
  const listed = await tide.queue({ cors_origins: [SHOP] });
  const closed = await tide.queue({});
  for (const [queue, origin] of [
    [listed, 'https://evil.example'], [listed, 'https://shop.example.evil.example'],
    [listed, 'http://shop.example'], [listed, 'null'], [closed, SHOP],
  ]) {
    const { headers } = await preflight(queue, origin);
    assert.equal(headers['access-control-allow-origin'], undefined, origin);
  }
});

test('an answer to an origin that is listed may be read there', async () => {
  const queue = await tide.queue({ cors_origins: [SHOP], capacity: { max_accepted: 1 } });
  const accepted = await queue.postMessage('a', { origin: SHOP });
  assert.equal(accepted.status, 202, String(accepted));
  assert.equal(accepted.headers['access-control-allow-origin'], SHOP);
  assert.ok(list(accepted.headers.vary).includes('ORIGIN'));
  const exposed = list(accepted.headers['access-control-expose-headers']);
  assert.ok(exposed.includes('LOCATION') || exposed.includes('*'));
  // By the object and by the edge: a page has to be able to read that it is sold out.
  for (let n = 0; n < 2; n += 1) {
    const refused = await queue.postMessage('b', { origin: SHOP });
    assert.equal(refused.status, 410);
    assert.equal(refused.headers['access-control-allow-origin'], SHOP);
  }
});

test('every origin is welcome where the list says so', async () => {
  const queue = await tide.queue({ cors_origins: ['*'] });
  const answer = await queue.postMessage('a', { origin: 'https://anyone.example' });
  assert.equal(answer.status, 202);
  const granted = answer.headers['access-control-allow-origin'];
  assert.ok(granted === '*' || granted === 'https://anyone.example', granted);
});

test('a page of another site cannot publish, nor read', async () => {
  const queue = await tide.queue({ cors_origins: [SHOP] });
  const headers = { origin: 'https://evil.example' };
  const forbidden = { status: 403, type: 'forbidden' };
  assertProblem(await queue.postMessage('a', headers), forbidden);
  assertProblem(await queue.request('POST', '/purge', { headers }), forbidden);
  assertProblem(await queue.request('DELETE', '', { headers }), forbidden);
  assert.equal((await queue.figures()).accepted_total, 0);
});

test('a page of this server is not of another site', async () => {
  const queue = await tide.queue();
  const answer = await queue.postMessage('a', { origin: tide.url });
  assert.equal(answer.status, 202, String(answer));
});

test('a change of the origins holds from the answer on', async () => {
  const queue = await tide.queue({ cors_origins: [] });
  assert.equal((await queue.postMessage('a', { origin: SHOP })).status, 403);
  await queue.configure({ cors_origins: [SHOP] });
  assert.equal((await queue.postMessage('a', { origin: SHOP })).status, 202);
  await queue.configure({ cors_origins: [] });
  assert.equal((await queue.postMessage('a', { origin: SHOP })).status, 403);
});

test('the server says that it is well', async () => {
  const answer = await tide.request('GET', '/healthz');
  assert.equal(answer.status, 200);
});

test('the OpenAPI document lists every path with its methods', async () => {
  const answer = await tide.request('GET', '/v1/openapi.json');
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-type'], /^application\/(vnd\.oai\.openapi\+)?json\b/);
  const { openapi, info, paths } = answer.json;
  assert.match(openapi, /^3\./);
  assert.ok(info.title && info.version);
  // The names of the parameters are the document's own.
  const bare = (path) => path.replace(/\{[^}]*\}/g, '{}');
  const listed = new Map(Object.entries(paths).map(([path, item]) => [bare(path), item]));
  for (const [template, methods] of PATHS.filter(([path]) => path !== '/v1/openapi.json')) {
    const item = listed.get(bare(template));
    assert.ok(item, `${template} is listed`);
    for (const method of methods) assert.ok(item[method.toLowerCase()], `${method} ${template}`);
  }
});

test('the metrics tell what happened to a queue', async () => {
  const queue = await tide.queue({ delivery: { max_attempts: 1 } });
  await queue.batch(['aa', 'bb', 'cc', 'dd'].map((body) => ({ body })));
  const { messages } = await queue.pull({ batch_size: 3 });
  await queue.ack(messages[0]);
  await queue.retry(messages[1]);
  const answer = await tide.request('GET', '/metrics');
  assert.match(answer.headers['content-type'], /^text\/plain\b/);
  for (const [name, value] of [
    ['tidegate_accepted_total', 4], ['tidegate_delivered_total', 3], ['tidegate_acked_total', 1],
    ['tidegate_dead_total', 1], ['tidegate_backlog_messages', 2], ['tidegate_backlog_bytes', 4],
    ['tidegate_in_flight_messages', 1],
  ]) {
    assert.equal(await tide.metricSum(name, queue.name), value, name);
  }
  for (const name of [
    'tidegate_oldest_message_age_seconds', 'tidegate_object_requests_total',
    'tidegate_rows_written_total', 'tidegate_rows_read_total', 'tidegate_commits_total',
  ]) {
    const [sample] = await tide.metric(name, queue.name);
    assert.ok(sample?.value >= 0, name);
  }
  const [memory] = await tide.metric('tidegate_wasm_memory_bytes');
  assert.ok(memory.value >= 65_536);
});
