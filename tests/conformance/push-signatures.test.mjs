// Who is called can tell that it is Tidegate who calls: by the official libraries of Standard
// Webhooks, which were written against the specification and not against us.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Receiver } from './receiver.mjs';
import { until, useServer } from './support.mjs';

const tide = useServer();
const secret = () => `whsec_${randomBytes(24).toString('base64')}`;

/** What an endpoint is called with when a body is published to a queue with this `push`. */
async function pushed(push, bodies, headers = {}) {
  const receiver = await new Receiver().start();
  try {
    const queue = await tide.queue({ push: { url: receiver.url, ...push } });
    for (const body of bodies) await queue.publish(body, headers);
    const want = push.batch_size ? 1 : bodies.length;
    await until(() => receiver.received.length >= want, { what: 'all calls' });
    return receiver.received;
  } finally {
    await receiver.stop();
  }
}

// The library reads JSON only.
const BODIES = ['{"order": 1}', '"grüße"', '0', JSON.stringify('x'.repeat(70_000))];

for (const format of ['cloudevents', 'raw']) {
  test(`the official library verifies each request in the form ${format}`, async () => {
    const key = secret();
    const webhook = new Webhook(key);
    const received = await pushed({ format, secret: key }, BODIES);
    assert.deepEqual(received.map(({ body }) => body).sort(), [...BODIES].sort());
    for (const { headers, body } of received) {
      assert.deepEqual(webhook.verify(body, headers), JSON.parse(body));
      const forged = { ...headers, 'webhook-id': 'another' };
      assert.throws(() => webhook.verify(body, forged), /signature/i);
      assert.throws(() => webhook.verify(`${body} `, headers), /signature/i);
      assert.throws(() => new Webhook(secret()).verify(body, headers), /signature/i);
    }
  });
}

test('a batch is signed as a whole', async () => {
  const key = secret();
  const push = { format: 'batch', batch_size: 10, batch_wait_ms: 500, secret: key };
  for (const { headers, body } of await pushed(push, ['a', 'b', 'c'])) {
    assert.ok(new Webhook(key).verify(body, headers).messages.length > 0);
  }
});

test('while a secret is changed for another, both hold', async () => {
  const [before, after] = [secret(), secret()];
  const [{ headers, body }] = await pushed({ secret: [before, after] }, ['{}']);
  new Webhook(before).verify(body, headers);
  new Webhook(after).verify(body, headers);
});

test('a signature of Ed25519 is checked with the public key alone', async () => {
  const seed = randomBytes(32);
  const [{ headers, body }] = await pushed({ secret: `whsk_${seed.toString('base64')}` }, ['{}']);
  const [version, signature] = headers['webhook-signature'].split(',');
  assert.equal(version, 'v1a');
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const signed = Buffer.from(signature, 'base64');
  assert.ok(verify(null, Buffer.from(content), publicKeyOf(seed), signed));
});

const PYTHON = `
import json, sys
from standardwebhooks import Webhook
call = json.load(sys.stdin)
Webhook(call["secret"]).verify(call["body"], call["headers"])
`;
const hasPython = spawnSync('python3', ['-c', 'import standardwebhooks']).status === 0;

// Where it is installed: pip install standardwebhooks
test('the official library for Python verifies a request', { skip: !hasPython }, async () => {
  const key = secret();
  const [{ headers, body }] = await pushed({ format: 'raw', secret: key }, ['{"order": 1}']);
  const input = JSON.stringify({ secret: key, headers, body });
  const { status, stderr } = spawnSync('python3', ['-c', PYTHON], { input });
  assert.equal(status, 0, String(stderr));
});

/** An Ed25519 key pair's public half, by way of PKCS #8 (RFC 8410, 7). */
function publicKeyOf(seed) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return createPublicKey({ key: der, format: 'der', type: 'pkcs8' });
}
