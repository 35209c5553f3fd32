// Live readers that are cut off hundreds of times, and a server that is killed under them: with
// `durable` they miss nothing and hear nothing twice, whichever way they listen. The long form is
// npm run chaos -- --reconnects 10000 --kills 50.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reconnects } from '../chaos/reconnects.mjs';

const CUTS = 200;
const KILLS = 3;

test('readers that are cut off hear every message once', { timeout: 300_000 }, async () => {
  const { violations, counts } = await reconnects({ cuts: CUTS, kills: KILLS, seed: 7 });
  assert.deepEqual(violations, []);
  // How many messages there are meanwhile depends on the machine: enough to have missed some.
  assert.ok(counts.cuts >= CUTS && counts.messages > CUTS / 4, JSON.stringify(counts));
});
