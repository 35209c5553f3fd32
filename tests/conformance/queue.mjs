// A queue as the rules use it: a call a method, and its answer asserted where success is meant.

import assert from 'node:assert/strict';
import { until } from './wire.mjs';

/** Every live figure that the contract names. */
export const FIGURES = [
  'depth', 'in_flight', 'delayed', 'accepted_total', 'rejected_total', 'acked_total', 'dead_total',
  'backlog_bytes', 'oldest_at_ms',
];

/** Every field of a configuration, at its top. */
export const CONFIGURATION = [
  'capacity', 'delivery', 'retention_ms', 'result_retention_ms', 'dedup_window_ms',
  'max_message_bytes', 'cors_origins', 'push',
];

/** A queue as a client sees it. Verbs assert success; `post…` and `get…` give the bare answer. */
export class Queue {
  /** @param {import('./support.mjs').Tide} tide @param {string} name */
  constructor(tide, name) {
    this.tide = tide;
    this.name = name;
    this.path = `/v1/queues/${encodeURIComponent(name)}`;
  }

  /** Any request below the queue's path. */
  request(method, rest = '', options = {}) {
    return this.tide.request(method, this.path + rest, options);
  }

  async configure(config) {
    const answer = await this.request('PUT', '', { json: config });
    assert.ok(answer.status === 201 || answer.status === 200, String(answer));
    return answer;
  }

  /** A publish, whatever becomes of it. */
  postMessage(body = 'x', headers = {}) {
    return this.request('POST', '/messages', { body, headers });
  }

  /** A publish that has to be accepted. */
  async publish(body = 'x', headers = {}) {
    const answer = await this.postMessage(body, headers);
    assert.equal(answer.status, 202, String(answer));
    return answer.json;
  }

  /** Publishes `count` messages, one after the other, with their number as the body. */
  async publishMany(count, headers = {}) {
    const accepted = [];
    for (let n = 0; n < count; n += 1) accepted.push(await this.publish(String(n), headers));
    return accepted;
  }

  postBatch(messages) {
    return this.request('POST', '/messages/batch', { json: { messages } });
  }

  async batch(messages) {
    const answer = await this.postBatch(messages);
    assert.equal(answer.status, 200, String(answer));
    return answer.json;
  }

  postPull(options = {}, extra = {}) {
    return this.request('POST', '/messages/pull', { json: options, ...extra });
  }

  async pull(options = {}, extra = {}) {
    const answer = await this.postPull(options, extra);
    assert.equal(answer.status, 200, String(answer));
    return answer.json;
  }

  /** Leases exactly one message, waiting for it where it is not there yet. */
  async take(options = {}) {
    const { messages } = await this.pull({ batch_size: 1, wait_ms: 5_000, ...options });
    assert.equal(messages.length, 1, 'a message was expected');
    return messages[0];
  }

  /** Asserts that nothing is deliverable now. */
  async assertNothing() {
    const { messages } = await this.pull({ batch_size: 10 });
    assert.deepEqual(messages.map((m) => m.body), []);
  }

  /** Pulls and acknowledges until the backlog is empty; the messages in order of delivery. */
  async drain({ batchSize = 100, withinMs = 10_000 } = {}) {
    const all = [];
    await until(async () => {
      const { messages } = await this.pull({ batch_size: batchSize, wait_ms: 200 });
      if (messages.length) await this.ack(messages);
      all.push(...messages);
      return messages.length === 0 && (await this.figures()).depth === 0;
    }, { withinMs, everyMs: 1, what: `${this.name} drained` });
    return all;
  }

  postAck(entries) {
    return this.request('POST', '/messages/ack', { json: entries });
  }

  /** An acknowledgement call with any of acks, retries, extends. */
  async settle(entries) {
    const answer = await this.postAck(entries);
    assert.equal(answer.status, 200, String(answer));
    return answer.json;
  }

  /** Acknowledges messages, all of which have to be held. */
  async ack(messages, extra = {}) {
    const list = Array.isArray(messages) ? messages : [messages];
    const acks = list.map((m) => ({ lease_id: m.lease_id, ...extra }));
    const reply = await this.settle({ acks });
    assert.equal(reply.acked, list.length, JSON.stringify(reply));
    return reply;
  }

  /** Gives one message back. */
  async retry(message, delayMs = 0) {
    const entry = { lease_id: message.lease_id };
    if (delayMs !== undefined && delayMs !== null) entry.delay_ms = delayMs;
    const reply = await this.settle({ retries: [entry] });
    assert.equal(reply.retried, 1, JSON.stringify(reply));
  }

  /** Configuration and live figures. */
  async figures() {
    const answer = await this.request('GET');
    assert.equal(answer.status, 200, String(answer));
    return answer.json;
  }

  /** The configuration and all figures but the count of refusals, to compare before and after. */
  async snapshot() {
    const answer = await this.request('GET');
    if (answer.status === 404) return { status: 404 };
    const names = [...CONFIGURATION, ...FIGURES].filter((name) => name !== 'rejected_total');
    return Object.fromEntries(names.map((name) => [name, answer.json[name] ?? null]));
  }

  /** The answer on one message's state. */
  getMessage(id, query = '') {
    return this.request('GET', `/messages/${id}${query}`);
  }

  async message(id, query = '') {
    const answer = await this.getMessage(id, query);
    assert.equal(answer.status, 200, String(answer));
    return answer.json;
  }

  async state(id) {
    return (await this.message(id)).state;
  }

  /** Waits for a state, by polling. */
  untilState(id, state, withinMs = 5_000) {
    const probe = async () => (await this.state(id)) === state;
    return until(probe, { withinMs, what: `${id} is ${state}` });
  }

  async confirm(id) {
    const answer = await this.request('POST', `/messages/${id}/confirm`);
    assert.ok(answer.status >= 200 && answer.status < 300, String(answer));
  }

  async cancel(id) {
    const answer = await this.request('DELETE', `/messages/${id}`);
    assert.ok(answer.status >= 200 && answer.status < 300, String(answer));
  }

  /** All messages by browsing, page by page. */
  async browse(limit = 1_000) {
    const all = [];
    for (let after = ''; ;) {
      const answer = await this.request('GET', `/messages?limit=${limit}${after}`);
      assert.equal(answer.status, 200, String(answer));
      const { messages } = answer.json;
      all.push(...messages);
      if (messages.length === 0) return all;
      after = `&after_seq=${messages.at(-1).seq}`;
    }
  }
}
