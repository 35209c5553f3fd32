// The stock service of a shop is down while orders are placed, and so is the server for a moment:
// every order succeeds, and all of them are worked off once the service is back, in the order of
// their customer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from '../harness/server.mjs';

const ORDERS = 1_000;
const CUSTOMERS = 25;
/** Customers order at the same time; each waits for an answer before the next order. */
const KILL_AFTER = 400;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function call(url, body, headers = { 'content-type': 'application/json' }) {
  const response = await fetch(url, { method: 'POST', headers, body });
  const text = await response.text();
  return { status: response.status, json: text === '' ? null : JSON.parse(text) };
}

/** Places an order, again until it is answered: as a shop does, under a key of its own. */
async function place(topic, customer, number) {
  const headers = {
    'content-type': 'text/plain',
    'tidegate-key': `customer-${customer}`,
    'idempotency-key': `order-${number}`,
  };
  for (;;) {
    const answer = await call(`${topic}/messages`, `${number}`, headers).catch(() => null);
    if (answer !== null && answer.status < 500) return answer.status;
    await sleep(50);
  }
}

test('a service that was down works off what was ordered meanwhile', async () => {
  const server = await startServer();
  try {
    const topic = `${server.url}/v1/topics/orders%2Fplaced`;
    const stock = `${server.url}/v1/topics/orders%2F%23/subscriptions/stock`;
    const made = await fetch(stock, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ delivery: { order: 'key' } }),
    });
    assert.equal(made.status, 201);
    // The service is down: nobody pulls.
    let placed = 0;
    let killed = null;
    const customers = Array.from({ length: CUSTOMERS }, async (_, customer) => {
      for (let number = customer; number < ORDERS; number += CUSTOMERS) {
        assert.equal(await place(topic, customer, number), 202);
        placed += 1;
        if (placed === KILL_AFTER) killed = server.restart({ wait: false });
      }
    });
    await Promise.all(customers);
    await killed;
    // It is back.
    const worked = new Map();
    const until = Date.now() + 60_000;
    let count = 0;
    while (count < ORDERS && Date.now() < until) {
      const pulled = await call(`${stock}/pull`, '{"batch_size":100,"wait_ms":1000}');
      assert.equal(pulled.status, 200, JSON.stringify(pulled.json));
      const { messages } = pulled.json;
      for (const { key, body } of messages) {
        worked.set(key, [...(worked.get(key) ?? []), Number(body)]);
      }
      count += messages.length;
      const acks = messages.map(({ lease_id }) => ({ lease_id }));
      const acked = await call(`${stock}/ack`, JSON.stringify({ acks }));
      assert.equal(acked.json.acked, acks.length);
    }
    assert.equal(count, ORDERS, 'each order once');
    for (let customer = 0; customer < CUSTOMERS; customer += 1) {
      const theirs = Array.from({ length: ORDERS / CUSTOMERS }, (_, n) => customer + n * CUSTOMERS);
      assert.deepEqual(worked.get(`customer-${customer}`), theirs);
    }
  } finally {
    await server.stop();
  }
});
