// Bar charts as SVG, which follow the reader's light or dark scheme. Each bar carries its value,
// so that nothing has to be read off an axis.

import { OPERATIONS, OPERATION_TITLES, SIZES, sizeId, sizeTitle } from '../cases/sizes.mjs';
import { number } from './number.mjs';

const WIDTH = 760;
const LABEL_WIDTH = 250;
const VALUE_WIDTH = 120;
const BAR_HEIGHT = 18;
const ROW_HEIGHT = 26;
const GROUP_GAP = 14;
const TOP = 44;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .value { fill: #59636e; }
  .ours { fill: #0969da; }
  .theirs { fill: #8c959f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .value { fill: #9198a1; }
    .ours { fill: #4493f8; }
    .theirs { fill: #6e7681; }
  }`;

/** @typedef {{ label: string, value: number, unit: string, ours: boolean, gap?: boolean }} Bar */
/** @typedef {import('./table.mjs').Figure} Figure */

const PEERS = ['tidegate', 'redis-everysec', 'redis-always', 'rabbitmq', 'nats'];

/** @type {{ file: string, title: string, bars: (figures: Figure[]) => Bar[] }[]} */
export const CHARTS = [
  {
    file: 'bench-http.svg',
    title: 'Requests a second over HTTP, 64 connections',
    bars: (figures) =>
      barsOf(figures, [
        ['http/hello', 'hello', false],
        ['http/refuse', 'Tidegate: refusal', true],
        ['http/hop', 'hop', false],
        ['http/publish-64', 'Tidegate: publish', true],
        ['http/queue', 'workerd’s own queue: publish', false],
      ]),
  },
  ...OPERATIONS.map((operation) => ({
    file: `bench-${operation}.svg`,
    title: `Messages a second, 256 in flight: ${OPERATION_TITLES[operation]}`,
    bars: (figures) =>
      SIZES.flatMap((size) =>
        barsOf(
          figures,
          PEERS.map((peer) => {
            const id = sizeId(peer, size, operation);
            const title = figures.find((figure) => figure.id === id)?.title.split(': ')[1];
            return [id, `${title}, ${sizeTitle(size)}`, peer === 'tidegate'];
          }),
        ).map((bar, index) => ({ ...bar, gap: index === 0 })),
      ),
  })),
];

function barsOf(figures, wanted) {
  return wanted.flatMap(([id, label, ours]) => {
    const figure = figures.find((one) => one.id === id);
    return figure ? [{ label, value: figure.value, unit: figure.unit, ours }] : [];
  });
}

/**
 * @param {string} title
 * @param {Bar[]} bars
 * @returns {string} the SVG
 */
export function barChart(title, bars) {
  const largest = Math.max(...bars.map(({ value }) => value));
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / largest;
  let y = TOP;
  const rows = bars.map((bar, index) => {
    if (bar.gap && index > 0) y += GROUP_GAP;
    const row = barRow(bar, y, Math.max(1, bar.value * scale));
    y += ROW_HEIGHT;
    return row;
  });
  const height = y + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" ` +
      `height="${height}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}\n</style>`,
    `<text class="title" x="8" y="24">${escape(title)}</text>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}

function barRow({ label, value, unit, ours }, y, width) {
  const baseline = y + BAR_HEIGHT - 4;
  const valueAt = LABEL_WIDTH + width + 8;
  return [
    `<text x="${LABEL_WIDTH - 8}" y="${baseline}" text-anchor="end">${escape(label)}</text>`,
    `<rect class="${ours ? 'ours' : 'theirs'}" x="${LABEL_WIDTH}" y="${y}" ` +
      `width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
    `<text class="value" x="${valueAt.toFixed(1)}" y="${baseline}">${number(value)} ${unit}</text>`,
  ].join('\n');
}

function escape(text) {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
