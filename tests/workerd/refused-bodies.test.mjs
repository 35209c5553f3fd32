// A refusal is read by who gets it, also where nobody wanted the body: a client that still sends
// while its connection is closed sees that, and not why.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { api } from '../harness/api.mjs';
import { startServer } from '../harness/server.mjs';

const ADMIN_TOKEN = 'secret-of-the-admin-0123456789';
const TRIES = 20;
/** More than the sockets on the way take in by themselves. */
const LARGE_BYTES = 6_000_000;
const MESSAGE_BYTES = 1_000_000;

let server;
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

before(async () => {
  server = await startServer({ env: { ADMIN_TOKEN } });
  const tide = api(server.url, { token: ADMIN_TOKEN });
  await tide.putQueue('open', {});
  await tide.putQueue('full', { capacity: { max_messages: 1 }, max_message_bytes: 1_048_576 });
  for (const status of [202, 429]) {
    assert.equal((await tide.publish('full', 'x')).status, status);
  }
});
after(() => {
  agent.destroy();
  return server.stop();
});

/** The status that a client reads who sends all of a body, or what became of its connection. */
function post(queue, { bytes, token = ADMIN_TOKEN, headers = {} }) {
  const length = headers['transfer-encoding'] ? {} : { 'content-length': bytes };
  const all = { authorization: `Bearer ${token}`, 'content-type': 'text/plain', ...length, ...headers };
  return new Promise((resolve) => {
    const path = `${server.url}/v1/queues/${queue}/messages`;
    const request = http.request(path, { method: 'POST', agent, headers: all }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode));
    });
    request.on('error', (error) => resolve(error.code)).end(Buffer.alloc(bytes, 'x'));
  });
}

const CASES = [
  ['one that is too large', 413, 'open', { bytes: LARGE_BYTES }],
  ['one in chunks that turns out too large', 413, 'open',
    { bytes: LARGE_BYTES, headers: { 'transfer-encoding': 'chunked' } }],
  ['one of somebody who has no right to', 401, 'open', { bytes: LARGE_BYTES, token: 'wrong' }],
  ['one for a queue that is full', 429, 'full', { bytes: MESSAGE_BYTES }],
  ['one of a type that is not taken', 415, 'open',
    { bytes: LARGE_BYTES, headers: { 'content-encoding': 'gzip' } }],
];
for (const [name, status, queue, body] of CASES) {
  test(`a body is read away before the answer: ${name}`, async () => {
    const one = async () => {
      const statuses = [];
      while (statuses.length < TRIES) statuses.push(await post(queue, body));
      return statuses;
    };
    const all = (await Promise.all([one(), one()])).flat();
    assert.deepEqual([...new Set(all)], [status]);
  });
}

/** Sends a head that declares more than comes; when the answer is there, in milliseconds. */
function sendHead(extra) {
  const head = `POST /v1/queues/open/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const socket = net.connect(server.port, '127.0.0.1');
    socket.write(`${head}Content-Length: ${LARGE_BYTES}\r\n${extra}\r\n`);
    socket.on('error', reject).on('data', (piece) => {
      socket.destroy();
      resolve({ status: String(piece).slice(9, 12), ms: performance.now() - start });
    });
  });
}

test('who sends nothing of what was declared is answered after a while, who asks first at once', async () => {
  const [asked, told] = await Promise.all([sendHead('Expect: 100-continue\r\n'), sendHead('')]);
  assert.deepEqual([asked.status, told.status], ['401', '401']);
  assert.ok(asked.ms < told.ms / 2, `${asked.ms} ms, without asking ${told.ms} ms`);
});
