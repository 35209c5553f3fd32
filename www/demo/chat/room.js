// One room: its topic, followed from a little before now, and a second topic, kept in memory only,
// on which readers say that they are typing. Draws nothing.

import { NotFoundError } from "/client/index.js";
import { cleanName, freshMark, memberOf, personOf } from "./identity.js";

const PREFIX = "demo/chat/";
const TYPING_PREFIX = "demo/chat-typing/";
/** Messages that are there when one comes in, and that come with each look back. */
const HISTORY_MESSAGES = 50;
export const TEXT_CHARS_MAX = 2000;
/** A server may have more topics than anybody wants to see rooms. */
const TOPICS_LOOKED_AT_MAX = 500;
const ROOMS_MAX = 30;
/** That somebody types is said again after this time, and believed for a little longer. */
const TYPING_EVERY_MS = 2_500;
const TYPING_SHOWN_MS = 4_000;
/** People seen typing at a time: more is nothing that anybody reads. */
const TYPISTS_MAX = 20;
/** Who is back within this time has reloaded the page, and is not announced. */
const LEAVE_AFTER_MS = 4_000;

/** A room's name, or nothing. */
export const roomName = (text) => /^[a-z0-9][a-z0-9-]{0,31}$/.exec(text)?.[0];

/** @returns {Promise<string[]>} the rooms that there are already, as far as it is worth looking */
export async function existingRooms(client) {
  const rooms = [];
  let looked = 0;
  for await (const { name } of client.topics()) {
    looked += 1;
    if (looked > TOPICS_LOOKED_AT_MAX || rooms.length >= ROOMS_MAX) break;
    const room = name.startsWith(PREFIX) && roomName(name.slice(PREFIX.length));
    if (room) rooms.push(room);
  }
  return rooms;
}

/**
 * @typedef {object} Said
 * @property {number | null} seq `null` as long as it is on its way
 * @property {string} ref its writer's own number for it
 * @property {import("./identity.js").Person} person
 * @property {string} text
 * @property {number} atMs
 *
 * @typedef {object} Listener
 * @property {(said: Said) => void} onSaid
 * @property {(state: "open" | "reconnecting") => void} onState
 * @property {(people: import("./identity.js").Person[]) => void} onPeople
 * @property {(person: import("./identity.js").Person, hasCome: boolean) => void} onMove
 * @property {(names: string[]) => void} onTyping
 * @property {(missed: number) => void} onMissed
 */

export class Room {
  #topic;
  #quiet;
  #typing;
  #person;
  #listener;
  #leave = new AbortController();
  /** The number of the first message that is shown, and of the first there is. */
  #oldest = 1;
  #first = 1;
  /** Who types, by mark: the name and the timer that ends it. */
  #typists = new Map();
  #typingSaidMs = 0;
  /** Who has left and may come back, by mark. */
  #leaving = new Map();
  #isIn = false;

  /**
   * @param {import("/client/index.js").Tidegate} client
   * @param {import("/client/index.js").Tidegate} quiet one that asks nobody for a token, for what can
   *   be done without
   * @param {string} name
   * @param {import("./identity.js").Person} person
   * @param {Listener} listener
   */
  constructor(client, quiet, name, person, listener) {
    // One after another: what is written first stands first.
    this.#topic = client.topic(PREFIX + name, { ordered: true });
    this.#quiet = quiet.topic(PREFIX + name);
    this.#typing = quiet.topic(TYPING_PREFIX + name);
    this.#person = person;
    this.#listener = listener;
  }

  get topic() {
    return this.#topic.name;
  }

  get hasOlder() {
    return this.#oldest > this.#first;
  }

  /** Comes in: the last messages, then all that follow, until `leave`. Rejects what is final. */
  async enter() {
    const { signal } = this.#leave;
    const there = await found(this.#quiet, this.#topic, {}, signal);
    this.#first = there.firstSeq;
    this.#oldest = Math.max(this.#first, there.lastSeq - HISTORY_MESSAGES + 1);
    this.#followTyping();
    const messages = this.#topic.subscribe({
      fromSeq: this.#oldest,
      member: memberOf(this.#person),
      signal,
      onState: (state) => this.#listener.onState(state),
      onPresence: (members, change) => this.#present(members, change),
      onLagged: ({ missed }) => missed > 0 && this.#listener.onMissed(missed),
    });
    for await (const message of messages) this.#hear(message);
  }

