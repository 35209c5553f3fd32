// What happened in one epoch as its clients saw it: who sent what when, and what came back when. A
// request without an answer stays without one; the checker takes it for both done and not done.

/**
 * @typedef {object} Attempt one request that publishes
 * @property {number} sent_at
 * @property {number} ended_at the answer, or the end of the connection
 * @property {'accepted' | 'refused' | 'lost'} outcome
 * @property {string} [id]
 * @property {number} [seq]
 * @property {boolean} [isWaiting] accepted into the line, without a place yet
 * @property {string} [type] of a refusal: the problem's, or `redirected`
 * @property {'edge' | 'object' | null} [decided_by]
 *
 * @typedef {object} Publish
 * @property {number} n by which its message is known: the body begins with it
 * @property {string | null} key
 * @property {string | null} idempotency_key
 * @property {number | null} hold_ms
 * @property {number | null} ttl_ms
 * @property {number | null} delay_ms
 * @property {'ack' | 'release'} settle how consumers finish it
 * @property {Attempt[]} attempts
 *
 * @typedef {object} Action
 * @property {'confirm' | 'cancel' | 'ack' | 'retry' | 'extend'} kind
 * @property {string} id of the message
 * @property {string} [lease_id]
 * @property {number} [visibility_ms] of an extension
 * @property {number} sent_at
 * @property {number} ended_at
 * @property {boolean | null} ok whether it was done; null where nobody knows
 *
 * @typedef {object} Delivery
 * @property {string} id
 * @property {number} seq
 * @property {number} n of the publish, from the body
 * @property {string | null} key
 * @property {string} lease_id
 * @property {number} visibility_ms
 * @property {number} sent_at
 * @property {number} ended_at
 *
 * @typedef {object} Change of a limit; until it is answered both values may hold
 * @property {'max_accepted' | 'max_messages' | 'max_per_key'} field
 * @property {number | null} value null: no limit
 * @property {number} sent_at
 * @property {number} ended_at
 *
 * @typedef {object} Kill
 * @property {string} kind how it was brought about
 * @property {boolean} hasHit whether a fault of the storage ended it, and not a signal
 * @property {number} from the server was still there
 * @property {number} gone_at
 * @property {number} up_at
 *
 * @typedef {object} Trouble a time in which the disk failed
 * @property {string} kind
 * @property {number} from
 * @property {number} until
 * @property {Kill | null} crash of a server that did not live through it
 *
 * @typedef {{ kills: Kill[], troubles: Trouble[], jumps: Jump[] }} Havoc
 *
 * @typedef {object} Jump of the server's clock
 * @property {number} byMs
 * @property {number} from it was still where it would have been
 * @property {number} until it had jumped
 */

/** The events of one epoch, in no order. */
export class History {
  /** @type {Publish[]} */
  publishes = [];
  /** @type {Action[]} */
  actions = [];
  /** @type {Delivery[]} */
  deliveries = [];
  /** @type {Change[]} */
  changes = [];
  /** What went wrong meanwhile: shared by all that happens on one server at a time.
   * @type {Havoc} */
  havoc = { kills: [], troubles: [], jumps: [] };
  /** @type {'best_effort' | 'fifo' | 'key'} that the queue promises */
  order = 'best_effort';
  /** Whether the clock was set back in an earlier epoch. */
  isSlowed = false;
  /** What the server said when all was quiet; see settle.mjs. */
  end = null;
  #first;

  /**
   * @param {number} first number of its first publish, beyond those of other epochs
   * @param {Record<string, number | null>} capacity as it is at the start
   */
  constructor(first, capacity) {
    this.#first = first;
    /** Whether publishes that find no room wait for it. */
    this.isLine = capacity.overflow === 'wait';
    for (const field of ['max_accepted', 'max_messages', 'max_per_key']) {
      this.changes.push({ field, value: capacity[field], sent_at: -Infinity, ended_at: -Infinity });
    }
  }

  /** @returns {Publish} a new one, without attempts yet */
  publish(order) {
    const { key, idempotencyKey = null, holdMs = null, ttlMs = null, delayMs = null } = order;
    const { settle = 'ack' } = order;
    const made = {
      n: this.#first + this.publishes.length,
      key,
      idempotency_key: idempotencyKey,
      hold_ms: holdMs,
      ttl_ms: ttlMs,
      delay_ms: delayMs,
      settle,
      attempts: [],
    };
    this.publishes.push(made);
    return made;
  }

  /** How much the server's clock may have gained on ours between two instants. */
  gained(from, until) {
    const within = this.havoc.jumps.filter((jump) => jump.until >= from && jump.from <= until);
    return within.reduce((sum, { byMs }) => sum + Math.max(0, byMs), 0);
  }

  /**
   * How much longer than it should a timer may take: the clock went back, and on again later. From
   * then on, also in the next epochs, the queue's own time may go at half the pace (docs/decisions/0026).
   * @param {number} timer
   */
  late(timer) {
    const { jumps } = this.havoc;
    const back = jumps.find(({ byMs }) => byMs < 0);
    const behind = back === undefined ? 0 : jumps.at(-1).until - back.from;
    return behind + (back !== undefined || this.isSlowed ? timer : 0);
  }

  /** Ids of messages that were accepted or seen. */
  ids() {
    const accepted = this.publishes.flatMap(({ attempts }) => attempts.map(({ id }) => id));
    const seen = this.deliveries.map(({ id }) => id);
    return [...new Set([...accepted, ...seen])].filter(Boolean);
  }
}

/** The body of a message: enough to know it by, and for a consumer to know what to do. */
export const bodyOf = ({ n, settle }) => `${n} ${settle}`;

/** The other way round. */
export function readBody(body) {
  const [n, settle] = body.split(' ');
  return { n: Number(n), settle };
}
