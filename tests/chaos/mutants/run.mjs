// Makes each mistake of the list in a copy of the repository, builds it, and runs the harness
// against it until that notices. The copy and what is built of it stay in build/mutants/ for the
// next time.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync,
  copyFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, seconds } from '../../../scripts/lib/steps.mjs';
import { ROOT, execute } from '../../../scripts/lib/tools.mjs';
import { MUTANTS } from './list.mjs';

const FOLDER = path.join(ROOT, 'build', 'mutants');
const TREE = path.join(FOLDER, 'tree');
const TARGET = path.join(FOLDER, 'target');
const WASM = path.join('wasm32-unknown-unknown', 'release', 'tidegate.wasm');
/** What the copy needs to build and run. */
const PARTS = ['Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', 'package.json',
  'package-lock.json', 'workerd.capnp', 'src', 'host', 'scripts', 'tests', 'www', 'clients',
  'docs'];
/** A mistake that so many runs do not notice counts as not noticed. */
const RUNS_MAX = 60;
/** Speed of compiling counts here, not that of the core. */
const QUICK = {
  CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16', CARGO_PROFILE_RELEASE_INCREMENTAL: 'true',
};

/**
 * @param {{ only?: string, port: number }} options `only`: mutants whose name has this in it
 * @returns {Promise<boolean>} whether all were noticed
 */
export async function runMutants({ only = '', port }) {
  copyTree();
  await build('nothing');
  const original = readFileSync(path.join(TREE, 'build', 'tidegate.wasm'));
  const rows = [];
  for (const mutant of MUTANTS.filter(({ name }) => name.includes(only))) {
    const began = performance.now();
    writeFileSync(path.join(TREE, 'build', 'tidegate.wasm'), original);
    const undo = make(mutant);
    try {
      if (mutant.edits.some(({ file }) => file.endsWith('.rs'))) await build(mutant.name);
      rows.push({ name: mutant.name, ...(await hunt(port)) });
    } finally {
      undo();
    }
    console.log(`${lineOf(rows.at(-1))}   (${seconds(performance.now() - began)})`);
  }
  const missed = rows.filter(({ runs }) => runs === null);
  console.log(`\n${rows.map(lineOf).join('\n')}\n`);
  console.log(`${rows.length - missed.length} of ${rows.length} mistakes noticed.`);
  return missed.length === 0;
}

const lineOf = ({ name, runs, kills, rule, detail }) =>
  `| ${name} | ${runs ?? 'never'} | ${kills} | ${rule}: ${detail} |`;

function copyTree() {
  rmSync(TREE, { recursive: true, force: true });
  mkdirSync(path.join(TREE, 'build'), { recursive: true });
  for (const part of PARTS.filter((it) => existsSync(path.join(ROOT, it)))) {
    const filter = (file) => !/(node_modules|target)$/.test(file);
    cpSync(path.join(ROOT, part), path.join(TREE, part), { recursive: true, filter });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(TREE, 'node_modules'));
}

/** Makes the mistake; what is given back takes it out again. */
function make({ name, edits }) {
  const before = new Map();
  for (const { file, find, put } of edits) {
    const at = path.join(TREE, file);
    const text = readFileSync(at, 'utf8');
    if (!before.has(at)) before.set(at, text);
    if (!text.includes(find)) throw new Failure(`"${name}" has no place in ${file} any more.`);
    writeFileSync(at, text.replace(find, () => put));
  }
  return () => before.forEach((text, at) => writeFileSync(at, text));
}

async function build(name) {
  const env = { ...process.env, ...QUICK, CARGO_TARGET_DIR: TARGET };
  const args = ['build', '--release', '--lib', '--target', 'wasm32-unknown-unknown', '--quiet'];
  const { code, output } = await execute('cargo', args, { cwd: TREE, env });
  if (code !== 0) throw new Failure(`With "${name}" it does not compile.`, { output });
  copyFileSync(path.join(TARGET, WASM), path.join(TREE, 'build', 'tidegate.wasm'));
}

/** Runs the copy's harness until a run fails; after how many, and by which rule. */
async function hunt(port) {
  const report = path.join(TREE, 'build', 'report.json');
  rmSync(report, { force: true });
  const args = ['tests/chaos/run.mjs', '--as-built', '--runs', String(RUNS_MAX), '--seed', '1',
    '--failures', '1', '--lanes', '1', '--kills', '2', '--port', String(port), '--report', report];
  const { output } = await execute(process.execPath, args, { cwd: TREE });
  if (!existsSync(report)) throw new Failure('The harness itself failed.', { output });
  const { counts, failed: [failure] } = JSON.parse(readFileSync(report, 'utf8'));
  const { runs = 0, kills = 0 } = counts;
  if (failure === undefined) return { runs: null, kills, rule: 'nothing', detail: '' };
  const [violation] = failure.violations;
  const { rule, detail } = violation ?? { rule: 'error', detail: failure.error.split('\n')[0] };
  return { runs: runs + (violation ? 0 : 1), kills, rule, detail };
}
