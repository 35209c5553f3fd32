// npm run chaos: seeded races against the real server, with kills, and a judge. See
// docs/reliability.md.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { buildCore } from '../../scripts/lib/core.mjs';
import { Failure, run, seconds } from '../../scripts/lib/steps.mjs';
import { installPackages } from '../../scripts/lib/tools.mjs';
import { campaign, tableOf } from './campaign.mjs';
import { reconnects } from './reconnects.mjs';
import { runMutants } from './mutants/run.mjs';

const USAGE = `npm run chaos -- [--runs N] [--seed S] [--kills K] [--lanes L] [--port P]
       npm run chaos -- --reconnects N [--kills K]
       npm run chaos -- --mutants [NAME]
  --runs   how many runs (100)
  --seed   of the first, the next ones count on from it; a random one unless given
  --kills  of each run; as its seed says unless given
  --lanes  runs at a time, each with a server of its own (2)
  --port   of the first server, the next ones follow; any that is free unless given
  --failures  ends after so many failed runs (10)
  --report    a file for the sums, as JSON
  --as-built  takes the core as it is in build/, up to date or not
  --reconnects  live readers cut off so often, and no races
  --mutants   builds known mistakes into a copy, and sees whether each is noticed`;

/** Violations of one run that are shown. */
const SHOWN_MAX = 5;
const PROGRESS_RUNS = 50;

const OPTIONS = {
  runs: { type: 'string', default: '100' },
  seed: { type: 'string' },
  kills: { type: 'string' },
  lanes: { type: 'string', default: '2' },
  port: { type: 'string', default: '0' },
  reconnects: { type: 'string' },
  failures: { type: 'string', default: '10' },
};
const OTHERS = {
  report: { type: 'string' },
  'as-built': { type: 'boolean', default: false },
  mutants: { type: 'boolean', default: false },
};

run(async () => {
  const { only, ...options } = read(process.argv.slice(2));
  await installPackages({ quiet: true });
  if (options.mutants) return (await runMutants({ only, port: options.port })) ? 0 : 1;
  if (!options['as-built']) await buildCore();
  if (options.reconnects) return reconnect(options);
  console.log(`${options.runs} runs from seed ${options.seed} on.`);
  const began = performance.now();
  const sums = await campaign({ ...options, onRun: show });
  console.log(`\n${tableOf(sums)}\n\n${seconds(performance.now() - began)}`);
  if (options.report) writeFileSync(options.report, reportOf(sums));
  return sums.failed.length > 0 ? 1 : 0;
});

async function reconnect({ reconnects: cuts, kills = 0, seed, port }) {
  const began = performance.now();
  const onKill = (done) => done.kills % 10 === 0
    && console.log(`${done.cuts} cuts, ${done.kills} kills, ${seconds(performance.now() - began)}`);
  const { counts, violations } = await reconnects({ cuts, kills, seed, port, onKill });
  console.log(`\n${JSON.stringify(counts)}\n${violations.length} violations`);
  for (const { rule, detail } of violations.slice(0, SHOWN_MAX)) {
    console.log(`  ${rule}: ${detail}`);
  }
  return violations.length > 0 ? 1 : 0;
}

function read(args) {
  let values;
  let positionals;
  try {
    const options = { ...OPTIONS, ...OTHERS };
    ({ values, positionals } = parseArgs({ args, options, allowPositionals: true }));
  } catch (error) {
    throw new Failure(`${error.message}\n\n${USAGE}`);
  }
  const random = Math.floor(Math.random() * 2 ** 31);
  const given = { ...values, seed: values.seed ?? String(random), only: positionals.join(' ') };
  return Object.fromEntries(Object.entries(given).map(([name, text]) => {
    if (!(name in OPTIONS)) return [name, text];
    if (!/^\d{1,10}$/.test(text)) throw new Failure(`--${name} is a number.\n\n${USAGE}`);
    return [name, Number(text)];
  }));
}

function reportOf({ counts, violations, failed }) {
  const failures = failed.map((it) => ({ ...it, error: it.error?.stack }));
  return JSON.stringify({ counts, violations, failed: failures }, null, 1);
}

function show({ counts }, failure) {
  if (failure) {
    const { seed, violations, error } = failure;
    const lines = violations.map(({ rule, detail }) => `  ${rule}: ${detail}`);
    if (error) lines.push(`  ${error.stack}`);
    const more = lines.length > SHOWN_MAX ? `\n  and ${lines.length - SHOWN_MAX} more` : '';
    console.log(`\nseed ${seed} failed; npm run chaos -- --runs 1 --seed ${seed} repeats it`);
    console.log(lines.slice(0, SHOWN_MAX).join('\n') + more);
  } else if (counts.runs % PROGRESS_RUNS === 0) {
    console.log(`${counts.runs} runs, ${counts['racing publishers']} publishers`);
  }
}
