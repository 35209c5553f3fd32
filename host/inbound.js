// Messages of Cloudflare Queues, published here: a consumer's handler. The queue is the one of the
// same name. A message is acknowledged there once it is accepted here; what is refused is tried
// again there, and after its retries a dead letter there.

import { log } from './log.js';

/** Publishes under way at a time, of one batch. */
const AT_ONCE_MAX = 16;
/** How long a message may be told to wait, in seconds: the most that Cloudflare takes. */
const DELAY_S_MAX = 43_200;

/**
 * @param {MessageBatch} batch
 * @param {Record<string, unknown>} env
 * @param {(request: Request) => Response | Promise<Response>} fetch the Worker's own
 */
export async function consume(batch, env, fetch) {
  const url = `http://tidegate/v1/queues/${encodeURIComponent(batch.queue)}/messages`;
  const messages = batch.messages.values();
  const take = async () => {
    for (const message of messages) await move(message, url, env, fetch);
  };
  await Promise.all(Array.from({ length: AT_ONCE_MAX }, take));
}

async function move(message, url, env, fetch) {
  try {
    const response = await fetch(requestFor(message, url, env));
    if (response.ok) {
      message.ack();
    } else {
      log('warn', 'inbound_not_taken', { status: response.status });
      message.retry(delayOf(response));
    }
    await response.body?.cancel();
  } catch (error) {
    log('warn', 'inbound_not_taken', { error });
    message.retry();
  }
}

/** Its identifier there makes a repeat harmless here: Cloudflare delivers at least once, too. */
function requestFor({ id, body }, url, env) {
  const [contentType, content] = contentOf(body);
  const headers = { 'content-type': contentType, 'idempotency-key': id };
  // Who may set up a consumer of this Worker may set its secrets, too.
  if (env.ADMIN_TOKEN) headers.authorization = `Bearer ${env.ADMIN_TOKEN}`;
  return new Request(url, { method: 'POST', headers, body: content });
}

/** The forms that a Cloudflare Queue keeps: bytes, text, and whatever has a form in JSON. */
function contentOf(body) {
  if (typeof body === 'string') return ['text/plain;charset=UTF-8', body];
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) {
    return ['application/octet-stream', body];
  }
  return ['application/json', JSON.stringify(body) ?? 'null'];
}

/** What the refusal says of when to try again. */
function delayOf(response) {
  const seconds = Number(response.headers.get('retry-after') ?? NaN);
  if (!(seconds > 0)) return undefined;
  return { delaySeconds: Math.min(Math.ceil(seconds), DELAY_S_MAX) };
}
