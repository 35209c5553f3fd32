// The example a newcomer starts with: a queue with room for ten orders, and three of them.

const NAME = "example/orders";
const CONFIGURATION = { capacity: { maxAccepted: 10, maxPerKey: 2 } };
const ORDERS = [
  ["ada", { item: "lamp", amount: 1 }],
  ["grace", { item: "clock", amount: 2 }],
  ["edsger", { item: "lamp", amount: 1 }],
];

/**
 * @param {import("/client/index.js").Tidegate} client
 * @returns {Promise<string>} the queue's name
 */
export async function makeExample(client) {
  const queue = client.queue(NAME);
  await queue.configure(CONFIGURATION);
  await Promise.all(ORDERS.map(([buyer, order]) => queue.publish(order, { key: buyer })));
  return NAME;
}
