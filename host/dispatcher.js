// The calls of endpoints: each is made by an invocation of its own, which only objects can start
// (docs/decisions/0013). What is called and what becomes of it is the core's to say.

import { WorkerEntrypoint } from 'cloudflare:workers';
import { callWorker, forward, queueOf, workerOf } from './bindings.js';
import { readAtMost } from './body.js';

/** Bytes of an answer that are read; PUSH_ANSWER_BYTES_MAX in the core. */
const ANSWER_BYTES_MAX = 65_536;
/** What of an answer's headers the core looks at. */
const HEADERS = ['content-type', 'retry-after', 'tidegate-retry', 'location'];
/** Characters of what is said about a call that failed. */
const ERROR_CHARS_MAX = 200;

/**
 * What became of a call.
 * @typedef {object} Answer
 * @property {string} head status (0: there was none), milliseconds, then `name: value` lines
 * @property {Uint8Array} body
 */

/** Makes calls for objects. Not reachable from outside: no route leads to a named entrypoint. */
export class Dispatcher extends WorkerEntrypoint {
  /**
   * @param {string} url or what else is called: bindings.js
   * @param {{headers: Record<string, string>, body: Uint8Array}} what
   * @param {{timeoutMs: number, sendBy: number}} bounds the instant after which it is not made
   * @returns {Promise<Answer>}
   */
  async send(url, what, { timeoutMs, sendBy }) {
    const began = Date.now();
    const took = () => Math.max(0, Date.now() - began);
    if (began > sendBy) return failed('late', 0);
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const queue = queueOf(url, this.env);
      if (queue !== undefined) {
        return forwarded(await forward(queue, what.body, signal), took());
      }
      const init = { method: 'POST', ...what, redirect: 'manual', signal };
      const worker = workerOf(url, this.env);
      const response = worker === undefined
        ? await outbound(this.env)(url, init)
        : await callWorker(worker, init);
      const body = await readAtMost(response.body, ANSWER_BYTES_MAX);
      let head = `${response.status}\n${took()}\n`;
      for (const name of HEADERS) {
        const value = response.headers.get(name);
        if (value !== null) head += `${name}: ${value}\n`;
      }
      if (body.length > ANSWER_BYTES_MAX) head += 'tidegate-cut: yes\n';
      return { head, body: body.subarray(0, ANSWER_BYTES_MAX) };
    } catch (error) {
      return failed(signal.aborted ? 'timeout' : String(error), took());
    }
  }
}

/** Addresses of private networks are reached only where the deployment allows them. */
function outbound(env) {
  const open = env.ALLOW_PRIVATE_TARGETS === 'true' ? env.OUTBOUND : undefined;
  return open === undefined ? fetch : (url, init) => open.fetch(url, init);
}

/** What an endpoint would answer that took all messages but these. */
function forwarded(failed, ms) {
  const body = new TextEncoder().encode(JSON.stringify({ failed }));
  return { head: `200\n${ms}\ncontent-type: application/json\n`, body };
}

function failed(error, ms) {
  const text = error.replace(/[^\x20-\x7e]+/g, ' ').slice(0, ERROR_CHARS_MAX);
  return { head: `0\n${ms}\nerror: ${text}\n`, body: new Uint8Array(0) };
}
