// The goals, each a figure or a ratio of two, and whether it is met. A goal whose figures are
// missing here is left open, not met.

import { OPERATIONS, OPERATION_TITLES, SIZES, sizeId, sizeTitle } from '../cases/sizes.mjs';

/** Everything Tidegate is compared with at 256 in flight. */
const RIVALS = {
  'redis-everysec': 'Redis, everysec',
  'redis-always': 'Redis, always',
  rabbitmq: 'RabbitMQ',
  nats: 'NATS',
};

/**
 * @typedef {object} Goal
 * @property {string} title
 * @property {'≥' | '≤' | '>'} relation
 * @property {number} limit
 * @property {string} unit "×" for a ratio
 * @property {number} [value] absent where it could not be measured
 * @property {boolean} [met]
 * @property {[string, string]} [cell] row and column of the table it is shown in, with others
 */

/**
 * @param {import('./book.mjs').Book} book
 * @returns {Goal[]}
 */
export function checkGoals(book) {
  return [...speed(book), ...latency(book), ...rivals(book), ...depth(book), ...cost(book), ...size(book)];
}

function speed(book) {
  const ratio = (title, limit, id, of) => goal(title, '≥', limit, '×', book.ratio(id, of));
  return [
    ratio('refusal at a full queue, of hello', 0.8, 'http/refuse', 'http/hello'),
    ratio('publish one, 64 connections, of hop', 0.65, 'http/publish-64', 'http/hop'),
    ratio('the same, of workerd’s own queue', 3, 'http/publish-64', 'http/queue'),
    ratio('batches of 100 × 128 B, of the same', 7, 'http/publish-batch', 'http/queue-batch'),
  ];
}

function latency(book) {
  const ratio = book.ratio('latency/publish/p50', 'latency/hop/p50');
  return [goal('median latency of a publish at half load, of hop’s', '≤', 2, '×', ratio)];
}

/** One goal for each rival, size and operation: ahead of it. */
function rivals(book) {
  return SIZES.flatMap((size) =>
    OPERATIONS.flatMap((operation) =>
      Object.keys(RIVALS).map((rival) => {
        const ours = sizeId('tidegate', size, operation);
        const theirs = sizeId(rival, size, operation);
        const row = `${OPERATION_TITLES[operation]}, ${sizeTitle(size)}`;
        const title = `ahead at ${row}: ${RIVALS[rival]}`;
        const reached = goal(title, '>', 1, '×', book.ratio(ours, theirs));
        return { ...reached, cell: [row, RIVALS[rival]] };
      }),
    ),
  );
}

function depth(book) {
  // Times, not rates: how much longer it takes in a deep queue.
  const longer = (what) => book.ratio(`depth/${what}/shallow`, `depth/${what}/deep`);
  const most = (title, limit, unit, id) => goal(title, '≤', limit, unit, book.value(id));
  return [
    goal('publish with a backlog, time of one without', '≤', 1.2, '×', longer('publish')),
    goal('pull with a backlog, time of one without', '≤', 1.2, '×', longer('pull')),
    most('first message after a restart', 200, 'ms', 'depth/restart'),
    most('memory of the server with a backlog', 256, 'MiB', 'depth/memory'),
  ];
}

function cost(book) {
  const most = (title, limit, unit, id) => goal(title, '≤', limit, unit, book.value(id));
  return [
    most('rows written, batched, 1 connection', 0.05, 'rows/msg', 'cost/batched/rowsWritten'),
    most('rows written, batched, 8 connections', 0.05, 'rows/msg', 'cost/batched-many/rowsWritten'),
    most('rows written, published one by one', 0.3, 'rows/msg', 'cost/single/rowsWritten'),
    most('rows written, refused', 0, 'rows/msg', 'cost/refused/rowsWritten'),
    most('price, batched, 1 connection', 0.05, '$/million', 'cost/batched/dollars'),
    most('price, batched, 8 connections', 0.05, '$/million', 'cost/batched-many/dollars'),
    most('price, one by one, out in batches', 0.6, '$/million', 'cost/single-out/dollars'),
  ];
}

function size(book) {
  const [ours, hello] = [book.value('start/tidegate'), book.value('start/hello')];
  const over = ours === undefined || hello === undefined ? undefined : ours - hello;
  return [
    goal('bundle, gzipped', '≤', 1000, 'kB', book.value('bundle/gzipped')),
    goal('cold start, over hello’s', '≤', 50, 'ms', over),
  ];
}

function goal(title, relation, limit, unit, value) {
  if (value === undefined) return { title, relation, limit, unit };
  const met = { '≥': value >= limit, '≤': value <= limit, '>': value > limit }[relation];
  return { title, relation, limit, unit, value, met };
}
