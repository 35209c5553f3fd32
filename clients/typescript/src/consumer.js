// Consuming: pulls as much as handlers are free, prolongs the leases of those that take long, and
// settles each message by what became of its handler.

import { Bag } from './bag.js';
import { LeaseExpiredError, TidegateError } from './errors.js';
import { LeasedMessage } from './message.js';
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
/** Batches that one pull carries: each is at most a third of what the server takes in a call. */
const CARRIED_MAX = 3;
/** Errors that time does not mend. */
const FATAL = new Set(['bad-request', 'unauthorized', 'forbidden', 'client-closed']);

/** What a handler is told of its message's lease. */
class Lease {
  /** In the bag of those that a handler works on. */
  place = 0;
  #lost;
  #controller;

  /**
   * @param {import('./message.js').LeasedMessage} message
   * @param {number} until when it ends, as `performance.now()` counts
   */
  constructor(message, until) {
    this.message = message;
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
    // There is nothing to prolong any more.
    this.until = Infinity;
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
  #source;
  #exchange;
  #handler;
  #options;
  #leaseMs;
  /** @type {Bag<Lease>} */
  #leases = new Bag();
  #checks;
  /** What the next pull carries: batches of acknowledgements. */
  #carried = [];
  /** Whether one is about to be made: not while one waits for messages, nor in a pause. */
  #carries = false;
  #freed = nothing;
  #idle = nothing;

  /**
   * @param {import('./source.js').Source} source that tells `leaseMs`
   * @param {(pull: object, entries: object[]) => Promise<{ messages: LeasedMessage[],
   *   errors: Map<number, Error> }>} exchange settles leases and pulls in one call
   * @param {import('../index.js').Handler} handler
   * @param {import('../index.js').ConsumeOptions} options
   */
  constructor(source, exchange, handler, options) {
    this.#source = source;
    this.#exchange = exchange;
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
          await this.#pause(delayMs(this.#source.retry, failures, error.retryAfterMs));
        }
      }
    } finally {
      this.#letGo();
      if (this.#leases.size > 0) await new Promise((resolve) => (this.#idle = resolve));
      clearInterval(this.#checks);
    }
  }

  /**
   * Takes a batch of acknowledgements along with the next pull, if that is about to be made.
   * @param {{ isLast: boolean }[]} batch
   * @returns {Promise<Map<number, TidegateError> | undefined> | undefined} which of them were
   *   refused; nothing when it has to go on its own
   */
  carry(batch) {
    const { concurrency, signal } = this.#options;
    if (!this.#carries || signal?.aborted || this.#carried.length >= CARRIED_MAX) return undefined;
    const isFree = this.#leases.size < concurrency;
    if (!isFree && !batch.some((entry) => entry.isLast)) return undefined;
    return new Promise((resolve, reject) => {
      this.#carried.push({ batch, resolve, reject });
      this.#freed();
    });
  }

  async #round() {
    const { concurrency, signal } = this.#options;
    if (this.#leases.size >= concurrency && this.#carried.length === 0) {
      await new Promise((resolve) => (this.#freed = resolve));
      // Those whose acks were answered together end in the same turn: they are pulled for together.
      await new Promise(soon);
    }
    if (signal?.aborted) return;
    this.#leaseMs ??= await this.#readLeaseMs();
    if (this.#carried.length > 0) await this.#settleAndPull();
    else await this.#pull();
  }

  async #pull() {
    const { waitMs, filter, signal } = this.#options;
    const began = performance.now();
    this.#carries = false;
    const pull = { batchSize: this.#room(0), waitMs, visibilityTimeoutMs: this.#leaseMs, filter };
    const messages = await this.#source.pull({ ...pull, signal, retry: { attempts: 1 } });
    this.#carries = messages.length > 0;
    for (const message of messages) this.#start(message, began);
    const isEarly = performance.now() - began < EMPTY_PAUSE_MS;
    if (messages.length === 0 && isEarly) await this.#pause(EMPTY_PAUSE_MS);
  }

  async #settleAndPull() {
    const began = performance.now();
    const carried = this.#carried.splice(0);
    const entries = carried.flatMap(({ batch }) => batch);
    entries.sort((a, b) => a.operation - b.operation);
    const ending = entries.filter((entry) => entry.isLast).length;
    const { filter } = this.#options;
    const pull = { batchSize: this.#room(ending), visibilityTimeoutMs: this.#leaseMs, filter };
    try {
      const { messages, errors } = await this.#exchange(pull, entries);
      for (const { batch, resolve } of carried) resolve(refusedOf(batch, entries, errors));
      for (const message of messages) this.#start(message, began);
    } catch (error) {
      for (const { reject } of carried) reject(error);
      this.#letGo();
      // Its entries go on their own now, each with an answer that tells; so does the next pull.
      if (error.type !== 'bad-request') throw error;
    }
  }

  /** What was to be carried goes on its own. */
  #letGo() {
    this.#carries = false;
    for (const { resolve } of this.#carried.splice(0)) resolve(undefined);
  }

  /** How many may be pulled when so many handlers that have ended are not counted. */
  #room(ending) {
    const { concurrency, batchSize } = this.#options;
    return Math.min(batchSize, concurrency - this.#leases.size + ending);
  }

  /** The queue's own, asked once: what is timed here has to be what is leased there. */
  async #readLeaseMs() {
    const { visibilityTimeoutMs, autoExtend, signal } = this.#options;
    if (visibilityTimeoutMs !== undefined || !autoExtend) return visibilityTimeoutMs;
    try {
      return await this.#source.leaseMs(signal);
    } catch (error) {
      if (error.type === 'forbidden') return LEASE_MS_DEFAULT;
      throw error;
    }
  }

  #start(message, leasedAt) {
    const lease = new Lease(message, leasedAt + (this.#leaseMs ?? 0));
    this.#leases.add(lease);
    if (this.#options.autoExtend) {
      const extend = () => this.#extendLeases();
      this.#checks ??= setInterval(extend, this.#leaseMs / CHECKS_PER_LEASE);
    }
    this.#handle(lease);
  }

  async #handle(lease) {
    const { message } = lease;
    try {
      const result = await this.#handler(message, new Context(lease));
      if (!message.settled) await LeasedMessage.finish(message, result);
    } catch (error) {
      this.#report(error, message);
      if (!message.settled) {
        await message.retry().catch((failed) => this.#report(failed, message));
      }
    } finally {
      this.#end(lease);
    }
  }

  #end(lease) {
    this.#leases.delete(lease);
    this.#freed();
    if (this.#leases.size > 0) return;
    clearInterval(this.#checks);
    this.#checks = undefined;
    this.#idle();
  }

  #extendLeases() {
    const soon = performance.now() + this.#leaseMs / 2;
    for (const lease of this.#leases.all()) {
      if (!lease.message.settled && lease.until <= soon) this.#extend(lease);
    }
  }

  async #extend(lease) {
    const { message } = lease;
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

/** Which of a batch were refused, by their places in it. */
function refusedOf(batch, entries, errors) {
  const refused = new Map();
  for (const [at, error] of errors) {
    const place = batch.indexOf(entries[at]);
    if (place >= 0) refused.set(place, error);
  }
  return refused;
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
