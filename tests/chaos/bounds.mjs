// Limits, both ways: nothing was accepted where there was surely no room, and nothing was refused
// where there surely was. Stock, backlog and a key's share are the same thing here: messages that
// take a unit when they are accepted and give it back at some time, and a limit that changes.

import { groupBy } from './view.mjs';

/** A refusal from the Worker's memory may be so old, the way of the verdict included. */
const VERDICT_MS = 1_000 + 200;

/**
 * @typedef {object} Resource
 * @property {string} name
 * @property {'limit' | 'key'} rule
 * @property {string} field of the configuration
 * @property {import('./view.mjs').Message[]} takers by `seq`
 * @property {(message: import('./view.mjs').Message) => import('./view.mjs').Span} take
 * @property {(message: import('./view.mjs').Message) => import('./view.mjs').Span | null} release
 */

/** @returns {Resource[]} */
function resources(messages) {
  const freed = (message) => message.freed;
  const ended = (message) => message.ended;
  const take = (message) => message.accepted;
  const takers = messages.filter(({ isUnsure }) => !isUnsure);
  const keys = [...groupBy(messages, ({ publish }) => publish.key)];
  const rule = 'limit';
  return [
    { name: 'stock', rule, field: 'max_accepted', takers, take, release: freed },
    { name: 'backlog', rule, field: 'max_messages', takers, take, release: ended },
    // Of a key's share who waits in line has taken a part.
    ...keys.map(([key, own]) => ({
      name: `key ${key}`, rule: 'key', field: 'max_per_key',
      takers: own, take: ({ published }) => published, release: freed,
    })),
  ];
}

/**
 * No acceptance finds the limit reached, even if everything that could have been given back before
 * it was, and the highest limit of its time held.
 */
export function checkBounds({ messages }, { changes }, report) {
  for (const { name, rule, field, takers, take, release } of resources(messages)) {
    const limits = new Limits(changes, field);
    takers.forEach((message, index) => {
      const { from, until } = take(message);
      const back = takers.slice(0, index).filter((other) => release(other)?.from <= until).length;
      const limit = limits.most(from, until);
      if (index - back >= limit) {
        const number = `number ${index - back + 1} of ${limit}`;
        report(rule, `${name}: ${message.id} was accepted as ${number}`);
      }
    });
  }
}

/**
 * Every refusal has an instant at which there may have been no room: everything counts that could
 * have been accepted before, nothing as given back that could have been later, and of the limits of
 * that instant the lowest.
 */
export function checkRefusals({ messages, unresolved }, { publishes, changes }, report) {
  const all = resources(messages);
  for (const publish of publishes) {
    for (const attempt of publish.attempts.filter(({ outcome }) => outcome === 'refused')) {
      const fields = fieldsOf(attempt.type);
      const concerned = all.filter(({ name, field }) => fields.includes(field)
        && (field !== 'max_per_key' || name === `key ${publish.key}`));
      const isKey = attempt.type === 'key-limit';
      const maybe = unresolved.filter(({ key }) => !isKey || key === publish.key);
      const limitsOf = (field) => new Limits(changes, field);
      const isFull = fields.some((field) => {
        const resource = concerned.find((one) => one.field === field);
        const { takers = [], take, release } = resource ?? {};
        return mayBeFull({ takers, take, release, maybe, limits: limitsOf(field) }, attempt);
      });
      if (!isFull) {
        const by = attempt.decided_by ?? 'a batch';
        report('refusal', `publish ${publish.n} was refused (${attempt.type}, ${by}) with room`);
      }
    }
  }
}

/**
 * Nobody has to wait in line but for want of room, or behind somebody who may have waited then.
 */
export function checkWaits({ messages, unresolved }, { changes }, report) {
  const all = resources(messages).filter(({ rule }) => rule === 'limit');
  for (const { id, seq, publish } of messages) {
    const first = publish.attempts.find(({ outcome }) => outcome !== 'refused');
    if (!first?.isWaiting) continue;
    const isBehind = messages.some((other) => other.seq < seq
      && (other.isUnsure || other.accepted.until >= first.sent_at));
    const attempt = { ...first, decided_by: 'object' };
    const isFull = all.some(({ field, ...resource }) =>
      mayBeFull({ ...resource, maybe: unresolved, limits: new Limits(changes, field) }, attempt));
    if (!isBehind && !isFull) report('refusal', `${id} had to wait in line with room`);
  }
}

function fieldsOf(type) {
  if (type === 'key-limit') return ['max_per_key'];
  if (type === 'sold-out') return ['max_accepted'];
  if (type === 'queue-full') return ['max_messages'];
  return ['max_accepted', 'max_messages'];
}

function mayBeFull({ takers, take, release, maybe, limits }, attempt) {
  const { sent_at, ended_at, decided_by, type } = attempt;
  const isFresh = decided_by === 'object' || type === 'key-limit';
  const from = isFresh ? sent_at : sent_at - VERDICT_MS;
  const taken = takers.map((message) => take(message).from);
  const perhaps = maybe.map(({ attempts }) => attempts[0].sent_at);
  const returned = takers.map((message) => release(message)?.until ?? Infinity);
  const count = (instants, at) => instants.filter((instant) => instant <= at).length;
  const instants = [from, ...[...taken, ...perhaps, ...limits.starts]
    .filter((at) => at > from && at <= ended_at)];
  return instants.some((at) => {
    // What came back in this very instant may have come back after it.
    const back = returned.filter((instant) => instant < at).length;
    return count(taken, at) + count(perhaps, at) - back >= limits.least(at);
  });
}

/** One limit over time. Between a change's sending and its answer both values may hold. */
class Limits {
  #periods;

  constructor(changes, field) {
    const own = changes.filter((change) => change.field === field)
      .sort((a, b) => a.sent_at - b.sent_at);
    this.#periods = own.map(({ value, sent_at }, index) => ({
      value: value ?? Infinity,
      from: sent_at,
      until: own[index + 1]?.ended_at ?? Infinity,
    }));
  }

  /** When it may have changed. */
  get starts() {
    return this.#periods.map(({ from }) => from);
  }

  /** The highest that may have held at some instant between two. */
  most(from, until) {
    return Math.max(...this.#within(from, until));
  }

  /** The lowest that may have held at an instant. */
  least(at) {
    return Math.min(...this.#within(at, at));
  }

  #within(from, until) {
    return this.#periods
      .filter((period) => period.from <= until && period.until >= from)
      .map(({ value }) => value);
  }
}
