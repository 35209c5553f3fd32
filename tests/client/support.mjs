// What the tests of the client share: a server a file, a fetch that counts and can be made to fail.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { Tidegate } from '../../clients/typescript/index.js';
import { nodeFetch } from '../../clients/typescript/src/node-fetch.js';
import { startServer } from '../harness/server.mjs';

export { until } from '../harness/api.mjs';

/** Waits that tests can bear. */
export const RETRY = { attempts: 4, initialMs: 5, maxMs: 20 };

/**
 * A server for the tests of a file.
 * @param {Record<string, string>} [env]
 */
export function useServer(env = {}) {
  const tide = {
    /** A client whose requests are recorded; see {@link recorder}. */
    client(options = {}) {
      const calls = recorder(options.fetch);
      const all = { url: tide.server.url, retry: RETRY, ...options, fetch: calls.fetch };
      return { client: new Tidegate(all), calls };
    },
    /** A queue of its own for a test, configured when that is asked for. */
    async queue(configuration, { client: clientOptions, ...queueOptions } = {}) {
      const { client, calls } = tide.client(clientOptions);
      const queue = client.queue(`q-${randomUUID()}`, queueOptions);
      if (configuration) await queue.configure(configuration);
      return { queue, calls, client };
    },
    /** A topic of its own for a test. */
    topic({ client: clientOptions, ...topicOptions } = {}) {
      const { client, calls } = tide.client(clientOptions);
      return { topic: client.topic(`t-${randomUUID()}`, topicOptions), calls, client };
    },
  };
  before(async () => (tide.server = await startServer({ env })));
  after(async () => {
    // A stop in good order would wait for connections that fetch keeps.
    await tide.server?.kill9();
    await tide.server?.stop();
  });
  return tide;
}

/**
 * A fetch that remembers what it was asked.
 * @param {typeof fetch} [inner] what really asks; without one, what a client here would take
 */
export function recorder(inner = nodeFetch()) {
  const seen = [];
  return {
    seen,
    /** How often a path that ends so was asked. */
    count: (end) => seen.filter(({ path }) => path.endsWith(end)).length,
    async fetch(url, init) {
      const { pathname, search } = new URL(url);
      seen.push({ method: init.method, path: pathname, search, init });
      return inner(url, init);
    },
  };
}

/**
 * A fetch whose first answers to some requests are lost after the server gave them.
 * @param {(path: string, init: RequestInit) => boolean} concerns
 * @param {number} times
 */
export function losing(concerns, times = 1) {
  let left = times;
  return async (url, init) => {
    const response = await fetch(url, init);
    if (left > 0 && concerns(new URL(url).pathname, init)) {
      left -= 1;
      await response.arrayBuffer();
      throw new TypeError('fetch failed');
    }
    return response;
  };
}

/** A fetch that waits until it is let through. */
export function gated(inner = fetch) {
  let open;
  const gate = new Promise((resolve) => (open = resolve));
  return {
    open,
    async fetch(url, init) {
      await gate;
      return inner(url, init);
    },
  };
}

/** Pulls and acknowledges until the queue has nothing left; the messages. */
export async function drain(queue) {
  const all = [];
  for (;;) {
    const pulled = await queue.pull({ batchSize: 1000 });
    if (pulled.length === 0) return all;
    await Promise.all(pulled.map((message) => message.ack()));
    all.push(...pulled);
  }
}

/** The one message of a queue, waiting for it where need be. */
export async function take(queue, options = {}) {
  const [message] = await queue.pull({ batchSize: 1, waitMs: 5_000, ...options });
  assert.ok(message, 'a message was expected');
  return message;
}

/** All that an iteration brings. */
export async function collect(iteration) {
  const all = [];
  for await (const item of iteration) all.push(item);
  return all;
}

/** A promise, and the functions that settle it. */
export function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

export const range = (count) => Array.from({ length: count }, (_, n) => n);
