// npm run bench: measures, checks against the goals, writes the results. One run, one machine:
// figures of different runs are not put side by side.

import { readFileSync } from 'node:fs';
import { buildCore } from '../scripts/lib/core.mjs';
import { Failure, run, step } from '../scripts/lib/steps.mjs';
import { installPackages } from '../scripts/lib/tools.mjs';
import { readPlan } from './plan.mjs';
import { Book } from './report/book.mjs';
import { checkGoals } from './report/goals.mjs';
import { describeMachine } from './report/machine.mjs';
import { goalLines, markdown, tableLines } from './report/table.mjs';
import { writeReport } from './report/write.mjs';
import { SECTIONS } from './sections.mjs';

run(async () => {
  const args = process.argv.slice(2);
  const plan = readPlan(args, SECTIONS.map(({ name }) => name));
  if (typeof plan === 'string') {
    console.log(plan);
    return 0;
  }
  await installPackages();
  await buildCore();
  const results = await measure(plan, ['npm run bench', ...(args.length ? ['--', ...args] : [])]);
  console.log(`\n${[...tableLines(results), '', ...goalLines(results)].join('\n')}\n`);
  if (plan.only.length === 0) {
    for (const file of writeReport(results, markdown(results))) console.log(`wrote ${file}`);
  }
  return 0;
});

async function measure(plan, command) {
  const book = new Book();
  const versions = { Node: process.versions.node, workerd: workerdVersion() };
  const began = new Date();
  const machine = await describeMachine();
  const chosen = SECTIONS.filter(({ name }) => plan.only.length === 0 || plan.only.includes(name));
  for (const { title, run: measureSection } of chosen) {
    await step(title, async (say) => {
      try {
        await measureSection({ plan, book, versions, say });
      } catch (error) {
        throw new Failure(`${title} could not be measured: ${error.stack}`);
      }
    });
  }
  return {
    command: command.join(' '),
    began_at: began.toISOString(),
    took_ms: Date.now() - began.getTime(),
    plan,
    machine,
    versions,
    figures: book.figures(),
    skipped: book.skipped,
    goals: checkGoals(book),
  };
}

function workerdVersion() {
  const file = new URL('../node_modules/workerd/package.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
