// The objects' host: collects the requests that arrive together, runs them as one turn of the core
// in one transaction, and carries the turn's effects out. Decides nothing about what is stored.

import { DurableObject } from 'cloudflare:workers';
import { readBody } from './body.js';
import { COMMAND_HEADER, SHARED_PATH, isPublish } from './call.js';
import { Calls } from './calls.js';
import { CLOCK_WENT_BACK, Clock, stepsBack } from './clock.js';
import { Core } from './core.js';
import { Dispatches } from './dispatches.js';
import { readTurn } from './frames.js';
import { Entry, Line } from './line.js';
import { log, setLevel } from './log.js';
import { deleted, overloaded, unavailable } from './problem.js';
import { Repair, detailOf } from './repair.js';
import { sqlImport } from './sql.js';

/** How soon an alarm is tried again whose turn failed. */
const ALARM_RETRY_MS = 5_000;
/** How much the clock may lag behind the alarm it set. */
const ALARM_SKEW_MS = 1_000;
/** Random bytes that the keys of tickets are made of. */
const ENTROPY_BYTES = 32;
const QUEUE = 0;
const DIRECTORY = 1;
const RELAY = 3;

/** How many publishes share a call; 0 where it brings one command. */
function sharedBy({ url }) {
  return url.startsWith(SHARED_PATH) ? Number(url.slice(SHARED_PATH.length)) : 0;
}

/** An object whose decisions are the core's: what all kinds of objects have in common. */
export class CoreObject extends DurableObject {
  constructor(ctx, env, kind) {
    super(ctx, env);
    setLevel(env.LOG_LEVEL);
    this.kind = kind;
    /** @type {Core | null} opened from storage when needed, dropped when a turn fails */
    this.core = null;
    /** @type {Clock | null} its time */
    this.clock = null;
    this.stepsBack = stepsBack();
    this.work = { rowsRead: 0, rowsWritten: 0, commits: 0, failure: null };
    this.line = new Line();
    this.repair = new Repair(ctx, kind);
    /** Requests that a turn has taken and not answered yet, by token. */
    this.open = new Map();
    this.lastToken = 0;
    /** Whether a tick is on its way: requests gather until it comes. */
    this.gathering = false;
    /** Whether a turn is due even without requests. */
    this.isDue = false;
    this.isWiping = false;
    this.timer = null;
    /** When it fires, while there is one. */
    this.timerAt = 0;
    this.calls = new Calls(env, ctx.id.name, (answer) => this.called(answer));
    this.dispatches = new Dispatches(ctx.exports.Dispatcher, (...it) => this.dispatched(...it));
    /** By the machine's clock: when the alarm is armed for, as far as this instance knows, and when
     * the last one was. */
    this.alarmAt = 0;
    this.firedAt = 0;
  }

  /**
   * One command: in a header, with a message there too, as the body, or none; or as the body. Or
   * several, as text in either.
   * @param {Request} request
   */
  fetch(request) {
    const command = request.headers.get(COMMAND_HEADER);
    if (command === null || request.method !== 'GET') return this.takeBody(request, command);
    return this.take(request, command, null, sharedBy(request));
  }

  async takeBody(request, command) {
    if (command === null) {
      const bytes = new Uint8Array(await request.arrayBuffer());
      return this.take(request, bytes, null, sharedBy(request));
    }
    // The bound is the last part of the path.
    const max = Number(request.url.slice(request.url.lastIndexOf('/') + 1));
    return this.take(request, command, await readBody(request, max), 0);
  }

  /** Has a request answered: in a turn of its own while idle, else with what comes until the tick. */
  take(request, command, body, shared, sockets = null) {
    this.leaveIfStuck();
    if (!this.line.hasRoom(isPublish(request))) return overloaded();
    const token = this.nextToken(shared === 0 ? 1 : shared);
    const entry = new Entry(request, token, command, body, shared, sockets);
    this.line.push(entry);
    if (!this.gathering && !this.isWiping) this.turn();
    return entry.wait();
  }

  /** The first of so many tokens. */
  nextToken(count) {
    const first = (this.lastToken + 1) >>> 0;
    this.lastToken = (this.lastToken + count) >>> 0;
    return first;
  }

