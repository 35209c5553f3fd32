// The messages on the page: in order, those of one person together, those on their way at the end.
// Everything goes in as text.

import { fill, h, setText } from "../../dom.js";
import { hueOf } from "./identity.js";

/** Elements on the page; beyond it the oldest make room, and can be looked back at. */
const SHOWN_MAX = 600;
/** Within this time messages of one person stand together. */
const TOGETHER_MS = 5 * 60_000;
/** Closer to the end than this, the reader is at the end. */
const END_PX = 60;

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const dayOf = (atMs) => DAY.format(new Date(atMs));

/** @typedef {import("./room.js").Said} Said */

export class Log {
  #box = document.querySelector("[data-log]");
  #list = document.querySelector("[data-messages]");
  #newer = document.querySelector("[data-newer]");
  /** Messages on their way, by their writer's number. */
  #pending = new Map();
  #ownMark = "";
  #onForget;
  #isAtEnd = true;

  /** @param {(seq: number) => void} onForget told before which number nothing is shown any more */
  constructor(onForget) {
    this.#onForget = onForget;
    this.#newer.addEventListener("click", () => this.toEnd());
    this.#box.addEventListener("scroll", () => {
      this.#isAtEnd = this.#isNearEnd();
      if (this.#isAtEnd) this.#newer.hidden = true;
    });
    // The keyboard of a phone takes room away: who was at the end stays there.
    new ResizeObserver(() => this.#isAtEnd && this.toEnd()).observe(this.#box);
  }

  /** Begins anew, for another room or person. */
  clear(ownMark) {
    this.#ownMark = ownMark;
    this.#pending.clear();
    fill(this.#list);
    this.#newer.hidden = true;
    this.#isAtEnd = true;
  }

  get isEmpty() {
    return this.#list.querySelector(".said") === null;
  }

  /** @param {Said} said what is in the log of the topic */
  add(said) {
    const own = this.#pending.get(said.ref);
    if (own && said.person.mark === this.#ownMark) {
      this.#pending.delete(said.ref);
      own.remove();
    }
    const first = this.#list.querySelector(".pending");
    this.#place(this.#item(said), first);
    this.#trim();
    this.#follow(said.person.mark === this.#ownMark);
  }

  /**
   * @param {Said} said what is on its way
   * @returns {(problem: string, again: () => void) => void} says that it has not arrived
   */
  addPending(said) {
    const item = this.#item(said);
    item.classList.add("pending");
    const state = h("span", { class: "fate muted", role: "status" }, "sending…");
    item.querySelector(".words").append(state);
    this.#pending.set(said.ref, item);
    this.#place(item, null);
    this.#follow(true);
    return (problem, again) => {
      const retry = h("button", {
        type: "button",
        class: "small",
        onclick: () => {
          fill(state, "sending…");
          again();
        },
      }, "Send again");
      fill(state, `Not sent: ${problem} `, retry);
    };
  }

  /** Something that happened, which is no part of the log. */
  note(text) {
    const first = this.#list.querySelector(".pending");
    this.#list.insertBefore(h("li", { class: "note-line muted small" }, text), first);
    this.#trim();
    this.#follow(false);
  }

  /** @param {Said[]} all earlier ones, in order; what is looked at stays where it is */
  addOlder(all) {
    const before = this.#box.scrollHeight - this.#box.scrollTop;
    const first = this.#list.firstElementChild;
    for (const said of all) this.#place(this.#item(said), first);
    if (first) this.#join(first);
    this.#box.scrollTop = this.#box.scrollHeight - before;
  }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#isAtEnd = true;
    this.#newer.hidden = true;
  }

  #item({ seq, person, text, atMs }) {
    const at = new Date(atMs);
    const isOwn = person.mark === this.#ownMark;
    const item = h(
      "li",
      { class: `said${isOwn ? " own" : ""}`, "data-mark": person.mark, "data-at": atMs },
      faceOf(person),
      h(
        "div",
        { class: "words" },
        h("p", { class: "who" }, h("b", {}, person.name), " ",
          h("time", { class: "muted", datetime: at.toISOString() }, TIME.format(at))),
        h("p", { class: "text" }, text),
      ),
    );
    if (seq !== null) item.dataset.seq = seq;
    return item;
  }

  #place(item, before) {
    this.#list.insertBefore(item, before);
    this.#join(item);
    if (before) this.#join(before);
  }

  /** Stands with the message before it, where that is the same person's; a new day is said. */
  #join(item) {
    if (!item.classList.contains("said")) return;
    let last = item.previousElementSibling;
    if (last?.classList.contains("day")) {
      last.remove();
      last = item.previousElementSibling;
    }
    while (last && !last.classList.contains("said")) last = last.previousElementSibling;
    const atMs = Number(item.dataset.at);
    const lastMs = Number(last?.dataset.at);
    const isNewDay = last !== null && dayOf(atMs) !== dayOf(lastMs);
    if (isNewDay) {
      this.#list.insertBefore(h("li", { class: "day muted small" }, dayOf(atMs)), item);
    }
    const isNext = last !== null && last === item.previousElementSibling;
    const goesOn = isNext && last.dataset.mark === item.dataset.mark && atMs - lastMs < TOGETHER_MS;
    item.classList.toggle("goes-on", goesOn);
  }

  #trim() {
    while (this.#list.childElementCount > SHOWN_MAX) {
      this.#list.firstElementChild.remove();
      const first = this.#list.querySelector("[data-seq]");
      if (first) this.#onForget(Number(first.dataset.seq));
    }
  }

  #isNearEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    return scrollHeight - scrollTop - clientHeight < END_PX;
  }

  #follow(isOwn) {
    if (this.#isAtEnd || isOwn) this.toEnd();
    else this.#newer.hidden = false;
  }
}

/** Who is here, as faces and names. */
export function showPeople(list, people, ownMark) {
  fill(list, people.map((person) =>
    h("li", {}, faceOf(person), h("span", { class: "wrap-anywhere" }, person.name),
      person.mark === ownMark && h("span", { class: "muted small" }, "you"))));
}

function faceOf({ mark, name }) {
  const initial = [...name][0].toUpperCase();
  const face = h("span", { class: "face", "aria-hidden": "true" }, initial);
  face.style.setProperty("--hue", hueOf(mark));
  return face;
}

/** `Ada is typing`, `Ada and Grace are typing`. */
export function showTyping(element, names) {
  const shown = names.length > 3 ? ["Several people"] : names;
  const listed = shown.length > 1
    ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`
    : shown.join("");
  const verb = names.length > 1 ? "are" : "is";
  setText(element, names.length === 0 ? "" : `${listed} ${verb} typing…`);
}
