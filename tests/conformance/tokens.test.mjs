// Tokens: what they may, for how long, whose keys are taken, and how narrower ones are made.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { connect } from '../harness/socket.mjs';
import { bearer, inSeconds, jwt } from './jwt.mjs';
import { Tide, assertProblem } from './support.mjs';

const ADMIN = 'correct-horse-battery-staple';
const SECRET = 'a secret of thirty-two bytes or more';
const UNAUTHORIZED = { status: 401, type: 'unauthorized' };
const FORBIDDEN = { status: 403, type: 'forbidden' };

const token = (scope, claims = {}) => jwt({ scope, ...claims }, SECRET);
/** A token that ends so soon from now: the leeway of 30 s is over by then. */
const ending = (scope, seconds) => token(scope, { exp: Date.now() / 1000 - 30 + seconds });

describe('tokens of the deployment', () => {
  const tide = new Tide();
  before(() => tide.start({ ADMIN_TOKEN: ADMIN, TOKEN_SECRET: SECRET }));
  after(() => tide.stop());

  const ask = (method, path, as, options = {}) =>
    tide.request(method, path, { ...options, headers: { ...bearer(as), ...options.headers } });
  const make = (as, json) => ask('POST', '/v1/tokens', as, { json });

  test('lists show what a token has a scope for', async () => {
    for (const name of ['eu-orders', 'eu-orders%2Fdead', 'us-orders']) {
      for (const kind of ['queues', 'topics']) {
        assert.equal((await ask('PUT', `/v1/${kind}/${name}`, ADMIN, { json: {} })).status, 201);
      }
    }
    for (const kind of ['queues', 'topics']) {
      for (const [scope, names] of [
        ['observe:eu-*', ['eu-orders']],
        ['manage:eu-orders/#', ['eu-orders', 'eu-orders/dead']],
        ['observe:*', ['eu-orders', 'eu-orders/dead', 'us-orders']],
        ['observe:other', []], ['publish:*', []], ['', []],
      ]) {
        const { json } = await ask('GET', `/v1/${kind}`, token(scope));
        assert.deepEqual(json[kind].map(({ name }) => name), names, scope);
      }
      const first = await ask('GET', `/v1/${kind}?limit=1`, token('manage:eu-orders/#'));
      assert.equal(first.json.cursor, 'eu-orders');
      const path = `/v1/${kind}?limit=1&cursor=${first.json.cursor}`;
      const last = await ask('GET', path, token('manage:eu-orders/#'));
      assert.deepEqual(last.json[kind].map(({ name }) => name), ['eu-orders/dead']);
      assert.equal(last.json.cursor, undefined, 'nothing is told of what is not seen');
    }
  });

  test('a token makes a narrower one, for no longer', async () => {
    const made = await make(ADMIN, { scope: 'publish:sale/# observe:sale', expires_in_ms: 60_000 });
    assert.equal(made.status, 201, String(made));
    assert.equal(made.headers['cache-control'], 'no-store');
    const maker = made.json;
    assert.ok(Math.abs(maker.expires_at_ms - Date.now() - 60_000) < 2_000);
    const child = await make(maker.token, { scope: 'publish:sale/eu', expires_in_ms: 3_600_000 });
    assert.equal(child.json.expires_at_ms, maker.expires_at_ms);
    assertProblem(await make(maker.token, { scope: 'publish:*' }), { ...FORBIDDEN, field: 'scope' });
    assertProblem(await make(child.json.token, { scope: 'publish:sale/us' }), FORBIDDEN);
    assertProblem(await make(maker.token, { scope: 'consume:sale' }), FORBIDDEN);
    const path = '/v1/queues/sale%2Feu/messages';
    assert.equal((await ask('POST', path, child.json.token, { body: 'a' })).status, 202);
    const other = '/v1/queues/sale%2Fus/messages';
    assertProblem(await ask('POST', other, child.json.token, { body: 'a' }), FORBIDDEN);
    for (const [json, field] of [
      [{}, 'scope'], [{ scope: 'everything' }, 'scope'], [{ scope: 'publish:a', for: 5 }, 'for'],
      [{ scope: 'publish:a', expires_in_ms: 1 }, 'expires_in_ms'],
    ]) {
      assertProblem(await make(ADMIN, json), { status: 400, type: 'bad-request', field });
    }
  });

  test('a token for a key publishes under that key alone, in every way there is', async () => {
    const anna = (await make(ADMIN, { scope: 'publish:*', key: 'anna' })).json.token;
    for (const kind of ['queues', 'topics']) {
      const path = `/v1/${kind}/keyed/messages`;
      const send = (key, body = 'x') =>
        ask('POST', path, anna, { body, headers: key ? { 'tidegate-key': key } : {} });
      assert.equal((await send('anna')).status, 202);
      assert.equal((await send()).status, 202);
      const large = 'x'.repeat(50_000);
      assert.equal((await send(undefined, large)).status, 202);
      for (const body of ['x', large]) {
        assertProblem(await send('bert', body), { ...FORBIDDEN, field: 'Tidegate-Key' });
      }
      const messages = [{ body: 'a' }, { body: 'b', key: 'bert' }, { body: 'c', key: 'anna' }];
      const { json } = await ask('POST', `${path}/batch`, anna, { json: { messages } });
      assert.deepEqual(json.messages.map(({ error }) => error?.type), [undefined, 'forbidden', undefined]);
      const held = await ask('GET', path, ADMIN);
      assert.deepEqual(held.json.messages.map(({ key }) => key), Array(5).fill('anna'));
    }
    assertProblem(await make(anna, { scope: 'publish:a', key: 'bert' }), { ...FORBIDDEN, field: 'key' });
  });

  test('who manages sends messages only where they may publish', async () => {
    const json = { delivery: { dead_letter_queue: 'theirs' } };
    const mine = token('manage:mine');
    assertProblem(await ask('PUT', '/v1/queues/mine', mine, { json }), FORBIDDEN);
    const both = token('manage:mine publish:theirs');
    assert.equal((await ask('PUT', '/v1/queues/mine', both, { json })).status, 201);
    const target = { target: { queue: 'theirs' } };
    await ask('PUT', '/v1/topics/mine', mine, { json: {} });
    const path = '/v1/topics/mine/subscriptions/s';
    assertProblem(await ask('PUT', path, mine, { json: target }), FORBIDDEN);
    assert.equal((await ask('PUT', path, both, { json: target })).status, 201);
  });

  test('a pull answers before its token ends', async () => {
    await ask('POST', '/v1/queues/empty/messages', ADMIN, { body: 'a' });
    await ask('POST', '/v1/queues/empty/purge', ADMIN);
    const begin = Date.now();
    const pull = { json: { wait_ms: 20_000 } };
    const answer = await ask('POST', '/v1/queues/empty/messages/pull', ending('consume:*', 2), pull);
    assert.equal(answer.status, 200, String(answer));
    assert.ok(Date.now() - begin < 5_000, `${Date.now() - begin} ms`);
  });

  test('event streams and sockets end with their token, and say so', async () => {
    await ask('PUT', '/v1/topics/live', ADMIN, { json: {} });
    const sent = await ask('POST', '/v1/queues/live/messages', ADMIN, { body: 'a' });
    for (const path of ['/v1/topics/live/events', sent.headers.location]) {
      const as = ending('subscribe:* publish:*', 2);
      let last;
      for await (const event of tide.client.events(`${path}?access_token=${as}`)) last = event;
      assert.equal(last.event, 'problem', path);
      assert.equal(JSON.parse(last.data).type, 'unauthorized');
    }
    const socket = await connect(`${tide.url}/v1/topics/live/socket`, bearer(ending('subscribe:*', 2)));
    const frame = await socket.next();
    assert.equal(frame.problem.type, 'unauthorized', JSON.stringify(frame));
    assert.equal(await socket.next(), null);
    assert.equal(socket.code, 1008);
  });

  test('who does not answer a close of their socket publishes nothing more', async () => {
    const figure = async () => (await ask('GET', '/v1/topics/stays', ADMIN)).json.accepted_total;
    await ask('PUT', '/v1/topics/stays', ADMIN, { json: {} });
    const socket = await connect(`${tide.url}/v1/topics/stays/socket`, bearer(ending('publish:*', 2)));
    socket.stream.end = () => {};
    socket.send({ type: 'publish', body: 'in time' });
    assert.equal((await socket.next()).type, 'ack');
    assert.equal((await socket.next()).problem.type, 'unauthorized');
    for (let n = 0; n < 20; n++) socket.send({ type: 'publish', ref: n, body: 'late' });
    assert.equal(await socket.next(500) ?? null, null);
    assert.equal(await figure(), 1);
    socket.cut();
  });

  test('a list shows what could be seen one by one', async () => {
    await ask('PUT', '/v1/queues/listed', ADMIN, { json: {} });
    await ask('PUT', '/v1/topics/listed', ADMIN, { json: {} });
    for (const [verb, queues, topics] of [
      ['publish', 0, 0], ['consume', 1, 0], ['subscribe', 0, 1], ['observe', 1, 1], ['manage', 1, 1],
    ]) {
      const as = token(`${verb}:listed`);
      const list = async (kind) => (await ask('GET', `/v1/${kind}`, as)).json[kind].length;
      assert.deepEqual([await list('queues'), await list('topics')], [queues, topics], verb);
      for (const [kind, count] of [['queues', queues], ['topics', topics]]) {
        const one = await ask('GET', `/v1/${kind}/listed`, as);
        assert.equal(one.status, count === 1 ? 200 : 403, `${verb}: ${kind}`);
      }
    }
  });

  test('each frame of a socket needs its scope', async () => {
    const as = token('publish:chat/a subscribe:chat/#');
    const socket = await connect(`${tide.url}/v1/topics/chat%2Fa/socket?access_token=${as}`);
    const say = async (frame) => {
      socket.send(frame);
      return socket.next();
    };
    assert.equal((await say({ type: 'publish', ref: 1, body: 'x' })).type, 'ack');
    const other = await say({ type: 'publish', ref: 2, topic: 'chat/b', body: 'x' });
    assert.equal(other.problem.type, 'forbidden', JSON.stringify(other));
    assert.equal((await say({ type: 'subscribe', ref: 3 })).type, 'subscribed');
    const foreign = await say({ type: 'subscribe', ref: 4, topic: 'other' });
    assert.equal(foreign.problem.type, 'forbidden');
    socket.cut();
    await assert.rejects(connect(`${tide.url}/v1/topics/chat%2Fa/socket?access_token=x`), /401/);
    const narrow = token('consume:*');
    await assert.rejects(connect(`${tide.url}/v1/topics/x/socket?access_token=${narrow}`), /403/);
  });

  test('a refusal from memory is for those alone whose token counts', async () => {
    const path = '/v1/queues/full/messages';
    const json = { capacity: { max_messages: 0 } };
    assert.equal((await ask('PUT', '/v1/queues/full', ADMIN, { json })).status, 201);
    const publish = async (as) => (await ask('POST', path, as, { body: 'a' })).status;
    const good = ending('publish:full', 2);
    const until = Date.now() + 3_000;
    const seen = new Set();
    while (Date.now() < until) {
      seen.add(await publish(good));
      assert.equal(await publish(token('publish:other')), 403);
      assert.equal(await publish(`${good}x`), 401);
    }
    assert.deepEqual([...seen], [429, 401], 'refused while it counts, not let in afterwards');
  });
});

