// npm test: everything that must hold before a change goes in, in order, up to the first that does
// not. `npm test -- NAME …` runs only the steps named.

import { checks, summary } from './lib/checks.mjs';
import { Failure, run, seconds } from './lib/steps.mjs';
import { installPackages } from './lib/tools.mjs';

run(async () => {
  await installPackages();
  const chosen = choose(checks(), process.argv.slice(2));
  const results = [];
  for (const check of chosen) {
    const result = await perform(check);
    results.push(result);
    if (result.failure || result.failed > 0) break;
  }
  return report(results, chosen);
});

function choose(all, names) {
  const known = all.map((check) => check.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown) {
    throw new Failure(`There is no step "${unknown}". The steps are: ${known.join(', ')}.`);
  }
  return names.length > 0 ? all.filter((check) => names.includes(check.name)) : all;
}

async function perform({ name, title, run: runCheck }) {
  console.log(`\n=== ${name}: ${title}`);
  const began = performance.now();
  const result = await runCheck().catch((error) => {
    if (!(error instanceof Failure)) throw error;
    if (error.output) console.error(error.output);
    console.error(error.message);
    return { passed: 0, failed: 0, failure: error.message };
  });
  const ms = performance.now() - began;
  console.log(`--- ${name}: ${seconds(ms)}`);
  return { name, ms, ...result };
}

function report(results, chosen) {
  const sum = (column) => results.reduce((total, result) => total + (result[column] ?? 0), 0);
  // A step that failed without a test of its own counts as one.
  const failed = sum('failed') + results.filter((result) => result.failure).length;
  const left = chosen.slice(results.length).map((check) => check.name);
  console.log(`\n=== Summary\n${summary(results)}`);
  if (left.length > 0) console.log(`  not run: ${left.join(', ')}`);
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : '';
  console.log(`\n${sum('passed')} passed, ${failed} failed${skipped}`);
  return failed > 0 ? 1 : 0;
}
