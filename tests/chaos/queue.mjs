// The calls of one queue, or of a topic and its subscription, each written into the history as its
// client saw it.

import { bodyOf, readBody } from './history.mjs';
import { Lost, now } from './server.mjs';

/** What an answer to one publish, or to one of a batch, means. */
const REFUSALS = new Set(['sold-out', 'queue-full', 'key-limit', 'seq-mismatch']);

/** A queue as actors use it. */
export class Queue {
  /** @type {import('./history.mjs').History} of the present epoch */
  history;

  /**
   * @param {import('./server.mjs').Subject} subject
   * @param {string} path of the queue or topic
   * @param {string} [consumed] where to pull and acknowledge
   */
  constructor(subject, path, consumed = `${path}/messages`) {
    this.subject = subject;
    this.path = path;
    this.consumed = consumed;
  }

  /** Any call of it: a JSON body, or none; the answer whatever its status. */
  call(method, rest = '', json = undefined) {
    return this.subject.send(method, this.path + rest, { json });
  }

  /** A call whose repeat does no harm: repeated until it is answered. */
  async insist(method, rest = '', json = undefined) {
    for (;;) {
      try {
        const answer = await this.call(method, rest, json);
        if (answer.status !== 503) return answer;
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
      }
    }
  }

  /** A call that has to succeed. */
  async must(method, rest = '', json = undefined) {
    const answer = await this.insist(method, rest, json);
    if (answer.status < 300) return answer.json;
    const said = `${answer.status} ${JSON.stringify(answer.json)}`;
    throw new Error(`${method} ${this.path}${rest}: ${said}`);
  }

  /** Sets limits; they hold from the answer on. */
  async resize(capacity) {
    const changes = Object.entries(capacity)
      .map(([field, value]) => ({ field, value, sent_at: now(), ended_at: Infinity }));
    this.history.changes.push(...changes);
    await this.must('PUT', '', { capacity });
    for (const change of changes) change.ended_at = now();
  }

  /**
   * Publishes one message, or several as a batch, once.
   * @param {{ record: import('./history.mjs').Publish, order: object }[]} wanted
   * @param {number | null} dropAfterMs
   */
  async publish(wanted, dropAfterMs = null) {
    const note = (index, attempt) => wanted[index].record.attempts.push(attempt);
    try {
      const call = publishCall(this.path, wanted, dropAfterMs);
      const answer = await this.subject.send('POST', ...call);
      const { sent_at, answered_at: ended_at } = answer;
      verdictsOf(answer, wanted.length)
        .forEach((verdict, index) => note(index, { sent_at, ended_at, ...verdict }));
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      const { sent_at, ended_at } = error;
      wanted.forEach((_, index) => note(index, { sent_at, ended_at, outcome: 'lost' }));
    }
  }

  /** Does something to a message by its id; what became of it is the history's. */
  async act(kind, id, dropAfterMs = null) {
    const [method, rest] = kind === 'confirm' ? ['POST', '/confirm'] : ['DELETE', ''];
    const action = { kind, id, sent_at: now(), ended_at: Infinity, ok: null };
    this.history.actions.push(action);
    try {
      const path = `${this.path}/messages/${id}${rest}`;
      const { status, answered_at } = await this.subject.send(method, path, { dropAfterMs });
      action.ended_at = answered_at;
      if (status !== 503) action.ok = status < 300;
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      action.ended_at = error.ended_at;
    }
    return action.ok;
  }

  /** Leases messages. */
  async pull({ batchSize, visibilityMs, waitMs = 0, dropAfterMs = null }) {
    const json = { batch_size: batchSize, visibility_timeout_ms: visibilityMs, wait_ms: waitMs };
    const path = `${this.consumed}/pull`;
    const answer = await this.#attempt('POST', path, { json, dropAfterMs });
    if (answer?.status !== 200) return [];
    const deliveries = answer.json.messages.map((message) => ({
      id: message.id,
      seq: message.seq,
      key: message.key ?? null,
      lease_id: message.lease_id,
      attempts: message.attempts,
      visibility_ms: visibilityMs,
      sent_at: answer.sent_at,
      ended_at: answer.answered_at,
      ...readBody(message.body),
    }));
    this.history.deliveries.push(...deliveries);
    return deliveries;
  }

