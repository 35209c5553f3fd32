// The results as text: for the terminal, and as the page of the documentation.

import { CHARTS } from './chart.mjs';
import { number, times } from './number.mjs';

/** @typedef {ReturnType<import('./book.mjs').Book['figures']>[number]} Figure */

/**
 * @typedef {object} Results
 * @property {string} command
 * @property {string} began_at
 * @property {number} took_ms
 * @property {import('../plan.mjs').Plan} plan
 * @property {Record<string, string | number>} machine
 * @property {Record<string, string>} versions
 * @property {Figure[]} figures
 * @property {{ title: string, why: string }[]} skipped
 * @property {import('./goals.mjs').Goal[]} goals
 */

/**
 * @param {Results} results
 * @returns {string[]} for the terminal
 */
export function tableLines({ figures, skipped }) {
  const titles = new Map(figures.map(({ id, title }) => [id, title]));
  const lines = [...sections(figures)].flatMap(([section, rows]) => [
    '',
    section,
    ...rows.map((row) => {
      const ratio = row.ratio === undefined ? '' : `${times(row.ratio)} ${titles.get(row.of)}`;
      const value = `${number(row.value).padStart(10)} ${row.unit.padEnd(11)}`;
      return `  ${row.title.padEnd(64)} ${value} ${ratio}`.trimEnd();
    }),
  ]);
  return [...lines, ...skipped.map(({ title, why }) => `  not measured: ${title} (${why})`)];
}

/**
 * @param {Results} results
 * @returns {string[]} for the terminal; without goals that only other sections could meet
 */
export function goalLines({ goals, plan }) {
  const shown = goals.filter(({ value }) => value !== undefined || plan.only.length === 0);
  return shown.map((goal) => {
    const value = goal.value === undefined ? 'not measured' : `${number(goal.value)} ${goal.unit}`;
    return `${mark(goal)} ${goal.title}: ${value} (goal ${aim(goal)})`;
  });
}

/**
 * @param {Results} results
 * @returns {string} docs/benchmarks.md
 */
export function markdown(results) {
  const { figures, skipped } = results;
  const titles = new Map(figures.map(({ id, title }) => [id, title]));
  const charts = CHARTS.filter((chart) => chart.bars(figures).length > 0);
  return [
    '# Benchmarks',
    '',
    '<!-- Written by `npm run bench`. -->',
    '',
    ...origin(results),
    '',
    ...doubts(results),
    'The absolute figures are those of this machine; the ratios carry over better. How they were',
    'measured, and what was not, is in [bench/README.md](../bench/README.md).',
    '',
    ...charts.flatMap(({ file, title }) => [`![${title}](${file})`, '']),
    '## Goals',
    '',
    ...goalTable(results.goals.filter(({ cell }) => !cell)),
    '',
    'With 256 in flight, ahead of each peer at each size (goal > 1 ×):',
    '',
    ...goalGrid(results.goals.filter(({ cell }) => cell)),
    '',
    ...[...sections(figures)].flatMap(([section, rows]) => [
      `## ${section}`,
      '',
      ...figureTable(rows, titles),
      '',
    ]),
    ...(skipped.length > 0 ? ['## Not measured', ''] : []),
    ...skipped.map(({ title, why }) => `- ${title}: ${why}`),
    ...(skipped.length > 0 ? [''] : []),
  ].join('\n');
}

function origin({ command, began_at, took_ms, plan, machine, versions }) {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const rounds = plan.rounds > 1 ? `medians of ${plan.rounds} rounds` : 'one round';
  return [
    `\`${command}\`, ${began_at.slice(0, 10)}, ${rounds}, ${Math.round(took_ms / 60_000)} minutes.`,
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, ` +
      `${machine.system}; an fsync takes ${machine.fsync_ms} ms; load average at the start ` +
      `${machine.load_average}.`,
    `Versions: ${named.join(', ')}.`,
  ];
}

/** What a reader has to know before taking the figures for more than they are. */
function doubts({ plan, machine }) {
  const doubts = [];
  if (plan.quick) doubts.push('**This was a quick run**: it shows the tables, no more.');
  if (machine.load_average > machine.cores / 2) {
    doubts.push('**The machine was busy with other work**: rates are too low, times too long.');
  }
  return doubts.length > 0 ? [...doubts, ''] : [];
}

function goalGrid(goals) {
  const columns = [...new Set(goals.map(({ cell }) => cell[1]))];
  const rows = [...new Set(goals.map(({ cell }) => cell[0]))];
  const entry = (row, column) => {
    const goal = goals.find(({ cell }) => cell[0] === row && cell[1] === column);
    return goal.value === undefined ? '–' : `${mark(goal)} ${times(goal.value)}`;
  };
  return [
    `| | ${columns.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(columns.length)}`,
    ...rows.map((row) => `| ${row} | ${columns.map((column) => entry(row, column)).join(' | ')} |`),
  ];
}

function goalTable(goals) {
  return [
    '| | goal | | measured |',
    '| --- | --- | --- | ---: |',
    ...goals.map((goal) => {
      const value = goal.value === undefined ? '' : `${number(goal.value)} ${goal.unit}`;
      return `| ${mark(goal)} | ${goal.title} | ${aim(goal)} | ${value} |`;
    }),
  ];
}

function figureTable(rows, titles) {
  return [
    '| what | figure | unit | ratio | of |',
    '| --- | ---: | --- | ---: | --- |',
    ...rows.map((row) => {
      const of = row.ratio === undefined ? '' : titles.get(row.of);
      return `| ${row.title} | ${number(row.value)} | ${row.unit} | ${times(row.ratio)} | ${of} |`;
    }),
  ];
}

function sections(figures) {
  const found = new Map();
  for (const figure of figures) {
    found.set(figure.section, [...(found.get(figure.section) ?? []), figure]);
  }
  return found;
}

function mark({ met }) {
  if (met === undefined) return '–';
  return met ? '✓' : '✗';
}

function aim({ relation, limit, unit }) {
  return `${relation} ${limit} ${unit}`;
}
