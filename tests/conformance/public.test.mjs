// Queues that everybody may publish to: nothing else of them is open, and each address has its rate.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { bearer } from './jwt.mjs';
import { Tide, assertProblem, until } from './support.mjs';

const ADMIN = 'correct-horse-battery-staple';
const UNAUTHORIZED = { status: 401, type: 'unauthorized' };
const LIMITED = { status: 429, type: 'rate-limited' };

describe('a public queue', () => {
  const tide = new Tide();
  before(() => tide.start({ ADMIN_TOKEN: ADMIN }));
  after(() => tide.stop());

  const as = (options = {}) => ({ ...options, headers: { ...bearer(ADMIN), ...options.headers } });
  const configure = (queue, json) => tide.request('PUT', `/v1/queues/${queue}`, as({ json }));
  const publish = (queue, options = {}) =>
    tide.request('POST', `/v1/queues/${queue}/messages`, { body: 'x', ...options });
  const open = async (access = {}, more = {}) => {
    const queue = tide.name();
    const answer = await configure(queue, { ...more, access: { publish: 'public', ...access } });
    assert.equal(answer.status, 201, String(answer));
    return queue;
  };
  const pulled = async (queue) =>
    (await tide.request('GET', `/v1/queues/${queue}`, as())).json.accepted_total;

  test('takes a publish without credentials, and one with a token as ever', async () => {
    const queue = await open();
    assert.equal((await publish(queue)).status, 202);
    assert.equal((await publish(queue, { body: 'x'.repeat(50_000) })).status, 202);
    assert.equal((await publish(queue, as())).status, 202);
    assert.equal((await publish(queue, { headers: { 'tidegate-key': 'k' } })).status, 202);
    assert.equal(await pulled(queue), 4);
    // A wrong token is wrong, whatever goes without one.
    assertProblem(await publish(queue, { headers: bearer('wrong') }), UNAUTHORIZED);
  });

  test('opens nothing else, and no other queue', async () => {
    const queue = await open();
    const { headers } = await publish(queue);
    for (const [method, path, options] of [
      ['GET', ''], ['PUT', '', { json: {} }], ['DELETE', ''], ['GET', '/messages'],
      ['POST', '/messages/batch', { json: { messages: [{ body: 'x' }] } }],
      ['POST', '/messages/pull', { json: {} }], ['POST', '/purge'],
    ]) {
      const answer = await tide.request(method, `/v1/queues/${queue}${path}`, options);
      assertProblem(answer, UNAUTHORIZED);
    }
    assertProblem(await tide.request('GET', headers.location), UNAUTHORIZED);
    for (const other of [tide.name(), `${queue}x`]) assertProblem(await publish(other), UNAUTHORIZED);
    assertProblem(await tide.request('POST', `/v1/topics/${queue}/messages`, { body: 'x' }), UNAUTHORIZED);
    const unmade = await tide.request('GET', `/v1/queues/${queue}x`, as());
    assertProblem(unmade, { status: 404, type: 'not-found' });
  });

  test('goes private at once, and public within a second', async () => {
    const queue = await open();
    assert.equal((await publish(queue)).status, 202);
    for (let round = 0; round < 3; round += 1) {
      await configure(queue, { access: { publish: 'token' } });
      assertProblem(await publish(queue), UNAUTHORIZED);
      await configure(queue, { access: { publish: 'public' } });
      await until(async () => (await publish(queue)).status === 202, 5_000);
    }
  });

  test('lets an address publish at its rate, and says when again', async () => {
    const rate = { rate_per_address: { per_second: 0.5, burst: 3 } };
    const queue = await open(rate);
    const statuses = [];
    for (let i = 0; i < 8; i += 1) statuses.push((await publish(queue)).status);
    assert.deepEqual(statuses, [202, 202, 202, 429, 429, 429, 429, 429]);
    const refused = assertProblem(await publish(queue), LIMITED);
    assert.ok(refused.retry_after_ms <= 2_000, JSON.stringify(refused));
    // Whatever a client says of itself.
    for (const name of ['cf-connecting-ip', 'x-forwarded-for', '@client']) {
      const headers = { [name]: '192.0.2.7' };
      const answer = name === '@client' ? null : await publish(queue, { headers });
      if (answer !== null) assertProblem(answer, LIMITED);
    }
    assert.equal((await from(queue, '127.0.0.2')).statusCode, 202, 'another address');
    assert.equal((await publish(queue, as())).status, 202, 'with a token');
    assert.equal(await pulled(queue), 5);
  });

  test('is refused from memory like any other when it is full', async () => {
    const queue = await open({}, { capacity: { max_messages: 1 } });
    assert.equal((await publish(queue)).status, 202);
    const full = { status: 429, type: 'queue-full' };
    for (let i = 0; i < 20; i += 1) assertProblem(await publish(queue), full);
    const last = await publish(queue);
    assert.equal(last.headers['tidegate-decided-by'], 'edge');
  });

  /** A publish from another address of this machine. */
  function from(queue, localAddress) {
    const { hostname, port } = new URL(tide.url);
    const path = `/v1/queues/${queue}/messages`;
    return new Promise((resolve, reject) => {
      const request = http.request({ hostname, port, path, method: 'POST', localAddress }, resolve);
      request.on('error', reject);
      request.end('x');
    });
  }
});

describe('behind a proxy that names clients', () => {
  const tide = new Tide();
  before(() => tide.start({ ADMIN_TOKEN: ADMIN, CLIENT_ADDRESS_HEADER: 'X-Forwarded-For' }));
  after(() => tide.stop());

  test('the last entry of its header counts', async () => {
    const json = { access: { publish: 'public', rate_per_address: { per_second: 0.01, burst: 1 } } };
    await tide.request('PUT', '/v1/queues/q', { headers: bearer(ADMIN), json });
    const publish = async (addresses) => {
      const headers = { 'x-forwarded-for': addresses };
      return (await tide.request('POST', '/v1/queues/q/messages', { headers, body: 'x' })).status;
    };
    assert.equal(await publish('192.0.2.1'), 202);
    assert.equal(await publish('192.0.2.1'), 429);
    assert.equal(await publish('192.0.2.9, 192.0.2.1'), 429);
    assert.equal(await publish('192.0.2.1, 192.0.2.2'), 202);
  });
});
