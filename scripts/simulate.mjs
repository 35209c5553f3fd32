// npm run simulate: the flash sale in simulation (docs/simulation.md). Arguments are handed through;
// `npm run simulate -- --help x` names them.

import { Failure, run, step } from './lib/steps.mjs';
import { execute, installRust } from './lib/tools.mjs';

/** What the runs need is fast code, not a small binary: without these it links for a minute. */
const BUILD = { CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' };

run(async () => {
  await installRust();
  const env = { ...process.env, ...BUILD };
  const example = ['--release', '--quiet', '--example', 'simulate'];
  await step('Building the simulation', async () => {
    const { code, output } = await execute('cargo', ['build', ...example], { env });
    if (code !== 0) throw new Failure('The simulation does not build.', { output });
  });
  const args = ['run', ...example, '--', ...process.argv.slice(2)];
  const { code } = await execute('cargo', args, { env, onText: (text) => process.stdout.write(text) });
  return code;
});
