// The client library as the pages use it: on the page's own server, with the token of the tab.

import { TidegateError, Tidegate } from "/client/index.js";

/** A page shows that the server is away before its visitor wonders. */
const TRIES = 3;

/**
 * @param {object} [options]
 * @param {() => string | null} [options.token] asked before each request; sent as Bearer
 * @param {() => void} [options.onUnauthorized] called on each 401
 * @param {boolean} [options.isUrgent] its requests go before others where the browser keeps them
 *   in line for a connection
 * @param {number} [options.tries] of each request that may be repeated
 * @returns {Tidegate}
 */
export function openClient(options = {}) {
  const { token = () => null, onUnauthorized = () => {}, isUrgent, tries = TRIES } = options;
  const priority = isUrgent ? "high" : "auto";
  return new Tidegate({
    url: location.origin,
    token: () => token() ?? undefined,
    retry: { attempts: tries },
    fetch: async (url, init) => {
      const response = await fetch(url, { ...init, cache: "no-store", priority });
      if (response.status === 401) onUnauthorized();
      return response;
    },
  });
}

/**
 * Sends a call as calls.js describes it.
 * @param {Tidegate} client
 * @param {import("./calls.js").Call} call
 * @param {{ signal?: AbortSignal, waitMs?: number }} [options]
 * @returns {Promise<any>} the answer's JSON
 */
export async function send(client, { method, path, headers, body }, options = {}) {
  return (await client.request(method, path, { headers, body, ...options })).json;
}

/** What an error says, for people. */
export function wordsOf(error) {
  if (!(error instanceof TidegateError)) return error.message;
  if (error.type === "connection" || error.type === "timeout") return "The server does not answer.";
  return error.detail ?? error.title ?? error.type;
}
