// A request for each limit, made to measure: with `n` of what is bounded. What is answered at the
// limit and one beyond it stands in limits.json.

import assert from 'node:assert/strict';
import { bearer, jwt } from './jwt.mjs';

export const ADMIN_TOKEN = 'correct-horse-battery-staple';
export const TOKEN_SECRET = 'a secret of thirty-two bytes or more';

/**
 * @typedef {{ tide: import('./support.mjs').Tide, queue: import('./queue.mjs').Queue,
 *   large: import('./queue.mjs').Queue,
 *   topic: import('./topic.mjs').Topic }} Scene a queue, one that takes the largest messages, a topic
 * @typedef {{ status: number, json: any }} Answer
 * @typedef {(n: number, scene: Scene) => Promise<Answer>} Case
 */

const x = (n) => 'x'.repeat(n);
const times = (n, make) => Array.from({ length: n }, (_, at) => make(at));
const JSON_TYPE = { 'content-type': 'application/json' };

/** @returns {Case} a publish with that header */
const header = (name, value = String) => (n, { queue }) =>
  queue.postMessage('x', { [name]: value(n) });

/** @returns {Case} a configuration that has `n` there */
const configured = (path, value = (n) => n, beside = {}) => (n, { queue }) => {
  const names = path.split('.').reverse();
  let patch = value(n);
  for (const [at, name] of names.entries()) {
    patch = at === names.length - 2 ? { ...beside, [name]: patch } : { [name]: patch };
  }
  return queue.request('PUT', '', { json: patch });
};

const ENDPOINT = { url: 'http://127.0.0.1:9/' };

/** @returns {Case} a JSON body of `n` bytes, most of them blank */
const padded = (rest, value) => (n, { queue }) => {
  const text = JSON.stringify(value);
  const body = text + ' '.repeat(n - text.length);
  return queue.request('POST', rest, { headers: JSON_TYPE, body });
};

const pulled = (name) => async (n, { queue }) => {
  await queue.publish();
  return queue.postPull({ [name]: n });
};

/** The refusal of the one entry of an acknowledgement, or the answer. */
const ofEntry = (answer) => {
  const [error] = answer.json.errors ?? [];
  return error ? { status: error.error.status, json: error.error } : answer;
};

async function acked(queue, result) {
  const { lease_id } = await queue.take();
  return ofEntry(await queue.postAck({ acks: [{ lease_id, result }] }));
}

const asking = (json) => ({ tide }) => tide.request('POST', '/v1/tokens', { json });

/** A frame on a socket: its answer as a status and a problem. */
async function framed(topic, frame) {
  const socket = await topic.socket();
  socket.send(frame);
  const answer = await socket.next();
  socket.cut();
  const { problem } = answer;
  return problem ? { status: problem.status, json: problem } : { status: 200, json: answer };
}

/** What a queue hands out of messages that are `n` bytes together, by one pull. */
async function pulledBytes(n, { large }) {
  await large.request('POST', '/purge');
  const whole = 1_048_576;
  for (let left = n; left > 0; left -= whole) await large.publish(x(Math.min(whole, left)));
  const before = await large.figures();
  const answer = await large.postPull({ batch_size: 100 });
  const { depth } = before;
  return { status: answer.json.messages.length === depth ? 200 : 206, json: answer.json };
}

