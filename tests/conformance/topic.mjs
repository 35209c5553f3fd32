// A topic as the rules use it: a call a method, and its answer asserted where success is meant.

import assert from 'node:assert/strict';
import { openEvents } from '../harness/events.mjs';
import { connect } from '../harness/socket.mjs';

/** Makes assertions again until they hold. */
export async function eventually(check, withinMs = 10_000) {
  const until = Date.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export class Topic {
  /** @param {import('./support.mjs').Tide} tide @param {string} [name] */
  constructor(tide, name = tide.name('t')) {
    this.tide = tide;
    this.name = name;
    this.path = `/v1/topics/${encodeURIComponent(name)}`;
    this.open = [];
  }

  request(method, rest = '', options = {}) {
    return this.tide.request(method, this.path + rest, options);
  }

  async configure(config = {}) {
    const answer = await this.request('PUT', '', { json: config });
    assert.ok(answer.status === 201 || answer.status === 200, String(answer));
    return answer;
  }

  async publish(body = 'x', headers = {}) {
    const answer = await this.request('POST', '/messages', { body, headers });
    assert.equal(answer.status, 202, String(answer));
    return answer.json;
  }

  async publishMany(count, headers = {}) {
    for (let n = 1; n <= count; n += 1) await this.publish(String(n), headers);
  }

  async read(query = {}) {
    const answer = await this.request('GET', `/messages?${new URLSearchParams(query)}`);
    assert.equal(answer.status, 200, String(answer));
    return answer.json;
  }

  /** Bodies read with this query. */
  async bodies(query = {}) {
    return (await this.read(query)).messages.map((message) => message.body);
  }

  async figures() {
    const answer = await this.request('GET');
    assert.equal(answer.status, 200, String(answer));
    return answer.json;
  }

  async events(query = {}, headers = {}) {
    const url = `${this.tide.url}${this.path}/events?${new URLSearchParams(query)}`;
    const events = await openEvents(url, headers);
    this.open.push(events);
    return events;
  }

  async socket(headers = {}) {
    const socket = await connect(`${this.tide.url}${this.path}/socket`, headers);
    this.open.push({ close: () => socket.cut() });
    return socket;
  }

  async subscribe(name, config = {}) {
    const answer = await this.request('PUT', `/subscriptions/${name}`, { json: config });
    assert.ok(answer.status === 201 || answer.status === 200, String(answer));
    return answer.json;
  }

  async subscription(name) {
    const answer = await this.request('GET', `/subscriptions/${name}`);
    assert.equal(answer.status, 200, String(answer));
    return answer.json;
  }

  /** Waits for this many messages of a subscription, and leases them. */
  async pull(name, count, options = {}) {
    const messages = [];
    const until = Date.now() + 10_000;
    while (messages.length < count && Date.now() < until) {
      const json = { batch_size: 100, wait_ms: 1_000, ...options };
      const answer = await this.request('POST', `/subscriptions/${name}/pull`, { json });
      assert.equal(answer.status, 200, String(answer));
      messages.push(...answer.json.messages);
    }
    return messages;
  }

  /** Lets all live readers go. */
  close() {
    for (const reader of this.open) reader.close();
  }
}
