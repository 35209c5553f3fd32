// The example a newcomer starts with: a queue with room for ten orders, and three of them.

import { publish, putQueue } from "../calls.js";

const NAME = "example/orders";
const CONFIGURATION = { capacity: { max_accepted: 10, max_per_key: 2 } };
const ORDERS = [
  ["ada", { item: "lamp", amount: 1 }],
  ["grace", { item: "clock", amount: 2 }],
  ["edsger", { item: "lamp", amount: 1 }],
];

/**
 * @param {import("../api.js").Api} api
 * @returns {Promise<string>} the queue's name
 */
export async function makeExample(api) {
  await api.send(putQueue(NAME, CONFIGURATION));
  for (const [buyer, order] of ORDERS) {
    const headers = { "Content-Type": "application/json", "Tidegate-Key": buyer };
    await api.send(publish(NAME, JSON.stringify(order), headers));
  }
  return NAME;
}
