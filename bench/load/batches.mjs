// Tidegate's batch calls over a few connections, in binary form: publish a count of messages, or
// pull one and acknowledge it, each pull with the acknowledgements of the one before.

import { Connection, encodeRequest } from './connection.mjs';
import { within } from './deadline.mjs';
import {
  BATCH_TYPE, FINISH, MessageWriter, acknowledgementOf, batchOf, pullOf, readAckErrors,
  readAckedAndPulled, readDeliveries, readVerdicts,
} from '../../clients/typescript/src/batch.js';

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
      const writer = new MessageWriter();
      const messages = Array.from({ length: size }, () => writer.write(body));
      const verdicts = readVerdicts(await call(path, batchOf(messages), BATCH_TYPE), size);
      requests += 1;
      for (const verdict of verdicts) if (verdict instanceof Error) throw verdict;
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
    let entries = [];
    while (left > 0) {
      const batchSize = Math.min(batch, left);
      left -= batchSize;
      const answer = await call(`${path}/pull`, pullOf({ batchSize }, entries), BATCH_TYPE);
      const messages = entries.length > 0 ? pulledWithAcks(answer) : readDeliveries(answer);
      if (messages.length !== batchSize) {
        throw new Error(`pulled ${messages.length} of ${batchSize}`);
      }
      entries = messages.map(({ lease }) => ({ operation: FINISH, lease }));
      requests += 1;
    }
    if (entries.length === 0) return requests;
    const answer = await call(`${path}/ack`, acknowledgementOf(entries), BATCH_TYPE);
    for (const error of readAckErrors(answer).values()) throw error;
    return requests + 1;
  });
}

function pulledWithAcks(answer) {
  const { deliveries, errors } = readAckedAndPulled(answer);
  for (const error of errors.values()) throw error;
  return deliveries;
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
  return (path, content, type) => {
    const answered = new Promise((resolve, reject) => {
      connection.onFailure = reject;
      connection.onAnswer = (status, { body }) => {
        if (status === 200) resolve(new Uint8Array(body));
        else reject(new Error(`${path}: ${status} ${body}`));
      };
      connection.send(encodeRequest('POST', path, content, type, BATCH_TYPE));
    });
    return within(CALL_MS_MAX, answered, path);
  };
}
