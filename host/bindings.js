// What pushes call besides URLs: Workers, and Cloudflare Queues, that are bound to this one. Which of
// them may be called is the core's to say; here is how.

/** Where a Worker sees itself called; where it is, its binding says. */
const WORKER_URL = 'https://worker/';
const decoder = new TextDecoder();

/**
 * @param {string} url as the core writes it: `worker:NAME`, or an address
 * @param {Record<string, unknown>} env
 * @returns {Fetcher | undefined} the Worker, `undefined` for an address
 * @throws where there is no such binding
 */
export function workerOf(url, env) {
  return url.startsWith('worker:') ? bound(url.slice('worker:'.length), env) : undefined;
}

/**
 * @param {string} url as the core writes it: `queue:NAME`, or something else
 * @param {Record<string, unknown>} env
 * @returns {Queue | undefined}
 * @throws where there is no such binding
 */
export function queueOf(url, env) {
  return url.startsWith('queue:') ? bound(url.slice('queue:'.length), env) : undefined;
}

/** A setting may name what nobody has bound. */
function bound(name, env) {
  const binding = env[name];
  if (typeof binding !== 'object' || binding === null) {
    throw new Error(`the deployment has no binding ${name}`);
  }
  return binding;
}

/**
 * Calls a Worker as an endpoint is called.
 * @param {Fetcher} worker
 * @param {RequestInit} init
 */
export function callWorker(worker, init) {
  return worker.fetch(WORKER_URL, init);
}

/**
 * Hands batches to a queue, one after another, up to the first that it does not take.
 * @param {Queue} queue
 * @param {Uint8Array} body `[[{"id", "form", "body"}, …], …]`
 * @param {AbortSignal} signal
 * @returns {Promise<string[]>} the identifiers of those that were not taken
 * @throws where none was
 */
export async function forward(queue, body, signal) {
  const batches = JSON.parse(decoder.decode(body));
  for (let n = 0; n < batches.length; n += 1) {
    try {
      await inTime(queue.sendBatch(batches[n].map(messageOf)), signal);
    } catch (error) {
      if (n === 0) throw error;
      return batches.slice(n).flat().map(({ id }) => id);
    }
  }
  return [];
}

function messageOf({ form, body }) {
  return { body: contentOf(form, body), contentType: form };
}

function contentOf(form, body) {
  if (form === 'json') return JSON.parse(body);
  if (form === 'text') return body;
  return Uint8Array.from(atob(body), (char) => char.charCodeAt(0));
}

/** Such a call cannot be cut: what is too late may still arrive, and comes again. */
function inTime(promise, signal) {
  signal.throwIfAborted();
  const late = new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, late]);
}