  leave() {
    this.#leave.abort();
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    for (const { timer } of this.#typists.values()) clearTimeout(timer);
  }

  /** @returns {Promise<Said[]>} the messages before the first that is shown */
  async older() {
    const from = Math.max(this.#first, this.#oldest - HISTORY_MESSAGES);
    const limit = this.#oldest - from;
    if (limit === 0) return [];
    const { messages, firstSeq } = await this.#topic.read({ fromSeq: from, limit });
    const shown = messages.filter(({ seq }) => seq < this.#oldest);
    this.#oldest = from;
    this.#first = firstSeq;
    return shown.map(saidIn).filter(Boolean);
  }

  /** What stands before this number is shown no longer; it can be looked back at. */
  forgetBefore(seq) {
    this.#oldest = Math.max(this.#oldest, seq);
  }

  /** What is about to be said, as it is shown until it is back. @returns {Said} */
  draft(text) {
    return { seq: null, ref: freshMark(), person: this.#person, text, atMs: Date.now() };
  }

  /** Says it, however often that takes: the same message is there once. @param {Said} said */
  async say({ ref, text, person }) {
    this.#typingSaidMs = 0;
    const body = { ref, text, name: person.name };
    await this.#topic.publish(body, { key: person.mark, idempotencyKey: `${person.mark}-${ref}` });
  }

  /** The person is typing; told to the others now and then. */
  type() {
    const now = Date.now();
    if (now - this.#typingSaidMs < TYPING_EVERY_MS) return;
    this.#typingSaidMs = now;
    const options = { key: this.#person.mark, ttlMs: TYPING_SHOWN_MS, idempotencyKey: null };
    // It is no loss if nobody learns of it.
    this.#typing.publish({ name: this.#person.name }, options).catch(() => {});
  }

  #hear(message) {
    const said = saidIn(message);
    if (said === null) return;
    this.#endTyping(said.person.mark);
    this.#listener.onSaid(said);
  }

  #present(members, { joined, left }) {
    const people = new Map();
    for (const member of members) {
      const person = personOf(member);
      if (person) people.set(person.mark, person);
    }
    this.#listener.onPeople([...people.values()].sort((a, b) => a.name.localeCompare(b.name)));
    // Those who were here before are no news.
    if (this.#isIn) {
      for (const member of joined) this.#come(personOf(member));
      for (const member of left) this.#go(personOf(member));
    }
    this.#isIn = true;
  }

  #come(person) {
    if (person === null || person.mark === this.#person.mark) return;
    const timer = this.#leaving.get(person.mark);
    clearTimeout(timer);
    this.#leaving.delete(person.mark);
    if (timer === undefined) this.#listener.onMove(person, true);
  }

  #go(person) {
    if (person === null || person.mark === this.#person.mark) return;
    this.#endTyping(person.mark);
    const timer = setTimeout(() => {
      this.#leaving.delete(person.mark);
      this.#listener.onMove(person, false);
    }, LEAVE_AFTER_MS);
    this.#leaving.set(person.mark, timer);
  }

  async #followTyping() {
    const { signal } = this.#leave;
    try {
      await found(this.#typing, this.#typing, { persistence: "memory", maxMessages: 100 }, signal);
      for await (const message of this.#typing.subscribe({ signal })) {
        if (message.key !== this.#person.mark) this.#hearTyping(message);
      }
    } catch {
      // Then nobody is seen typing; the messages come all the same.
    }
  }

  #hearTyping(message) {
    const name = nameIn(message);
    const { key } = message;
    const isNew = !this.#typists.has(key);
    if (name === "" || (isNew && this.#typists.size >= TYPISTS_MAX)) return;
    clearTimeout(this.#typists.get(key)?.timer);
    const timer = setTimeout(() => this.#endTyping(key), TYPING_SHOWN_MS);
    this.#typists.set(key, { name, timer });
    this.#tellTyping();
  }

  #endTyping(mark) {
    clearTimeout(this.#typists.get(mark)?.timer);
    if (this.#typists.delete(mark)) this.#tellTyping();
  }

  #tellTyping() {
    this.#listener.onTyping([...this.#typists.values()].map(({ name }) => name));
  }
}

/**
 * The bounds of a topic's log. One that nobody was in yet comes into being with this.
 * @param {import("/client/index.js").Topic} quiet the same, by a client that asks nobody for a token
 */
async function found(quiet, topic, config, signal) {
  try {
    return await quiet.configure(config, { signal });
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) throw error;
  }
  try {
    // Who has no token, in a room that is open to everybody, may read and not configure.
    return await topic.read({ fromSeq: "latest", limit: 1, signal });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    return topic.configure(config, { signal });
  }
}

function nameIn(message) {
  try {
    return cleanName(message.json().name);
  } catch {
    return "";
  }
}

/** A message of the topic as something said; nothing where it is none: anybody may publish. */
function saidIn(message) {
  try {
    const { ref, text, name } = message.json();
    const person = { mark: message.key ?? "", name: cleanName(name) };
    if (typeof text !== "string" || person.name === "") return null;
    const { seq, timestampMs: atMs } = message;
    return { seq, ref: String(ref), person, text: text.slice(0, TEXT_CHARS_MAX), atMs };
  } catch {
    return null;
  }
}