  /** Lets the core know when the caller of a request that waits goes away, or has gone. */
  watch({ request: { signal }, token }) {
    const leave = () => {
      if (this.open.delete(token)) this.enter((core) => core.exports.object_cancel(token));
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave);
  }

  /** Tells the core something outside a turn. One that traps is dropped, as after a turn that fails. */
  enter(tell) {
    if (this.core === null) return;
    try {
      tell(this.core);
    } catch (error) {
      this.fail(error, []);
    }
  }

  /** Runs what is in line. The next requests gather until the platform has seen to all other events. */
  turn() {
    const entries = this.line.take();
    this.isDue = false;
    this.gather();
    return this.run(entries);
  }

  gather() {
    if (this.gathering) return;
    this.gathering = true;
    setTimeout(() => {
      this.gathering = false;
      if (!this.isWiping && (!this.line.isEmpty || this.isDue)) this.turn();
    }, 0);
  }

  /** One turn in one transaction; whether it succeeded. */
  run(entries, isRetry = false) {
    const now = this.now();
    for (const entry of entries) this.open.set(entry.token, entry);
    try {
      const written = this.work.rowsWritten;
      const turn = this.ctx.storage.transactionSync(() => this.runCore(entries, now));
      if (this.work.rowsWritten !== written) this.work.commits += 1;
      this.perform(turn, now);
      for (const entry of entries) if (this.open.has(entry.token)) this.watch(entry);
      return true;
    } catch (error) {
      const isMended = !isRetry && this.repair.mend(this.work, now);
      this.fail(error, isMended ? entries : []);
      return isMended && this.run(entries, true);
    }
  }

  /** The clock; not before an alarm that has fired, or the core would take it for one that is armed. */
  now() {
    const now = Date.now();
    return this.firedAt - now <= ALARM_SKEW_MS ? Math.max(now, this.firedAt) : now;
  }

  runCore(entries, now) {
    this.core ??= this.openCore(now);
    const { core, work } = this;
    const time = this.clock.read(now);
    for (const { token, command, body, shared } of entries) {
      if (shared > 0) {
        core.exports.object_push_shared(core.putTwo(command, '')[0], token);
        continue;
      }
      const isText = typeof command === 'string';
      if (body === null && isText) {
        core.exports.object_push(core.putText(command), 0, token, 1);
      } else {
        const [commandLength, bodyLength] = core.putTwo(command, body ?? '');
        core.exports.object_push(commandLength, bodyLength, token, isText ? 1 : 0);
      }
    }
    this.prepare(core);
    const length = core.exports.object_run(time, work.rowsRead, work.rowsWritten, work.commits);
    if (length < 0) throw new Error(core.text(core.exports.output(), -length));
    return readTurn(core);
  }

  /** What else the core has to know before a turn. */
  prepare() {}

  openCore(now) {
    this.work = { rowsRead: 0, rowsWritten: 0, commits: 0, failure: null };
    const core = new Core(sqlImport(this.ctx.storage.sql, this.work));
    const entropy = crypto.getRandomValues(new Uint8Array(16));
    const [, nameLength] = core.putTwo(entropy, this.ctx.id.name ?? '');
    const failed = core.exports.object_open(entropy.length + nameLength, this.kind, now);
    if (failed > 0) throw new Error(core.text(core.exports.output(), failed));
    this.clock = new Clock(core.exports.object_clock(), now);
    if (this.kind !== RELAY) this.equip(core);
    return core;
  }

  /** Randomness for the keys of tickets, the deployment's own key, what pushes may call. */
  equip(core) {
    const entropy = crypto.getRandomValues(new Uint8Array(ENTROPY_BYTES));
    const { PUSH_WORKERS, PUSH_QUEUES, TICKET_KEY } = this.env;
    const texts = [PUSH_WORKERS, PUSH_QUEUES, TICKET_KEY].map((text) => text ?? '').join('\n');
    const [, length] = core.putTwo(entropy, texts);
    const failed = core.exports.object_equip(
      entropy.length + length,
      this.env.ALLOW_PRIVATE_TARGETS === 'true' ? 1 : 0,
    );
    if (failed > 0) throw new Error(core.text(core.exports.output(), failed));
  }

