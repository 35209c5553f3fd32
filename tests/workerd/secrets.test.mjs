// What is secret goes nowhere: every route is asked with marks in each place that a secret or a
// message may be in, and neither the server's whole output, nor its metrics, nor a problem has one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, jwt, routesOf } from '../conformance/jwt.mjs';
import { api } from '../harness/api.mjs';
import { startServer } from '../harness/server.mjs';

const ADMIN_TOKEN = 'mark-admin-0123456789-0123456789';
const TOKEN_SECRET = 'mark-secret-0123456789-0123456789';
/** In a body, a header, a query; a part of each token there is. */
const MARKS = {
  body: 'mark-body-5f1d', key: 'mark-key-77aa', idempotency: 'mark-once-19c2', attribute: 'mark-attr-8e60',
  query: 'mark-query-c3b4', cookie: 'mark-cookie-2d9e', wrong: 'mark-wrong-6b05',
};
/** Bodies by what they are taken for. */
const BODIES = [
  ['text/plain', MARKS.body],
  ['application/json', JSON.stringify({ [MARKS.body]: MARKS.body, messages: [{ body: MARKS.body }], push: { url: `http://${MARKS.body}/`, secret: MARKS.body } })],
  ['application/json', `{"${MARKS.body}`],
];

test('no mark is in the log, the metrics, or a problem', async (t) => {
  const server = await startServer({ env: { ADMIN_TOKEN, TOKEN_SECRET } });
  t.after(() => server.stop());
  const tide = api(server.url);
  const signed = jwt({ scope: 'publish:* consume:* subscribe:*' }, TOKEN_SECRET);
  const foreign = jwt({ scope: 'publish:*' }, `${TOKEN_SECRET}!`);
  const document = await tide.request('GET', '/v1/openapi.json', { headers: bearer(ADMIN_TOKEN) });
  const routes = routesOf(document.json);
  assert.ok(routes.length > 35, `${routes.length} routes`);
  const secrets = [
    ADMIN_TOKEN, TOKEN_SECRET, ...Object.values(MARKS),
    ...[signed, foreign].flatMap((token) => token.split('.').slice(1)),
  ];
  const found = (text) => secrets.filter((secret) => text.includes(secret));

  const ask = async ({ method, path }, token, [type, body]) => {
    const url = `${path}?access_token=${MARKS.query}&${MARKS.query}=${MARKS.query}`;
    const headers = {
      ...(token === undefined ? {} : bearer(token)),
      'content-type': type, cookie: MARKS.cookie, 'tidegate-key': MARKS.key,
      'idempotency-key': MARKS.idempotency, 'tidegate-attr-a': MARKS.attribute,
    };
    const takesBody = !['GET', 'HEAD', 'DELETE'].includes(method);
    const answer = await fetch(server.url + url, { method, headers, body: takesBody ? body : undefined });
    const text = await answer.text();
    const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json');
    // What a request says of itself may be named to it: a field that does not exist.
    const own = new Set(isProblem && answer.status === 400 ? [MARKS.body, MARKS.query] : []);
    const shown = isProblem ? found(text).filter((secret) => !own.has(secret)) : [];
    assert.deepEqual(shown, [], `${method} ${path}: ${text}`);
    return answer.status;
  };
  const statuses = new Set();
  for (const route of routes) {
    for (const token of [undefined, MARKS.wrong, foreign, signed, ADMIN_TOKEN]) {
      for (const body of BODIES) statuses.add(await ask(route, token, body));
    }
  }
  assert.ok([202, 400, 401, 403].every((status) => statuses.has(status)), `${[...statuses]}`);
  const metrics = await tide.request('GET', '/metrics', { headers: bearer(ADMIN_TOKEN) });
  assert.equal(metrics.status, 200);
  assert.deepEqual(found(metrics.text), []);
  assert.ok(server.logs().includes('access_refused'), 'there is a log');
  assert.deepEqual(found(server.logs()), [], server.logs().slice(0, 2_000));
});
