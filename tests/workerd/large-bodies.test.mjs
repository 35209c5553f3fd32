// Bodies of 1 MiB: whatever goes through, their copies do not pile up in the object's memory, which
// never shrinks.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Tidegate } from '../../clients/typescript/index.js';
import { Tide } from '../conformance/support.mjs';

const MIB = 1_048_576;
const ROUNDS = 12;
/** A turn takes 8 MiB of requests and a pull gives out 6; both are copied on their way. */
const MEMORY_BYTES_MAX = 64 * MIB;

const tide = new Tide();
before(() => tide.start());
after(() => tide.stop());

async function memoryBytes() {
  const text = await (await fetch(`${tide.url}/metrics`)).text();
  const figures = text.matchAll(/^tidegate_wasm_memory_bytes\S* (\S+)$/gm);
  return Math.max(...Array.from(figures, ([, bytes]) => Number(bytes)));
}

test('memory is bounded while bodies of 1 MiB go in and out', { timeout: 240_000 }, async () => {
  const client = new Tidegate({ url: tide.url, timeoutMs: 60_000 });
  const queue = client.queue('large', { batchBytesMax: 3 * MIB });
  await queue.configure({ maxMessageBytes: MIB });
  // Letters: of what JSON writes longer, a pull gives less.
  const bodyOf = (n) => new Uint8Array(MIB).fill(65 + (n % 26));
  const seen = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    // Three share a batch, one goes alone, as a stream.
    await Promise.all([0, 1, 2].map((n) => queue.publish(bodyOf(4 * round + n))));
    await queue.publish(bodyOf(4 * round + 3));
    for (let left = 4; left > 0; ) {
      const messages = await queue.pull({ batchSize: 4 });
      for (const { body } of messages) assert.ok(body.every((byte) => byte === body[0]));
      await Promise.all(messages.map((message) => message.ack()));
      left -= messages.length;
    }
    seen.push(await memoryBytes());
  }
  assert.ok(seen.at(-1) > 0, `the figure is there: ${seen}`);
  assert.ok(Math.max(...seen) <= MEMORY_BYTES_MAX, `${seen.map((b) => Math.round(b / MIB))} MiB`);
  assert.equal(seen.at(-1), seen[Math.floor(ROUNDS / 2)], 'it has stopped growing');
});
