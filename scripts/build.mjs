// npm run build: makes build/tidegate.wasm, or says that it is up to date.

import { buildCore } from './lib/core.mjs';
import { run } from './lib/steps.mjs';
import { installPackages } from './lib/tools.mjs';

run(async () => {
  await installPackages();
  const { built, bytes, gzippedBytes } = await buildCore();
  const verdict = built ? 'Built' : 'Up to date';
  console.log(
    `${verdict}: build/tidegate.wasm, ${kilobytes(bytes)}, ${kilobytes(gzippedBytes)} gzipped`,
  );
});

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
