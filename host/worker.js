// The Worker: carries out, for each request, what the edge in the core says. Decides nothing by
// itself.

import { serveAsset } from './assets.js';
import { isLong, readAway, readBody } from './body.js';
import { callObject, openSocket } from './call.js';
import { events } from './events.js';
import { clientOf } from './client.js';
import { observe } from './clock.js';
import { Core } from './core.js';
import { awaitKeys, readKeys, verify } from './credentials.js';
import * as frames from './frames.js';
import { gather, gatherSubscriptions } from './gather.js';
import { consume } from './inbound.js';
import { levels, log, setLevel } from './log.js';
import { hasNeighbour, noteUse, subjectOf } from './neighbours.js';
import { document } from './openapi.js';
import { placeOf } from './place.js';
import { ACCESS_HEADER, VERDICT_HEADER, internal, problem, unavailable, withoutVerdict } from './problem.js';
import { reportsAreScheduled, scheduleReports } from './reports.js';
import { publish } from './share.js';
import { socket } from './socket.js';
import { stream } from './stream.js';
import { pass } from './turnstile.js';

export { Dispatcher } from './dispatcher.js';
export { DirectoryObject, QueueObject, RelayObject } from './object.js';
export { TopicObject } from './topic.js';

/** @type {Core | null} this isolate's edge */
let edge = null;
/** Until when it may refuse publishes from memory. */
let refusingUntil = 0;
/** Whether it matters to it where a request without credentials comes from. */
let wantsClients = false;
/** The headers on which such a refusal depends: those of src/edge/peek.rs. */
const DECIDING = ['authorization', 'idempotency-key', 'origin'];
/** What the edge answered before, by its slot: body and ResponseInit. */
const slots = [];
/**
 * The refusal that the same glance gets again, until then or until the core is entered for anything
 * else; and how often it was given since the core knows.
 */
const again = { glance: '', until: 0, slot: 0, count: 0 };
/** As in src/limits.rs: no refusal is repeated for longer. */
const VERDICT_MS_MAX = 1_000;
const WORD = 4;
/** The paths of queues, topics and subscriptions themselves. */
const CONFIGURED = /^\/v1\/(queues|topics)\/[^/]+(\/subscriptions\/[^/]+)?$/;
/** The status of a publish that was accepted: the one answer that is worth not looking into. */
const ACCEPTED = 202;

function openEdge(env) {
  if (!setLevel(env.LOG_LEVEL)) throw new SettingsError(`LOG_LEVEL is one of ${levels}`);
  const core = new Core();
  const settings = {};
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === 'string') settings[name] = value;
  }
  const failed = core.exports.edge_init(core.putText(JSON.stringify(settings)));
  if (failed > 0) throw new SettingsError(core.text(core.exports.output(), failed));
  wantsClients = core.exports.edge_wants_clients() !== 0;
  return core;
}

class SettingsError extends Error {}

/** `METHOD\nURL\nname: value\n…`, as the core reads it. */
function headOf(request, env) {
  let head = `${request.method}\n${request.url}\n`;
  for (const [name, value] of request.headers) head += `${name}: ${value}\n`;
  return head + clientLine(request, env);
}

/** No client sends a header of this name: `@` stands in none. */
function clientLine(request, env) {
  if (!wantsClients || request.headers.has('authorization')) return '';
  return `@client: ${clientOf(request, env)}\n`;
}

/** What a refusal from memory depends on, in the same form. The core names these headers. */
function glanceOf(request, env) {
  const { headers } = request;
  let head = `POST\n${request.url}\n`;
  for (const name of DECIDING) {
    const value = headers.get(name);
    if (value !== null) head += `${name}: ${value}\n`;
  }
  return head + clientLine(request, env);
}

/** The refusal of a publish from memory, or `null`. */
function refusal(request, env, ctx, now) {
  const glance = glanceOf(request, env);
  // An end that is further away was named before the clock went back.
  const isGood = now < again.until && again.until - now <= VERDICT_MS_MAX;
  if (isGood && glance === again.glance) {
    again.count += 1;
    if (!reportsAreScheduled(now)) report(request, env, ctx);
    const { body, init } = slots[again.slot];
    return new Response(body, init);
  }
  settle();
  edge.exports.edge_peek(edge.putText(glance), now);
  const at = edge.exports.output();
  if (edge.view.getUint32(at, true) === frames.NOTHING) return null;
  report(request, env, ctx);
  const slot = edge.view.getUint32(at + WORD, true);
  if (slot < frames.SLOTS) {
    again.glance = glance;
    again.until = edge.exports.edge_repeats_until();
    again.slot = slot;
  }
  return respond(edge, at);
}

