// The judge of a topic: its numbers have no gap and are given once, each publish is there once and
// as it was answered, readers heard each number once and in order, and a durable subscription
// handed each message on, in its order, until it was acknowledged and no longer.

import { checkFences, checkLeases } from './fates.mjs';
import { checkRepeats } from './duplicates.mjs';
import { checkOrder } from './order.mjs';
import { groupBy } from './view.mjs';

/** Messages of one read. */
const PAGE = 1_000;

/**
 * @param {import('./history.mjs').History} history of a topic, with its end
 * @param {Record<string, { seq: number, body: string }[]>} heard by reader
 * @returns {import('./check.mjs').Violation[]}
 */
export function checkTopic(history, heard) {
  const violations = checkReaders(history, heard);
  checkSubscription(history, (rule, detail) => violations.push({ rule, detail }));
  return violations;
}

/** The same of a topic without a subscription. */
export function checkReaders(history, heard) {
  const violations = [];
  const report = (rule, detail) => violations.push({ rule, detail });
  checkLog(history, report);
  checkAnswers(history, report);
  for (const [reader, all] of Object.entries(heard)) checkReader(reader, all, history, report);
  return violations;
}

/** Reads a topic's whole log. @param {import('./queue.mjs').Queue} topic */
export async function readLog(topic) {
  const log = [];
  for (let from = 1; ;) {
    const { messages, next_seq: next } =
      await topic.must('GET', `/messages?from_seq=${from}&limit=${PAGE}`);
    if (messages.length === 0) return log;
    for (const { id, seq, key, body } of messages) {
      log.push({ id, seq, key: key ?? null, n: Number.parseInt(body, 10) });
    }
    from = next;
  }
}

/** 1, 2, 3, …; and each publish once. */
function checkLog({ end: { log, figures }, publishes }, report) {
  log.forEach(({ seq }, index) => {
    if (seq !== index + 1) report('log', `in place ${index + 1} of the log is ${seq}`);
  });
  if (figures.last_seq !== log.length) {
    report('log', `the last number is ${figures.last_seq}, and ${log.length} are there`);
  }
  const known = new Set(publishes.map(({ n }) => n));
  for (const [n, same] of groupBy(log, (message) => message.n)) {
    if (same.length > 1) report('repeat', `publish ${n} is in the log ${same.length} times`);
    if (!known.has(n)) report('log', `nobody published ${n}`);
  }
}

/** What was answered is so, and later publishes are behind earlier ones. */
function checkAnswers({ end: { log }, publishes }, report) {
  const at = new Map(log.map((message) => [message.n, message]));
  let sure = [];
  for (const { n, attempts, expect_seq: expected } of publishes) {
    const message = at.get(n);
    for (const { outcome, id, seq, sent_at, ended_at } of attempts) {
      if (outcome !== 'accepted') continue;
      if (message === undefined) report('lost', `publish ${n} was accepted as ${seq}`);
      else if (message.id !== id || message.seq !== seq) {
        report('repeat', `publish ${n} was accepted as ${seq} and is ${message.seq}`);
      }
      if (expected !== null && seq !== expected + 1) {
        report('order', `publish ${n} was to follow ${expected}, and is ${seq}`);
      }
      sure.push({ seq, sent_at: attempts[0].sent_at, ended_at, first: sent_at });
    }
    const isRefused = attempts.every(({ outcome }) => outcome === 'refused');
    if (isRefused && message !== undefined) {
      report('log', `publish ${n} was refused, and is ${message.seq}`);
    }
  }
  sure = sure.sort((a, b) => a.seq - b.seq);
  // None was answered before one with a smaller number was first sent.
  let answered = Infinity;
  for (const { seq, sent_at, ended_at } of sure.reverse()) {
    if (sent_at > answered) report('order', `${seq} was sent after a later one was answered`);
    answered = Math.min(answered, ended_at);
  }
}

/** Each number once, in order, and the message of the log. */
function checkReader(reader, heard, { end: { log } }, report) {
  heard.forEach(({ seq, body }, index) => {
    const wanted = index + 1;
    if (seq > wanted && heard[index - 1]?.seq !== seq - 1) {
      report('gap', `${reader} heard ${seq} behind ${heard[index - 1]?.seq ?? 'nothing'}`);
    }
    if (seq <= (heard[index - 1]?.seq ?? 0)) report('twice', `${reader} heard ${seq} again`);
    if (log[seq - 1]?.n !== Number.parseInt(body, 10)) {
      report('gap', `${reader} heard ${body} as ${seq}, and the log has ${log[seq - 1]?.n}`);
    }
  });
  if ((heard.at(-1)?.seq ?? 0) !== log.length) {
    report('gap', `${reader} heard up to ${heard.at(-1)?.seq ?? 0} of ${log.length}`);
  }
}

/** Everything is handed on, and nothing after its acknowledgement was answered. */
function checkSubscription(history, report) {
  const { deliveries, actions, order, end: { log } } = history;
  const settled = groupBy(actions.filter(({ ok }) => ok !== false), ({ lease_id }) => lease_id);
  const deliveriesOf = groupBy(deliveries, ({ n }) => n);
  const numberOf = new Map(deliveries.map(({ id, n }) => [id, n]));
  const acks = actions.filter(({ kind, ok }) => kind === 'ack' && ok !== false);
  const acksOf = groupBy(acks, ({ id }) => numberOf.get(id));
  const messages = log.map(({ n, key }) => {
    const own = acksOf.get(n) ?? [];
    const told = own.filter(({ ok }) => ok).map(({ ended_at }) => ended_at);
    const from = Math.min(Infinity, ...own.map(({ sent_at }) => sent_at));
    const ended = own.length > 0 ? { from, until: Math.min(Infinity, ...told) } : null;
    return { id: n, ended, publish: { n, key, hold_ms: null, delay_ms: null } };
  });
  for (const { id: n, ended } of messages) {
    const own = deliveriesOf.get(n) ?? [];
    if (own.length === 0) report('lost', `${n} was never handed on`);
    else if (ended === null) report('lost', `${n} was never acknowledged`);
    const ids = new Set(own.map(({ id }) => id));
    if (ids.size > 1) report('repeat', `${n} was handed on as ${ids.size} messages`);
    if (own.some(({ sent_at }) => sent_at > (ended?.until ?? Infinity))) {
      report('delivery', `${n} was handed on after its acknowledgement`);
    }
    checkLeases(n, own, settled, history, report);
  }
  checkFences(history, report);
  checkRepeats(history, report);
  const known = new Set(log.map(({ n }) => n));
  for (const n of deliveriesOf.keys()) {
    if (!known.has(n)) report('delivery', `${n} was handed on and is not in the log`);
  }
  const byNumber = deliveries.map((delivery) => ({ ...delivery, id: delivery.n }));
  checkOrder({ messages }, { deliveries: byNumber, order, isLine: false }, report);
}
