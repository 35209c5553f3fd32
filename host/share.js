// Publishes that arrive together share calls to their object. The first few at a time travel alone,
// as any other request. Where more are under way, one becomes the conductor: whatever arrives while
// its call is out gathers, and travels as one when it returns. See docs/decisions/0006.
//
// A request's promises, timers and streams live and die with it. So nothing but text goes from one
// request to another, and what others wait for is made and settled by one request alone: the
// conductor, which begins with a publish of its own and goes on, after its answer, for as long as
// publishes gather. Should it die, all that wait for it learn so at once.

import { callObject, fetchShared } from './call.js';
import { stepsBack } from './clock.js';
import { headersOf } from './frames.js';
import { Gathering } from './gathering.js';
import { log } from './log.js';
import { hasNeighbour } from './neighbours.js';
import { targetOf } from './place.js';
import { overloaded, unavailable } from './problem.js';
import { within } from './within.js';

/** Publishes of one object that travel alone at a time: so few gain nothing from sharing. */
const ALONE_MAX = 16;
/** The same where they go to a relay, which has all isolates of its location to see to. */
const ALONE_TO_RELAY_MAX = 1;
/** A conductor that finds fewer than these to send is needed no longer. */
const GATHERED_MIN = 3;
/** What the answer to a publish that was accepted begins with. */
const ACCEPTED = '202\n';
/**
 * Before it sends, it waits for more until so many turns of the event loop in a row brought nothing
 * and half of those that were just answered came again, but no longer than this. Between slices of
 * answers it waits in the same way. An idle turn takes about 15 µs.
 */
const STILL_TURNS = 4;
const LINGER_TURNS_MAX = 64;
/** What travels in one call. */
const CALL_MESSAGES_MAX = 256;
const CALL_BYTES_MAX = 256 << 10;
/** Publishes that wait behind one conductor, and in all of the isolate. */
const CONDUCTOR_MESSAGES_MAX = 4_096;
const ISOLATE_MESSAGES_MAX = 16_384;
/** Objects kept track of; publishes for others travel alone, uncounted. */
const OBJECTS_MAX = 1_024;
/** How long a conductor takes publishes in: the platform ends it 30 s after its own answer. */
const CONDUCT_MS_MAX = 5_000;
/** How long a call may take before its publishes, and those behind it, are told to try again. */
const CALL_MS_MAX = 10_000;
/** Between the answers of a shared call; see src/durable/share.rs. */
const SEPARATOR = '\x1e';

/** What is under way, by object. */
const lanes = new Map();
/** Publishes that wait, in all of the isolate. */
let waiting = 0;
/** How often the clock had been set back when that was looked at last. */
let steps = 0;

/** What is under way to one object. */
class Lane {
  /**
   * @param {import("./call.js").Target} target
   * @param {string} subject what its publishes are about
   */
  constructor(target, subject) {
    this.target = target;
    this.subject = subject;
    this.isRelay = target.hint !== undefined;
    /** Publishes that travel alone, and when the last of them left. */
    this.alone = 0;
    this.aloneAt = 0;
    /** @type {Conductor | null} */
    this.conductor = null;
  }

  /** Has a publish travel by itself. */
  async send(env, call, now) {
    this.alone += 1;
    this.aloneAt = now;
    const response = await this.call(env, call);
    if (this.alone > 0) this.alone -= 1;
    this.forget();
    return response;
  }

  /** One publish, in a call of its own. */
  async call(env, call) {
    if (!this.isRelay) return callObject(env, call);
    const [answer] = await send(this.target, [call.command]);
    return responseOf(answer);
  }

  /** Whether one more may travel by itself. Those whose request died on the way count no longer. */
  hasRoom(now) {
    if (now - this.aloneAt > CALL_MS_MAX) this.alone = 0;
    return this.alone < (this.isRelay ? ALONE_TO_RELAY_MAX : ALONE_MAX);
  }

  /** Leaves nothing behind. */
  forget() {
    const isIdle = this.alone === 0 && this.conductor === null;
    if (isIdle && lanes.get(this.target.object) === this) {
      lanes.delete(this.target.object);
    }
  }
}

