// Who may: a token where one is set, everybody on loopback where none is, nobody anywhere else.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Tide, assertProblem } from './support.mjs';

const TOKEN = 'correct-horse-battery-staple';
const UNAUTHORIZED = { status: 401, type: 'unauthorized' };

const bearer = (token) => ({ authorization: `Bearer ${token}` });

const ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

/** One request of every kind, none of which may pass. */
const EVERYTHING = [
  ['GET', '/v1/queues'], ['PUT', '/v1/queues/q'], ['GET', '/v1/queues/q'],
  ['DELETE', '/v1/queues/q'],
  ['POST', '/v1/queues/q/messages'], ['POST', '/v1/queues/q/messages/batch'],
  ['POST', '/v1/queues/q/messages/pull'], ['POST', '/v1/queues/q/messages/ack'],
  ['GET', '/v1/queues/q/messages'], ['GET', `/v1/queues/q/messages/${ID}`],
  ['DELETE', `/v1/queues/q/messages/${ID}`], ['POST', `/v1/queues/q/messages/${ID}/confirm`],
  ['POST', '/v1/queues/q/purge'], ['POST', '/v1/queues/q/pause'],
  ['POST', '/v1/queues/q/resume'], ['POST', '/v1/queues/q/redrive'],
  ['POST', '/v1/queues/q/tickets/rotate'],
  ['GET', '/v1/topics'], ['PUT', '/v1/topics/t'], ['GET', '/v1/topics/t'],
  ['DELETE', '/v1/topics/t'], ['POST', '/v1/topics/t/messages'],
  ['POST', '/v1/topics/t/messages/batch'], ['GET', '/v1/topics/t/messages'],
  ['GET', '/v1/topics/t/events'], ['GET', '/v1/topics/t/socket'],
  ['GET', '/v1/topics/t/subscriptions'], ['PUT', '/v1/topics/t/subscriptions/s'],
  ['GET', '/v1/topics/t/subscriptions/s'], ['DELETE', '/v1/topics/t/subscriptions/s'],
  ['POST', '/v1/topics/t/subscriptions/s/pull'], ['POST', '/v1/topics/t/subscriptions/s/ack'],
  ['POST', '/v1/topics/t/subscriptions/s/seek'], ['GET', '/metrics'],
];

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

  test('without a token nothing passes', async () => {
    for (const [method, path] of EVERYTHING) {
      const answer = await tide.request(method, path);
      assertProblem(answer, UNAUTHORIZED);
      assert.match(String(answer.headers['www-authenticate']), /^Bearer\b/, `${method} ${path}`);
    }
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
});

describe('with nothing set, beyond loopback', () => {
  const tide = new Tide();
  // An address of this machine that is not written as one: the local default is for those alone.
  before(() => tide.start({ HOST: '127.1' }));
  after(() => tide.stop());

  test('nothing passes, and the answer says what to set', async () => {
    const everything = [...EVERYTHING, ['GET', '/.well-known/jwks.json']];
    for (const [method, path] of everything) {
      for (const headers of [{}, bearer('anything'), bearer('')]) {
        const answer = await tide.request(method, path, { headers });
        assert.ok(answer.status === 401 || answer.status === 403, `${method} ${path}: ${answer}`);
        assert.match(answer.headers['content-type'], /^application\/problem\+json\b/);
        assert.match(answer.json.detail, /ADMIN_TOKEN/);
      }
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
