// What whoever runs the deployment is told: a line of JSON an event, on the console, from where the
// platform takes it. Owns levels and the bound of lines. No line holds a token, a query, a header
// or what is in a message; texts are cut.

/** From the least to the most important; `off` is beyond all. */
const LEVELS = ['info', 'warn', 'error', 'off'];
/** Lines of one isolate in one second: what comes beyond is counted, and told when it is over. */
const LINES_PER_SECOND_MAX = 50;
/** Those of them that anybody can cause: the others have room left. */
const REFUSALS_PER_SECOND_MAX = 20;
const REFUSED = 'access_refused';
const SECOND_MS = 1000;
/** Characters of one text. */
const TEXT_CHARS_MAX = 500;

/** workerd shows nothing that is less than a warning; the line itself has the level. */
const WRITE = {
  info: (line) => console.warn(line),
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};

let least = 0;
let second = { since: 0, lines: 0, refusals: 0, dropped: 0 };

/**
 * @param {string | undefined} level the setting `LOG_LEVEL`; `info` where it is unset
 * @returns {boolean} whether there is such a level
 */
export function setLevel(level) {
  const found = LEVELS.indexOf(level || LEVELS[0]);
  if (found >= 0) least = found;
  return found >= 0;
}

/** The levels there are, for words. */
export const levels = LEVELS.join(', ');

/**
 * Writes a line.
 * @param {'info' | 'warn' | 'error'} level
 * @param {string} event what happened, in snake_case: it never changes, texts may
 * @param {Record<string, unknown>} [fields]
 */
export function log(level, event, fields = {}) {
  if (LEVELS.indexOf(level) < least || !hasRoom(event)) return;
  write(level, event, fields);
}

/**
 * Writes what the core says: an event of its own as JSON, or a panic's message.
 * @param {string} text
 */
export function logOfCore(text) {
  if (!text.startsWith('{')) {
    log('error', 'panic', { error: text });
    return;
  }
  const { event, ...fields } = JSON.parse(text);
  log('warn', event, fields);
}

function write(level, event, fields) {
  const cut = (_, value) =>
    typeof value === 'string' && value.length > TEXT_CHARS_MAX
      ? `${value.slice(0, TEXT_CHARS_MAX)}…`
      : value;
  const plain = Object.fromEntries(
    Object.entries(fields).map(([name, it]) => [name, it instanceof Error ? String(it) : it]),
  );
  const time = new Date().toISOString();
  WRITE[level](JSON.stringify({ time, level, event, ...plain }, cut));
}

function hasRoom(event) {
  const now = Date.now();
  if (now - second.since >= SECOND_MS) {
    const { dropped } = second;
    second = { since: now, lines: 0, refusals: 0, dropped: 0 };
    if (dropped > 0) write('warn', 'lines_dropped', { lines: dropped });
  }
  const isRefusal = event === REFUSED;
  const isFull = isRefusal && second.refusals >= REFUSALS_PER_SECOND_MAX;
  if (isFull || second.lines >= LINES_PER_SECOND_MAX) {
    second.dropped += 1;
    return false;
  }
  second.lines += 1;
  second.refusals += isRefusal ? 1 : 0;
  return true;
}