describe('tokens of a key set', () => {
  const tide = new Tide();
  const keys = {
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    EdDSA: generateKeyPairSync('ed25519'),
  };
  const foreign = generateKeyPairSync('ed25519');
  const jwk = ({ publicKey }, more) => ({ ...publicKey.export({ format: 'jwk' }), ...more });
  const all = () => Object.entries(keys).map(([alg, pair]) => jwk(pair, { kid: alg, alg, use: 'sig' }));
  let answer = {};
  let reads = 0;
  const idp = http.createServer((request, response) => {
    reads += 1;
    response.writeHead(answer.status ?? 200, answer.headers);
    response.end(answer.body ?? JSON.stringify({ keys: answer.keys ?? all() }));
  });

  before(async () => {
    await new Promise((resolve) => idp.listen(0, '127.0.0.1', resolve));
    const JWKS_URL = `http://127.0.0.1:${idp.address().port}/keys`;
    await tide.start({ JWKS_URL, TOKEN_AUDIENCE: 'tide', TOKEN_ISSUER: 'https://id.example' });
  });
  after(async () => {
    await tide.stop();
    idp.close();
  });

  const claims = { scope: 'publish:a observe:a', aud: 'tide', iss: 'https://id.example' };
  const signed = (alg, header = {}, more = {}) =>
    jwt({ ...claims, ...more }, (header.pair ?? keys[alg]).privateKey, { alg, kid: alg, ...header, pair: undefined });
  const publish = (as) => tide.request('POST', '/v1/queues/a/messages', { headers: bearer(as), body: 'x' });

  test('without the keys nobody is let in, and it is not the token that is at fault', async () => {
    for (const it of [
      { status: 500 }, { body: '<html>' }, { body: `{"keys":[${'1,'.repeat(40_000)}1]}` },
      { status: 302, headers: { location: '/keys' } },
    ]) {
      answer = it;
      assertProblem(await publish(signed('ES256')), { status: 503, type: 'unavailable' });
      await sleep(1_100);
    }
    answer = {};
  });

  test('every algorithm is taken, and the key set is read once', async () => {
    reads = 0;
    const tokens = ['ES256', 'RS256', 'EdDSA'].map((alg) => signed(alg));
    const crowd = [...tokens, ...tokens, ...tokens].map((it) => publish(it));
    for (const one of await Promise.all(crowd)) assert.equal(one.status, 202, String(one));
    assert.equal(reads, 1);
    for (const it of tokens) assert.equal((await publish(it)).status, 202);
  });

  test('what is not right about a token is refused', async () => {
    const secret = keys.RS256.publicKey.export({ type: 'spki', format: 'pem' });
    for (const [name, bad] of [
      ['another key', signed('EdDSA', { pair: foreign })],
      ['a changed one', `${signed('ES256').slice(0, -8)}AAAAAAAA`],
      ['the key of another algorithm', signed('ES256', { kid: 'RS256' })],
      ['a public key as a secret', jwt(claims, secret, { alg: 'HS256', kid: 'RS256' })],
      ['none', jwt(claims, '', { alg: 'none', kid: 'RS256' })],
      ['an unknown kid', signed('EdDSA', { kid: 'x' })],
      ['crit', signed('EdDSA', { crit: ['b64'], b64: false })],
      ['another aud', signed('EdDSA', {}, { aud: 'shop' })],
      ['another iss', signed('EdDSA', {}, { iss: 'https://evil.example' })],
      ['expired', signed('EdDSA', {}, { exp: inSeconds(-31) })],
      ['no exp', signed('EdDSA', {}, { exp: undefined })],
    ]) {
      const refused = await publish(bad);
      assert.equal(refused.status, 401, `${name}: ${refused}`);
      assertProblem(refused, UNAUTHORIZED);
    }
    const narrow = await tide.request('GET', '/v1/queues/b', { headers: bearer(signed('EdDSA')) });
    assertProblem(narrow, FORBIDDEN);
    const none = await tide.request('POST', '/v1/tokens', {
      headers: bearer(signed('EdDSA')), json: { scope: 'publish:a' },
    });
    assertProblem(none, { status: 404, type: 'not-found' });
  });

  test('made-up keys do not have the set read again and again', async () => {
    const before = reads;
    for (let i = 0; i < 50; i += 1) {
      assert.equal((await publish(signed('EdDSA', { kid: `k${i}` }))).status, 401);
    }
    assert.ok(reads - before <= 1, `${reads - before} times`);
  });
});
