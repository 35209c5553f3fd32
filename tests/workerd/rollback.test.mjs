// A turn whose storage fails is undone as a whole, on the real runtime. The host is copied, and its
// door to SQL made to fail after a write: what was written before must be gone with it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, workerdBinary } from '../../scripts/lib/tools.mjs';
import { startServer, temporaryDirectory } from '../harness/server.mjs';

const READY_MS_MAX = 20_000;
/** The statement that fails once it has run: the row of a delayed message. */
const FAILING = 'INSERT INTO singles';
const JSON_TYPE = { 'content-type': 'application/json' };

let url;
let child;

before(async () => {
  // Makes sure that there is a core to copy.
  await (await startServer()).stop();
  const copy = temporaryDirectory();
  for (const part of ['host', 'build', 'www', 'workerd.capnp']) {
    cpSync(path.join(ROOT, part), path.join(copy, part), { recursive: true });
  }
  breakSql(path.join(copy, 'host', 'sql.js'));
  child = spawn(workerdBinary(), [
    'serve', path.join(copy, 'workerd.capnp'), '--socket-addr', 'http=127.0.0.1:0',
    '--directory-path', `data=${temporaryDirectory()}`,
    '--directory-path', `www=${path.join(copy, 'www')}`, '--control-fd=3',
  ], { env: { AUTH: 'none', LOOPBACK: 'true' }, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  process.on('exit', () => child.kill('SIGKILL'));
  url = `http://127.0.0.1:${await portOf(child)}/v1/queues/q`;
});

after(async () => {
  child.kill('SIGKILL');
  await once(child, 'exit');
});

function breakSql(file) {
  const whole = readFileSync(file, 'utf8');
  const place = /\n(\s*)(const rows = )/;
  assert.match(whole, place);
  const fail = `if (statement.text.startsWith('${FAILING}')) throw new Error('disk I/O error');`;
  writeFileSync(file, whole.replace(place, `\n$1${fail}\n$1$2`));
}

/** The port that workerd says it listens on. */
async function portOf({ stdio }) {
  const late = new Error('workerd does not listen');
  const deadline = setTimeout(() => stdio[3].destroy(late), READY_MS_MAX);
  let said = '';
  for await (const chunk of stdio[3]) {
    said += chunk;
    const port = /"port":(\d+)/.exec(said);
    if (port) {
      clearTimeout(deadline);
      return port[1];
    }
  }
  throw new Error(`workerd ended: ${said}`);
}

const publish = (body, headers = {}) => fetch(`${url}/messages`, { method: 'POST', body, headers });
const figures = async () => (await fetch(url)).json();

test('a turn that fails is undone as a whole, and the queue goes on', async () => {
  assert.equal((await publish('before')).status, 202);
  const undone = await publish('undone', { 'tidegate-delay-ms': '200' });
  assert.equal(undone.status, 503);
  assert.equal((await undone.json()).type, 'unavailable');
  assert.equal((await publish('after')).status, 202);

  const { depth, delayed, accepted_total: accepted } = await figures();
  assert.deepEqual({ depth, delayed, accepted }, { depth: 2, delayed: 0, accepted: 2 });
  const bodies = async (wait) => {
    const options = { method: 'POST', body: JSON.stringify({ wait_ms: wait }), headers: JSON_TYPE };
    const { messages } = await (await fetch(`${url}/messages/pull`, options)).json();
    return messages.map(({ body, seq }) => [body, seq]);
  };
  assert.deepEqual(await bodies(0), [['before', 1], ['after', 2]]);
  // Had its row stayed, it would come now.
  assert.deepEqual(await bodies(1_000), []);
});

test('who waits while a turn fails is told to try again', async () => {
  const queue = url.replace(/q$/, 'empty');
  assert.equal((await fetch(queue, { method: 'PUT' })).status, 201);
  const waiting = fetch(`${queue}/messages/pull`, {
    method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ wait_ms: 20_000 }),
  });
  const failing = { 'tidegate-delay-ms': '60000' };
  const send = () => fetch(`${queue}/messages`, { method: 'POST', body: 'x', headers: failing });
  // The pull may arrive after the first publish: it is told by the one that fails after it.
  let told = null;
  waiting.then((answer) => (told = answer.status));
  for (let tries = 0; told === null && tries < 200; tries++) {
    assert.equal((await send()).status, 503);
  }
  assert.equal((await waiting).status, 503);
});