/** @type {Record<string, Case>} */
export const CASES = {
  NAME_CHARS_MAX: (n, { tide }) => tide.request('PUT', `/v1/queues/${x(n)}`, { json: {} }),
  MESSAGE_BYTES_MAX: (n, { large }) => large.postMessage(x(n)),
  MESSAGE_BYTES_DEFAULT: (n, { queue }) => queue.postMessage(x(n)),
  KEY_CHARS_MAX: header('tidegate-key', x),
  IDEMPOTENCY_KEY_CHARS_MAX: header('idempotency-key', x),
  CONTENT_TYPE_CHARS_MAX: header('content-type', (n) => `a/${x(n - 2)}`),
  ATTRIBUTES_MAX: (n, { queue }) => queue.postMessage(
    'x', Object.fromEntries(times(n, (at) => [`tidegate-attr-a${at}`, 'v'])),
  ),
  ATTRIBUTE_NAME_CHARS_MAX: (n, { queue }) => queue.postMessage('x', { [`tidegate-attr-${x(n)}`]: 'v' }),
  ATTRIBUTES_BYTES_MAX: header('tidegate-attr-a', (n) => x(n - 1)),
  PRIORITY_MAX: header('tidegate-priority'),
  DELAY_MS_MAX: header('tidegate-delay-ms'),
  HOLD_MS_MAX: header('tidegate-hold-ms'),
  RETENTION_MS_MAX: header('tidegate-ttl-ms'),
  BATCH_MESSAGES_MAX: (n, { queue }) => queue.postBatch(times(n, () => ({ body: '' }))),
  BATCH_BYTES_MAX: padded('/messages/batch', { messages: [{ body: 'x' }] }),
  PULL_MESSAGES_MAX: pulled('batch_size'),
  PULL_BYTES_MAX: pulledBytes,
  WAIT_MS_MAX: pulled('wait_ms'),
  LEASE_MS_MIN: pulled('visibility_timeout_ms'),
  LEASE_MS_MAX: pulled('visibility_timeout_ms'),
  ACK_ENTRIES_MAX: (n, { queue }) => queue.postAck({ acks: times(n, () => ({ lease_id: 'x' })) }),
  RESULT_BYTES_MAX: async (n, { queue }) => {
    await queue.request('POST', '/purge');
    await queue.publish();
    return acked(queue, x(n - 2));
  },
  ATTEMPTS_MAX: configured('delivery.max_attempts'),
  BROWSE_MESSAGES_MAX: (n, { queue }) => queue.request('GET', `/messages?limit=${n}`),
  LIST_QUEUES_MAX: (n, { tide }) => tide.request('GET', `/v1/queues?limit=${n}`),
  JSON_BYTES_MAX: padded('/messages/pull', {}),
  HEAD_BYTES_MAX: (n, { tide }) => {
    const path = '/v1/queues';
    const { host } = new URL(tide.url);
    const own = ['GET', tide.url + path, `authorization: Bearer ${ADMIN_TOKEN}`, `host: ${host}`];
    const lines = [...own, 'connection: keep-alive', 'x-pad: '];
    const rest = lines.reduce((sum, line) => sum + line.length + 1, 0);
    return tide.request('GET', path, { headers: { 'x-pad': x(n - rest) } });
  },
  WAITING_MAX: configured('capacity.max_waiting'),
  TICKET_TTL_MS_MAX: configured('capacity.ticket_ttl_ms'),
  TOKEN_BYTES_MAX: (n, { tide }) => {
    const of = (length) => jwt({ scope: 'observe:*', pad: x(length) }, TOKEN_SECRET);
    let length = Math.floor((n - of(0).length) * 0.75);
    while (of(length).length < n) length += 1;
    assert.equal(of(length).length, n, 'base64 has no text of this length');
    return tide.request('GET', '/v1/queues', { headers: bearer(of(length)) });
  },
  TOKEN_SCOPES_MAX: (n, { tide }) =>
    asking({ scope: times(n, (at) => `publish:q${at}`).join(' ') })({ tide }),
  TOKEN_TTL_MS_MIN: (n, scene) => asking({ scope: 'publish:q', expires_in_ms: n })(scene),
  TOKEN_TTL_MS_MAX: (n, scene) => asking({ scope: 'publish:q', expires_in_ms: n })(scene),
  SEQ_MAX: (n, { queue }) => queue.request('GET', `/quarantine?after=${n}`),
  SOCKET_FRAME_BYTES_MAX: (n, { topic }) => {
    const frame = { type: 'ping', ref: 1, pad: '' };
    return framed(topic, { ...frame, pad: x(n - JSON.stringify(frame).length) });
  },
  PUSH_CONCURRENCY_MAX: configured('push.concurrency', Number, ENDPOINT),
  PUSH_RATE_MAX: configured('push.rate_per_second', Number, ENDPOINT),
  PUSH_TIMEOUT_MS_MIN: configured('push.timeout_ms', Number, ENDPOINT),
  PUSH_TIMEOUT_MS_MAX: configured('push.timeout_ms', Number, ENDPOINT),
  PUSH_HEADERS_MAX: configured(
    'push.headers', (n) => Object.fromEntries(times(n, (at) => [`x-${at}`, 'v'])), ENDPOINT,
  ),
  PUSH_HEADERS_BYTES_MAX: configured('push.headers', (n) => ({ 'x-a': x(n - 3) }), ENDPOINT),
  PUSH_SECRETS_MAX: configured(
    'push.secret',
    (n) => times(n, (at) => `whsec_${Buffer.alloc(32, at).toString('base64')}`), ENDPOINT,
  ),
  PUSH_QUEUE_BATCH_MESSAGES_MAX: async (n, { tide }) => {
    const push = { cloudflare_queue: 'OUT', batch_size: n };
    return tide.request('PUT', `/v1/queues/${tide.name()}`, { json: { push } });
  },
};
