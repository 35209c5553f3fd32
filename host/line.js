// The line of requests before an object: how many may stand there, and how many a turn takes.

/** Requests in one turn. */
const TURN_REQUESTS_MAX = 256;
/** Bytes of commands and bodies in one turn: an instance's memory never shrinks. */
const TURN_BYTES_MAX = 8 << 20;
/** Requests, and bytes of them, that may stand in line for a turn. */
const LINE_REQUESTS_MAX = 4096;
const LINE_BYTES_MAX = 32 << 20;
/** Of these, what publishes leave to all else: confirmations, acknowledgements, changes. */
const LINE_REQUESTS_KEPT = 512;
const LINE_BYTES_KEPT = 4 << 20;

/** One call, from its arrival to its answer. */
export class Entry {
  constructor(request, token, command, body, shared, sockets) {
    /** The one that brought it: it tells when its client goes. */
    this.request = request;
    this.token = token;
    /** Both ends of the socket that the call opens, if it opens one. */
    this.sockets = sockets;
    this.command = command;
    this.body = body;
    /** How many publishes share the call, with a token each; 0 for a command of its own. */
    this.shared = shared;
    this.requests = shared === 0 ? 1 : shared;
    this.size = command.length + (body === null ? 0 : body.length);
    /** @type {Response | null} */
    this.response = null;
    /** @type {((response: Response) => void) | null} */
    this.resolve = null;
  }

  answer(response) {
    if (this.resolve === null) this.response = response;
    else this.resolve(response);
  }

  /** The response, at once where it is there already. */
  wait() {
    return this.response ?? new Promise((resolve) => (this.resolve = resolve));
  }
}

/** Requests for the next turn. */
export class Line {
  constructor() {
    /** @type {Entry[]} */
    this.entries = [];
    this.requests = 0;
    this.bytes = 0;
  }

  get isEmpty() {
    return this.entries.length === 0;
  }

  hasRoom(forPublish) {
    const requests = LINE_REQUESTS_MAX - (forPublish ? LINE_REQUESTS_KEPT : 0);
    const bytes = LINE_BYTES_MAX - (forPublish ? LINE_BYTES_KEPT : 0);
    return this.requests < requests && this.bytes <= bytes;
  }

  push(entry) {
    this.entries.push(entry);
    this.requests += entry.requests;
    this.bytes += entry.size;
  }

  /** The first of them, as many as a turn takes. */
  take() {
    let bytes = 0;
    let requests = 0;
    let count = 0;
    for (const entry of this.entries) {
      bytes += entry.size;
      requests += entry.requests;
      if (count > 0 && (requests > TURN_REQUESTS_MAX || bytes > TURN_BYTES_MAX)) break;
      this.bytes -= entry.size;
      this.requests -= entry.requests;
      count += 1;
    }
    return this.entries.splice(0, count);
  }
}
