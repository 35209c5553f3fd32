// Finds the programs of the systems that Tidegate is compared with. They come from the machine's
// own packages; what is not installed is left out of the tables, with a word.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { execute } from '../../scripts/lib/tools.mjs';

/** Where packages put servers, besides the directories of PATH. */
const PLACES = ['/usr/sbin', '/usr/local/sbin', '/usr/lib/rabbitmq/bin', '/opt/homebrew/sbin'];

/**
 * @param {string} name
 * @param {string[]} [first] directories to look in before all others
 * @returns {string | undefined} its path
 */
export function findProgram(name, first = []) {
  const own = (process.env.PATH ?? '').split(path.delimiter);
  const files = [...first, ...own, ...PLACES].map((directory) => path.join(directory, name));
  return files.find((file) => existsSync(file));
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {RegExp} form with the version as its first group
 * @returns {Promise<string>} empty when it does not say
 */
export async function versionOf(program, args, form) {
  const { output } = await execute(program, args);
  return output.match(form)?.[1] ?? '';
}
