// W3C Trace Context from a publish to whoever takes the message.
// https://www.w3.org/TR/trace-context/

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Receiver } from './receiver.mjs';
import { until, useServer } from './support.mjs';

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const STATE = 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE';
const TRACED = { traceparent: PARENT, tracestate: STATE };

const tide = useServer();

test('a pull gives out the trace of the publish', async () => {
  const queue = await tide.queue();
  await queue.publish('x', { ...TRACED, 'tidegate-attr-a': '1' });
  assert.deepEqual((await queue.take()).attributes, { a: '1', ...TRACED });
});

test('a trace that is not valid is as good as none, and the message is taken', async () => {
  const queue = await tide.queue();
  for (const headers of [
    { traceparent: PARENT.toUpperCase() },
    { traceparent: PARENT.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)) },
    { traceparent: `${PARENT}-more` },
    { traceparent: PARENT.replace('00-', 'ff-'), tracestate: STATE },
    { traceparent: 'x'.repeat(10_000) },
    { tracestate: STATE },
  ]) {
    await queue.publish('x', headers);
    assert.deepEqual((await queue.take()).attributes, {}, JSON.stringify(headers).slice(0, 80));
  }
  await queue.publish('x', { traceparent: PARENT, tracestate: 'no state' });
  assert.deepEqual((await queue.take()).attributes, { traceparent: PARENT });
});

test('a topic gives it out, too', async () => {
  const topic = tide.name('t');
  const path = `/v1/topics/${topic}/messages`;
  const sent = await tide.request('POST', path, { headers: TRACED, body: 'x' });
  assert.equal(sent.status, 202, String(sent));
  const { messages } = (await tide.request('GET', `${path}?from_seq=earliest`)).json;
  assert.deepEqual(messages[0].attributes, TRACED);
});

test('a push has the headers of the publish, and the extension of CloudEvents', async (t) => {
  const receiver = await new Receiver(() => ({ status: 204 })).start();
  t.after(() => receiver.stop());
  const queue = await tide.queue();
  await queue.configure({ push: { url: receiver.url } });
  await queue.publish('x', TRACED);
  await until(() => receiver.received.length === 1);
  const [{ headers }] = receiver.received;
  assert.equal(headers.traceparent, PARENT);
  assert.equal(headers.tracestate, STATE);
  assert.equal(headers['ce-traceparent'], PARENT);
});
