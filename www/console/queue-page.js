// One queue: its figures, and a tab for each thing that can be done with it.

import { getQueue, operate } from "../calls.js";
import { configurationTab } from "./configuration.js";
import { deliveriesTab } from "./deliveries.js";
import { Endpoint } from "./endpoint.js";
import { fill, h } from "../dom.js";
import { showProblem } from "./fields.js";
import { Figures } from "./figures.js";
import { LivePage } from "./live-page.js";
import { messageListTab } from "./message-list.js";
import { messageView } from "./message-view.js";
import { operationsTab } from "./operations.js";
import { publishTab } from "./publish.js";

const TABS = [
  ["publish", "Publish", publishTab],
  ["messages", "Messages", messageListTab],
  ["deliveries", "Pull & acknowledge", deliveriesTab],
  ["configuration", "Configuration", configurationTab],
  ["operations", "Operations", operationsTab],
];

/** The page of one queue. */
export class QueuePage extends LivePage {
  /** @param {import("./app.js").App} app @param {string} name @param {AbortSignal} signal */
  constructor(app, name, signal) {
    super(app, name, signal, { kind: "queues", tabs: TABS, get: getQueue });
    this.leaveMessage = new AbortController();
    signal.addEventListener("abort", () => this.leaveMessage.abort());
    this.figures = new Figures();
    this.endpoint = new Endpoint(this);
    this.start();
  }

  build() {
    this.paused = h("span", { class: "tag warn", hidden: true }, "paused");
    this.pause = h("button", { type: "button", onclick: () => this.togglePause() }, "Pause");
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
  open(tab, id = undefined) {
    this.leaveMessage.abort();
    if (tab !== "messages" || !id) {
      super.open(tab);
      return;
    }
    this.mark(tab);
    this.leaveMessage = new AbortController();
    fill(this.panel, messageView(this, id, this.leaveMessage.signal));
  }

  take(queue) {
    this.endpoint.show(queue);
    this.paused.hidden = !queue.paused;
    this.pause.textContent = queue.paused ? "Resume" : "Pause";
    super.take(queue);
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
