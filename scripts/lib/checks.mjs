// The steps of npm test, in their order: what each is called, what it runs, how its tests are
// counted. The order is the one in which a mistake is cheapest to find.

import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { buildCore } from './core.mjs';
import { browserBinary } from './browser.mjs';
import { Failure, seconds } from './steps.mjs';
import { ROOT, execute, installRust, nodeIsAtLeast } from './tools.mjs';

/** The groups of tests in JavaScript, each a folder of tests/, in the order they run. */
const GROUPS = ['frame', 'conformance', 'workerd', 'browser', 'deploy'];

/** A file of tests that takes longer hangs. */
const FILE_MS_MAX = 600_000;

/** @typedef {{ passed: number, failed: number, skipped?: number, note?: string }} Outcome */

/**
 * @typedef {object} Check
 * @property {string} name by which `npm test -- NAME` runs it
 * @property {string} title
 * @property {() => Promise<Outcome>} run throws a Failure, or counts failed tests, when the check
 *   is not met
 */

/** @returns {Check[]} all of them, in order */
export function checks() {
  return [
    { name: 'fmt', title: 'Rust is formatted', run: () => cargo(['fmt', '--check']) },
    {
      name: 'clippy',
      title: 'clippy has nothing to say',
      run: () => cargo(['clippy', '--all-targets', '--quiet', '--', '-D', 'warnings']),
    },
    { name: 'rust', title: 'Rust tests', run: () => cargo(['test'], rustCounts) },
    { name: 'wasm', title: 'The core builds and is small', run: wasm },
    ...groups().map((group) => ({
      name: group,
      title: `tests/${group}`,
      run: () => nodeTests(group),
    })),
  ];
}

/** The known groups that have tests, and whatever other folders have. */
function groups() {
  const found = readdirSync(path.join(ROOT, 'tests'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && testFiles(entry.name).length > 0)
    .map((entry) => entry.name);
  const others = found.filter((group) => !GROUPS.includes(group)).sort();
  return [...GROUPS.filter((group) => found.includes(group)), ...others];
}

function testFiles(group) {
  const directory = path.join(ROOT, 'tests', group);
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true })
    .filter((file) => file.endsWith('.test.mjs'))
    .map((file) => path.join('tests', group, file))
    .sort();
}

async function cargo(args, count = () => ({ passed: 0, failed: 0 })) {
  await installRust();
  const { code, output } = await execute('cargo', args, { onText: show });
  const counted = count(output);
  if (code !== 0 && counted.failed === 0) throw new Failure(`cargo ${args[0]} failed.`);
  return counted;
}

function rustCounts(output) {
  const form = /^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/gm;
  const lines = [...output.matchAll(form)];
  const sum = (column) => lines.reduce((total, line) => total + Number(line[column]), 0);
  return { passed: sum(1), failed: sum(2), skipped: sum(3) };
}

async function wasm() {
  const { bytes, gzippedBytes } = await buildCore();
  return { passed: 0, failed: 0, note: `${bytes} bytes, ${gzippedBytes} gzipped` };
}

async function nodeTests(group) {
  await buildCore();
  const env = { ...process.env };
  if (group === 'browser') env.CHROMIUM = await browserBinary();
  const args = ['--test', '--test-reporter=spec'];
  // Older ones do not know the flag.
  if (nodeIsAtLeast(20, 11)) args.push(`--test-timeout=${FILE_MS_MAX}`);
  args.push(...testFiles(group));
  const { code, output } = await execute(process.execPath, args, { env, onText: show });
  const counted = nodeCounts(output);
  if (code !== 0 && counted.failed === 0) throw new Failure(`The tests of ${group} did not end.`);
  if (counted.passed + counted.failed === 0) throw new Failure(`${group} ran no test.`);
  return counted;
}

function nodeCounts(output) {
  const plain = output.replace(/\x1b\[[0-9;]*m/g, '');
  const count = (what) => Number(plain.match(new RegExp(`^ℹ ${what} (\\d+)$`, 'm'))?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  return { passed: count('pass'), failed, skipped: count('skipped') + count('todo') };
}

function show(text) {
  process.stdout.write(text);
}

/**
 * @param {{ name: string, ms: number, passed: number, failed: number, note?: string,
 *   failure?: string }[]} results of the checks that ran
 * @returns {string} a line each
 */
export function summary(results) {
  return results
    .map(({ name, ms, passed, failed, note, failure }) => {
      const verdict = failure || failed ? 'FAILED' : 'ok';
      const counts = passed + failed > 0 ? `${passed} passed, ${failed} failed` : '';
      const rest = [counts, note, failure].filter(Boolean).join('; ');
      return `  ${name.padEnd(12)}  ${verdict.padEnd(6)}  ${seconds(ms).padStart(7)}  ${rest}`;
    })
    .map((line) => line.trimEnd())
    .join('\n');
}
