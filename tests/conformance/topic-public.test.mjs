// Topics that everybody may publish to, or follow: nothing else of them is open, each address has its
// rate, and whoever reads without credentials goes when that is taken back.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { openEvents } from '../harness/events.mjs';
import { connect } from '../harness/socket.mjs';
import { bearer } from './jwt.mjs';
import { Tide, assertProblem, until } from './support.mjs';

const ADMIN = 'correct-horse-battery-staple';
const UNAUTHORIZED = { status: 401, type: 'unauthorized' };
const LIMITED = { status: 429, type: 'rate-limited' };
const BOTH = { publish: 'public', subscribe: 'public' };
const SLOW = { rate_per_address: { per_second: 0.1, burst: 3 } };

describe('a public topic', () => {
  const tide = new Tide();
  before(() => tide.start({ ADMIN_TOKEN: ADMIN }));
  after(() => tide.stop());

  const as = (options = {}) => ({ ...options, headers: { ...bearer(ADMIN), ...options.headers } });
  const path = (topic, rest = '') => `/v1/topics/${encodeURIComponent(topic)}${rest}`;
  const url = (topic, rest) => tide.url + path(topic, rest);
  const configure = (topic, access) => tide.request('PUT', path(topic), as({ json: { access } }));
  const publish = (topic, options = {}) =>
    tide.request('POST', path(topic, '/messages'), { body: 'x', ...options });
  const bodies = async (topic) => {
    const answer = await tide.request('GET', path(topic, '/messages'), as());
    return answer.json.messages.map(({ body }) => body);
  };
  const open = async (access = BOTH) => {
    const topic = tide.name('room');
    const answer = await configure(topic, access);
    assert.equal(answer.status, 201, String(answer));
    return topic;
  };

  test('is published to, read and followed without credentials', async () => {
    const topic = await open();
    const socket = await connect(url(topic, '/socket'));
    socket.send({ type: 'subscribe', from_seq: 'earliest', member: 'ada', ref: 1 });
    assert.equal((await socket.until('subscribed')).ref, 1);
    const listener = await connect(url(topic, '/socket?from_seq=earliest&member=eve'));
    assert.ok(await listener.until('subscribed'));
    const events = await openEvents(url(topic, '/events?from_seq=earliest&member=bob'));
    assert.deepEqual((await events.next()).data, { members: ['ada', 'bob', 'eve'] });
    assert.equal((await publish(topic)).status, 202);
    assert.equal((await publish(topic, { body: 'y'.repeat(50_000) })).status, 202);
    assert.equal((await publish(topic, as({ body: 'z' }))).status, 202);
    socket.send({ type: 'publish', body: 'w', ref: 2 });
    for (let seq = 1; seq <= 4; seq += 1) assert.equal((await listener.until('message')).seq, seq);
    const frames = [];
    while (frames.length < 5) {
      const frame = await socket.next();
      if (['ack', 'message'].includes(frame.type)) frames.push(`${frame.type} ${frame.seq}`);
    }
    assert.deepEqual(frames.sort(), ['ack 4', ...[1, 2, 3, 4].map((seq) => `message ${seq}`)]);
    for (let seq = 1; seq <= 4; seq += 1) assert.equal((await events.next()).data.seq, seq);
    const read = await tide.request('GET', path(topic, '/messages?from_seq=4&wait_ms=1000'));
    assert.equal(read.json.messages[0].body, 'w');
    assert.equal((await tide.request('HEAD', path(topic, '/events'))).status, 200);
    // A wrong token is wrong, whatever goes without one; in an address, too.
    assertProblem(await publish(topic, { headers: bearer('wrong') }), UNAUTHORIZED);
    const wrong = await tide.request('GET', path(topic, '/events?access_token=wrong'));
    assertProblem(wrong, UNAUTHORIZED);
    for (const it of [socket, listener]) it.cut();
    events.close();
  });

  test('opens nothing else, and no other topic', async () => {
    const topic = await open();
    assert.equal((await publish(topic)).status, 202);
    for (const [method, rest, options] of [
      ['GET', ''], ['PUT', '', { json: { access: {} } }], ['DELETE', ''],
      ['GET', '/subscriptions'], ['GET', '/subscriptions/s'], ['PUT', '/subscriptions/s', { json: {} }],
      ['POST', '/subscriptions/s/pull', { json: {} }], ['POST', '/subscriptions/s/ack', { json: {} }],
      ['POST', '/subscriptions/s/seek', { json: { from: 'earliest' } }],
      ['GET', '/quarantine'], ['DELETE', '/quarantine'],
    ]) {
      const answer = await tide.request(method, path(topic, rest), options);
      assertProblem(answer, UNAUTHORIZED);
    }
    assertProblem(await tide.request('GET', '/v1/topics'), UNAUTHORIZED);
    for (const other of [tide.name(), `${topic}x`, `${topic}/x`]) {
      assertProblem(await publish(other), UNAUTHORIZED);
      assertProblem(await tide.request('GET', path(other, '/events')), UNAUTHORIZED);
      await assert.rejects(connect(url(other, '/socket')), { statusCode: 401 });
    }
    const unmade = await tide.request('GET', path(`${topic}x`), as());
    assertProblem(unmade, { status: 404, type: 'not-found' });
    const queue = await tide.request('POST', `/v1/queues/${topic}/messages`, { body: 'x' });
    assertProblem(queue, UNAUTHORIZED);
  });

  test('does not open a pattern that stands for it', async () => {
    const topic = await open();
    for (const pattern of ['#', '+', topic.replace(/.$/, '+'), `${topic}/#`]) {
      for (const rest of ['/events', '/messages', '/socket', '/socket?from_seq=latest']) {
        const answer = await tide.request('GET', path(pattern, rest));
        assert.ok([400, 401].includes(answer.status), `${pattern}${rest}: ${answer}`);
      }
    }
    assertProblem(await tide.request('GET', path('#', '/events')), UNAUTHORIZED);
    await assert.rejects(connect(url('#', '/socket?from_seq=latest')), { statusCode: 401 });
  });

  test('is open for what it says, and a socket for no other topic', async () => {
    const box = await open({ publish: 'public' });
    const news = await open({ subscribe: 'public' });
    assert.equal((await publish(box)).status, 202);
    assertProblem(await publish(news), UNAUTHORIZED);
    for (const rest of ['/events', '/messages']) {
      assertProblem(await tide.request('GET', path(box, rest)), UNAUTHORIZED);
    }
    await assert.rejects(connect(url(box, '/socket?from_seq=latest')), { statusCode: 401 });
    const refusedTo = async (topic, frame) => {
      const socket = await connect(url(topic, '/socket'));
      socket.send(frame);
      const answer = await socket.next();
      socket.cut();
      return answer?.problem?.status;
    };
    assert.equal(await refusedTo(box, { type: 'subscribe' }), 401);
    assert.equal(await refusedTo(news, { type: 'publish', body: 'x' }), 401);
    for (const topic of [news, '#', '+', tide.name()]) {
      assert.equal(await refusedTo(box, { type: 'subscribe', topic }), 401, topic);
    }
    assert.equal(await refusedTo(news, { type: 'publish', topic: box, body: 'x' }), 401);
    assert.equal(await refusedTo(box, { type: 'publish', body: 'x' }), undefined);
    assert.deepEqual(await bodies(box), ['x', 'x']);
    assert.deepEqual(await bodies(news), []);
  });

  test('lets those go who read without credentials once it is taken back', async () => {
    const topic = await open();
    const events = await openEvents(url(topic, '/events?member=bob'));
    const listener = await connect(url(topic, '/socket?from_seq=latest'));
    const socket = await connect(url(topic, '/socket'));
    socket.send({ type: 'subscribe', ref: 1 });
    await socket.until('subscribed');
    const waiting = tide.request('GET', path(topic, '/messages?from_seq=latest&wait_ms=30000'));
    const trusted = await openEvents(url(topic, '/events?member=ann'), bearer(ADMIN));
    assert.deepEqual((await trusted.next()).data, { members: ['ann', 'bob'] });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal((await configure(topic, { publish: 'token', subscribe: 'token' })).status, 200);
    const from = Date.now();
    assert.equal((await publish(topic, as({ body: 'secret' }))).status, 202);
    assertProblem(await waiting, UNAUTHORIZED);
    for (let event = await events.next(); event !== null; event = await events.next()) {
      assert.notEqual(event.event, 'message');
      if (event.event === 'problem') assert.equal(event.data.status, 401);
    }
    assert.equal((await listener.until('error')).problem.status, 401);
    assert.equal(await listener.next(), null);
    assert.equal((await socket.until('error')).problem.status, 401);
    assert.equal((await socket.until('unsubscribed')).topic, topic);
    for (const frame of [{ type: 'publish', body: 'x' }, { type: 'subscribe' }]) {
      socket.send(frame);
      assert.equal((await socket.until('error')).problem.status, 401);
    }
    assert.ok(Date.now() - from < 2_000, 'at once');
    // Who has a token stays.
    assert.deepEqual((await trusted.next()).data, { member: 'bob' });
    assert.equal((await trusted.next()).data.body, 'secret');
    for (const it of [events, trusted]) it.close();
    socket.cut();
    assert.deepEqual(await bodies(topic), ['secret']);
  });

  test('goes private at once, and public within a second', async () => {
    const topic = await open();
    for (let round = 0; round < 2; round += 1) {
      await configure(topic, { publish: 'token' });
      assertProblem(await publish(topic), UNAUTHORIZED);
      await configure(topic, { publish: 'public' });
      await until(async () => (await publish(topic)).status === 202, 5_000);
    }
  });

  test('lets an address come at its rate, and says when again', async () => {
    const topic = await open({ ...BOTH, ...SLOW });
    const socket = await connect(url(topic, '/socket'));
    assert.equal((await publish(topic)).status, 202);
    socket.send({ type: 'publish', body: 'x', ref: 1 });
    assert.equal((await socket.next()).type, 'ack');
    for (const type of ['publish', 'subscribe']) {
      socket.send({ type, ref: 2, ...(type === 'publish' && { body: 'x' }) });
      const { problem } = await socket.next();
      assert.equal(problem.type, 'rate-limited');
      assert.ok(problem.retry_after_ms > 0 && problem.retry_after_ms <= 10_000);
    }
    const refused = await publish(topic);
    assertProblem(refused, LIMITED);
    assert.match(refused.headers['retry-after'], /^([1-9]|10)$/);
    for (const rest of ['/events', '/messages']) {
      assertProblem(await tide.request('GET', path(topic, rest)), LIMITED);
    }
    assertProblem(await batch(topic, 1), LIMITED);
    for (const rest of ['/socket', '/socket?from_seq=latest']) {
      await assert.rejects(connect(url(topic, rest)), { statusCode: 429 });
    }
    assert.equal((await publish(topic, as())).status, 202, 'with a token');
    assert.equal(await fromElsewhere(topic), 202, 'another address');
    // What costs nothing has no rate.
    socket.send({ type: 'ping' });
    assert.equal((await socket.next()).type, 'pong');
    socket.cut();
    assert.equal((await bodies(topic)).length, 4);
  });

  test('counts each message of a batch', async () => {
    const topic = await open({ ...BOTH, ...SLOW });
    assertProblem(await batch(topic, 4), { status: 413, type: 'request-too-large', limit: 3 });
    const other = await open({ ...BOTH, ...SLOW });
    assert.equal((await batch(other, 3)).status, 200);
    assertProblem(await batch(other, 1), LIMITED);
    assertProblem(await publish(other), LIMITED);
    assert.deepEqual([await bodies(topic), await bodies(other)], [[], ['x', 'x', 'x']]);
    const news = await open({ subscribe: 'public' });
    assertProblem(await batch(news, 1), UNAUTHORIZED);
  });

  const batch = (topic, count) => {
    const json = { messages: Array.from({ length: count }, () => ({ body: 'x' })) };
    return tide.request('POST', path(topic, '/messages/batch'), { json });
  };

  /** The status of a publish from another address of this machine. */
  function fromElsewhere(topic) {
    const { hostname, port } = new URL(tide.url);
    const options = { hostname, port, path: path(topic, '/messages'), method: 'POST' };
    return new Promise((resolve, reject) => {
      const request = http.request({ ...options, localAddress: '127.0.0.2' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', reject);
      request.end('x');
    });
  }
});
