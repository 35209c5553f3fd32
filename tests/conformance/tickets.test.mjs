// Tickets: proof of a place, verified offline by another implementation (Node's), from the key set
// alone.

import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { test } from 'node:test';
import { Tide, assertProblem, until, useServer } from './support.mjs';

const tide = useServer();

const TTL_MS = 60_000;
const giving = (capacity = {}) => tide.queue({ capacity: { ticket_ttl_ms: TTL_MS, ...capacity } });

async function keySet(of = tide) {
  const answer = await of.request('GET', '/.well-known/jwks.json');
  assert.equal(answer.status, 200, String(answer));
  return answer.json.keys;
}

const part = (text) => JSON.parse(Buffer.from(text, 'base64url').toString());

/** What a shop does: the claims of a ticket, if it is one of these keys'. */
function read(ticket, keys) {
  const [header, payload, signature] = ticket.split('.');
  const { alg, kid } = part(header);
  assert.equal(alg, 'EdDSA');
  const jwk = keys.find((key) => key.kid === kid);
  assert.ok(jwk, `no key ${kid}`);
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const signed = Buffer.from(`${header}.${payload}`);
  if (!verify(null, signed, key, Buffer.from(signature, 'base64url'))) return null;
  return { ...part(payload), kid };
}

const stateOf = async (queue, id) => (await queue.request('GET', `/messages/${id}`)).json;

/** The keys, once they have that of a ticket: it is published as soon as the queue has it. */
async function keysOf(ticket, of = tide) {
  const { kid } = part(ticket.split('.')[0]);
  let keys = [];
  const known = async () => (keys = await keySet(of)).some((key) => key.kid === kid);
  await until(known, { withinMs: 5_000, what: 'the key is published' });
  return keys;
}

test('an accepted publish is answered with a ticket that the key set verifies', async () => {
  const queue = await giving();
  const accepted = await queue.publish('x', { 'tidegate-key': 'buyer "7" é' });
  const keys = await keysOf(accepted.ticket);
  const claims = read(accepted.ticket, keys);
  assert.equal(claims.sub, 'buyer "7" é');
  assert.equal(claims.queue, queue.name);
  assert.equal(claims.id, accepted.id);
  assert.equal(claims.seq, accepted.seq);
  assert.equal(claims.state, undefined);
  assert.equal(claims.iat, Math.floor(accepted.timestamp_ms / 1000));
  assert.equal(claims.exp, Math.ceil((accepted.timestamp_ms + TTL_MS) / 1000));

  const [header, payload, signature] = accepted.ticket.split('.');
  const forged = { ...part(payload), sub: 'somebody else' };
  const other = Buffer.from(JSON.stringify(forged)).toString('base64url');
  assert.equal(read(`${header}.${other}.${signature}`, keys), null);
});

test('a queue that gives no tickets says none, and a publish without a key has no subject', async () => {
  const plain = await tide.queue({});
  assert.equal('ticket' in await plain.publish('x'), false);
  const queue = await giving();
  const { ticket } = await queue.publish('x');
  assert.equal('sub' in read(ticket, await keysOf(ticket)), false);
  await queue.configure({ capacity: { ticket_ttl_ms: null } });
  assert.equal('ticket' in await queue.publish('x'), false);
});

test('a repeat gets the same ticket, whatever key it names', async () => {
  const queue = await giving();
  const once = { 'idempotency-key': 'order-1', 'tidegate-key': 'ann' };
  const first = await queue.publish('x', once);
  assert.deepEqual(await queue.publish('x', once), first);
  const { ticket } = await queue.publish('x', { ...once, 'tidegate-key': 'bob' });
  assert.equal(read(ticket, await keysOf(ticket)).sub, 'ann');
  const held = { 'idempotency-key': 'o-2', 'tidegate-key': 'cy', 'tidegate-hold-ms': '60000' };
  const kept = await queue.publish('x', held);
  assert.deepEqual(await queue.publish('x', { ...held, 'tidegate-key': 'bob' }), kept);
});

test('each accepted message of a batch has a ticket of its own, a refused one has none', async () => {
  const queue = await giving({ max_accepted: 2 });
  const answer = await queue.postBatch(['a', 'b', 'c'].map((key) => ({ body: key, key })));
  const [first, second, third] = answer.json.messages;
  const keys = await keysOf(first.ticket);
  assert.equal(read(first.ticket, keys).sub, 'a');
  assert.equal(read(second.ticket, keys).sub, 'b');
  assert.equal(third.error.type, 'sold-out');
  assert.equal('ticket' in third, false);
});

