// npm run fuzz: hostile input, guided by coverage (libFuzzer).
//
// npm run fuzz -- [--seconds N] [TARGET …]    60 s each, all targets, unless told otherwise

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Failure, run, step } from './lib/steps.mjs';
import { ROOT, execute, installRust } from './lib/tools.mjs';

/** Coverage as libFuzzer reads it. A build for the host by name, so that build scripts go without. */
const FLAGS = [
  '-Cpasses=sancov-module',
  '-Cllvm-args=-sanitizer-coverage-level=4',
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  '-Cllvm-args=-sanitizer-coverage-pc-table',
  '-Cllvm-args=-sanitizer-coverage-trace-compares',
  '-Ccodegen-units=1',
  '--cfg=fuzzing',
];
/** Longest input, in bytes. */
const BYTES_MAX = 16_384;

/** Builds all targets into one program and returns where it is. */
async function build() {
  const { output: version } = await execute('rustc', ['-vV']);
  const host = /^host: (.+)$/m.exec(version)?.[1];
  if (!host) throw new Failure('rustc does not say what machine this is.', { output: version });
  const target = path.join(ROOT, 'target', 'fuzz');
  const env = { ...process.env, RUSTFLAGS: FLAGS.join(' '), CARGO_TARGET_DIR: target };
  const manifest = path.join(ROOT, 'fuzz', 'Cargo.toml');
  await step('Building the fuzz targets', async () => {
    const args = ['build', '--release', '--locked', '--manifest-path', manifest, '--target', host];
    const { code, output } = await execute('cargo', args, { env });
    if (code !== 0) {
      throw new Failure('The targets do not build; libFuzzer needs a C++ compiler.', { output });
    }
  });
  return path.join(target, host, 'release', 'tidegate-fuzz');
}

/** Fuzzes one target; what it found interesting stays for the next time. */
async function fuzz(program, target, seconds) {
  const corpus = path.join(ROOT, 'build', 'fuzz', target);
  const found = path.join(ROOT, 'build', 'fuzz', 'found', path.sep);
  mkdirSync(corpus, { recursive: true });
  mkdirSync(found, { recursive: true });
  const env = { ...process.env, TIDEGATE_TARGET: target, TIDEGATE_SEEDS: corpus };
  const options = [
    `-max_total_time=${seconds}`,
    `-max_len=${BYTES_MAX}`,
    `-artifact_prefix=${found}${target}-`,
    '-print_final_stats=1',
  ];
  await step(`${target}, ${seconds} s`, async () => {
    const { code, output } = await execute(program, [...options, corpus], { env });
    if (code !== 0) {
      const advice = `Copy the input it names to tests/fuzz/corpus/${target}/ once it is mended.`;
      throw new Failure(`The target ${target} fell. ${advice}`, { output });
    }
    console.log(`  ${/number_of_executed_units: *(\d+)/.exec(output)?.[1] ?? 'No'} inputs`);
  });
}

run(async () => {
  const { values, positionals } = parseArgs({
    options: { seconds: { type: 'string', default: '60' } },
    allowPositionals: true,
  });
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 1) {
    throw new Failure('--seconds takes a whole number of seconds, from 1 on.');
  }
  await installRust();
  const program = await build();
  const { output } = await execute(program, [], { env: { ...process.env, TIDEGATE_TARGET: '' } });
  const known = output.trim().split('\n');
  const unknown = positionals.find((target) => !known.includes(target));
  if (unknown) throw new Failure(`There is no target ${unknown}; there are ${known.join(', ')}.`);
  for (const target of positionals.length ? positionals : known) await fuzz(program, target, seconds);
  return 0;
});
