// The soak of pushes in short: an endpoint that fails, hangs and is killed, and a server that is
// killed too. The long form is npm run push-soak.

import { test } from 'node:test';
import { check, soak } from '../../bench/push/run.mjs';

test('nothing is lost and the pace is kept while either side fails and is killed', async () => {
  const options = { messages: 500, rate: 300, killEveryMs: 3_000, serverKillEveryMs: 5_000 };
  check(await soak({ ...options, serverKillsMax: 1 }));
});