test('a place in line has a ticket that says so, and another once it is admitted', async () => {
  const queue = await giving({ max_accepted: 1, overflow: 'wait' });
  const holder = await queue.publish('first', { 'tidegate-key': 'ann' });
  const waiting = await queue.publish('second', { 'tidegate-key': 'bob' });
  const keys = await keysOf(holder.ticket);
  assert.equal(read(waiting.ticket, keys).state, 'waiting');
  assert.equal('ticket' in (await stateOf(queue, waiting.id)), false);
  await queue.cancel(holder.id);
  const state = await stateOf(queue, waiting.id);
  assert.equal(state.state, 'queued');
  const claims = read(state.ticket, keys);
  assert.equal(claims.state, undefined);
  assert.deepEqual([claims.sub, claims.id], ['bob', waiting.id]);
});

test('the state of a message that ended has no ticket', async () => {
  const queue = await giving();
  const { id } = await queue.publish('x');
  assert.ok((await stateOf(queue, id)).ticket);
  await queue.ack(await queue.take());
  assert.equal('ticket' in (await stateOf(queue, id)), false);
});

test('a rotation publishes the next key before it signs, and the old one stays', async () => {
  const queue = await giving();
  const { ticket } = await queue.publish('x');
  const { kid: old } = read(ticket, await keysOf(ticket));
  const answer = await queue.request('POST', '/tickets/rotate');
  assert.equal(answer.status, 200, String(answer));
  const { kid, signs_from_at_ms: from } = answer.json;
  assert.notEqual(kid, old);
  assert.ok(from >= Date.now() + 300_000, 'after every verifier has read the set anew');
  const known = async () => {
    const kids = (await keySet()).map((key) => key.kid);
    return kids.includes(kid) && kids.includes(old);
  };
  await until(known, { withinMs: 5_000, what: 'both keys are published' });
  assert.equal(read((await queue.publish('y')).ticket, await keySet()).kid, old);
  const again = await queue.request('POST', '/tickets/rotate');
  assert.deepEqual(again.json, answer.json);
  const plain = await tide.queue({});
  const refused = await plain.request('POST', '/tickets/rotate');
  assertProblem(refused, { status: 400, type: 'bad-request', field: 'capacity.ticket_ttl_ms' });
});

test('the key set is for everybody, and holds no private key', async () => {
  const closed = new Tide();
  await closed.start({ AUTH: '', ADMIN_TOKEN: 't0ken' });
  try {
    const queue = await closed.queue();
    const headers = { authorization: 'Bearer t0ken' };
    const json = { capacity: { ticket_ttl_ms: TTL_MS } };
    await queue.request('PUT', '', { json, headers });
    const { ticket } = await queue.publish('x', headers);
    const keys = await keysOf(ticket, closed);
    assert.ok(read(ticket, keys));
    for (const key of keys) {
      assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    }
    const answer = await closed.request('GET', '/.well-known/jwks.json');
    assert.match(answer.headers['cache-control'], /^public, max-age=300$/);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  } finally {
    await closed.stop();
  }
});

test('keys and tickets are the same after a crash', async () => {
  const own = new Tide();
  await own.start();
  try {
    const queue = await own.queue({ capacity: { ticket_ttl_ms: TTL_MS } });
    const once = { 'idempotency-key': 'order-1', 'tidegate-key': 'ann' };
    const first = await queue.publish('x', once);
    await keysOf(first.ticket, own);
    await own.crash();
    assert.deepEqual(await queue.publish('x', once), first);
    assert.ok(read((await queue.publish('y')).ticket, await keySet(own)));
  } finally {
    await own.stop();
  }
});

test('the deployment’s own key signs for all queues', async () => {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const own = new Tide();
  await own.start({ TICKET_KEY: JSON.stringify(jwk) });
  try {
    const kids = [];
    for (let n = 0; n < 2; n += 1) {
      const queue = await own.queue({ capacity: { ticket_ttl_ms: TTL_MS } });
      const { ticket } = await queue.publish('x');
      const claims = read(ticket, await keysOf(ticket, own));
      kids.push(claims.kid);
      const refused = await queue.request('POST', '/tickets/rotate');
      assertProblem(refused, { status: 400, type: 'bad-request' });
    }
    assert.equal(kids[0], kids[1]);
    assert.deepEqual((await keySet(own)).map((key) => key.x), [jwk.x]);
  } finally {
    await own.stop();
  }
});

test('a setting that is no key is refused in words that hold nothing of it', async () => {
  const own = new Tide();
  const started = own.start({ TICKET_KEY: '{"kty":"OKP","crv":"Ed25519","d":"s3cret"}' });
  await assert.rejects(started, (error) => {
    assert.match(error.message, /TICKET_KEY/);
    return !`${error.message} ${error.output}`.includes('s3cret');
  });
});

for (const [ttl, what] of [[999, 'too short'], [2_592_000_001, 'too long'], ['1h', 'no number']]) {
  test(`a life of a ticket that is ${what} is refused by name`, async () => {
    const queue = await tide.queue();
    const json = { capacity: { ticket_ttl_ms: ttl } };
    const answer = await queue.request('PUT', '', { json });
    const field = 'capacity.ticket_ttl_ms';
    assertProblem(answer, { status: 400, type: 'bad-request', field });
  });
}
