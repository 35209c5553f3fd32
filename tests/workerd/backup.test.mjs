// A backup of a server under load, and what is restored from it.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Tide } from '../conformance/support.mjs';
import { startServer, temporaryDirectory } from '../harness/server.mjs';
import { ROOT, execute } from '../../scripts/lib/tools.mjs';

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

const npmScript = (name, ...args) =>
  execute(process.execPath, [path.join(ROOT, 'scripts', `${name}.mjs`), ...args]);

test('what was accepted before a backup began is in it, and it is restored', async () => {
  const queue = await tide.queue({});
  const ids = new Set();
  let goesOn = true;
  const publisher = async () => {
    while (goesOn) ids.add((await queue.publish('x'.repeat(500))).id);
  };
  const publishers = [publisher(), publisher(), publisher(), publisher()];
  while (ids.size < 200) await new Promise((resolve) => setImmediate(resolve));

  const before = new Set(ids);
  const to = path.join(temporaryDirectory(), 'backup');
  const made = await npmScript('backup', '--from', tide.server.dataDir, '--to', to);
  assert.equal(made.code, 0, made.output);
  goesOn = false;
  await Promise.all(publishers);

  const busy = await npmScript('restore', '--from', to, '--to', tide.server.dataDir);
  assert.notEqual(busy.code, 0, 'no restore under a running server');
  const dataDir = path.join(temporaryDirectory(), 'data');
  const restored = await npmScript('restore', '--from', to, '--to', dataDir);
  assert.equal(restored.code, 0, restored.output);
  const server = await startServer({ dataDir });
  try {
    const base = `${server.url.replace(/\/$/, '')}/v1/queues/${queue.name}`;
    const found = new Set();
    for (let seq = 0; ; ) {
      const page = await fetch(`${base}/messages?limit=1000&after_seq=${seq}`);
      const { messages } = await page.json();
      if (messages.length === 0) break;
      for (const message of messages) found.add(message.id);
      seq = messages.at(-1).seq;
    }
    const lost = [...before].filter((id) => !found.has(id));
    assert.deepEqual(lost, []);
    assert.ok([...found].every((id) => ids.has(id)), 'and nothing that was never accepted');
  } finally {
    await server.stop();
  }
});
