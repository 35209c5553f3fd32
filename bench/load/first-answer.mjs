// When a server that is being started gives its first answer.

import { Connection } from './connection.mjs';

const MS_MAX = 60_000;
const POLL_MS = 1;

/**
 * @param {number} port
 * @param {Buffer} request
 * @returns {Promise<number>} when it was answered, on the clock of `performance.now()`
 */
export async function firstAnswer(port, request) {
  const deadline = performance.now() + MS_MAX;
  while (performance.now() < deadline) {
    const connection = await Connection.open(port).catch(() => undefined);
    if (connection) return answer(connection, request);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`nobody listened on port ${port} in ${MS_MAX / 1000} s`);
}

async function answer(connection, request) {
  try {
    return await new Promise((resolve, reject) => {
      connection.onFailure = reject;
      connection.onAnswer = (status) => {
        if (status < 300) resolve(performance.now());
        else reject(new Error(`the first answer has status ${status}`));
      };
      connection.send(request);
    });
  } finally {
    connection.close();
  }
}
