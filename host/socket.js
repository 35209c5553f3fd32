// A client's WebSocket: frames go to the core one by one; what it says of them is carried out. One
// socket may follow several topics, each by a feed of its own.

import { callObject } from './call.js';
import { EXPIRED, atExpiry } from './expiry.js';
import { Feed, sleep } from './feed.js';
import { LEAVE, PUBLISH, SEND, SUBSCRIBE, readSocketStep } from './frames.js';
import { log } from './log.js';

/** Topics that one socket follows at a time: each is a socket to an object. */
const TOPICS_MAX = 32;
/** Publishes of one socket that may wait for those before them, and bytes of them. */
const PUBLISHES_MAX = 1_024;
const PUBLISHES_BYTES_MAX = 4 << 20;
/** Bytes that may be on their way to a client before its feeds wait. */
const BUFFERED_BYTES_MAX = 1 << 20;
/** How often it is looked whether they have left, and for how long a client may take nothing. */
const DRAIN_MS = 20;
const STUCK_MS_MAX = 60_000;

/**
 * @param {import("./core.js").Core} core
 * @param {object} env
 * @param {string} head the request that opened it, as the core reads it, with what it may do
 * @param {number} endsAt when its token ends; zero: never
 * @returns {Response}
 */
export function socket(core, env, head, endsAt) {
  const [client, server] = Object.values(new WebSocketPair());
  server.accept();
  const session = new Session(core, env, head, server);
  session.stay = atExpiry(endsAt, () => {
    session.send(`{"type":"error","ref":null,"problem":${EXPIRED}}`);
    session.end(1008, 'the token has expired');
  });
  server.addEventListener('message', ({ data }) => session.receive(data));
  server.addEventListener('close', () => session.close());
  server.addEventListener('error', () => session.close());
  return new Response(null, { status: 101, webSocket: client });
}

class Session {
  constructor(core, env, head, server) {
    Object.assign(this, { core, env, head, server });
    /** @type {Map<string, Feed>} by topic */
    this.feeds = new Map();
    /** Publishes are carried out one after another, so that they keep their order. */
    this.publishes = [];
    this.publishesBytes = 0;
    this.publishing = false;
    /** What is to be undone at the end. */
    this.stay = () => {};
    this.isOver = false;
  }

  receive(data) {
    // Who does not answer a close goes on being read.
    if (this.isOver) return;
    if (typeof data !== 'string') {
      this.end(1003, 'frames are text');
      return;
    }
    // What one is told that sends and does not read would pile up here.
    if (this.server.bufferedAmount > BUFFERED_BYTES_MAX) {
      this.cut();
      return;
    }
    let step;
    try {
      const { core } = this;
      const [headLength, length] = core.putTwo(this.head, data);
      core.exports.edge_frame(headLength, length, Date.now());
      step = readSocketStep(core);
    } catch (error) {
      log('error', 'edge_failed', { error });
      this.end(1011, 'connect again');
      return;
    }
    const { kind, first, second, call } = step;
    if (kind === SEND) this.send(first);
    else if (kind === PUBLISH) this.publish(first, call);
    else if (kind === SUBSCRIBE) this.follow(first, second);
    else if (kind === LEAVE) this.leave(first, second);
  }

  send(text) {
    try {
      this.server.send(text);
    } catch {
      this.close();
    }
  }

  publish(ref, call) {
    const bytes = this.publishesBytes + call.command.length;
    const isFull = this.publishes.length >= PUBLISHES_MAX || bytes > PUBLISHES_BYTES_MAX;
    if (isFull && this.publishes.length > 0) {
      const detail = `${this.publishes.length} publishes of this socket wait already`;
      this.refuse(ref, 'overloaded', 503, detail);
      return;
    }
    this.publishes.push({ ref, call });
    this.publishesBytes = bytes;
    if (!this.publishing) this.publishAll();
  }

  async publishAll() {
    this.publishing = true;
    while (this.publishes.length > 0) {
      const { ref, call } = this.publishes.shift();
      this.publishesBytes -= call.command.length;
      try {
        const response = await callObject(this.env, call);
        const text = await response.text();
        if (response.ok) this.send(`{"type":"ack","ref":${ref},${text.slice(1)}`);
        else this.send(`{"type":"error","ref":${ref},"problem":${text}}`);
      } catch (error) {
        this.refuse(ref, 'unavailable', 503, `the topic could not be reached: ${error}`);
      }
    }
    this.publishing = false;
  }

  async follow(ref, stream) {
    const topic = stream.slice(0, stream.indexOf('\n'));
    const replaced = this.feeds.get(topic);
    replaced?.close();
    if (replaced === undefined && this.feeds.size >= TOPICS_MAX) {
      this.refuse(ref, 'overloaded', 503, `a socket follows at most ${TOPICS_MAX} topics`);
      return;
    }
    const name = JSON.stringify(topic);
    const feed = new Feed(this.core, this.env, stream, {
      begin: (from) =>
        this.send(`{"type":"subscribed","ref":${ref},"topic":${name},"from_seq":${from}}`),
      write: (lines) => this.write(lines),
      end: () => {
        if (this.feeds.get(topic) === feed) this.feeds.delete(topic);
        this.send(`{"type":"unsubscribed","topic":${name}}`);
      },
    });
    this.feeds.set(topic, feed);
    const opened = await feed.open();
    if (opened.status === 101) return;
    if (this.feeds.get(topic) === feed) this.feeds.delete(topic);
    feed.close();
    this.send(`{"type":"error","ref":${ref},"problem":${await opened.text()}}`);
    if (replaced !== undefined) this.send(`{"type":"unsubscribed","topic":${name}}`);
  }

  leave(ref, topic) {
    this.feeds.get(topic)?.close();
    this.feeds.delete(topic);
    this.send(`{"type":"unsubscribed","ref":${ref},"topic":${JSON.stringify(topic)}}`);
  }

  /** Sends a frame a line, and waits while the client does not take them. */
  async write(lines) {
    for (const line of lines.split('\n')) {
      if (line.length > 0) this.server.send(line);
    }
    const until = Date.now() + STUCK_MS_MAX;
    while (this.server.bufferedAmount > BUFFERED_BYTES_MAX) {
      if (Date.now() > until) {
        this.cut();
        return;
      }
      await sleep(DRAIN_MS);
    }
  }

  /** Ends it: the client does not take what it is told. */
  cut() {
    this.end(1013, 'too slow: connect again, and go on from the last seq');
  }

  end(code, why) {
    this.server.close(code, why);
    this.close();
  }

  refuse(ref, type, status, detail) {
    const problem = JSON.stringify({ type, title: 'Too much at once', status, detail });
    this.send(`{"type":"error","ref":${ref},"problem":${problem}}`);
  }

  close() {
    this.isOver = true;
    this.stay();
    for (const feed of this.feeds.values()) feed.close();
    this.feeds.clear();
    this.publishes.length = 0;
    this.publishesBytes = 0;
  }
}