  /**
   * A turn failed and is rolled back: memory may differ from what is stored, so it goes.
   * @param {unknown} error
   * @param {Entry[]} again requests of that turn that are made once more: they get no answer yet
   */
  fail(error, again) {
    log('error', 'turn_failed', { object: this.ctx.id.name, error });
    this.dropCore();
    // Who waits since an earlier turn has been served there: a publish would be made once more.
    for (const entry of again) this.open.delete(entry.token);
    this.answerOpen(() => unavailable(detailOf(this.work)));
  }

  dropCore() {
    this.core = null;
    this.calls.drop();
    this.clearTimer();
  }

  /** Answers whoever waits still, each with an answer of its own. */
  answerOpen(make) {
    for (const entry of this.open.values()) entry.answer(make());
    this.open.clear();
  }

  /** The response to a request, as the core has it. */
  respond(entry, response) {
    return new Response(response.body, response);
  }

  /** Sends live readers what is new to them. */
  deliver() {}

  perform({ replies, calls, pushes, dispatches, wipe, alarmAt, timerAt }, now) {
    // First, so that the answer to a deletion waits until everything is gone.
    if (wipe) this.wipe();
    for (const { token, response } of replies) {
      const entry = this.open.get(token);
      if (entry === undefined) continue;
      this.open.delete(token);
      entry.answer(this.respond(entry, response));
    }
    this.deliver(pushes);
    this.calls.start(calls, this.core);
    this.dispatches.start(dispatches, this.core, now);
    if (wipe) {
      this.answerOpen(deleted);
      return;
    }
    if (alarmAt >= 0) this.setAlarm(this.clock.instantOf(alarmAt));
    if (timerAt >= 0) this.setTimer(this.clock.instantOf(timerAt));
    else this.clearTimer();
  }

  setAlarm(at) {
    this.alarmAt = at;
    this.work.rowsWritten += 1;
    // Part of this event's writes: when it fails, the platform resets the object.
    this.ctx.storage.setAlarm(at);
  }

  setTimer(at) {
    this.clearTimer();
    this.timerAt = at;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.makeDue();
    }, Math.max(0, at - Date.now()));
  }

  clearTimer() {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  makeDue() {
    this.leaveIfStuck();
    this.isDue = true;
    this.gather();
  }

  /**
   * Makes room for a new instance where the machine's clock was set back: this one's time stands
   * still, and its timers with it. Whoever waits for it is told to try again.
   */
  leaveIfStuck() {
    if (this.stepsBack !== stepsBack()) this.ctx.abort(CLOCK_WENT_BACK);
  }

  /** Drops everything: the core of a queue that was deleted, its storage, and its alarm with it. */
  async wipe() {
    this.isWiping = true;
    this.dropCore();
    this.alarmAt = 0;
    await this.ctx.storage.deleteAll();
    this.isWiping = false;
    if (!this.line.isEmpty) this.gather();
  }

  /** Hands the core what became of a call that it made. */
  called({ core, number, outcome, body }) {
    // The instance that made the call may be gone, and its number with it.
    if (core === null || core !== this.core) return;
    this.enter(() => core.exports.object_called(core.putTwo(body, '')[0], number, outcome));
    if (!this.isTurnNear()) this.makeDue();
  }

  /** Whether the answer to a call can wait for a turn that comes anyway. */
  isTurnNear() {
    return false;
  }

  /** Hands the core what became of a call of an endpoint. */
  dispatched(core, number, { head, body }) {
    // Another instance counts the call as lost, once its time is over.
    if (core === null || core !== this.core) return;
    this.enter(() => core.exports.object_dispatched(...core.putTwo(head, body), number));
    this.makeDue();
  }

  /**
   * The one alarm. A turn that fails leaves the alarm armed. While this one was on its way, another
   * turn may have set it anew: that one is still armed, and the clock must not run ahead to it.
   */
  alarm({ scheduledTime = Infinity } = {}) {
    this.leaveIfStuck();
    if (this.isWiping) return;
    this.firedAt = Math.min(this.alarmAt, scheduledTime);
    if (!this.turn()) this.ctx.storage.setAlarm(Date.now() + ALARM_RETRY_MS);
  }
}

/** One queue. */
export class QueueObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, QUEUE);
  }
}

/** The names of all queues. */
export class DirectoryObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, DIRECTORY);
  }
}

/** What stands for a queue in a location or region (docs/decisions/0007). It stores nothing. */
export class RelayObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, RELAY);
  }
}
