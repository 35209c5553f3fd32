// What stands before our code: bytes that are no good HTTP. Requests whose end can be read in two
// ways are where one server behind another is fooled (RFC 9112, 11.2): such a connection must end,
// and what follows in it must not be taken for a request.

import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { api } from '../harness/api.mjs';
import { startServer } from '../harness/server.mjs';

const QUEUE = 'edges';
const HOST = 'Host: 127.0.0.1\r\n';
const PUBLISH = `POST /v1/queues/${QUEUE}/messages HTTP/1.1\r\n${HOST}`;
/** Stands behind each request. Where its answer comes, the two were told apart. */
const NEXT = `GET /healthz HTTP/1.1\r\n${HOST}\r\n`;
/** How long a connection is listened to that stays open. */
const LISTEN_MS = 500;
/** The runtime ends a connection whose request does not come; this is more than it waits. */
const HEAD_MS_MAX = 40_000;
const SLOW_CONNECTIONS = 100;
/** Others are answered within this, whatever slow clients do. The machine may be busy. */
const ANSWER_MS_MAX = 5_000;

let server;
let tide;

before(async () => {
  server = await startServer();
  tide = api(server.url);
  await tide.putQueue(QUEUE);
});
after(() => server.stop());

/** Sends bytes; the statuses of what came back, and whether the other side ended it. */
function exchange(bytes) {
  return new Promise((resolve) => {
    const socket = net.connect(server.port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    let timer = null;
    const done = (isClosed) => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/HTTP\/1\.[01] (\d+)/g)].map(([, status]) => Number(status));
      resolve({ statuses, isClosed });
    };
    timer = setTimeout(() => done(false), LISTEN_MS);
    socket.on('data', (piece) => (text += piece)).on('error', () => {});
    socket.on('close', () => done(true));
  });
}

const accepted = async () => (await tide.getQueue(QUEUE)).json.accepted_total;

/** Refused by the runtime: one answer, 400, the connection ends, nothing is published. */
const REFUSED = {
  'two lengths': 'Content-Length: 1\r\nContent-Length: 5\r\n\r\nabcde',
  'a list of lengths': 'Content-Length: 1, 1\r\n\r\na',
  'a signed length': 'Content-Length: +1\r\n\r\na',
  'a negative length': 'Content-Length: -1\r\n\r\na',
  'a hexadecimal length': 'Content-Length: 0x1\r\n\r\na',
  'a length beyond numbers': 'Content-Length: 99999999999999999999\r\n\r\na',
  'an unknown coding': 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  'codings that contradict':
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n',
  'a blank before the colon': 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
  'a folded line': 'X-A: b\r\n c\r\nContent-Length: 1\r\n\r\na',
  'a NUL in a value': 'X-A: b\0c\r\nContent-Length: 1\r\n\r\na',
  'a bare CR in a value': 'X-A: b\rContent-Length: 9\r\nContent-Length: 1\r\n\r\na',
};

for (const [name, rest] of Object.entries(REFUSED)) {
  test(`${name}: refused, and the connection ends`, async () => {
    const before = await accepted();
    const { statuses, isClosed } = await exchange(`${PUBLISH}${rest}${NEXT}`);
    assert.deepEqual(statuses, [400]);
    assert.ok(isClosed, 'the connection is still open');
    assert.equal(await accepted(), before);
  });
}

test('a length beside chunks: the chunks hold, and nothing after them is read', async () => {
  const rest = 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n';
  const { statuses, isClosed } = await exchange(`${PUBLISH}${rest}${NEXT}`);
  assert.equal(statuses.length, 1);
  assert.ok(isClosed, 'the connection is still open');
});

for (const [name, size] of [['no number', 'zz'], ['beyond numbers', 'ffffffffffffffff1']]) {
  test(`a chunk whose size is ${name}: nothing is published, and the connection ends`, async () => {
    const before = await accepted();
    const rest = `Transfer-Encoding: chunked\r\n\r\n${size}\r\na\r\n0\r\n\r\n`;
    const { statuses, isClosed } = await exchange(`${PUBLISH}${rest}${NEXT}`);
    assert.ok(statuses.length <= 1 && statuses[0] !== 202, `${statuses}`);
    assert.ok(isClosed, 'the connection is still open');
    assert.equal(await accepted(), before);
  });
}

