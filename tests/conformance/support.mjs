// What the rules share: a server a file, a fresh queue a test, the assertions on problem documents.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { startServer } from '../harness/server.mjs';
import { Queue } from './queue.mjs';
import { Client, parseMetrics } from './wire.mjs';

export { CONFIGURATION, FIGURES } from './queue.mjs';
export { until } from './wire.mjs';

/** Crockford's base 32 in 26 characters, of which the first holds three bits. */
export const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** A server and a client of it. */
export class Tide {
  #names = 0;

  /** @param {Record<string, string>} [env] settings of the deployment */
  async start(env = {}) {
    this.server = await startServer({ env });
    this.client = new Client(this.server.url);
  }

  async stop() {
    this.client?.close();
    await this.server?.stop();
  }

  /** Stops in good order and starts again on the same data. */
  async restart() {
    this.client.close();
    await this.server.restart();
    this.client = new Client(this.server.url);
  }

  /** Kills without notice and starts again on the same data. */
  async crash() {
    this.client.close();
    await this.server.restart({ wait: false });
    this.client = new Client(this.server.url);
  }

  /** The server's origin, without a trailing slash. */
  get url() {
    return this.server.url.replace(/\/$/, '');
  }

  /** One exchange; see {@link Client.request}. `json` is a shorthand for a JSON body. */
  request(method, path, { json, ...options } = {}) {
    if (json === undefined) return this.client.request(method, path, options);
    const headers = { 'content-type': 'application/json', ...options.headers };
    return this.client.request(method, path, { ...options, headers, body: JSON.stringify(json) });
  }

  /** A name that no other test uses. */
  name(stem = 'q') {
    this.#names += 1;
    return `${stem}-${this.#names}-${randomUUID().slice(0, 8)}`;
  }

  /** A queue of its own for one test, configured first where a configuration is given. */
  async queue(config, name = this.name()) {
    const queue = new Queue(this, name);
    if (config) await queue.configure(config);
    return queue;
  }

  /** All samples of one metric, or those of one queue. */
  async metric(metric, queue) {
    const answer = await this.request('GET', '/metrics');
    assert.equal(answer.status, 200, String(answer));
    return parseMetrics(answer.text)
      .filter((s) => s.name === metric && (queue === undefined || s.labels.queue === queue));
  }

  /** The sum of one metric's samples of one queue. */
  async metricSum(metric, queue) {
    return (await this.metric(metric, queue)).reduce((sum, sample) => sum + sample.value, 0);
  }
}

/**
 * One server for a test file, started before its first test and stopped after its last.
 *
 * @param {object} [env] settings of the deployment
 * @param {(tide: Tide) => Promise<void>} [prepare] what the tests find there
 * @returns {Tide}
 */
export function useServer(env = {}, prepare = async () => {}) {
  const tide = new Tide();
  before(async () => {
    await tide.start(env);
    await prepare(tide);
  });
  after(() => tide.stop());
  return tide;
}

/**
 * Asserts that an answer is a problem document, and which.
 *
 * @param {import('./wire.mjs').Answer} answer
 * @param {{status: number, type: string, field?: string|string[]}} expected
 * @returns {object} the document
 */
export function assertProblem(answer, { status, type, field }) {
  assert.equal(answer.status, status, String(answer));
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json\b/);
  const problem = answer.json;
  assertProblemBody(problem, { status, type, field });
  return problem;
}

/** The same of a problem document inside an answer: a batch's or an acknowledgement's entry. */
export function assertProblemBody(problem, { status, type, field }) {
  const shown = JSON.stringify(problem);
  assert.equal(problem.type, type, shown);
  if (status !== undefined) assert.equal(problem.status, status, shown);
  assert.equal(typeof problem.title, 'string', shown);
  assert.equal(typeof problem.detail, 'string', shown);
  if (field !== undefined) assertField(problem.field, field, shown);
}

// A header's name has no case, and a field inside an array or an object may carry the way to it.
function assertField(actual, expected, shown) {
  const names = [expected].flat().map((name) => name.toLowerCase());
  const found = String(actual).toLowerCase();
  const fits = names.some((n) => found === n || found.endsWith(`.${n}`) || found.endsWith(`]${n}`));
  assert.ok(fits, `field ${actual}, expected ${names.join(' or ')}: ${shown}`);
}

/** Asserts that an answer is a refusal of a publish, with who decided. */
export function assertRefused(answer, { status, type, by }) {
  const problem = assertProblem(answer, { status, type });
  const decided = answer.headers['tidegate-decided-by'];
  assert.ok(decided === 'edge' || decided === 'object', `decided by ${decided}`);
  if (by) assert.equal(decided, by);
  return problem;
}
