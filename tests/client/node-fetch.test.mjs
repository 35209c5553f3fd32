// The client's own way to servers, in Node: what may go wrong with a connection.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ConnectionError, Tidegate, TimeoutError } from '../../clients/typescript/index.js';
import { nodeFetch } from '../../clients/typescript/src/node-fetch.js';

const MIB = 1024 * 1024;
const NO_RETRY = { attempts: 1 };
/** @type {(request: http.IncomingMessage, response: http.ServerResponse) => void} */
let handle;
let connections = 0;
const server = http.createServer((request, response) => handle(request, response));
server.on('connection', () => (connections += 1));

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const url = () => `http://127.0.0.1:${server.address().port}`;
const connect = (options) => new Tidegate({ url: url(), retry: NO_RETRY, ...options });
const figures = { name: 'q', depth: 3 };
const answerJson = (response, value, status = 200) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
};

test('it is what is used here, with connections that stay open', async () => {
  const agents = new Set();
  handle = (request, response) => {
    agents.add(request.headers['user-agent']);
    answerJson(response, figures);
  };
  connections = 0;
  const queue = connect().queue('q');
  for (let n = 0; n < 5; n += 1) assert.equal((await queue.describe()).depth, 3);
  assert.equal(connections, 1);
  assert.deepEqual([...agents], [undefined], 'fetch would name itself');
});

test('a fetch that somebody put in the place of the platform’s is used', async (t) => {
  handle = (_, response) => response.destroy();
  t.mock.method(globalThis, 'fetch', async () => Response.json(figures));
  assert.equal((await connect().queue('q').describe()).depth, 3);
});

test('large and empty bodies arrive as they were', async () => {
  const body = new Uint8Array(MIB).map((_, n) => n % 251);
  handle = async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const sent = Buffer.concat(chunks);
    assert.equal(Number(request.headers['content-length'] ?? 0), sent.length);
    response.writeHead(sent.length > 0 ? 200 : 204).end(sent);
  };
  const fetch = nodeFetch();
  const full = await fetch(url(), { method: 'POST', body });
  const bytes = await full.bytes();
  assert.deepEqual([full.status, full.ok, bytes.constructor], [200, true, Uint8Array]);
  assert.ok(Buffer.from(bytes).equals(Buffer.from(body)));
  const empty = await fetch(url(), { method: 'POST' });
  assert.deepEqual([empty.status, await empty.text()], [204, '']);
});

test('a redirect is an answer', async () => {
  handle = (_, response) => response.writeHead(303, { location: 'https://example.com/full' }).end();
  await assert.rejects(connect().queue('q').publish('a'), {
    type: 'redirected', redirectUrl: 'https://example.com/full',
  });
});

for (const [what, cut] of [
  ['before it answers', (response) => response.destroy()],
  ['in the middle of an answer', (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('{"depth":', () => response.destroy());
  }],
  ['with something that is no HTTP', (response) => response.socket.end('220 ready\r\n\r\n')],
]) {
  test(`a server that goes away ${what} is an error of the connection`, async () => {
    handle = (_, response) => cut(response);
    await assert.rejects(connect().queue('q').describe(), ConnectionError);
  });
}

test('a connection that was closed between two calls costs a repetition', async () => {
  const seen = [];
  handle = (request, response) => {
    seen.push(request.headers['idempotency-key']);
    // Known to nobody at the other end before the next request is under way.
    if (seen.length === 2) request.socket.destroy();
    else answerJson(response, { id: '01M83NV4AC000000004S4C6EQ2', seq: 1 }, 202);
  };
  const queue = connect({ retry: { attempts: 2, initialMs: 1 } }).queue('q');
  await queue.publish('a');
  await queue.publish('b');
  assert.equal(seen.length, 3);
  assert.equal(seen[1], seen[2], 'under the same key');
});

test('the time-out and an abort end a call, at any point of it', async () => {
  const points = {
    'no answer': () => {},
    'half an answer': (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{');
    },
  };
  for (const [point, at] of Object.entries(points)) {
    handle = at;
    const impatient = connect({ timeoutMs: 50 });
    await assert.rejects(impatient.queue('q').describe(), TimeoutError, point);
    const stop = new AbortController();
    const began = new Promise((resolve) => {
      handle = (...exchange) => {
        at(...exchange);
        resolve();
      };
    });
    const pull = connect().queue('q').pull({ signal: stop.signal });
    const refused = assert.rejects(pull, (error) => error === stop.signal.reason, point);
    await began;
    stop.abort(new Error('enough'));
    await refused;
  }
});

test('nobody listens: an error of the connection, at once', async () => {
  const free = net.createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address();
  await new Promise((resolve) => free.close(resolve));
  for (const scheme of ['http', 'https']) {
    const client = new Tidegate({ url: `${scheme}://127.0.0.1:${port}`, retry: NO_RETRY });
    await assert.rejects(client.queue('q').describe(), ConnectionError);
  }
});

test('an idle connection keeps no process alive', async () => {
  handle = (_, response) => answerJson(response, figures);
  const program = `
    import { Tidegate } from ${JSON.stringify(new URL('../../clients/typescript/index.js', import.meta.url))};
    const queue = new Tidegate({ url: ${JSON.stringify(url())} }).queue('q');
    console.log((await queue.describe()).depth, performance.now());
    process.on('exit', () => console.log(performance.now()));`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]);
  const [depth, answered, ended] = stdout.split(/\s/).map(Number);
  assert.equal(depth, 3);
  assert.ok(ended - answered < 2_000, `it took ${ended - answered} ms to end`);
});

test('a call that is broken off resets its connection: the server notices', async () => {
  const ended = [];
  const silent = net.createServer((socket) => {
    socket.on('data', () => leave.abort(new Error('enough')));
    for (const name of ['error', 'end', 'close']) {
      socket.on(name, (error) => ended.push(error?.code ?? name));
    }
  });
  const leave = new AbortController();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = `http://127.0.0.1:${silent.address().port}/`;
  const init = { method: 'POST', body: 'x', signal: leave.signal };
  await assert.rejects(nodeFetch()(address, init), /enough/);
  await assert.rejects(nodeFetch()(address, init), /enough/, 'nor is it begun');
  silent.close();
  await once(silent, 'close');
  assert.equal(ended[0], 'ECONNRESET');
});
