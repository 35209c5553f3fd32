// The line before an object: publishes leave a part of it to all else, in whatever form they come.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callObject, fetchShared, isPublish, openSocket } from '../../host/call.js';
import { Entry, Line } from '../../host/line.js';

// As in workerd; this Node has none of its own.
Uint8Array.prototype.toBase64 ??= function toBase64() {
  return Buffer.from(this).toString('base64url');
};

let url;
const namespace = {
  getByName: () => ({
    fetch: async (to) => {
      url = to;
      return new Response();
    },
  }),
};
const env = { QUEUE: namespace };
const LARGE = new Uint8Array(9_000);
const BODY_MAX = 4_194_304;

const requestOf = (bytes) =>
  new Request('http://x/', {
    method: 'POST', body: new Uint8Array(bytes), headers: { 'content-length': String(bytes) },
  });
const call = (more, bytes) => () => {
  const shape = { namespace: 'QUEUE', object: 'q#0', command: 'AAAA', bodyMax: null, ...more };
  return callObject(env, shape, bytes === undefined ? undefined : requestOf(bytes));
};

const PUBLISHES = {
  'a message': call({ publishes: true }),
  'a large message': call({ publishes: true, bodyMax: BODY_MAX }, 100_000),
  'a batch': call({ publishes: true }),
  'a large batch': call({ publishes: true, command: LARGE }),
  'a batch in binary': call({ publishes: true, bodyMax: BODY_MAX }, 100),
  'a large batch in binary': call({ publishes: true, bodyMax: BODY_MAX }, 9_000),
  'messages that share a call': () => fetchShared({ namespace, object: 'q#0' }, 'A,B', 2),
};
const OTHERS = {
  'an acknowledgement': call({ publishes: false }),
  'a large acknowledgement': call({ publishes: false, command: LARGE }),
  'an acknowledgement in binary': call({ publishes: false, bodyMax: BODY_MAX }, 100),
  'a large acknowledgement in binary': call({ publishes: false, bodyMax: BODY_MAX }, 9_000),
  'a socket': () => openSocket(env, { namespace: 'QUEUE', object: 'q#0', command: 'AAAA' }, 0),
};

const full = new Line();
while (full.hasRoom(true)) full.push(new Entry({}, 0, 'AAAA', null, 0, null));

for (const [isLetIn, calls] of [[false, PUBLISHES], [true, OTHERS]]) {
  for (const [name, make] of Object.entries(calls)) {
    test(`${name} is ${isLetIn ? 'let in' : 'refused'} where publishes fill the line`, async () => {
      await make();
      assert.equal(full.hasRoom(isPublish({ url })), isLetIn, url);
    });
  }
}
