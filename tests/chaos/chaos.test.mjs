// The short form of npm run chaos: some runs of fixed seeds, with and without kills.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { campaign, tableOf } from './campaign.mjs';

const QUIET = { runs: 12, seed: 1, kills: 0 };
const KILLED = { runs: 7, seed: 101, kills: 3 };

async function holds(options) {
  const sums = await campaign(options);
  const failed = sums.failed.map(({ seed, violations, error }) =>
    `npm run chaos -- --runs 1 --seed ${seed} --kills ${options.kills}: `
      + (error?.stack ?? JSON.stringify(violations)));
  assert.deepEqual(failed, [], tableOf(sums));
  assert.equal(sums.counts.runs, options.runs);
  return sums.counts;
}

test('races with changes and lost answers keep every rule', async () => {
  const { accepted } = await holds(QUIET);
  assert.ok(accepted > 60, `${accepted} accepted`);
});

test('kills, power cuts and failing disks in a race break no rule', async () => {
  const { kills, accepted } = await holds(KILLED);
  assert.ok(kills >= 20, `${kills} kills`);
  assert.ok(accepted > 60, `${accepted} accepted`);
});
