// What is published to a topic as Server-Sent Events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). A client that does not read
// holds up its own stream and nothing else.

import { EXPIRED, atExpiry } from './expiry.js';
import { Feed } from './feed.js';
import { withoutVerdict } from './problem.js';

const COMMENT = ':\n\n';
/** Proxies drop what is silent for longer. */
const COMMENT_MS = 15_000;
/**
 * A client that closes its connection may still want to read: only writing tells that it has gone.
 * Where others are shown who is here, that is sooner.
 */
const COMMENT_SHOWN_MS = 3_000;
const encoder = new TextEncoder();

/**
 * @param {import("./core.js").Core} core
 * @param {object} env
 * @param {{text: string, endsAt: number}} stream as the edge names it, and when its token ends
 * @returns {Promise<Response>}
 */
export async function events(core, env, { text: stream, endsAt }) {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  const write = (text) => writer.write(encoder.encode(text));
  let comments = null;
  let stay = () => {};
  const end = () => {
    clearInterval(comments);
    stay();
    writer.close().catch(() => {});
  };
  const feed = new Feed(core, env, stream, { begin() {}, write, end });
  const opened = await feed.open();
  if (opened.status !== 101) return withoutVerdict(opened);
  comments = setInterval(() => {
    // One that is not taken yet is as good as a second.
    if (writer.desiredSize > 0) write(COMMENT).catch(() => {});
  }, feed.isShown ? COMMENT_SHOWN_MS : COMMENT_MS);
  stay = atExpiry(endsAt, () => {
    write(`event: problem\ndata: ${EXPIRED}\n\n`).catch(() => {});
    feed.finish();
  });
  const leave = () => {
    clearInterval(comments);
    stay();
    feed.close();
  };
  // One that was cut off is noticed at once; one that left with a write, a comment at the latest.
  writer.closed.catch(leave);
  // So that the client sees at once that the stream is open.
  write(COMMENT).catch(() => {});
  const headers = new Headers(opened.headers);
  headers.set('content-type', 'text/event-stream');
  headers.set('cache-control', 'no-store');
  headers.set('x-content-type-options', 'nosniff');
  return new Response(readable, { headers });
}
