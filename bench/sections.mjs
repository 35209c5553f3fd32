// The sections of the benchmark, in the order in which they run.

import { measureBundle } from './cases/bundle.mjs';
import { measureCost } from './cases/cost.mjs';
import { measureDepth } from './cases/depth.mjs';
import { measureHttp } from './cases/http.mjs';
import { measureLatency } from './cases/latency.mjs';
import { measureSizes } from './cases/sizes.mjs';
import { measureStart } from './cases/start.mjs';

/**
 * @typedef {object} Context what a section works with
 * @property {import('./plan.mjs').Plan} plan
 * @property {import('./report/book.mjs').Book} book
 * @property {Record<string, string>} versions of what was measured, by title
 * @property {(text: string) => void} say what is being done
 */

/** @type {{ name: string, title: string, run: (context: Context) => Promise<void> }[]} */
export const SECTIONS = [
  { name: 'bundle', title: 'Bundle', run: measureBundle },
  { name: 'start', title: 'Cold start', run: measureStart },
  { name: 'http', title: 'HTTP', run: measureHttp },
  { name: 'latency', title: 'Latency at half load', run: measureLatency },
  { name: 'cost', title: 'Cost', run: measureCost },
  { name: 'sizes', title: '256 in flight', run: measureSizes },
  { name: 'depth', title: 'Deep backlog', run: measureDepth },
];
