// What becomes of a refusal from memory when the server's clock goes back: it must not last until
// the clock is there again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { History } from './history.mjs';
import { hasFaultLayer } from './faults.mjs';
import { Queue } from './queue.mjs';
import { Subject } from './server.mjs';

const HOUR_MS = 3_600_000;
const skip = hasFaultLayer() ? false : 'only where a library can be preloaded';

test('a refusal from memory ends when the clock goes back', { skip }, async () => {
  const subject = await Subject.start();
  try {
    const queue = new Queue(subject, '/v1/queues/one-place');
    queue.history = new History(0, {});
    await queue.must('PUT', '', { capacity: { max_accepted: 1 } });
    const publish = () => subject.send('POST', `${queue.path}/messages`, { body: '0 release' });
    assert.equal((await publish()).status, 202);
    assert.equal((await publish()).headers['tidegate-decided-by'], 'object');
    // The same again, so that it is given without asking.
    for (let n = 0; n < 3; n += 1) {
      const refused = await publish();
      assert.deepEqual([refused.status, refused.headers['tidegate-decided-by']], [410, 'edge']);
    }
    subject.moveClock(-HOUR_MS);
    assert.equal((await publish()).headers['tidegate-decided-by'], 'object');
  } finally {
    await subject.stop();
  }
});
