// The list of topics with their live figures, and the making of new ones.

import { getTopic, listTopics, putTopic } from "../calls.js";
import { linkTo } from "./app.js";
import { curlBox } from "./curl.js";
import { h } from "../dom.js";
import { FieldError, FieldSet, numberOf } from "./fields.js";
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
    creation(app),
  );
}

function creation(app) {
  const fields = new FieldSet([
    {
      name: "topic",
      label: "Name",
      placeholder: "shop/orders",
      hint: "1–128 of A–Z a–z 0–9 . _ - with / between levels",
    },
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
  ]);
  const curl = curlBox(app, "Create a topic");
  const call = () => putTopic(fields.text("topic") || "my-topic", configurationOf(fields));
  const update = () => curl.show(call());
  const form = h(
    "form",
    {
      class: "card stack",
      oninput: update,
      onsubmit: async (event) => {
        event.preventDefault();
        await create(app, fields, call());
      },
    },
    h("h2", {}, "New topic"),
    h("div", { class: "fields" }, fields.elements()),
    fields.general,
    h("div", { class: "row" }, h("button", { class: "main" }, "Create")),
    curl.element,
  );
  update();
  return form;
}

function configurationOf(fields) {
  const retention = fields.text("retention_ms");
  return {
    ...(retention !== "" && { retention_ms: numberOf(retention) }),
    ...(fields.text("persistence") === "memory" && { persistence: "memory" }),
  };
}

async function create(app, fields, call) {
  fields.clear();
  const name = fields.text("topic");
  try {
    if (name === "") throw new FieldError("topic", "A topic needs a name.");
    if (await exists(app, name)) {
      throw new FieldError("topic", "There is a topic of this name already. Open it to change it.");
    }
    await app.send(call);
    app.say(`Created ${name}.`);
    location.hash = linkTo("topics", name);
  } catch (error) {
    fields.show(error);
  }
}

/** PUT changes a topic that exists; whoever creates does not mean that. */
async function exists(app, name) {
  try {
    await app.send(getTopic(name));
    return true;
  } catch (error) {
    if (error.type === "not-found") return false;
    throw error;
  }
}
