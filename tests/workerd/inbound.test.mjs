// The consumer of Cloudflare Queues, called by a second Worker: what it is given is published once,
// and acknowledged there only when it is accepted here.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { startServer } from '../harness/server.mjs';

const ADMIN_TOKEN = 'a token of the deployment, in a test';

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A server with a sender beside it; `send(queue, messages)` is what the consumer said. */
async function start(t) {
  const port = await freePort();
  const withSender = (text) => `${text
    .replace('sockets = [(', `sockets = [
      (name = "sender", address = "127.0.0.1:${port}", http = (), service = "sender"), (`)
    .replace('services = [', 'services = [(name = "sender", worker = .sender),')}
const sender :Workerd.Worker = (
  modules = [(name = "sender.js", esModule = embed "../tests/workerd/sender.js")],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["service_binding_extra_handlers"],
  bindings = [(name = "TIDEGATE", service = "tidegate")],
);`;
  const server = await startServer({ env: { ADMIN_TOKEN, AUTH: '' }, reshape: withSender });
  t.after(() => server.stop());
  const send = async (queue, messages) => {
    const body = JSON.stringify(messages);
    const response = await fetch(`http://127.0.0.1:${port}/${queue}`, { method: 'POST', body });
    assert.equal(response.status, 200, await response.clone().text());
    return response.json();
  };
  const ask = async (path, method = 'GET', json) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` };
    const body = json && JSON.stringify(json);
    const response = await fetch(`${server.url}/v1/queues/${path}`, { method, headers, body });
    assert.ok(response.ok, `${response.status}`);
    return response.json();
  };
  return { send, ask };
}

test('every form is published as it is, and a repeat is not', async (t) => {
  const { send, ask } = await start(t);
  await ask('orders', 'PUT', {});
  const messages = [
    { id: 'a', text: 'grüße' },
    { id: 'b', json: { n: [1, null] } },
    { id: 'c', base64: '/wA=' },
  ];
  for (let round = 0; round < 2; round += 1) {
    const said = await send('orders', messages);
    assert.deepEqual(new Set(said.explicitAcks), new Set(['a', 'b', 'c']));
    assert.deepEqual(said.retryMessages, []);
  }
  const pulled = await ask('orders/messages/pull', 'POST', { batch_size: 10 });
  const seen = pulled.messages.map((it) => [it.content_type, it.encoding, it.body]);
  assert.deepEqual(seen.sort(), [
    ['application/json', 'utf8', '{"n":[1,null]}'],
    ['application/octet-stream', 'base64', '/wA='],
    ['text/plain;charset=UTF-8', 'utf8', 'grüße'],
  ]);
});

test('what is refused is tried again, and only that', async (t) => {
  const { send, ask } = await start(t);
  await ask('small', 'PUT', { capacity: { max_messages: 60, retry_after_ms: 7_000 } });
  const messages = Array.from({ length: 100 }, (_, n) => ({ id: `m${n}`, text: 'x' }));
  const said = await send('small', messages);
  assert.equal(said.explicitAcks.length, 60);
  assert.equal(said.retryMessages.length, 40);
  assert.ok(said.retryMessages.every(({ delaySeconds }) => delaySeconds === 7));
  const all = [...said.explicitAcks, ...said.retryMessages.map((it) => it.msgId)];
  assert.equal(new Set(all).size, messages.length);
  assert.equal((await ask('small')).depth, 60);
});
