// Server-Sent Events of one message: a chain of calls, each of which waits in the object for a
// change.

import { fetchObject } from './call.js';
import { EXPIRED, atExpiry } from './expiry.js';
import { readCall } from './frames.js';
import { log } from './log.js';
import { unavailable, withoutVerdict } from './problem.js';

const COMMENT = ':\n\n';
const WORD = 4;
const encoder = new TextEncoder();

/**
 * @param {import("./core.js").Core} core
 * @param {object} env
 * @param {{text: string, endsAt: number}} stream as the edge names it, and when its token ends
 * @returns {Promise<Response>}
 */
export async function stream(core, env, { text: name, endsAt }) {
  const first = await ask(env, next(core, name, '').call);
  if (first.status !== 200) return withoutVerdict(first);
  const headers = new Headers(first.headers);
  headers.set('content-type', 'text/event-stream');
  headers.set('cache-control', 'no-store');
  headers.set('x-content-type-options', 'nosniff');
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  const stay = atExpiry(endsAt, () => {
    writer.write(encoder.encode(`event: problem\ndata: ${EXPIRED}\n\n`)).catch(() => {});
    writer.close().catch(() => {});
  });
  send(core, env, name, await first.text(), writer).then(stay);
  return new Response(readable, { headers });
}

/** Writes events until the state is final, the object says no more, or the client has gone. */
async function send(core, env, name, first, writer) {
  let last = '';
  let state = first;
  try {
    for (;;) {
      const { event, ends, call } = next(core, name, state);
      // The object answers without a change after a while, so that something is sent.
      await writer.write(encoder.encode(state === last ? COMMENT : event));
      if (ends) break;
      last = state;
      const response = await ask(env, call);
      if (response.status !== 200) break;
      state = await response.text();
    }
    await writer.close();
  } catch {
    // The client has gone; there is nobody to tell.
  }
}

async function ask(env, call) {
  try {
    return await fetchObject(env.QUEUE, call);
  } catch (error) {
    log('warn', 'object_unreachable', { error });
    return unavailable();
  }
}

function next(core, name, state) {
  const [nameLength, stateLength] = core.putTwo(name, state);
  core.exports.edge_watch(nameLength, stateLength);
  const at = core.exports.output();
  const ends = core.view.getUint32(at, true) !== 0;
  const length = core.view.getUint32(at + WORD, true);
  const start = at + 2 * WORD;
  return { ends, event: core.text(start, length), call: readCall(core, start + length) };
}
