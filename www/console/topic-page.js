// One topic: its figures, and a tab for each thing that can be done with it. Tabs are made when
// they are first opened, and keep what was typed into them.

import { deleteTopic, getTopic, putTopic } from "../calls.js";
import { linkTo } from "./app.js";
import { configurationTab } from "./configuration.js";
import { fill, h } from "../dom.js";
import { showProblem } from "./fields.js";
import { Figures } from "./figures.js";
import { age, bytes, count } from "../format.js";
import { tailTab } from "./tail.js";
import { section } from "./operations.js";
import { poll } from "./polling.js";
import { subscriptionsTab } from "./subscriptions.js";
import { TOPIC_GROUPS, TOPIC_MEMBERS } from "./topic-fields.js";
import { topicPublishTab } from "./topic-publish.js";

const EVERY_MS = 2000;

const TABS = [
  ["tail", "Live tail", tailTab],
  ["publish", "Publish", topicPublishTab],
  ["subscriptions", "Subscriptions", subscriptionsTab],
  ["configuration", "Configuration", (page) =>
    configurationTab(page, { groups: TOPIC_GROUPS, members: TOPIC_MEMBERS, put: putTopic })],
  ["operations", "Operations", operationsTab],
];

/** Label, the figure, and a line below it; all of the topic as the server describes it. */
const FIGURES = [
  ["Messages", (t) => count(t.messages), (t) => `of ${count(t.max_messages)} at most`],
  ["Size", (t) => bytes(t.bytes), (t) => `of ${bytes(t.max_bytes)} at most`],
  ["First", (t) => count(t.first_seq), () => "number that can be read"],
  ["Last", (t) => count(t.last_seq), (t) => `${count(t.accepted_total)} accepted`],
  ["Readers", (t) => count(t.readers), (t) => `${count(t.members?.length)} with a name`],
  ["Subscriptions", (t) => count(t.subscriptions), () => "durable"],
  ["Lag", (t) => count(t.lag_max), () => "of the furthest behind"],
  ["Oldest", (t) => age(t.oldest_at_ms), (t) => t.persistence],
];

/** The page of one topic. */
export class TopicPage {
  /** @param {import("./app.js").App} app @param {string} name @param {AbortSignal} signal */
  constructor(app, name, signal) {
    this.app = app;
    this.name = name;
    this.signal = signal;
    /** What the server last said of the topic; null before that. */
    this.description = null;
    this.listeners = new Set();
    this.tabs = new Map();
    this.shown = null;
    this.figures = new Figures(FIGURES);
    this.element = this.build();
    this.polling = poll(() => this.refresh(), {
      everyMs: EVERY_MS,
      signal,
      onOutcome: (error) => this.outcome(error),
    });
  }

  build() {
    this.gone = h("div", { class: "problem", role: "alert", hidden: true });
    this.panel = h("section", { class: "panel" });
    this.links = TABS.map(([tab, label]) =>
      h("a", { href: linkTo("topics", this.name, tab), "data-tab": tab }, label),
    );
    return h(
      "div",
      { class: "stack page" },
      h("nav", { class: "small", "aria-label": "Way back" },
        h("a", { href: "#/topics" }, "← All topics")),
      h("h1", { class: "wrap-anywhere" }, this.name),
      this.gone,
      this.figures.element,
      h("nav", { class: "tabs", "aria-label": "What to do with this topic" }, this.links),
      this.panel,
    );
  }

  /** Shows a tab. */
  open(tab = "tail") {
    const known = TABS.find(([name]) => name === tab) ?? TABS[0];
    for (const link of this.links) {
      if (link.dataset.tab === known[0]) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.shown?.onHide?.();
    if (!this.tabs.has(known[0])) this.tabs.set(known[0], known[2](this));
    this.shown = this.tabs.get(known[0]);
    fill(this.panel, this.shown.element);
    this.shown.onShow?.();
  }

  /** Sends a call, and brings the figures up to date; what comes is the answer's JSON. */
  async send(call, options) {
    const answer = await this.app.send(call, options);
    this.polling.now();
    return answer;
  }

  /** Calls back with the topic, now where it is known, and whenever it was read. */
  onDescription(listener) {
    this.listeners.add(listener);
    if (this.description) listener(this.description);
  }

  async refresh() {
    this.take(await this.app.send(getTopic(this.name), { signal: this.signal }));
  }

  take(topic) {
    this.description = topic;
    this.figures.show(topic);
    for (const listener of this.listeners) listener(topic);
  }

  outcome(error) {
    const isGone = error?.type === "not-found";
    this.app.showTrouble(isGone ? null : error);
    if (isGone) showProblem(this.gone, error);
    else this.gone.hidden = true;
  }
}

/** @param {TopicPage} page */
function operationsTab(page) {
  const element = section(page, {
    title: "Delete",
    action: "Delete…",
    call: () => deleteTopic(page.name),
    done: "Deleted.",
    text: "Deletes the topic with its messages, its durable subscriptions and their queues.",
    danger: { title: `Delete ${page.name}?`, action: "Delete the topic" },
    leaves: "#/topics",
  });
  return { element };
}