/** Tells the core of refusals that were given again; goes before all that may change one. */
function settle() {
  const { count } = again;
  again.until = 0;
  again.count = 0;
  if (count > 0) edge?.exports.edge_repeated(count, Date.now());
}

function report(request, env, ctx) {
  scheduleReports(edge, env, ctx, () => placeOf(request.cf), settle);
}

/**
 * The next step, as the core left it in the output. `retake` takes the one before again, once what
 * was lacking is there.
 */
function step(request, env, ctx, head, retake) {
  const core = edge;
  const at = core.exports.output();
  switch (core.view.getUint32(at, true)) {
    case frames.RESPOND:
    case frames.RESPOND_AGAIN:
      report(request, env, ctx);
      return answered(request, noted(request, respond(core, at)));
    case frames.NEED_BODY:
      return withBody(request, env, ctx, head, core.view.getUint32(at + WORD, true));
    case frames.CALL:
      return callFor(request, env, ctx, head, frames.readCall(core, at));
    case frames.GATHER:
      return listing(env, head, [frames.readCall(core, at)]);
    case frames.GATHER_BOTH: {
      const first = frames.readCall(core, at);
      return listing(env, head, [first, frames.readCall(core, first.end)]);
    }
    case frames.FOLLOW:
      return events(core, env, frames.readLasting(core, at));
    case frames.SOCKET: {
      const { text, endsAt } = frames.readLasting(core, at);
      // No client sends a header of this name: `@` stands in none.
      return socket(core, env, `${head}@grant: ${text}\n`, endsAt);
    }
    case frames.LISTEN: {
      const call = frames.readCall(core, at);
      return listen(env, call, core.view.getFloat64(call.end, true));
    }
    case frames.STREAM:
      return stream(core, env, frames.readLasting(core, at));
    case frames.VERIFY:
      return verified(request, env, core, at, head, retake);
    case frames.READ_KEYS:
      return after(env, readKeys(core, at, env), retake);
    case frames.LEARN:
      return learned(env, frames.readCall(core, at), head, retake);
    case frames.DOCUMENT:
      return document();
    case frames.AWAIT_KEYS:
      return after(env, awaitKeys(), retake);
    default:
      return serveAsset(request, env);
  }
}

/** Has the log say who was not let in, and what was set up or taken down. */
function noted(request, response) {
  const { status } = response;
  const { method } = request;
  const isRefused = status === 401 || status === 403;
  const changes = response.ok && (method === 'PUT' || method === 'DELETE');
  if (!isRefused && !changes) return response;
  // Two `Host` headers make a URL that is none.
  const path = URL.canParse(request.url) ? new URL(request.url).pathname : '';
  if (isRefused) log('warn', 'access_refused', { method, path, status });
  else if (CONFIGURED.test(path)) log('info', 'configuration_changed', { method, path, status });
  return response;
}

function respond(core, at) {
  const slot = core.view.getUint32(at + WORD, true);
  if (core.view.getUint32(at, true) === frames.RESPOND_AGAIN) {
    return new Response(slots[slot].body, slots[slot].init);
  }
  const { status, headers, body } = frames.readResponse(core, at + 2 * WORD);
  const init = { status, headers: new Headers(headers) };
  if (slot < frames.SLOTS) slots[slot] = { body, init };
  return new Response(body, init);
}

async function withBody(request, env, ctx, head, max) {
  const body = await readBody(request, max);
  const take = () => {
    settle();
    const [headLength, bodyLength] = edge.putTwo(head, body);
    edge.exports.edge_body(headLength, bodyLength, Date.now());
    return step(request, env, ctx, head, take);
  };
  return guarded(env, take);
}

/** Checks a token's signature, then goes on; a wrong one is refused. */
async function verified(request, env, core, at, head, retake) {
  if ((await verify(core, at, head)) && core === edge) {
    const out = core.exports.output();
    if (core.view.getUint32(out, true) !== frames.NOTHING) {
      return answered(request, noted(request, respond(core, out)));
    }
  }
  return guarded(env, retake);
}

