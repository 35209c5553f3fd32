// npm run scan: ten thousand requests, right and wrong, against a server of its own.
// `-- --requests N`, `-- --seed S`.

import { parseArgs } from 'node:util';
import { startServer } from '../harness/server.mjs';
import { scan } from './scan.mjs';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const options = { requests: Number(values.requests), seed: Number(values.seed) };
const server = await startServer();
const began = performance.now();
const { findings, statuses, operations, refused } = await scan(server.url, options);
await server.stop();
const seconds = ((performance.now() - began) / 1000).toFixed(0);
const sent = `${options.requests} requests of ${operations} operations`;
console.log(`${sent} in ${seconds} s, seed ${options.seed}`);
console.log(Object.entries(statuses).map(([status, n]) => `${status}: ${n}`).join(', '));
if (refused.length > 0) console.log(`always refused: ${refused.join(', ')}`);
for (const finding of findings) console.log(`\n  ${finding}`);
console.log(`\n${findings.length} findings`);
process.exitCode = findings.length > 0 ? 1 : 0;