  /**
   * Settles leases in one call.
   * @param {{ kind: 'ack' | 'retry' | 'extend', delivery: object, delayMs?: number,
   *   visibilityMs?: number }[]} entries
   */
  async settle(entries, dropAfterMs = null) {
    const sent_at = now();
    const actions = entries.map(({ kind, delivery, visibilityMs }) => ({
      kind, id: delivery.id, lease_id: delivery.lease_id, visibility_ms: visibilityMs,
      sent_at, ended_at: Infinity, ok: null,
    }));
    this.history.actions.push(...actions);
    const path = `${this.consumed}/ack`;
    const answer = await this.#attempt('POST', path, { json: ackOf(entries), dropAfterMs });
    const failed = new Set(answer?.json?.errors?.map(({ lease_id }) => lease_id));
    for (const action of actions) {
      action.ended_at = now();
      if (answer?.status === 200) action.ok = !failed.has(action.lease_id);
    }
  }

  async #attempt(method, path, options) {
    try {
      return await this.subject.send(method, path, options);
    } catch (error) {
      if (error instanceof Lost) return undefined;
      throw error;
    }
  }
}

/** @returns {[string, object]} path and options */
function publishCall(path, wanted, dropAfterMs) {
  if (wanted.length === 1) {
    const [{ record, order }] = wanted;
    const headers = { 'content-type': 'text/plain', ...headersOf(order) };
    return [`${path}/messages`, { headers, body: bodyOf(record), dropAfterMs }];
  }
  const messages = wanted.map(({ record, order }) =>
    ({ body: bodyOf(record), ...fieldsOf(order) }));
  return [`${path}/messages/batch`, { json: { messages }, dropAfterMs }];
}

/** What an order says, by the names of a batch's fields. */
function fieldsOf(order) {
  const { key, idempotencyKey, holdMs, ttlMs, delayMs, priority, expectSeq } = order;
  const all = {
    key, priority,
    idempotency_key: idempotencyKey,
    hold_ms: holdMs,
    ttl_ms: ttlMs,
    delay_ms: delayMs,
    expect_seq: expectSeq,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value != null));
}

function headersOf(order) {
  return Object.fromEntries(Object.entries(fieldsOf(order)).map(([name, value]) => {
    const header = name.replaceAll('_', '-');
    return [name === 'idempotency_key' ? header : `tidegate-${header}`, String(value)];
  }));
}

function verdictsOf({ status, headers, json }, count) {
  const decided_by = headers['tidegate-decided-by'] ?? null;
  if (status === 200) {
    return json.messages.map((one) => one.error
      ? refusal(one.error, null)
      : acceptance(one));
  }
  const verdict = status === 202
    ? acceptance(json)
    : refusal(json ?? { type: status === 303 ? 'redirected' : String(status) }, decided_by);
  return Array(count).fill(verdict);
}

function acceptance({ id, seq, state }) {
  return { outcome: 'accepted', id, seq, isWaiting: state === 'waiting' };
}

function refusal({ type, redirect_url: url, status, detail }, decided_by) {
  // The server does not know what became of it, or will not say.
  if (status === 503) return { outcome: 'lost' };
  if (url !== undefined || type === 'redirected' || REFUSALS.has(type)) {
    return { outcome: 'refused', type, decided_by };
  }
  throw new Error(`a publish was answered ${status} ${type}: ${detail}`);
}

function ackOf(entries) {
  const of = (kind) => entries.filter((entry) => entry.kind === kind);
  return {
    acks: of('ack').map(({ delivery }) =>
      ({ lease_id: delivery.lease_id, release: delivery.settle === 'release' })),
    retries: of('retry').map(({ delivery, delayMs }) =>
      ({ lease_id: delivery.lease_id, delay_ms: delayMs })),
    extends: of('extend').map(({ delivery, visibilityMs }) =>
      ({ lease_id: delivery.lease_id, visibility_timeout_ms: visibilityMs })),
  };
}
