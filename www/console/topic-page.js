// One topic: its figures, and a tab for each thing that can be done with it.

import { deleteTopic, getTopic, putTopic } from "../calls.js";
import { configurationTab } from "./configuration.js";
import { h } from "../dom.js";
import { Figures } from "./figures.js";
import { age, bytes, count } from "../format.js";
import { LivePage } from "./live-page.js";
import { tailTab } from "./tail.js";
import { section } from "./operations.js";
import { subscriptionsTab } from "./subscriptions.js";
import { TOPIC_GROUPS, TOPIC_MEMBERS } from "./topic-fields.js";
import { topicPublishTab } from "./topic-publish.js";

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
export class TopicPage extends LivePage {
  /** @param {import("./app.js").App} app @param {string} name @param {AbortSignal} signal */
  constructor(app, name, signal) {
    super(app, name, signal, { kind: "topics", tabs: TABS, get: getTopic });
    this.figures = new Figures(FIGURES);
    this.start();
  }

  build() {
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
