// The short form of npm run chaos: some runs of fixed seeds, with kills among them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { campaign, tableOf } from './campaign.mjs';

const RUNS = 20;
const SEED = 1;

test('races with kills, changes and lost answers keep every rule', async () => {
  const sums = await campaign({
    runs: RUNS, seed: SEED,
  });
  const failed = sums.failed.map(({ seed, violations, error }) =>
    `npm run chaos -- --runs 1 --seed ${seed}: ${error?.stack ?? JSON.stringify(violations)}`);
  assert.deepEqual(failed, [], tableOf(sums));
  const { runs, kills, accepted } = sums.counts;
  assert.equal(runs, RUNS);
  assert.ok(kills >= 2, `${kills} kills`);
  assert.ok(accepted > 100, `${accepted} accepted`);
});
