// One queue: its figures, and a tab for each thing that can be done with it. Tabs are made when
// they are first opened, and keep what was typed into them.

import { getQueue, operate } from "../calls.js";
import { linkTo } from "./app.js";
import { configurationTab } from "./configuration.js";
import { deliveriesTab } from "./deliveries.js";
import { Endpoint } from "./endpoint.js";
import { fill, h } from "../dom.js";
import { showProblem } from "./fields.js";
import { Figures } from "./figures.js";
import { messageListTab } from "./message-list.js";
import { messageView } from "./message-view.js";
import { operationsTab } from "./operations.js";
import { poll } from "./polling.js";
import { publishTab } from "./publish.js";

const EVERY_MS = 2000;

const TABS = [
  ["publish", "Publish", publishTab],
  ["messages", "Messages", messageListTab],
  ["deliveries", "Pull & acknowledge", deliveriesTab],
  ["configuration", "Configuration", configurationTab],
  ["operations", "Operations", operationsTab],
];

/** The page of one queue. */
export class QueuePage {
  /** @param {import("./app.js").App} app @param {string} name @param {AbortSignal} signal */
  constructor(app, name, signal) {
    this.app = app;
    this.name = name;
    this.signal = signal;
    /** What the server last said of the queue; null before that. */
    this.description = null;
    this.listeners = new Set();
    this.tabs = new Map();
    this.leaveMessage = new AbortController();
    signal.addEventListener("abort", () => this.leaveMessage.abort());
    this.figures = new Figures();
    this.endpoint = new Endpoint(this);
    this.element = this.build();
    this.polling = poll(() => this.refresh(), {
      everyMs: EVERY_MS,
      signal,
      onOutcome: (error) => this.outcome(error),
    });
  }

  build() {
    this.paused = h("span", { class: "tag warn", hidden: true }, "paused");
    this.pause = h("button", { type: "button", onclick: () => this.togglePause() }, "Pause");
    this.gone = h("div", { class: "problem", role: "alert", hidden: true });
    this.panel = h("section", { class: "panel" });
    this.links = TABS.map(([tab, label]) =>
      h("a", { href: linkTo("queues", this.name, tab), "data-tab": tab }, label),
    );
    return h(
      "div",
      { class: "stack page" },
      h(
        "nav",
        { class: "small", "aria-label": "Way back" },
        h("a", { href: "#/" }, "← All queues"),
      ),
      h(
        "div",
        { class: "row spread" },
        h(
          "div",
          { class: "row wrap-anywhere" },
          h("h1", { class: "wrap-anywhere" }, this.name),
          this.paused,
        ),
        h("div", { class: "row" }, this.pause),
      ),
      this.gone,
      this.endpoint.element,
      this.figures.element,
      h("nav", { class: "tabs", "aria-label": "What to do with this queue" }, this.links),
      this.panel,
    );
  }

  /** Shows a tab, or one message. */
  open(tab = "publish", id = undefined) {
    const known = TABS.find(([name]) => name === tab) ?? TABS[0];
    for (const link of this.links) {
      if (link.dataset.tab === known[0]) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.leaveMessage.abort();
    if (tab === "messages" && id) {
      this.leaveMessage = new AbortController();
      fill(this.panel, messageView(this, id, this.leaveMessage.signal));
      return;
    }
    if (!this.tabs.has(known[0])) this.tabs.set(known[0], known[2](this));
    const shown = this.tabs.get(known[0]);
    fill(this.panel, shown.element);
    shown.onShow?.();
  }

  /** Sends a call, and brings the figures up to date; what comes is the answer's JSON. */
  async send(call, options) {
    const answer = await this.app.send(call, options);
    this.polling.now();
    return answer;
  }

  /** Calls back with the queue, now where it is known, and whenever it was read. */
  onDescription(listener) {
    this.listeners.add(listener);
    if (this.description) listener(this.description);
  }

  async refresh() {
    this.take(await this.app.send(getQueue(this.name), { signal: this.signal }));
  }

  take(queue) {
    this.description = queue;
    this.figures.show(queue);
    this.endpoint.show(queue);
    this.paused.hidden = !queue.paused;
    this.pause.textContent = queue.paused ? "Resume" : "Pause";
    for (const listener of this.listeners) listener(queue);
  }

  outcome(error) {
    const isGone = error?.type === "not-found";
    this.app.showTrouble(isGone ? null : error);
    if (isGone) showProblem(this.gone, error);
    else this.gone.hidden = true;
  }

  async togglePause() {
    const operation = this.description?.paused ? "resume" : "pause";
    try {
      await this.send(operate(this.name, operation));
      this.app.say(operation === "pause" ? "Paused: nothing is delivered." : "Resumed.");
    } catch (error) {
      this.complain(error);
    }
  }

  /** Shows why something that was asked for failed. */
  complain(error) {
    showProblem(this.gone, error);
  }
}