class Conductor {
  constructor(lane, now) {
    this.lane = lane;
    this.endsAt = now + CONDUCT_MS_MAX;
    this.lateAt = now + CALL_MS_MAX;
    /** Publishes that wait for it. */
    this.held = 0;
    /** So many are worth waiting for: half of those that were just answered. */
    this.expected = 0;
    this.gathering = this.gather(now);
  }

  /** What lies behind a relay runs elsewhere: nobody there is disturbed. */
  gather(now) {
    const { isRelay, subject } = this.lane;
    return new Gathering(!isRelay && hasNeighbour(subject, now));
  }

  /** Sends what gathers behind `call`, and then what gathers meanwhile, until little does. */
  async conduct(call) {
    await call;
    while (this.lane.conductor === this || this.gathering.commands.length > 0) {
      await this.linger((there, isStill) => isStill && there >= this.expected);
      const gathering = this.gathering;
      const { commands } = gathering;
      if (commands.length === 0) break;
      const now = Date.now();
      gathering.leftAt = now;
      this.gathering = this.gather(now);
      this.lateAt = now + CALL_MS_MAX;
      if (now > this.endsAt || commands.length < GATHERED_MIN) this.end();
      const answers = await within(sendAll(this.lane.target, commands), CALL_MS_MAX);
      // The sooner a refusal is told, the fewer ask for it: the edge remembers it.
      if (answers?.at(-1).startsWith(ACCEPTED)) {
        await gathering.tell(answers, (count) => this.awaitReturn(count));
      } else {
        gathering.tellAll(answers);
      }
      this.release(commands.length);
      this.expected = commands.length / 2;
    }
    this.end();
  }

  /**
   * Waits while others keep coming: clients that were just answered come again. How many are there,
   * and whether nobody came for a while, says whether that is over.
   */
  async linger(isOver) {
    const { commands } = this.gathering;
    for (let turn = 0, still = 0; turn < LINGER_TURNS_MAX; turn++) {
      if (isOver(commands.length, still >= STILL_TURNS)) return;
      const before = commands.length;
      await scheduler.wait(0);
      still = commands.length === before ? still + 1 : 0;
    }
  }

  /** Waits until as many came as were just answered, or nobody does. */
  awaitReturn(count) {
    const enough = this.gathering.commands.length + count;
    return this.linger((there, isStill) => isStill || there >= enough);
  }

  /** Its call does not return. What gathered behind it has not been published, and will not be. */
  giveUp() {
    this.end();
    const gathering = this.gathering;
    this.gathering = this.gather(Date.now());
    gathering.tellAll(null);
    this.release(gathering.commands.length);
  }

  /** Nobody joins it any more. */
  end() {
    if (this.lane.conductor === this) this.lane.conductor = null;
    this.lane.forget();
  }

  /** It died with its request: what waited for it waits no more. */
  bury() {
    this.end();
    this.release(this.held);
  }

  /** So many wait no more. */
  release(count) {
    const released = Math.min(count, this.held);
    this.held -= released;
    waiting -= released;
  }
}

/**
 * Has one publish answered by its object, or by the relay that stands for it here.
 * @param {object} env
 * @param {ExecutionContext} ctx
 * @param {import("./frames.js").Call} call
 * @param {string | null} place of the location's relay; see place.js
 * @param {{at: number, subject: string}} sent what it is about; is told when the publish left
 * @returns {Response | Promise<Response>}
 */
export function publish(env, ctx, call, place, sent) {
  if (steps !== stepsBack()) startAnew();
  const target = targetOf(env, call.object, place);
  const lane = laneOf(target, sent.subject);
  if (lane === null) return new Lane(target, sent.subject).call(env, call);
  const now = Date.now();
  if (lane.conductor !== null) {
    if (now < lane.conductor.lateAt) return follow(env, ctx, call, lane.conductor, place, sent);
    lane.conductor.giveUp();
  }
  if (lane.hasRoom(now)) return lane.send(env, call, now);
  const response = lane.call(env, call);
  lane.conductor = new Conductor(lane, now);
  ctx.waitUntil(lane.conductor.conduct(response));
  return response;
}

