// A scan: many seeded requests, right and wrong, and each answer judged.

import http from 'node:http';
import { Random } from '../chaos/random.mjs';
import { judge } from './check.mjs';
import { requests } from './requests.mjs';

/** How many requests are under way at a time. */
const CONCURRENCY = 16;
/** An event stream that has begun is left after this long. */
const STREAM_MS = 50;
/** An answer that takes longer has failed. */
const ANSWER_MS_MAX = 20_000;
/** As many kinds of mistakes are told; more help nobody. */
const FINDINGS_MAX = 50;

/**
 * @param {string} url of the server
 * @param {{ requests: number, seed: number }} options
 * @returns {Promise<{ findings: string[], statuses: Record<string, number>, operations: number,
 *   refused: string[] }>} with those operations that nobody was let do
 */
export async function scan(url, { requests: count, seed }) {
  const document = await (await fetch(`${url}/v1/openapi.json`)).json();
  const make = requests(document, new Random(seed));
  const verdict = judge(document);
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const findings = new Map();
  const statuses = {};
  const operations = new Set();
  const succeeded = new Set();
  let left = count;

  async function work() {
    while (left > 0 && findings.size < FINDINGS_MAX) {
      left -= 1;
      const request = make.next();
      const answer = await send(url, request, agent).catch((error) => ({ error }));
      const { error } = answer;
      const found = error ? [`no answer: ${error.message}`] : verdict(request, answer);
      for (const it of found) note(request, it);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      operations.add(request.operation);
      const isIt = request.operation.startsWith(`${request.method} `);
      if (isIt && answer.status < 400) succeeded.add(request.operation);
      if (answer.status < 300 && /json/.test(answer.headers['content-type'])) {
        make.learn(JSON.parse(answer.text || '{}'), request);
      }
    }
  }

  /** One of a kind is enough. */
  function note(request, words) {
    const kind = `${request.operation}: ${words.replace(/[\d"'].*/s, '')}`;
    if (findings.has(kind)) return;
    const { method, path, headers, body } = request;
    const sent = JSON.stringify({ method, path, headers, body: String(body).slice(0, 300) });
    findings.set(kind, `${request.operation} ${words}\n    ${sent}`);
  }

  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  agent.destroy();
  const refused = [...operations].filter((it) => !succeeded.has(it));
  return { findings: [...findings.values()], statuses, operations: operations.size, refused };
}

/** @returns {Promise<import('./check.mjs').ScanAnswer>} */
function send(url, { method, path, headers, body }, agent) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const options = { hostname, port, path, method, agent, headers: { ...headers, ...length } };
    const request = http.request(options, (response) => {
      const pieces = [];
      const end = () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(pieces).toString(),
        });
      response.on('data', (piece) => pieces.push(piece)).on('end', end).on('error', reject);
      if (/event-stream/.test(response.headers['content-type'])) {
        setTimeout(() => (end(), request.destroy()), STREAM_MS);
      }
    });
    request.setTimeout(ANSWER_MS_MAX, () => request.destroy(new Error('too slow')));
    request.on('error', reject).end(body);
  });
}
