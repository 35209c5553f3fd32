// A history put together: which publishes were accepted, when at the earliest and at the latest,
// and when each place and each share of the backlog was given back. Knows nothing of the engine:
// only what its clients were told, and that `seq` grows with each acceptance.

/** Rounding of the clocks: a timer may seem to end so much too early. */
const CLOCK_MS = 25;
/** A busy machine: a timer's end may be noticed so much later. */
const LATE_MS = 250;

/**
 * @typedef {object} Span an instant that lies between these two
 * @property {number} from
 * @property {number} until
 */

/**
 * @typedef {object} Message one that was accepted
 * @property {string} id
 * @property {number} seq
 * @property {import('./history.mjs').Publish} publish
 * @property {Span} published when it was taken in: into the queue, or into the line
 * @property {Span} accepted when it had its place
 * @property {boolean} isUnsure cancelled, and perhaps before it had a place
 * @property {Span | null} confirmed null: it was not
 * @property {Span | null} ended when it left the backlog; null: it is still there
 * @property {Span | null} freed when its place was given back; null: it was not
 * @property {string | null} state at the end
 */

/**
 * @param {import('./history.mjs').History} history
 * @returns {{ messages: Message[], unresolved: import('./history.mjs').Publish[],
 *   conflicts: { publish: object, ids: string[] }[],
 *   totals: { places: number, keys: Map<string, number>, depth: number } }} messages by `seq`;
 *   publishes that may have been accepted; publishes that have more than one message
 */
export function view(history) {
  const sightings = groupBy([...history.deliveries, ...(history.seen ?? [])], ({ n }) => n);
  const actions = groupBy(history.actions, ({ id }) => id);
  const messages = [];
  const unresolved = [];
  const conflicts = [];
  for (const publish of history.publishes) {
    const seen = sightings.get(publish.n) ?? [];
    const accepted = publish.attempts.filter(({ outcome }) => outcome === 'accepted');
    const ids = [...new Set([...accepted, ...seen].map(({ id }) => id))];
    if (ids.length > 1) conflicts.push({ publish, ids });
    if (ids.length === 0) {
      if (isUnresolved(publish)) unresolved.push(publish);
      continue;
    }
    const [first] = [...accepted, ...seen];
    const own = actions.get(first.id) ?? [];
    const published = spanOf(publish, seen);
    const message = { id: first.id, seq: first.seq, publish, published };
    message.accepted = admissionOf(message, history, own, seen);
    const end = endOf(message, own, history);
    const isUnsure = end.state === 'cancelled' && mayHaveWaited(publish, history);
    messages.push({ ...message, ...end, isUnsure });
  }
  messages.sort((a, b) => a.seq - b.seq);
  narrow(messages.map(({ published }) => published));
  narrow(messages.filter(({ isUnsure }) => !isUnsure).map(({ accepted }) => accepted));
  return { messages, unresolved, conflicts, totals: totalsOf(messages) };
}

/** Whatever does not end by a timer would have been seen at the end. */
function isUnresolved({ attempts, hold_ms, ttl_ms }) {
  const mayVanish = hold_ms !== null || ttl_ms !== null;
  return mayVanish && attempts.some(({ outcome }) => outcome === 'lost');
}

/** When it was taken in: by the attempt that was told so, or one before whose answer was lost. */
function spanOf({ attempts }, seen) {
  const known = attempts.findIndex(({ outcome }) => outcome === 'accepted');
  const tried = known < 0 ? attempts : attempts.slice(0, known + 1);
  const from = tried.find(({ outcome }) => outcome !== 'refused')?.sent_at ?? Infinity;
  const sighted = seen.map(({ ended_at }) => ended_at);
  const until = Math.min(known < 0 ? Infinity : attempts[known].ended_at, ...sighted);
  return { from, until };
}

/** Whether it was not told at once that it has a place. */
function mayHaveWaited({ attempts }, { isLine }) {
  return isLine && attempts.find(({ outcome }) => outcome === 'accepted')?.isWaiting !== false;
}

/** When it had its place: at once, or by the time that it was seen to have one. */
function admissionOf({ publish, published }, history, actions, seen) {
  if (!mayHaveWaited(publish, history)) return { ...published };
  const confirmed = actions.filter(({ kind, ok }) => kind === 'confirm' && ok);
  const sighted = [...confirmed, ...seen].map(({ ended_at }) => ended_at);
  return { from: published.from, until: Math.min(history.end?.at ?? Infinity, ...sighted) };
}

function endOf(message, actions, history) {
  const { publish, accepted } = message;
  const { end } = history;
  const state = end?.states[message.id]?.state ?? null;
  const observed = end?.at ?? Infinity;
  const by = (kind) => spanOfAction(actions.filter((action) => action.kind === kind), observed);
  const confirmed = publish.hold_ms === null ? null : by('confirm');
  const timer = publish.hold_ms ?? publish.ttl_ms;
  const ended = {
    done: () => by('ack'),
    cancelled: () => by('cancel'),
    expired: () => timer !== null && {
      from: accepted.from + timer - CLOCK_MS - history.gained(accepted.from, Infinity),
      until: accepted.until + timer + LATE_MS + history.late(timer),
    },
  }[state]?.() || null;
  const isFreed = state === 'cancelled'
    || (state === 'done' && publish.settle === 'release')
    || (state === 'expired' && publish.hold_ms !== null);
  return { state, confirmed, ended, freed: isFreed ? ended : null };
}

/** From the first that may have done it to the first that says it did, or to when it was seen. */
function spanOfAction(actions, observed) {
  const possible = actions.filter(({ ok }) => ok !== false);
  if (possible.length === 0) return null;
  const known = possible.filter(({ ok }) => ok).map(({ ended_at }) => ended_at);
  return {
    from: Math.min(...possible.map(({ sent_at }) => sent_at)),
    until: Math.min(observed, ...known),
  };
}

/** What was accepted later has a larger `seq`: neighbours narrow each other's spans. */
function narrow(spans) {
  let from = -Infinity;
  for (const span of spans) {
    from = Math.max(from, span.from);
    span.from = from;
  }
  let until = Infinity;
  for (const span of spans.toReversed()) {
    until = Math.min(until, span.until);
    span.until = until;
  }
}

function totalsOf(messages) {
  const places = messages.filter(({ freed }) => freed === null);
  const keys = new Map();
  for (const { publish: { key } } of places) keys.set(key, (keys.get(key) ?? 0) + 1);
  const depth = messages.filter(({ ended }) => ended === null).length;
  return { places: places.length, keys, depth };
}

/** @returns {Map<any, any[]>} the items by what a function says of each */
export function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}
