// Finds the Chromium that the browser tests drive, and on Debian installs it for root.

import { existsSync } from 'node:fs';
import { Failure, step } from './steps.mjs';
import { execute } from './tools.mjs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** @returns {Promise<string>} the binary: CHROMIUM where set, else one found or installed */
export async function browserBinary() {
  if (process.env.CHROMIUM) {
    if (existsSync(process.env.CHROMIUM)) return process.env.CHROMIUM;
    throw new Failure(`CHROMIUM is "${process.env.CHROMIUM}", and there is no such file.`);
  }
  const found = () => PLACES.find((place) => existsSync(place));
  if (!found() && process.getuid?.() === 0 && existsSync('/etc/debian_version')) await install();
  const place = found();
  if (place) return place;
  throw new Failure(
    'The browser tests need Chromium. Install it (Debian: apt-get install chromium), ' +
      'or name a binary: CHROMIUM=/path/to/chromium npm test',
  );
}

async function install() {
  await step('Installing chromium for the browser tests (apt-get)', async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const update = await execute('apt-get', ['update'], { env });
    const args = ['install', '-y', '--no-install-recommends', 'chromium'];
    const { code, output } = await execute('apt-get', args, { env });
    if (code !== 0) {
      throw new Failure('apt-get could not install chromium.', { output: update.output + output });
    }
  });
}
