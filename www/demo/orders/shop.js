// The shop: takes orders in one of three ways, and knows what became of them. Draws nothing.

import { openClient, wordsOf } from "../../client.js";
import { Service, WORK_MS, wait } from "./service.js";

/** Orders the page remembers. */
const ORDERS_MAX = 1_000;
const LOOK_MS = 400;

const SERVICES = [
  { name: "mail", label: "Mail", does: "confirms the order" },
  { name: "text", label: "Text message", does: "tells when it comes" },
  { name: "points", label: "Points", does: "thanks a loyal customer" },
  { name: "delivery", label: "Delivery", does: "packs and sends it" },
];
const BUYERS = ["Ada", "Grace", "Edsger", "Barbara", "Alan", "Hedy", "Radia", "Ken"];
const ITEMS = ["lamp", "clock", "kettle", "chair", "globe"];

/** @typedef {"serial" | "parallel" | "topic"} Way */

/**
 * @typedef {object} Order
 * @property {number} number
 * @property {string} buyer
 * @property {string} item
 * @property {Way} way
 * @property {number | null} waitedMs how long its buyer waited for the answer
 * @property {string | null} problem why it was not placed
 */

/** What happens between writing an order and answering its buyer. */
const WAYS = {
  async serial({ services }, { number }) {
    for (const service of services) await service.call(number);
  },
  async parallel({ services }, { number }) {
    await Promise.all(services.map((service) => service.call(number)));
  },
  topic: (shop, order) => shop.announce(order),
};

export class Shop {
  /** @type {Order[]} the last of them, newest first */
  orders = [];
  error = null;
  /** Times that buyers waited, by way. */
  waits = { serial: [], parallel: [], topic: [] };
  #reach;
  #client;
  #onChange;
  #topic = null;
  /** The same topic, on a way that goes before what services and figures ask for. */
  #counter = null;
  #opening = null;
  #count = 0;

  /**
   * @param {{ token: () => string | null, onUnauthorized: () => void }} reach the way to the server
   * @param {() => void} onChange
   */
  constructor(reach, onChange) {
    this.#reach = reach;
    this.#client = openClient(reach);
    this.#onChange = onChange;
    this.services = SERVICES.map((what) => new Service(what, onChange));
  }

  get topic() {
    return this.#topic?.name;
  }

  /** The topic and everybody's subscription; once, before the first order. */
  async open() {
    this.#opening ??= this.#open();
    await this.#opening.catch((error) => {
      this.#opening = null;
      throw error;
    });
  }

  /**
   * Places an order and waits for its answer, as its buyer does.
   * @param {Way} way
   * @param {boolean} [isMeasured] whether its wait counts: one of many at once waits for the others
   * @returns {Promise<Order>}
   */
  async place(way, isMeasured = true) {
    await this.open();
    this.#count += 1;
    const number = this.#count;
    const buyer = BUYERS[number % BUYERS.length];
    const item = ITEMS[number % ITEMS.length];
    const order = { number, buyer, item, way, waitedMs: null, problem: null };
    this.orders.unshift(order);
    this.orders.length = Math.min(this.orders.length, ORDERS_MAX);
    this.#onChange();
    const began = performance.now();
    try {
      // The order is written first, whichever way it goes on.
      await wait(WORK_MS);
      await WAYS[way](this, order);
      order.waitedMs = performance.now() - began;
      if (isMeasured) this.waits[way].push(order.waitedMs);
    } catch (error) {
      order.waitedMs = performance.now() - began;
      order.problem = wordsOf(error);
    }
    this.#onChange();
    return order;
  }

  /** What there is to say of an order goes into the log; whoever it concerns finds it there. */
  async announce({ number, buyer, item }) {
    await this.#counter.publish({ number, buyer, item }, { key: buyer });
  }

  /** Deletes the topic and the queues. */
  async close() {
    const topic = this.#topic;
    this.#topic = null;
    this.#opening = null;
    await topic?.delete();
    await Promise.all(this.services.map((service) => service.delete()));
  }

  async #open() {
    const topic = this.#client.topic(`demo/orders-${Date.now().toString(36)}`);
    await topic.configure();
    await Promise.all(this.services.map((service) => service.subscribe(this.#client, topic)));
    this.#counter = openClient({ ...this.#reach, isUrgent: true }).topic(topic.name);
    this.#topic = topic;
    this.#keepLooking(topic);
  }

  async #keepLooking(topic) {
    while (this.#topic === topic) {
      if (!document.hidden) await this.#look(topic);
      await wait(LOOK_MS);
    }
  }

  async #look(topic) {
    try {
      const lags = new Map();
      for await (const { name, lag } of topic.subscriptions()) lags.set(name, lag);
      const looks = this.services.map((service) => service.look(lags.get(service.name) ?? 0));
      await Promise.all(looks);
      this.error = null;
    } catch (error) {
      if (this.#topic === topic) this.error = wordsOf(error);
    }
    this.#onChange();
  }
}

/** The middle one of some times, or nothing. */
export function median(times) {
  if (times.length === 0) return null;
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
