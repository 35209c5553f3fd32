// What the pages of a queue and of a topic have in common: figures that are read again and again,
// and a tab for each thing that can be done. Tabs are made when they are first opened, and keep
// what was typed into them.

import { linkTo } from "./app.js";
import { fill, h } from "../dom.js";
import { showProblem } from "./fields.js";
import { poll } from "./polling.js";

const EVERY_MS = 2000;

/** A page of one thing. Whoever extends it has `figures`, and calls `start` when it is made. */
export class LivePage {
  /**
   * @param {import("./app.js").App} app
   * @param {string} name
   * @param {AbortSignal} signal aborted when the page is left
   * @param {object} of
   * @param {"queues" | "topics"} of.kind
   * @param {[string, string, (page: LivePage) => object][]} of.tabs name, label, and what makes one
   * @param {(name: string) => object} of.get the call that reads it
   */
  constructor(app, name, signal, { kind, tabs, get }) {
    this.app = app;
    this.name = name;
    this.signal = signal;
    this.known = tabs;
    this.get = get;
    /** What the server last said; null before that. */
    this.description = null;
    this.listeners = new Set();
    this.tabs = new Map();
    this.shown = null;
    this.gone = h("div", { class: "problem", role: "alert", hidden: true });
    this.panel = h("section", { class: "panel" });
    this.links = tabs.map(([tab, label]) =>
      h("a", { href: linkTo(kind, name, tab), "data-tab": tab }, label),
    );
  }

  start() {
    this.element = this.build();
    this.polling = poll(() => this.refresh(), {
      everyMs: EVERY_MS,
      signal: this.signal,
      onOutcome: (error) => this.outcome(error),
    });
  }

  /** Shows a tab; the first one where there is none of this name. */
  open(tab) {
    this.shown?.onHide?.();
    const [name, , make] = this.mark(tab);
    if (!this.tabs.has(name)) this.tabs.set(name, make(this));
    this.shown = this.tabs.get(name);
    fill(this.panel, this.shown.element);
    this.shown.onShow?.();
  }

  /** Marks a tab as the one that is open. */
  mark(tab) {
    const known = this.known.find(([name]) => name === tab) ?? this.known[0];
    for (const link of this.links) {
      if (link.dataset.tab === known[0]) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    return known;
  }

  /** Sends a call, and brings the figures up to date; what comes is the answer's JSON. */
  async send(call, options) {
    const answer = await this.app.send(call, options);
    this.polling.now();
    return answer;
  }

  /** Calls back with the description, now where it is known, and whenever it was read. */
  onDescription(listener) {
    this.listeners.add(listener);
    if (this.description) listener(this.description);
  }

  async refresh() {
    this.take(await this.app.send(this.get(this.name), { signal: this.signal }));
  }

  take(description) {
    this.description = description;
    this.figures.show(description);
    for (const listener of this.listeners) listener(description);
  }

  outcome(error) {
    const isGone = error?.type === "not-found";
    this.app.showTrouble(isGone ? null : error);
    if (isGone) showProblem(this.gone, error);
    else this.gone.hidden = true;
  }
}
