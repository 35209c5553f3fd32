// The calls that an object makes to others: every one is answered.

import assert from 'node:assert/strict';
import { register } from 'node:module';
import { mock, test } from 'node:test';

// The core is not needed here, and Node reads no Wasm as a module.
const HOOKS = `export const load = (url, context, next) => url.endsWith('.wasm')
  ? { format: 'module', source: 'export default null', shortCircuit: true }
  : next(url, context);`;
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
const { Calls } = await import('../../host/calls.js');
const { FOR_QUEUE } = await import('../../host/frames.js');

/** Objects that never answer: a call ends with its signal. */
const SILENT = {
  getByName: () => ({
    fetch: (url, { signal }) => new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    }),
  }),
};

test('a call that is never answered has failed after a while, and the next one is made', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  mock.method(console, 'log', () => {});
  const answers = [];
  const calls = new Calls({ QUEUE: SILENT }, 'orders#0', (answer) => answers.push(answer.number));
  const call = (number) => ({ number, to: FOR_QUEUE, shared: 0, object: 'other#0', command: 'x' });
  calls.start([1, 2, 3, 4, 5].map(call), null);
  mock.timers.tick(19_999);
  await new Promise(setImmediate);
  assert.deepEqual(answers, []);
  mock.timers.tick(1);
  while (answers.length < 4) await new Promise(setImmediate);
  assert.deepEqual(answers, [1, 2, 3, 4], 'a few at a time');
  mock.timers.tick(20_000);
  while (answers.length < 5) await new Promise(setImmediate);
  mock.timers.reset();
  mock.restoreAll();
});
