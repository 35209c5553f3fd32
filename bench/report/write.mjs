// Writes the results where readers find them: figures as JSON, a page of the documentation, its
// charts.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/tools.mjs';
import { CHARTS, barChart } from './chart.mjs';

/**
 * @param {import('./table.mjs').Results} results
 * @param {string} page
 * @returns {string[]} the files, as paths from the root of the repository
 */
export function writeReport(results, page) {
  const files = new Map([
    ['bench/results/latest.json', `${JSON.stringify(results, null, 2)}\n`],
    ['docs/benchmarks.md', page],
  ]);
  for (const { file, title, bars } of CHARTS) {
    const found = bars(results.figures);
    if (found.length > 0) files.set(`docs/${file}`, barChart(title, found));
  }
  for (const [file, text] of files) {
    mkdirSync(path.dirname(path.join(ROOT, file)), { recursive: true });
    writeFileSync(path.join(ROOT, file), text);
  }
  return [...files.keys()];
}
