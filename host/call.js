// Calls to objects: how a command travels, and what becomes of an object that cannot be reached.

import { log } from './log.js';
import { overloaded, unavailable } from './problem.js';

/** A command, and after a dot a small message that goes with it; both base64url. */
export const COMMAND_HEADER = 'tidegate-command';

/** The path of a call that publishes; where a body comes beside it, the most bytes of it follow. */
const PUBLISH_URL = 'http://object/publish/';
/** As that, of a call that does not publish. */
const ROOT_URL = 'http://object/';

/** The path of a call that brings several commands, with commas between; their number follows. */
export const SHARED_PATH = 'http://object/shared/';

/** Up to so much text several commands go in the header: a body costs the platform more. */
const SHARED_HEADER_BYTES_MAX = 16_384;

/** Handing on a stream costs the platform more than a message of this size does in a header. */
const HEADER_BODY_BYTES_MAX = 4096;

/**
 * @param {DurableObjectNamespace} namespace
 * @param {import("./frames.js").Call} call
 * @param {AbortSignal} [signal] ends it
 * @returns {Promise<Response>}
 */
export function fetchObject(namespace, { object, command, publishes }, signal) {
  const init =
    typeof command === 'string'
      ? { headers: { [COMMAND_HEADER]: command } }
      : { method: 'POST', body: command };
  if (signal !== undefined) init.signal = signal;
  return namespace.getByName(object).fetch(publishes ? PUBLISH_URL : ROOT_URL, init);
}

/**
 * Whether a call brings a publish: of those, a line takes in fewer.
 * @param {Request} request
 */
export function isPublish({ url }) {
  return url.startsWith(PUBLISH_URL) || url.startsWith(SHARED_PATH);
}

/**
 * Calls an object for a client. A call that never reached it is repeated once, where no stream is
 * used up.
 * @param {object} env
 * @param {import("./frames.js").Call} call
 * @param {Request} [request] for a call that its body goes with
 * @returns {Promise<Response>}
 */
export async function callObject(env, call, request) {
  const namespace = env[call.namespace];
  if (call.bodyMax === null) return withRetry(() => fetchObject(namespace, call));
  const { object, command, bodyMax, publishes } = call;
  const declared = request.headers.get('content-length');
  if (declared !== null && Number(declared) <= Math.min(HEADER_BODY_BYTES_MAX, bodyMax)) {
    const body = new Uint8Array(await request.arrayBuffer());
    const text = `${command}.${body.toBase64({ alphabet: 'base64url' })}`;
    return withRetry(() => fetchObject(namespace, { object, command: text, publishes }));
  }
  const init = { method: 'POST', headers: { [COMMAND_HEADER]: command }, body: request.body };
  try {
    return await namespace.getByName(object).fetch((publishes ? PUBLISH_URL : ROOT_URL) + bodyMax, init);
  } catch (error) {
    return refusalFor(error);
  }
}

/** What a reader sends for a sign of life, and what it gets; without waking the object. */
export const PING = '{"type":"ping"}';
export const PONG = '{"type":"pong"}';

/** The path of a call that opens the socket of a client itself; when its token ends follows. */
export const LISTEN_URL = 'http://object/listen/';

/**
 * Opens a socket to an object; its response has one where the object takes it.
 * @param {object} env
 * @param {import("./frames.js").Call} call
 * @param {number} [endsAt] given where a client is at its other end, and no Worker: when its token
 *   ends; zero: never
 * @returns {Promise<Response>}
 */
export function openSocket(env, { namespace, object, command }, endsAt) {
  const text =
    typeof command === 'string' ? command : command.toBase64({ alphabet: 'base64url' });
  const init = { headers: { upgrade: 'websocket', [COMMAND_HEADER]: text } };
  const url = endsAt === undefined ? ROOT_URL : LISTEN_URL + endsAt;
  return withRetry(() => env[namespace].getByName(object).fetch(url, init));
}

/**
 * Where publishes are brought together: a queue's object or one of its relays.
 * @typedef {{namespace: DurableObjectNamespace, object: string, hint?: string}} Target
 */

/**
 * Brings several commands in one call; its response has all of their answers.
 * @param {Target} target
 * @param {string} text the commands, with commas between
 * @param {number} count
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export function fetchShared({ namespace, object, hint }, text, count, signal) {
  const url = SHARED_PATH + count;
  const init =
    text.length <= SHARED_HEADER_BYTES_MAX
      ? { headers: { [COMMAND_HEADER]: text }, signal }
      : { method: 'POST', body: text, signal };
  const options = hint === undefined ? undefined : { locationHint: hint };
  return withRetry(() => namespace.getByName(object, options).fetch(url, init));
}

async function withRetry(attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!error.retryable || error.overloaded) return refusalFor(error);
  }
  try {
    return await attempt();
  } catch (error) {
    return refusalFor(error);
  }
}

function refusalFor(error) {
  log('warn', 'object_unreachable', { error });
  return error.overloaded ? overloaded() : unavailable();
}
