// The examples of the client's README run, one after another, as somebody would paste them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as tidegate from '../../clients/typescript/index.js';
import { ROOT } from '../../scripts/lib/tools.mjs';
import { useServer } from './support.mjs';

const tide = useServer();
const README = readFileSync(path.join(ROOT, 'clients', 'typescript', 'README.md'), 'utf8');
const AsyncFunction = (async () => {}).constructor;

/** What the examples say, and what they do to the world around them. */
function world() {
  const said = [];
  const console = { log: (...all) => said.push(all.join(' ')), error: (error) => { throw error; } };
  const booked = [];
  const sent = [];
  return {
    said, booked, sent, console,
    book: async (buyer) => booked.push(buyer),
    send: (name) => void sent.push(name),
  };
}

/** The examples as one program against the test's server; a worker would run until it is told. */
function program() {
  const blocks = [...README.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, code]) => code);
  const code = blocks.join('\n')
    .replace(/^import .* from 'tidegate';$/m, '')
    .replace('http://127.0.0.1:8787', tide.server.url)
    .replace("process.once('SIGTERM', () => stop.abort());", 'onStart(stop);')
    .replace('await sale.consume(', 'const working = sale.consume(')
    // A name that two examples use is declared once.
    .replaceAll('const { id } =', 'var { id } =');
  return `${code}\nstop.abort();\nawait working;`;
}

test('the examples of the README run', async () => {
  const { said, booked, sent, ...given } = world();
  const names = { ...tidegate, ...given, onStart() {} };
  // A third buyer comes too late, and would a fourth: the stock grows in between.
  const code = program().replace(
    "var { id } = await sale.publish({ buyer: 'Barbara' });",
    "await sale.configure({ capacity: { maxAccepted: 3 } });\n$&",
  );
  await new AsyncFunction(...Object.keys(names), code)(...Object.values(names));
  assert.deepEqual(booked, ['Ada', 'Grace', 'Barbara']);
  assert.deepEqual(sent, ['Grace']);
  for (const line of [
    /^Ada is number 1: /, /^Grace is number 2: /, /^Edsger comes too late$/, /^done/, /^here: Ada$/,
    /^open$/, /^1 ada Is anybody here\?$/, /^\{"name":"Grace"\}$/,
  ]) {
    assert.ok(said.some((text) => line.test(text)), `${line} is missing in ${said.join('\n')}`);
  }
});
