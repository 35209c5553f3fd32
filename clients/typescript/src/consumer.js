// Consuming: pulls as much as handlers are free, prolongs the leases of those that take long, and
// settles each message by what became of its handler.

import { LeaseExpiredError, TidegateError } from './errors.js';
import { badRequest } from './problem.js';
import { delayMs } from './retry.js';
import { sleep, soon } from './time.js';

const DEFAULTS = { concurrency: 16, waitMs: 20_000, autoExtend: true };
/** Where the source does not tell how long it leases: a queue's default. */
export const LEASE_MS_DEFAULT = 30_000;
/** A lease is prolonged at every check when less than half of it is left. */
const CHECKS_PER_LEASE = 4;
/** Between pulls that come back empty before their time, as from a server that does not wait. */
const EMPTY_PAUSE_MS = 100;
/** Errors that time does not mend. */
const FATAL = new Set(['bad-request', 'unauthorized', 'forbidden', 'client-closed']);

/** What a handler is told of its message's lease. */
class Lease {
  #lost;
  #controller;

  /** @param {number} until when it ends, as `performance.now()` counts */
  constructor(until) {
    this.until = until;
  }

  /** Made when it is asked for: most handlers never do. */
  get signal() {
    this.#controller ??= new AbortController();
    if (this.#lost) this.#controller.abort(this.#lost);
    return this.#controller.signal;
  }

  /** @param {Error} error */
  lose(error) {
    this.#lost = error;
    this.#controller?.abort(error);
  }
}

/** What a handler gets beside its message. */
class Context {
  #lease;

  constructor(lease) {
    this.#lease = lease;
  }

  get signal() {
    return this.#lease.signal;
  }
}

export class Consumer {
  #queue;
  #handler;
  #options;
  #leaseMs;
  /** @type {Map<import('./message.js').LeasedMessage, Lease>} */
  #leases = new Map();
  #checks;
  #freed = nothing;
  #idle = nothing;

  /**
   * @param {import('./source.js').Source} queue that tells `leaseMs`
   * @param {import('../index.js').Handler} handler
   * @param {import('../index.js').ConsumeOptions} options
   */
  constructor(queue, handler, options) {
    this.#queue = queue;
    this.#handler = handler;
    this.#options = { ...DEFAULTS, ...options };
    if (!(this.#options.concurrency >= 1)) throw badRequest('concurrency', 'this is at least 1');
    this.#options.batchSize ??= Math.min(this.#options.concurrency, 1000);
  }

  /** Resolves once the signal has come and every handler has ended. */
  async run() {
    const { signal } = this.#options;
    try {
      for (let failures = 0; !signal?.aborted; ) {
        try {
          await this.#round();
          failures = 0;
        } catch (error) {
          if (signal?.aborted) break;
          if (!(error instanceof TidegateError) || FATAL.has(error.type)) throw error;
          failures += 1;
          this.#report(error);
          await this.#pause(delayMs(this.#queue.retry, failures, error.retryAfterMs));
        }
      }
    } finally {
      if (this.#leases.size > 0) await new Promise((resolve) => (this.#idle = resolve));
      clearInterval(this.#checks);
    }
  }

  async #round() {
    const { concurrency, batchSize, waitMs, filter, signal } = this.#options;
    if (this.#leases.size >= concurrency) {
      await new Promise((resolve) => (this.#freed = resolve));
      // Those whose acks were answered together end in the same turn: they are pulled for together.
      await new Promise(soon);
    }
    if (signal?.aborted) return;
    const free = concurrency - this.#leases.size;
    this.#leaseMs ??= await this.#readLeaseMs();
    const began = performance.now();
    const messages = await this.#queue.pull({
      batchSize: Math.min(batchSize, free),
      waitMs,
      visibilityTimeoutMs: this.#leaseMs,
      filter,
      signal,
      retry: { attempts: 1 },
    });
    for (const message of messages) this.#start(message, began);
    const isEarly = performance.now() - began < EMPTY_PAUSE_MS;
    if (messages.length === 0 && isEarly) await this.#pause(EMPTY_PAUSE_MS);
  }

  /** The queue's own, asked once: what is timed here has to be what is leased there. */
  async #readLeaseMs() {
    const { visibilityTimeoutMs, autoExtend, signal } = this.#options;
    if (visibilityTimeoutMs !== undefined || !autoExtend) return visibilityTimeoutMs;
    try {
      return await this.#queue.leaseMs(signal);
    } catch (error) {
      if (error.type === 'forbidden') return LEASE_MS_DEFAULT;
      throw error;
    }
  }

  #start(message, leasedAt) {
    const lease = new Lease(leasedAt + (this.#leaseMs ?? 0));
    this.#leases.set(message, lease);
    if (this.#options.autoExtend) {
      const extend = () => this.#extendLeases();
      this.#checks ??= setInterval(extend, this.#leaseMs / CHECKS_PER_LEASE);
    }
    this.#handle(message, lease);
  }

  async #handle(message, lease) {
    try {
      const result = await this.#handler(message, new Context(lease));
      if (!message.settled) await message.ack(result);
    } catch (error) {
      this.#report(error, message);
      if (!message.settled) {
        await message.retry().catch((failed) => this.#report(failed, message));
      }
    } finally {
      this.#end(message);
    }
  }

  #end(message) {
    this.#leases.delete(message);
    this.#freed();
    if (this.#leases.size > 0) return;
    clearInterval(this.#checks);
    this.#checks = undefined;
    this.#idle();
  }

  #extendLeases() {
    const soon = performance.now() + this.#leaseMs / 2;
    for (const [message, lease] of this.#leases) {
      if (message.settled || lease.until > soon) continue;
      this.#extend(message, lease);
    }
  }

  async #extend(message, lease) {
    const before = lease.until;
    lease.until = performance.now() + this.#leaseMs;
    try {
      await message.extend(this.#leaseMs);
    } catch (error) {
      lease.until = before;
      // What has been settled meanwhile needs no lease any more.
      if (message.settled) return;
      this.#report(error, message);
      if (error instanceof LeaseExpiredError) lease.lose(error);
    }
  }

  /** Until the time is over or the consumer is to stop, whichever is first. */
  async #pause(ms) {
    await sleep(ms, this.#options.signal).catch(() => {});
  }

  #report(error, message) {
    const { onError } = this.#options;
    if (onError) onError(error, message);
    else console.error('tidegate:', error);
  }
}

function nothing() {}

/**
 * @param {import('./source.js').Source} queue
 * @param {import('../index.js').MessagesOptions} options
 * @returns {AsyncGenerator<import('./message.js').LeasedMessage>}
 */
export async function* messages(queue, options) {
  const { batchSize = 1, waitMs = DEFAULTS.waitMs, signal, ...rest } = options;
  while (!signal?.aborted) {
    const began = performance.now();
    const pulled = await queue.pull({ ...rest, batchSize, waitMs, signal }).catch((error) => {
      if (signal?.aborted) return [];
      throw error;
    });
    if (pulled.length === 0 && performance.now() - began < EMPTY_PAUSE_MS) {
      await sleep(EMPTY_PAUSE_MS, signal).catch(() => {});
    }
    try {
      while (pulled.length > 0 && !signal?.aborted) yield pulled.shift();
    } finally {
      // What nobody will look at is better off with another consumer.
      await Promise.allSettled(pulled.map((message) => message.retry({ delayMs: 0 })));
    }
  }
}
