// Many requests over many connections at once, for tests of what must hold under pressure. Plain
// node:http over sockets that are kept open, since fetch opens as many as it likes.

import http from 'node:http';

/**
 * @typedef {object} FloodAnswer
 * @property {number} index of the request, from 0
 * @property {number} status
 * @property {http.IncomingHttpHeaders} headers
 * @property {string} body
 */

/**
 * @param {string} url
 * @param {object} options
 * @param {number} options.total requests in all
 * @param {number} [options.connections] sockets, each with one request at a time
 * @param {string} [options.method]
 * @param {Record<string, string> | ((index: number) => Record<string, string>)} [options.headers]
 * @param {string | Buffer | ((index: number) => string | Buffer)} [options.body]
 * @param {(answer: FloodAnswer) => void} [options.onResponse]
 * @returns {Promise<{ statuses: Record<number, number>, failures: Error[], seconds: number }>}
 *   answers by status; requests that got none, as when the server is killed meanwhile
 */
export async function flood(url, options) {
  const { total, connections = 64, method = 'POST', headers = {}, body, onResponse } = options;
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const statuses = {};
  const failures = [];
  let next = 0;

  const one = async (index) => {
    const request = { agent, method, headers: valueAt(headers, index), body: valueAt(body, index) };
    const answer = await exchange(url, request).catch((error) => void failures.push(error));
    if (!answer) return;
    statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    onResponse?.({ index, ...answer });
  };
  const worker = async () => {
    while (next < total) await one(next++);
  };

  const began = performance.now();
  await Promise.all(Array.from({ length: Math.min(connections, total) }, worker));
  agent.destroy();
  return { statuses, failures, seconds: (performance.now() - began) / 1000 };
}

function exchange(url, { agent, method, headers, body }) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => (text += part));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: text }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

function valueAt(value, index) {
  return typeof value === 'function' ? value(index) : value;
}
