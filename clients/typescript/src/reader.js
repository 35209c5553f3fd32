// Following a topic live: from connection to connection, each going on where the one before broke
// off, so that no message is left out and none is told twice.

import { NotFoundError, TidegateError } from './errors.js';
import { overEvents } from './live-events.js';
import { overSocket } from './live-socket.js';
import { Message } from './message.js';
import { fromWire } from './names.js';
import { badRequest } from './problem.js';
import { filterText, queryOf } from './query.js';
import { delayMs } from './retry.js';
import { sleep } from './time.js';

const OPTIONS = new Set([
  'fromSeq', 'fromAtMs', 'filter', 'member', 'transport', 'signal', 'onState', 'onPresence',
  'onLagged',
]);
/** A pattern of topics, in a path: it has no log to be read. */
const PATTERN = /%2B|%23/;
const TRANSPORTS = new Set(['auto', 'websocket', 'events']);

/**
 * @param {import('./http.js').Http} http
 * @param {string} path of the topic
 * @param {import('../index.js').SubscribeOptions} [options]
 * @returns {AsyncGenerator<Message, void>}
 */
export function follow(http, path, options = {}) {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw badRequest(name, 'subscribe has no such option');
  }
  const { transport = 'auto' } = options;
  if (!TRANSPORTS.has(transport)) {
    throw badRequest('transport', 'auto, websocket or events belongs here');
  }
  if (transport === 'websocket' && http.WebSocket === undefined) {
    throw badRequest('transport', 'this platform has no WebSocket; give the client one');
  }
  return new Reader(http, path, options).messages();
}

class Reader {
  #http;
  #path;
  #options;
  /** Where it begins, as the caller has it; then the number after the last message. */
  #place;
  #members = [];
  #state;

  constructor(http, path, options) {
    this.#http = http;
    this.#path = path;
    this.#options = options;
    const { fromSeq, fromAtMs } = options;
    this.#place = fromAtMs === undefined ? { fromSeq: fromSeq ?? 'latest' } : { fromAtMs };
  }

  async *messages() {
    const { signal } = this.#options;
    for (let failures = 0; !signal?.aborted; ) {
      let asked = 0;
      try {
        for await (const frame of this.#connection()) {
          failures = 0;
          const message = this.#take(frame);
          if (message) yield message;
          if (signal?.aborted) return;
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (!(error instanceof TidegateError) || !error.retryable) throw error;
        asked = error.retryAfterMs ?? 0;
        this.#enter('reconnecting', error);
      }
      if (signal?.aborted) return;
      this.#enter('reconnecting');
      failures += 1;
      await sleep(delayMs(this.#http.retry, failures, asked), signal).catch(() => {});
    }
  }

  /** The frames of one connection, as the server sends them over a socket. */
  async *#connection() {
    const { transport = 'auto' } = this.#options;
    // A browser's socket cannot carry a header, and a token in an address ends in somebody's log.
    const token = await this.#http.token();
    const fits = this.#http.WebSocket !== undefined && token === undefined;
    const isSocket = transport === 'websocket' || (transport === 'auto' && fits);
    const isVague = this.#place.fromSeq === 'latest' && !PATTERN.test(this.#path);
    if (!isSocket && isVague) await this.#findPlace();
    const { filter, member, signal } = this.#options;
    const { fromSeq, fromAtMs } = this.#place;
    const wanted = { from_seq: fromSeq, from_at_ms: fromAtMs, member };
    if (isSocket) {
      const query = queryOf({ access_token: token });
      const subscribe = { ...wanted, filter };
      yield* overSocket(this.#http, this.#path, query, { subscribe, signal });
    } else {
      const query = queryOf({ ...wanted, filter: filterText(filter) });
      yield* overEvents(this.#http, `${this.#path}/events${query}`, signal);
    }
  }

  /** Events do not tell where they begin, and between two streams nothing shall be missed. */
  async #findPlace() {
    const { signal } = this.#options;
    const path = `${this.#path}/messages?from_seq=latest&limit=1`;
    // A failure is repeated here, by connecting again.
    const request = this.#http.request('GET', path, { signal, retry: { attempts: 1 } });
    const next = await request.then(({ json }) => json.next_seq, (error) => {
      // Following makes the topic; whatever it will have comes from now on.
      if (error instanceof NotFoundError) return 1;
      throw error;
    });
    this.#place = { fromSeq: next };
  }

  /** @returns {Message | undefined} what the frame brings, if it is new */
  #take(frame) {
    const { type } = frame;
    if (type === 'message') {
      // Many topics count for themselves; what follows them all has a number of its own.
      const seq = frame.pattern_seq ?? frame.seq;
      if (seq < this.#place.fromSeq) return undefined;
      this.#place = { fromSeq: seq + 1 };
      return Message.fromWire(frame);
    }
    if (type === 'subscribed') this.#begin(frame);
    else if (type === 'here') this.#present(frame.members);
    else if (type === 'join') this.#present([...this.#members, frame.member]);
    else if (type === 'leave') this.#present(this.#members.filter((it) => it !== frame.member));
    else if (type === 'lagged') this.#lagged(frame);
    else if (type === 'gone') throw gone();
    return undefined;
  }

  #begin({ from_seq: fromSeq }) {
    // Last values come from anywhere in the log; only after the first there is a place.
    if (fromSeq !== undefined && this.#place.fromSeq !== 'last_per_key') {
      this.#place = { fromSeq };
    }
    this.#enter('open');
  }

  #enter(state, error) {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState?.(state, error);
  }

  #present(members) {
    const now = [...new Set(members)].sort();
    const joined = now.filter((it) => !this.#members.includes(it));
    const left = this.#members.filter((it) => !now.includes(it));
    this.#members = now;
    if (joined.length + left.length > 0) this.#options.onPresence?.(now, { joined, left });
  }

  #lagged(frame) {
    const { behind, missed } = fromWire(frame);
    this.#options.onLagged?.({ behind, missed });
  }
}

function gone() {
  const detail = 'the topic was deleted';
  return new NotFoundError({ type: 'not-found', status: 404, detail });
}
