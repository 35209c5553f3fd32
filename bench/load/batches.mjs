// Tidegate's batch calls over a few connections: publish a count of messages, or pull and
// acknowledge one. The bodies are text, so that each travels in JSON as it is.

import { Connection, encodeRequest } from './connection.mjs';
import { within } from './deadline.mjs';

const CALL_MS_MAX = 60_000;

/**
 * Publishes `count` messages.
 * @param {{ port: number, queue: string, body: string, count: number, batch: number,
 *   connections: number }} work
 * @returns {Promise<number>} how many requests it took
 */
export async function publishBatches({ port, queue, body, count, batch, connections }) {
  const path = `/v1/queues/${queue}/messages/batch`;
  let left = count;
  return onConnections(port, connections, async (call) => {
    let requests = 0;
    while (left > 0) {
      const size = Math.min(batch, left);
      left -= size;
      // Encoded anew each time, as a client has to whose messages differ.
      const messages = Array.from({ length: size }, () => ({ body }));
      const answer = await call(path, JSON.stringify({ messages }));
      requests += 1;
      if (answer.accepted !== size) throw new Error(`accepted ${answer.accepted} of ${size}`);
    }
    return requests;
  });
}

/**
 * Pulls and acknowledges `count` messages, which have to be there.
 * @param {{ port: number, queue: string, count: number, batch: number, connections: number }} work
 * @returns {Promise<number>} how many requests it took
 */
export async function drainBatches({ port, queue, count, batch, connections }) {
  const path = `/v1/queues/${queue}/messages`;
  let left = count;
  return onConnections(port, connections, async (call) => {
    let requests = 0;
    while (left > 0) {
      const size = Math.min(batch, left);
      left -= size;
      const { messages } = await call(`${path}/pull`, JSON.stringify({ batch_size: size }));
      if (messages.length !== size) throw new Error(`pulled ${messages.length} of ${size}`);
      const acks = messages.map(({ lease_id }) => ({ lease_id }));
      const { acked } = await call(`${path}/ack`, JSON.stringify({ acks }));
      requests += 2;
      if (acked !== size) throw new Error(`acknowledged ${acked} of ${size}`);
    }
    return requests;
  });
}

/** Runs the same on some connections at once; the sum of what they return. */
async function onConnections(port, count, run) {
  const connections = await Promise.all(
    Array.from({ length: count }, () => Connection.open(port)),
  );
  try {
    const results = await Promise.all(connections.map((connection) => run(caller(connection))));
    return results.reduce((sum, result) => sum + result, 0);
  } finally {
    for (const connection of connections) connection.close();
  }
}

function caller(connection) {
  connection.keepsBody = true;
  return (path, text) => {
    const answered = new Promise((resolve, reject) => {
      connection.onFailure = reject;
      connection.onAnswer = (status, { body }) => {
        if (status === 200) resolve(JSON.parse(body.toString()));
        else reject(new Error(`${path}: ${status} ${body}`));
      };
      connection.send(encodeRequest('POST', path, text));
    });
    return within(CALL_MS_MAX, answered, path);
  };
}
