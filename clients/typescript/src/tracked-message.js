// One message, seen by whoever published it: where it stands, what became of it.

import { ConnectionError, NoResultError, TidegateError } from './errors.js';
import { events } from './events.js';
import { fromWire } from './names.js';
import { delayMs } from './retry.js';
import { onAbort, sleep } from './time.js';

/** The longest wait that the server grants. */
const WAIT_MS_MAX = 30_000;
const FINAL = new Set(['done', 'dead', 'expired', 'cancelled', 'not-drawn']);

export class TrackedMessage {
  #http;
  #path;

  /**
   * @param {import('./http.js').Http} http
   * @param {string} path of the queue's messages
   * @param {string} id
   */
  constructor(http, path, id) {
    this.#http = http;
    this.#path = `${path}/${encodeURIComponent(id)}`;
    this.id = id;
  }

  /** @param {{ waitMs?: number, signal?: AbortSignal }} [options] */
  async state({ waitMs = 0, signal } = {}) {
    const path = waitMs > 0 ? `${this.#path}?wait_ms=${waitMs}` : this.#path;
    const { json } = await this.#http.request('GET', path, { waitMs, signal });
    return stateOf(json);
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  async result({ signal } = {}) {
    for (;;) {
      const now = await this.state({ waitMs: WAIT_MS_MAX, signal });
      if (now.state === 'done') return now.result;
      if (FINAL.has(now.state)) throw new NoResultError(now);
    }
  }

  /**
   * Each change, and where the stream breaks, what is true after it.
   * @param {{ signal?: AbortSignal }} [options]
   */
  async *states({ signal } = {}) {
    let last;
    for (let failures = 0; ; ) {
      try {
        for await (const { data } of this.#events(signal)) {
          failures = 0;
          if (data === last) continue;
          last = data;
          const state = stateOf(JSON.parse(data));
          yield state;
          if (FINAL.has(state.state)) return;
        }
      } catch (error) {
        if (!(error instanceof TidegateError) || !error.retryable) throw error;
        if (failures + 1 >= this.#http.retry.attempts) throw error;
      }
      failures += 1;
      await sleep(delayMs(this.#http.retry, failures), signal);
    }
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  async confirm({ signal } = {}) {
    await this.#http.request('POST', `${this.#path}/confirm`, { signal });
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  async cancel({ signal } = {}) {
    await this.#http.request('DELETE', this.#path, { signal });
  }

  /** A stream that ends with the iteration, and fails in the words of this client. */
  async *#events(signal) {
    signal?.throwIfAborted();
    const own = new AbortController();
    const forget = onAbort(signal, () => own.abort(signal.reason));
    const headers = { accept: 'text/event-stream' };
    try {
      const stream = await this.#http.stream(this.#path, { headers, signal: own.signal });
      yield* events(stream);
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof TidegateError ? error : new ConnectionError(error);
    } finally {
      forget();
      own.abort();
    }
  }
}

/** A result is its consumer's own, names in it are not ours. */
function stateOf({ result, ...wire }) {
  return { ...fromWire(wire), result, isFinal: FINAL.has(wire.state) };
}
