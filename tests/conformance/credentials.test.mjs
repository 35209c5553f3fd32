// Who may: the deployment's own token where one is set, everybody on loopback where none is, nobody
// anywhere else. What tokens of a scope may is in routes.test.mjs and tokens.test.mjs.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { bearer, routesOf } from './jwt.mjs';
import { Tide, assertProblem, until } from './support.mjs';

const TOKEN = 'correct-horse-battery-staple';
const UNAUTHORIZED = { status: 401, type: 'unauthorized' };

/** The routes: of a server that lets nobody in they cannot be asked. */
const DOCUMENT = new URL('../../src/protocol/http/openapi.json', import.meta.url);

describe('with an ADMIN_TOKEN', () => {
  const tide = new Tide();
  before(() => tide.start({ ADMIN_TOKEN: TOKEN }));
  after(() => tide.stop());

  test('the token opens everything', async () => {
    const headers = bearer(TOKEN);
    const body = 'a';
    const answer = await tide.request('POST', '/v1/queues/q/messages', { headers, body });
    assert.equal(answer.status, 202, String(answer));
    assert.equal((await tide.request('GET', '/v1/queues/q', { headers })).json.depth, 1);
    assert.equal((await tide.request('GET', '/metrics', { headers })).status, 200);
  });

  test('the word Bearer has no case', async () => {
    const headers = { authorization: `bearer ${TOKEN}` };
    assert.equal((await tide.request('GET', '/v1/queues', { headers })).status, 200);
  });

  test('a wrong token is no token', async () => {
    for (const authorization of [
      `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(0, -1)}`, `Bearer ${TOKEN.toUpperCase()}`,
      `Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}`, 'Bearer ', 'Bearer', TOKEN,
      `Bearer ${TOKEN} x`,
    ]) {
      const answer = await tide.request('GET', '/v1/queues', { headers: { authorization } });
      assertProblem(answer, UNAUTHORIZED);
    }
  });

  test('what was refused changed nothing', async () => {
    const headers = bearer(TOKEN);
    const path = '/v1/queues/untouched';
    await tide.request('POST', `${path}/messages`, { body: 'a' });
    await tide.request('PUT', path, { json: {} });
    const answer = await tide.request('GET', path, { headers });
    assertProblem(answer, { status: 404, type: 'not-found' });
  });

  test('the server says that it is well to everybody', async () => {
    assert.equal((await tide.request('GET', '/healthz')).status, 200);
  });

  test('an event stream may carry its token in the URL', async () => {
    const headers = bearer(TOKEN);
    const sent = await tide.request('POST', '/v1/queues/stream/messages', { headers, body: 'a' });
    const path = sent.headers.location;
    const events = tide.client.events(`${path}?access_token=${TOKEN}`);
    const { value } = await events.next();
    assert.equal(JSON.parse(value.data).state, 'queued');
    await events.return();
    await assert.rejects(tide.client.events(path).next(), (error) => error.answer.status === 401);
    const wrong = tide.client.events(`${path}?access_token=wrong`).next();
    await assert.rejects(wrong, (error) => error.answer.status === 401);
  });

  test('anything else may not', async () => {
    const query = `?access_token=${TOKEN}`;
    assertProblem(await tide.request('GET', `/v1/queues${query}`), UNAUTHORIZED);
    const publish = await tide.request('POST', `/v1/queues/q/messages${query}`, { body: 'a' });
    assertProblem(publish, UNAUTHORIZED);
  });

  test('a preflight needs no token', async () => {
    const headers = { origin: 'https://shop.example', 'access-control-request-method': 'POST' };
    const configured = await tide.request('PUT', '/v1/queues/shop', {
      headers: bearer(TOKEN), json: { cors_origins: ['https://shop.example'] },
    });
    assert.equal(configured.status, 201, String(configured));
    const answer = await tide.request('OPTIONS', '/v1/queues/shop/messages', { headers });
    assert.equal(answer.headers['access-control-allow-origin'], 'https://shop.example');
  });

  for (const kind of ['queues', 'topics']) {
    test(`preflights of made-up ${kind} make few of them, and keep nobody out who is known`, async () => {
      const origin = 'https://shop.example';
      const known = tide.name();
      await tide.request('PUT', `/v1/${kind}/${known}`, {
        headers: bearer(TOKEN), json: { cors_origins: [origin] },
      });
      const preflight = (name) => tide.request('OPTIONS', `/v1/${kind}/${name}/messages`, {
        headers: { origin, 'access-control-request-method': 'POST' },
      });
      const allowed = ({ headers }) => headers['access-control-allow-origin'];
      await until(async () => allowed(await preflight(known)) === origin, { what: 'it is asked' });
      const objects = () => readdirSync(`${tide.server.dataDir}/tidegate-${kind.slice(0, -1)}`)
        .filter((name) => name.endsWith('.sqlite')).length;
      const before = objects();
      const seconds = new Set();
      for (let n = 0; n < 300; n += 1) {
        const answer = await preflight(`made-up-${n}`);
        assert.equal(answer.status, 204);
        assert.equal(allowed(answer), undefined);
        seconds.add(Math.floor(Date.now() / 1_000));
      }
      assert.ok(objects() - before <= 16 * (seconds.size + 1), `${objects() - before} objects`);
      assert.equal(allowed(await preflight(known)), origin);
    });
  }
});

