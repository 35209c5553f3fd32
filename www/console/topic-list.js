// The list of topics with their live figures, and the making of new ones.

import { getTopic, listTopics, putTopic } from "../calls.js";
import { creationForm } from "./creation.js";
import { h } from "../dom.js";
import { numberOf } from "./fields.js";
import { age, count } from "../format.js";
import { LiveTable, Pages, listTabs } from "./live-table.js";
import { poll } from "./polling.js";

const EVERY_MS = 2000;
const PAGE_TOPICS = 50;

/** Heading, what a topic has to say, and what it means. */
const COLUMNS = [
  ["Messages", (topic) => count(topic.messages), "that can be read"],
  ["Last", (topic) => count(topic.last_seq), "the last number given"],
  ["Readers", (topic) => count(topic.readers), "live, by event stream or WebSocket"],
  ["Subscriptions", (topic) => count(topic.subscriptions), "durable ones"],
  ["Lag", (topic) => count(topic.lag_max), "of the subscription that is furthest behind"],
  ["Oldest", (topic) => age(topic.oldest_at_ms), "age of the oldest message"],
];

/**
 * @param {import("./app.js").App} app
 * @param {AbortSignal} signal aborted when the page is left
 * @returns {HTMLElement}
 */
export function topicListPage(app, signal) {
  const table = new LiveTable({
    kind: "topic",
    heading: "Topic",
    caption: "Topics and their live figures",
    columns: COLUMNS,
    tagOf: ({ persistence }) => persistence === "memory" && "memory",
  });
  const welcome = h(
    "section",
    { class: "card welcome", hidden: true },
    h("h2", {}, "No topics yet"),
    h("p", { class: "muted" }, "A topic is a log: every subscriber gets every message, live or ",
      "at its own pace, and nobody takes one away from others. Make one below, or talk in one."),
    h("div", { class: "row" },
      h("a", { class: "button", href: "/demo/chat/" }, "Open the chat"),
      h("a", { class: "button", href: "/demo/orders/" }, "Open the shop")),
  );
  const pages = new Pages(() => polling.now());
  const polling = poll(
    async () => {
      const call = listTopics({ limit: PAGE_TOPICS, cursor: pages.cursor });
      const page = await app.send(call, { signal });
      const isEmpty = page.topics.length === 0 && pages.isFirst;
      table.element.hidden = isEmpty;
      welcome.hidden = !isEmpty;
      pages.show(page.cursor);
      table.show(page.topics);
    },
    { everyMs: EVERY_MS, signal, onOutcome: (error) => app.showTrouble(error) },
  );
  return h(
    "div",
    { class: "stack page" },
    listTabs("topics"),
    h("div", {}, h("h1", {}, "Topics"),
      h("p", { class: "lead" }, "Figures are live, every two seconds.")),
    welcome,
    table.element,
    pages.element,
    creationForm(app, {
      kind: "topic", specs: FIELDS, configurationOf, get: getTopic, put: putTopic,
    }),
  );
}

const FIELDS = [
  {
    name: "retention_ms",
    label: "Retention",
    unit: "ms",
    hint: "How long a message can be read. Empty: four days",
  },
  {
    name: "persistence",
    label: "Persistence",
    kind: "select",
    options: [["durable", "durable: on disk"], ["memory", "memory: costs no rows"]],
    hint: "Chosen now, and stays",
  },
];

function configurationOf(fields) {
  const retention = fields.text("retention_ms");
  return {
    ...(retention !== "" && { retention_ms: numberOf(retention) }),
    ...(fields.text("persistence") === "memory" && { persistence: "memory" }),
  };
}
