// `npm run refusals [-- --rounds N --seconds S --port P]`: what a refusal at a full queue costs by
// the credentials it came with, in CPU time of the server a request, beside a bare Worker that
// answers by itself. In turns, so that what the machine does otherwise falls on all.

import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { parseArgs } from 'node:util';
import { bearer, jwt } from '../tests/conformance/jwt.mjs';
import { startServer } from '../tests/harness/server.mjs';
import { textBody } from './body.mjs';
import { encodeRequest } from './load/connection.mjs';
import { generate } from './load/generator.mjs';
import { cpuMs } from './servers/process.mjs';
import { startWorker } from './servers/workers.mjs';

const CONNECTIONS = 64;
/** Buyers, each with a token of their own: who try again soon, and more than are remembered. */
const TOKENS = 1_000;
const CROWD = 10_000;
const WARM_UP_MS = 1_000;
const ADMIN_TOKEN = 'an-admin-token-of-thirty-two-bytes-or-more';
const SECRET = 'a secret of thirty-two bytes or more';
const BODY = textBody(128);
const PATH = '/v1/queues/full/messages';
const HOUR_S = 3_600;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    port: { type: 'string', default: '24510' },
  },
});
const [rounds, seconds, port] = [values.rounds, values.seconds, values.port].map(Number);

/** A publish to the full queue with this token. */
function request(token) {
  const bytes = encodeRequest('POST', PATH, BODY, 'text/plain');
  if (token === undefined) return bytes;
  const line = `authorization: ${bearer(token).authorization}\r\n`;
  const at = Buffer.from(bytes).indexOf('\r\n') + 2;
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(line), bytes.subarray(at)]);
}

const claims = (number) => ({
  sub: `buyer-${number}`, iss: 'https://issuer.example', scope: 'publish:full',
  exp: Math.floor(Date.now() / 1_000) + HOUR_S,
});

/** A server with the keys at JWKS_URL. */
async function serveKeys(publicKey) {
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' };
  const server = http.createServer((_, answer) => answer.end(JSON.stringify({ keys: [jwk] })));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

async function fill(url, headers) {
  const call = (path, method, body) =>
    fetch(url + path, { method, body, headers: { 'content-type': 'application/json', ...headers } });
  const made = await call('/v1/queues/full', 'PUT', '{"capacity":{"max_messages":1}}');
  const put = await call(PATH, 'POST', '1');
  if (!made.ok || !put.ok) throw new Error(`the queue cannot be filled: ${made.status} ${put.status}`);
}

/** CPU time a request in µs. */
async function measure({ server, requests, expect }) {
  let before = 0;
  const load = {
    port: server.port, requests, expect, connections: CONNECTIONS,
    warmUpMs: WARM_UP_MS, durationMs: seconds * 1_000,
  };
  const { done } = await generate(load, { onBegin: () => (before = cpuMs(server.pid)) });
  return ((cpuMs(server.pid) - before) * 1_000) / done;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keys = await serveKeys(publicKey);
const hello = await startWorker('hello', port + 1);
const open = await startServer({ port: port + 2 });
const closed = await startServer({
  port: port + 3,
  env: { ADMIN_TOKEN, TOKEN_SECRET: SECRET, JWKS_URL: `http://127.0.0.1:${port}/` },
});
try {
  await fill(open.url, {});
  await fill(closed.url, bearer(ADMIN_TOKEN));
  const of = (make, length = TOKENS) => Array.from({ length }, (_, number) => request(make(number)));
  const hs256 = of((number) => jwt(claims(number), SECRET));
  const crowd = of((number) => jwt(claims(number), SECRET), CROWD);
  const es256 = of((number) => jwt(claims(number), privateKey, { alg: 'ES256', kid: 'k' }));
  const wrong = of((number) => jwt(claims(number), `${SECRET}!`));
  const cases = [
    { title: 'hello', server: hello, requests: [encodeRequest('POST', '/', BODY)], expect: 200 },
    { title: 'refusal, open server', server: open, requests: [request()], expect: 429 },
    { title: 'refusal, ADMIN_TOKEN', server: closed, requests: [request(ADMIN_TOKEN)], expect: 429 },
    { title: 'refusal, HS256, one token', server: closed, requests: hs256.slice(0, 1), expect: 429 },
    { title: `refusal, HS256, ${TOKENS} tokens`, server: closed, requests: hs256, expect: 429 },
    { title: `refusal, HS256, ${CROWD} tokens`, server: closed, requests: crowd, expect: 429 },
    { title: 'refusal, ES256, one token', server: closed, requests: es256.slice(0, 1), expect: 429 },
    { title: `refusal, ES256, ${TOKENS} tokens`, server: closed, requests: es256, expect: 429 },
    { title: '401, no credentials', server: closed, requests: [request()], expect: 401 },
    { title: `401, HS256 of another key, ${TOKENS} tokens`, server: closed, requests: wrong, expect: 401 },
  ].map((item) => ({ ...item, micros: [] }));
  for (let round = 0; round < rounds; round += 1) {
    for (const item of cases) item.micros.push(await measure(item));
  }
  const base = median(cases[0].micros);
  console.log('| | CPU µs a request | of hello |\n| --- | --- | --- |');
  for (const { title, micros } of cases) {
    const own = median(micros);
    console.log(`| ${title} | ${own.toFixed(1)} | ${(own / base).toFixed(2)} |`);
  }
} finally {
  keys.close();
  for (const server of [hello, open, closed]) await server.stop();
}