test('two requests in one piece are two', async () => {
  const { statuses } = await exchange(`${PUBLISH}Content-Length: 1\r\n\r\na${NEXT}`);
  assert.deepEqual(statuses, [202, 200]);
});

const JSON_PUT = 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';

/** One answer with this status, whatever the request is in. */
for (const [name, bytes, status] of [
  ['an absolute URL', `GET http://127.0.0.1/healthz HTTP/1.1\r\n${HOST}\r\n`, 200],
  ['two hosts', `GET /v1/queues HTTP/1.1\r\n${HOST}Host: evil.example\r\n\r\n`, 403],
  ['two hosts, for a page', `GET /no-page.html HTTP/1.1\r\n${HOST}Host: evil.example\r\n\r\n`, 400],
  ['a path that begins twice', `GET //v1/queues HTTP/1.1\r\n${HOST}\r\n`, 404],
  ['a path that goes up', `GET /v1/queues/../../metrics/ HTTP/1.1\r\n${HOST}\r\n`, 404],
  ['a path that goes up in disguise', `GET /v1/queues/%2e%2e/queues HTTP/1.1\r\n${HOST}\r\n`, 404],
  ['a path in disguise', `GET /%76%31/queues HTTP/1.1\r\n${HOST}\r\n`, 404],
  ['a name in disguise is the name', `PUT /v1/queues/%65dges HTTP/1.1\r\n${HOST}${JSON_PUT}`, 200],
  ['a name encoded twice', `GET /v1/queues/a%252Fb HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a NUL in a path', `GET /v1/queues/a\0b HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a NUL in a name', `GET /v1/queues/a%00b HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['a slash in too many bytes', `GET /v1/queues/a%C0%AFb HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['half a pair of UTF-16', `GET /v1/queues/%ED%A0%80 HTTP/1.1\r\n${HOST}\r\n`, 400],
  ['HTTP/1.0', `GET /healthz HTTP/1.0\r\n${HOST}\r\n`, 200],
  ['HTTP/1.0 without a host', 'GET /v1/queues HTTP/1.0\r\n\r\n', 400],
  ['HTTP/0.9', 'GET /healthz\r\n', 400],
  ['HEAD', `HEAD /v1/queues HTTP/1.1\r\n${HOST}\r\n`, 200],
  ['OPTIONS', `OPTIONS /v1/queues HTTP/1.1\r\n${HOST}\r\n`, 204],
  ['TRACE, which would show headers', `TRACE /v1/queues HTTP/1.1\r\n${HOST}\r\n`, 405],
  ['PATCH', `PATCH /v1/queues/${QUEUE} HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`, 405],
  ['a method that is none', `FLY /v1/queues HTTP/1.1\r\n${HOST}\r\n`, 501],
  ['a name of our own for a header', `GET /v1/queues HTTP/1.1\r\n${HOST}@grant: {}\r\n\r\n`, 400],
  ['the command of the inner hop', `${PUBLISH}Tidegate-Command: AAAA\r\nContent-Length: 1\r\n\r\na`, 400],
  ['two priorities', `${PUBLISH}${'Tidegate-Priority: 1\r\n'.repeat(2)}Content-Length: 1\r\n\r\na`, 400],
  ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', undefined],
]) {
  test(`${name}: ${status ?? 'no answer'}`, async () => {
    const { statuses } = await exchange(bytes.replace(HOST, `${HOST}Connection: close\r\n`));
    assert.deepEqual(statuses, status === undefined ? [] : [status]);
  });
}

test('a header that stands twice is one value with both, and no way around a check', async () => {
  const twice = 'Idempotency-Key: a\r\nIdempotency-Key: b\r\n';
  const before = await accepted();
  const both = `${PUBLISH}${twice}Content-Length: 1\r\n\r\na`;
  await exchange(both);
  await tide.publish(QUEUE, 'x', { 'idempotency-key': 'a, b' });
  assert.equal(await accepted(), before + 1);
});

test('of two Authorization headers neither counts', async (t) => {
  const closed = await startServer({ env: { ADMIN_TOKEN: 'correct-horse-battery-staple' } });
  t.after(() => closed.stop());
  const right = 'Bearer correct-horse-battery-staple';
  const asked = async (headers) =>
    (await fetch(`${closed.url}/v1/queues`, { headers })).status;
  const twice = (...values) => values.map((value) => ['authorization', value]);
  assert.equal(await asked(twice(right)), 200);
  for (const two of [[right, right], [right, 'Bearer x'], ['Bearer x', right]]) {
    assert.equal(await asked(twice(...two)), 401);
  }
});

const long = (chars) => 'a'.repeat(chars);
const LIST = `GET /v1/queues HTTP/1.1\r\n${HOST}`;
const many = (count) => Array.from({ length: count }, (_, at) => `x-${at}: 1\r\n`).join('');

for (const [name, bytes, status] of [
  ['a URL of 70,000 bytes', `GET /${long(70_000)} HTTP/1.1\r\n${HOST}\r\n`, 414],
  ['a head of 100,000 bytes', `${LIST}X-A: ${long(100_000)}\r\n\r\n`, 413],
  ['10,000 headers', `${LIST}${many(10_000)}\r\n`, 413],
  ['a head of 600,000 bytes', `${LIST}X-A: ${long(600_000)}\r\n\r\n`, 431],
  ['another version', `GET /healthz HTTP/9.9\r\n${HOST}\r\n`, 400],
  ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01', 400],
  ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
]) {
  test(`${name}: ${status}`, async () => {
    assert.deepEqual((await exchange(bytes)).statuses, [status]);
  });
}

test('nobody gets a tunnel: the runtime refuses CONNECT itself, and goes on', async () => {
  // A handler of ours would be asked after a 200 has been sent.
  const connect = 'CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n';
  const { statuses, isClosed } = await exchange(connect + NEXT);
  assert.deepEqual({ statuses, isClosed }, { statuses: [500], isClosed: true });
  assert.deepEqual((await exchange(NEXT)).statuses, [200]);
});

test('a host of another name is not loopback, whoever connects', async () => {
  // A page that has its own name resolve to 127.0.0.1 is still of its own name.
  const bytes = `GET /v1/queues HTTP/1.1\r\nHost: rebound.example\r\n\r\n`;
  assert.deepEqual((await exchange(bytes)).statuses, [403]);
});

test('a body that is compressed is refused, not inflated', async () => {
  for (const [path, type] of [['messages', 'text/plain'], ['messages/batch', 'application/json']]) {
    const answer = await tide.request('POST', `/v1/queues/${QUEUE}/${path}`, {
      headers: { 'content-encoding': 'gzip', 'content-type': type },
      body: Buffer.from('1f8b0800000000000003030000000000000000', 'hex'),
    });
    assert.equal(answer.status, 415, answer.text);
    assert.equal(answer.json.field, 'Content-Encoding');
  }
});

test('clients that never finish hold up nobody, and unfinished heads are let go', async () => {
  const slow = Array.from({ length: SLOW_CONNECTIONS }, (_, at) => {
    const socket = net.connect(server.port, '127.0.0.1');
    const isHead = at % 2 === 0;
    socket.write(isHead ? PUBLISH : `${PUBLISH}Content-Length: 1000\r\n\r\na`);
    socket.on('error', () => {}).resume();
    return { isHead, socket, closed: new Promise((resolve) => socket.on('close', resolve)) };
  });
  const before = await accepted();
  const began = performance.now();
  for (let at = 0; at < 10; at++) {
    assert.equal((await tide.publish(QUEUE, 'in between')).status, 202);
  }
  const took = performance.now() - began;
  assert.ok(took < ANSWER_MS_MAX, `ten publishes took ${took} ms`);
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error('an unfinished head is waited for')), HEAD_MS_MAX).unref();
  });
  await Promise.race([Promise.all(slow.filter((it) => it.isHead).map((it) => it.closed)), late]);
  for (const { socket } of slow) socket.destroy();
  assert.equal(await accepted(), before + 10);
});