describe('with nothing set, beyond loopback', () => {
  const tide = new Tide();
  // An address of this machine that is not written as one: the local default is for those alone.
  before(() => tide.start({ HOST: '127.1' }));
  after(() => tide.stop());

  test('nothing passes, and the answer says what to set', async () => {
    const document = JSON.parse(readFileSync(DOCUMENT, 'utf8'));
    for (const { method: asked, path } of routesOf(document)) {
      if (path === '/healthz') continue;
      const method = asked === 'HEAD' ? 'GET' : asked;
      for (const headers of [{}, bearer('anything'), bearer('')]) {
        const answer = await tide.request(method, path, { headers });
        assert.ok(answer.status === 401 || answer.status === 403, `${method} ${path}: ${answer}`);
        assert.match(answer.headers['content-type'], /^application\/problem\+json\b/);
        assert.match(answer.json.detail, /ADMIN_TOKEN/);
      }
    }
  });

  test('nor does a preflight', async () => {
    const headers = { origin: 'https://shop.example', 'access-control-request-method': 'POST' };
    for (const path of ['/v1/queues/q/messages', '/v1/topics/t/messages', '/v1/queues']) {
      assertProblem(await tide.request('OPTIONS', path, { headers }), UNAUTHORIZED);
    }
  });

  test('the server says that it is well', async () => {
    assert.equal((await tide.request('GET', '/healthz')).status, 200);
  });
});

describe('with nothing set, on loopback', () => {
  const tide = new Tide();
  before(() => tide.start());
  after(() => tide.stop());

  test('everybody on this machine may', async () => {
    const answer = await tide.request('POST', '/v1/queues/q/messages', { body: 'a' });
    assert.equal(answer.status, 202, String(answer));
  });

  test('a page of another site on this machine may not', async () => {
    const headers = { origin: 'https://evil.example' };
    const answer = await tide.request('POST', '/v1/queues/q/messages', { headers, body: 'a' });
    assertProblem(answer, { status: 403, type: 'forbidden' });
  });

  test('a name that was made to point at this machine opens nothing', async () => {
    const headers = { host: 'evil.example' };
    const path = '/v1/queues/rebound/messages';
    const answer = await tide.request('POST', path, { headers, body: 'a' });
    assert.ok(answer.status === 401 || answer.status === 403, String(answer));
  });
});

describe('with AUTH = none said, beyond loopback', () => {
  const tide = new Tide();
  before(() => tide.start({ HOST: '127.1', AUTH: 'none' }));
  after(() => tide.stop());

  test('nothing passes: it holds on loopback only, and the answer says so', async () => {
    const answer = await tide.request('POST', '/v1/queues/q/messages', { body: 'a' });
    assert.ok(answer.status === 401 || answer.status === 403, String(answer));
    assert.match(answer.json.detail, /loopback/);
    assert.match(answer.json.detail, /ADMIN_TOKEN/);
  });
});