/** After the clock was set back: timers of the requests before stand still, and conductors wait. */
function startAnew() {
  steps = stepsBack();
  for (const lane of [...lanes.values()]) {
    lane.conductor?.giveUp();
    lane.alone = 0;
    lane.forget();
  }
}

/** `null` where too many are kept track of. */
function laneOf(target, subject) {
  let lane = lanes.get(target.object);
  if (lane !== undefined) return lane;
  if (lanes.size >= OBJECTS_MAX && !makeRoom()) return null;
  lane = new Lane(target, subject);
  lanes.set(target.object, lane);
  return lane;
}

/** Forgets what nobody saw die; whether there is room now. */
function makeRoom() {
  const deadSince = Date.now() - 2 * CALL_MS_MAX;
  for (const lane of [...lanes.values()]) {
    if (lane.conductor !== null && lane.conductor.lateAt < deadSince) lane.conductor.bury();
    if (lane.aloneAt < deadSince) lane.alone = 0;
    lane.forget();
  }
  return lanes.size < OBJECTS_MAX;
}

async function follow(env, ctx, call, conductor, place, sent) {
  if (conductor.held >= CONDUCTOR_MESSAGES_MAX || waiting >= ISOLATE_MESSAGES_MAX) {
    return overloaded();
  }
  const { gathering } = conductor;
  const at = gathering.take(call.command);
  conductor.held += 1;
  waiting += 1;
  let answers;
  try {
    answers = await gathering.told(at);
  } catch {
    // Its request is over, whatever it was about to do.
    conductor.bury();
    return gathering.leftAt > 0 ? unavailable() : publish(env, ctx, call, place, sent);
  }
  sent.at = gathering.leftAt;
  if (answers === null) return unavailable();
  return responseOf(answers[at]);
}

/** Sends publishes in as many calls as they need; the answers as texts, in the same order. */
async function sendAll(target, commands) {
  const calls = [];
  for (let start = 0, at = 0, bytes = 0; at < commands.length; at++) {
    bytes += commands[at].length + 1;
    const next = commands[at + 1]?.length ?? 0;
    const isFull = at + 1 - start === CALL_MESSAGES_MAX || bytes + next > CALL_BYTES_MAX;
    if (!isFull && at + 1 < commands.length) continue;
    calls.push(send(target, commands.slice(start, at + 1)));
    start = at + 1;
    bytes = 0;
  }
  return calls.length === 1 ? calls[0] : (await Promise.all(calls)).flat();
}

async function send(target, commands) {
  const response = await fetchShared(target, commands.join(','), commands.length);
  try {
    const text = await response.text();
    const answers = response.status === 200 ? text.split(SEPARATOR) : [];
    if (answers.length === commands.length) return answers.map(inFull);
    if (response.status !== 200) return forAll(commands, response, text);
    log('warn', 'answers_lost', { object: target.object, answers: answers.length });
  } catch (error) {
    log('warn', 'answers_lost', { object: target.object, error });
  }
  const failed = unavailable();
  return forAll(commands, failed, await failed.text());
}

/** The object, or the way to it, gave one answer to the whole call. */
function forAll(commands, { status, headers }, text) {
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\n`).join('');
  return commands.map(() => `${status}\n${lines}\n${text}`);
}

/** An answer that repeats an earlier one of its call is `=` and where that stands. */
function inFull(answer, _, answers) {
  return answer.startsWith('=') ? answers[Number(answer.slice(1))] : answer;
}

function responseOf(text) {
  const head = text.indexOf('\n') + 1;
  const body = text.indexOf('\n\n', head - 1) + 2;
  const headers = headersOf(text.slice(head, body - 1));
  return new Response(body === text.length ? null : text.slice(body), {
    status: Number(text.slice(0, head - 1)),
    headers,
  });
}