/** Asks a queue whether it is public, then goes on. */
async function learned(env, call, head, retake) {
  const response = await callObject(env, call);
  if (response.status >= 500) return withoutVerdict(response);
  return guarded(env, () => {
    settle();
    const said = response.headers.get(ACCESS_HEADER) ?? '';
    const [headLength, length] = edge.putTwo(head, said);
    edge.exports.edge_learn(headLength, length, Date.now());
    return retake();
  });
}

async function after(env, done, retake) {
  await done;
  return guarded(env, retake);
}

async function listing(env, head, directoryCalls) {
  const pages = [];
  try {
    for (const call of directoryCalls) pages.push(await gather(edge, env, call));
    const [, topics] = pages;
    if (topics !== undefined) pages.push(await gatherSubscriptions(edge, env, topics));
  } catch (error) {
    log('warn', 'listing_failed', { error });
    return unavailable('not all queues could be reached just now; try again');
  }
  return guarded(env, () => {
    const [headLength, length] = edge.putTwo(head, pages.join('\x1e'));
    edge.exports.edge_gathered(headLength, length, Date.now());
    return respond(edge, edge.exports.output());
  });
}

/** Hands the object's response through, unless it says what the edge shall answer for a while. */
async function callFor(request, env, ctx, head, call) {
  const sent = { at: Date.now(), subject: subjectOf(request) };
  noteUse(sent.subject, sent.at);
  const response = await (call.shareable
    ? publish(env, ctx, call, placeOf(request.cf), sent)
    : inTurn(request, sent, () => callObject(env, call, request)));
  if (response.status === ACCEPTED) return response;
  const verdict = response.headers.get(VERDICT_HEADER);
  if (verdict === null) return noted(request, response);
  return guarded(env, () => {
    settle();
    const [headLength, length] = edge.putTwo(head, verdict);
    edge.exports.edge_verdict(headLength, length, sent.at, Date.now());
    refusingUntil = edge.exports.edge_refuses_until();
    const at = edge.exports.output();
    if (edge.view.getUint32(at, true) !== frames.NOTHING) return respond(edge, at);
    return noted(request, withoutVerdict(response));
  });
}

/** Hands on the socket of an object, or why there is none. */
async function listen(env, call, endsAt) {
  const response = await openSocket(env, call, endsAt);
  return response.status === 101 ? response : withoutVerdict(response);
}

/** What this Worker answers by itself. */
function answered(request, response) {
  if (response.ok) return response;
  return inTurn(request, { at: Date.now(), subject: subjectOf(request) }, () => response);
}

/** Runs it at once; in its turn where others share the thread, as they do where there is no place. */
function inTurn(request, { at, subject }, run) {
  const isShared = hasNeighbour(subject, at) && placeOf(request.cf) === null;
  return isShared ? pass(subject, run) : run();
}

async function afterBody(request, answer) {
  const response = await answer;
  await readAway(request);
  return response;
}

/** Runs a step of the core. One that traps is thrown away: the next request gets a new one. */
function guarded(env, run) {
  try {
    edge ??= openEdge(env);
    return run();
  } catch (error) {
    return failed(error);
  }
}

/** What fails later is the core's only where it trapped. */
function failedLater(error) {
  if (error instanceof WebAssembly.RuntimeError) return failed(error);
  log('error', 'request_failed', { error });
  return internal();
}

function failed(error) {
  edge = null;
  again.until = 0;
  again.count = 0;
  if (error instanceof SettingsError) {
    const title = 'The queue could not be reached; try again';
    return problem(503, 'unavailable', title, `this deployment is not set up: ${error.message}`);
  }
  log('error', 'edge_failed', { error });
  return internal();
}

export default {
  /**
   * @param {Request} request
   * @param {object} env
   * @param {ExecutionContext} ctx
   */
  fetch(request, env, ctx) {
    const answer = guarded(env, () => {
      const now = Date.now();
      observe(now);
      if (now < refusingUntil && request.method === 'POST') {
        const refused = refusal(request, env, ctx, now);
        if (refused !== null) return answered(request, refused);
      }
      const head = headOf(request, env);
      const take = () => {
        settle();
        edge.exports.edge_open(edge.putText(head), Date.now());
        return step(request, env, ctx, head, take);
      };
      return take();
    });
    if (isLong(request)) return afterBody(request, answer).catch(failedLater);
    return answer instanceof Promise ? answer.catch(failedLater) : answer;
  },

  /**
   * @param {MessageBatch} batch
   * @param {object} env
   * @param {ExecutionContext} ctx
   */
  queue(batch, env, ctx) {
    return consume(batch, env, (request) => this.fetch(request, env, ctx));
  },
};
