// The waiting page's way to the server: sends calls (calls.js), reads answers, and turns problem
// documents into errors with their fields. A crowd loads this page, so it is little.

import { messagePath } from "/calls.js";

/** The server answered with a problem document (RFC 9457), or with an error status without one. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {Record<string, any>} document
   * @param {Headers} headers
   */
  constructor(status, document, headers) {
    super(document.detail ?? document.title ?? `the server answered ${status}`);
    this.name = "Problem";
    this.status = status;
    /** @type {string} the stable slug, as in `queue-full` */
    this.type = document.type ?? "about:blank";
    this.title = document.title ?? `Status ${status}`;
    /** @type {string | undefined} what of the request it is about */
    this.field = document.field;
    this.document = document;
    /** @type {"edge" | "object" | null} who refused a publish */
    this.decidedBy = headers.get("tidegate-decided-by");
  }
}

/** No answer came: the server is down, or the network is. */
export class Unreachable extends Error {
  constructor(cause) {
    super("The server does not answer.", { cause });
    this.name = "Unreachable";
  }
}

/**
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path with its query
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
 */

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {Headers} headers
 * @property {any} body parsed JSON; `null` where there is none
 */

/** The API of one server. */
export class Api {
  /**
   * @param {object} [options]
   * @param {string} [options.origin] the page's own unless given
   * @param {() => string | null} [options.token] asked before each call; sent as Bearer
   * @param {() => void} [options.onUnauthorized] called on each 401
   */
  constructor({ origin = "", token = () => null, onUnauthorized = () => {} } = {}) {
    this.origin = origin;
    this.token = token;
    this.onUnauthorized = onUnauthorized;
  }

  /**
   * Sends a call and reads its answer.
   * @param {Call} call
   * @param {{ signal?: AbortSignal, isUrgent?: boolean }} [options] an urgent call goes
   *   before others where the browser keeps calls in line for a connection
   * @returns {Promise<Answer>}
   * @throws {Problem | Unreachable | DOMException} a DOMException named AbortError when aborted
   */
  async send(call, { signal, isUrgent = false } = {}) {
    const response = await this.open(call, signal, isUrgent);
    const body = await readJson(response);
    return { status: response.status, headers: response.headers, body };
  }

  /**
   * Follows one message: yields its state at once and on each change, until it is final.
   * @param {string} queue
   * @param {string} id
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<any, void, void>}
   */
  async *follow(queue, id, signal) {
    const headers = { accept: "text/event-stream" };
    const response = await this.open(
      { method: "GET", path: messagePath(queue, id), headers },
      signal,
    );
    for await (const data of events(response.body)) yield JSON.parse(data);
  }

  /** The response of a call that succeeded; its body is not read yet. */
  async open(call, signal, isUrgent = false) {
    const response = await this.fetch(call, signal, isUrgent);
    if (response.ok) return response;
    if (response.status === 401) this.onUnauthorized();
    throw new Problem(response.status, (await readJson(response)) ?? {}, response.headers);
  }

  async fetch({ method, path, headers = {}, body }, signal, isUrgent) {
    const token = this.token();
    const credentials = token === null ? {} : { authorization: `Bearer ${token}` };
    try {
      return await fetch(this.origin + path, {
        method,
        headers: { ...headers, ...credentials },
        body,
        signal,
        cache: "no-store",
        priority: isUrgent ? "high" : "auto",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Unreachable(error);
    }
  }
}

async function readJson(response) {
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
  if (!isJson || text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The data of each event of an event stream (the part of the format that the API uses). */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const lines = block.split("\n").filter((line) => line.startsWith("data:"));
        if (lines.length > 0) yield lines.map((line) => line.slice(5).trimStart()).join("\n");
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
