// The till: a few items, buyers who take one into their hands and have a while to pay, and a line
// of those for whom there is none yet. Every buyer is a held message of a queue. Draws nothing.

import { wordsOf } from "../../client.js";

export const STOCK = 3;
export const HOLD_MS = 20_000;
/** Buyers on the page at a time. */
export const BUYERS_MAX = 12;
const LOOK_MS = 400;
const IDLE_LOOK_MS = 2_000;
const OVER = ["sold", "expired", "cancelled"];

const NAMES = [
  "Ada", "Grace", "Edsger", "Barbara", "Alan", "Hedy", "Tim", "Radia", "Ken", "Frances", "Linus",
  "Margaret",
];

/**
 * @typedef {object} Buyer
 * @property {string} name
 * @property {string} id of the message
 * @property {"waiting" | "held" | "sold" | "expired" | "cancelled"} state
 * @property {number | null} position in the line
 * @property {number} endsMs when the time to pay is over, by this page's clock; while held
 */

/** One till and its queue. */
export class Till {
  /** @type {Buyer[]} */
  buyers = [];
  /** What the server says. */
  figures = null;
  /** What went wrong last, if anything did. */
  error = null;
  #count = 0;
  #isOpen = false;
  #onChange;
  /** @type {import("/client/index.js").Queue | null} once there has been a buyer */
  queue = null;

  /** @param {import("/client/index.js").Tidegate} client @param {() => void} onChange */
  constructor(client, onChange) {
    this.client = client;
    this.#onChange = onChange;
  }

  /** How many are still to be seen to. */
  get active() {
    return this.buyers.filter(({ state }) => !OVER.includes(state)).length;
  }

  /**
   * Items by where they are, by counters of the server that know nothing of one another: places
   * given out, holds, acknowledgements.
   */
  get items() {
    if (this.figures === null) return { left: STOCK, held: 0, sold: 0, waiting: 0 };
    const { accepted, held, waiting, ackedTotal: sold } = this.figures;
    return { left: STOCK - accepted, held, sold, waiting };
  }

  /** Sends a buyer: into an item's hands, or into the line. */
  async send() {
    await this.#open();
    const name = NAMES[this.#count % NAMES.length];
    const round = Math.floor(this.#count / NAMES.length);
    this.#count += 1;
    const key = round === 0 ? name : `${name} ${round + 1}`;
    const options = { contentType: "text/plain", key, holdMs: HOLD_MS, idempotencyKey: key };
    const { id } = await this.queue.publish("one pair", options);
    const buyer = { name: key, id, state: "waiting", position: null, endsMs: 0 };
    this.buyers.push(buyer);
    while (this.buyers.length > BUYERS_MAX) {
      const gone = this.buyers.findIndex(({ state }) => OVER.includes(state));
      this.buyers.splice(Math.max(0, gone), 1);
    }
    await this.#look();
  }

  /** @param {Buyer} buyer */
  pay(buyer) {
    return this.#settle(this.queue.message(buyer.id).confirm());
  }

  /** Gives the item, or the place in line, to whoever is next. @param {Buyer} buyer */
  walkAway(buyer) {
    return this.#settle(this.queue.message(buyer.id).cancel());
  }

  async #settle(settled) {
    // Too late is no failure: the state tells.
    await settled.catch((error) => {
      if (error.status !== 409) throw error;
    });
    await this.#look();
  }

  async #open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.queue = this.client.queue(`demo/till-${Date.now().toString(36)}`);
    const redirectUrl = new URL("/demo/flash-sale/", location.href).href;
    const capacity = { maxAccepted: STOCK, maxPerKey: 1, overflow: "wait", redirectUrl };
    try {
      await this.queue.configure({ capacity });
      this.#keepLooking();
    } catch (error) {
      this.#isOpen = false;
      throw error;
    }
  }

  /** Asks for all now and then: a stream for each would take up all connections. */
  async #keepLooking() {
    while (this.#isOpen) {
      const pauseMs = this.active > 0 ? LOOK_MS : IDLE_LOOK_MS;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      if (document.hidden) continue;
      await this.#look().catch((error) => {
        if (error.type === "not-found") this.#close();
        else this.fail(error);
      });
    }
  }

  /** The queue was deleted: the next buyer opens another one. */
  #close() {
    this.#isOpen = false;
    this.buyers = [];
    this.figures = null;
    this.#count = 0;
    this.#onChange();
  }

  fail(error) {
    this.error = wordsOf(error);
    this.#onChange();
  }

  async #look() {
    const active = this.buyers.filter(({ state }) => !OVER.includes(state));
    await Promise.all(active.map(async (buyer) => {
      this.#update(buyer, await this.queue.message(buyer.id).state());
    }));
    await this.#readFigures();
    if (await this.#handOut()) await this.#readFigures();
    this.error = null;
    this.#onChange();
  }

  async #readFigures() {
    this.figures = await this.queue.describe();
  }

  #update(buyer, { state, position }) {
    const seen = ["queued", "leased", "done", "delayed"].includes(state) ? "sold" : state;
    if (seen === "held" && buyer.state !== "held") buyer.endsMs = Date.now() + HOLD_MS;
    buyer.state = seen;
    buyer.position = position ?? null;
  }

  /**
   * The backend: what is paid for is packed at once. It keeps its place: sold is sold.
   * @returns {Promise<boolean>} whether there was any
   */
  async #handOut() {
    if (this.figures.depth <= this.figures.held + this.figures.inFlight) return false;
    const messages = await this.queue.pull({ batchSize: 10 });
    await Promise.all(messages.map((message) => message.ack("packed")));
    return messages.length > 0;
  }
}
