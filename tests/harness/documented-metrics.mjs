// The metrics that docs/HTTP.md tells of.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/tools.mjs';

/**
 * What becomes of each after a restart, by its full name. A row names its first metric in full;
 * others may lack what is the same at their beginning.
 * @returns {[name: string, restart: string][]}
 */
export function documentedMetrics() {
  const [, section] = readFileSync(path.join(ROOT, 'docs', 'HTTP.md'), 'utf8').split('\n## Metrics\n');
  const rows = section.split('\n').filter((line) => line.startsWith('| `tidegate_'));
  return rows.flatMap((row) => {
    const [, names, , restart] = row.split('|');
    const each = [...names.matchAll(/`(?:tidegate)?([a-z_]+)(?:\{[^`]*)?`/g)];
    return each.map(([, name]) => [`tidegate${name}`, restart.trim()]);
  });
}
