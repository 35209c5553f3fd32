// The list of queues with their live figures, and the making of new ones.

import { getQueue, listQueues, putQueue } from "../calls.js";
import { linkTo } from "./app.js";
import { creationForm } from "./creation.js";
import { h } from "../dom.js";
import { makeExample } from "./example.js";
import { numberOf, showProblem } from "./fields.js";
import { waitingIn } from "./figures.js";
import { age, count } from "../format.js";
import { LiveTable, Pages, listTabs } from "./live-table.js";
import { poll } from "./polling.js";

const EVERY_MS = 2000;
const PAGE_QUEUES = 50;

/** Heading, what a queue has to say, and what it means. */
const COLUMNS = [
  ["Waiting", (queue) => count(waitingIn(queue)), "messages ready to be pulled"],
  ["In flight", (queue) => count(queue.in_flight), "leased and not acknowledged yet"],
  ["Delayed", (queue) => count(queue.delayed), "not due yet"],
  ["Accepted", (queue) => count(queue.accepted_total), "publishes taken, ever"],
  ["Rejected", (queue) => count(queue.rejected_total), "publishes refused, ever"],
  ["Acked", (queue) => count(queue.acked_total), "acknowledged, ever"],
  ["Dead", (queue) => count(queue.dead_total), "given up, ever"],
  ["Oldest", (queue) => age(queue.oldest_at_ms), "age of the oldest message"],
];

/**
 * @param {import("./app.js").App} app
 * @param {AbortSignal} signal aborted when the page is left
 * @returns {HTMLElement}
 */
export function queueListPage(app, signal) {
  const table = new LiveTable({
    kind: "queue",
    heading: "Queue",
    caption: "Queues and their live figures",
    columns: COLUMNS,
    tagOf: ({ paused }) => paused && "paused",
  });
  const welcome = emptyState(app);
  const pages = new Pages(() => polling.now());
  const polling = poll(
    async () => {
      const page = await app.send(
        listQueues({ limit: PAGE_QUEUES, cursor: pages.cursor }),
        { signal },
      );
      const isEmpty = page.queues.length === 0 && pages.isFirst;
      table.element.hidden = isEmpty;
      welcome.hidden = !isEmpty;
      pages.show(page.cursor);
      table.show(page.queues);
    },
    { everyMs: EVERY_MS, signal, onOutcome: (error) => app.showTrouble(error) },
  );

  return h(
    "div",
    { class: "stack page" },
    listTabs("queues"),
    h(
      "div",
      { class: "row spread" },
      h(
        "div",
        {},
        h("h1", {}, "Queues"),
        h("p", { class: "lead" }, "Figures are live, every two seconds."),
      ),
      h("a", { class: "button", href: "/demo/flash-sale/" }, "Open the flash sale"),
    ),
    welcome,
    table.element,
    pages.element,
    creationForm(app, {
      kind: "queue",
      specs: FIELDS,
      configurationOf,
      get: getQueue,
      put: putQueue,
      note: "Everything else can be set afterwards, live.",
    }),
  );
}

function emptyState(app) {
  const problem = h("div", { class: "problem", role: "alert", hidden: true });
  const make = h(
    "button",
    {
      type: "button",
      class: "main",
      onclick: async () => {
        make.disabled = true;
        try {
          location.hash = linkTo("queues", await makeExample(app.client), "messages");
        } catch (error) {
          showProblem(problem, error);
        }
        make.disabled = false;
      },
    },
    "Make an example queue",
  );
  return h(
    "section",
    { class: "card welcome", hidden: true },
    h("h2", {}, "No queues yet"),
    h(
      "p",
      { class: "muted" },
      "A queue takes messages up to the capacity you set, refuses the rest at once, and hands ",
      "what it took to your workers at their pace. Start with one that has a few orders in it, ",
      "or watch a whole flash sale happen.",
    ),
    h(
      "div",
      { class: "row" },
      make,
      h("a", { class: "button", href: "/demo/flash-sale/" }, "Watch a flash sale"),
    ),
    problem,
  );
}

const FIELDS = [
  {
    name: "capacity.max_accepted",
    label: "Total stock",
    unit: "messages",
    hint: "The number ever accepted. Empty: no bound",
  },
  {
    name: "capacity.max_messages",
    label: "Backlog",
    unit: "messages",
    hint: "The number that may wait at a time. Empty: 100,000",
  },
];

function configurationOf(fields) {
  const capacity = {};
  for (const name of ["max_accepted", "max_messages"]) {
    const text = fields.text(`capacity.${name}`);
    if (text !== "") capacity[name] = numberOf(text);
  }
  return Object.keys(capacity).length > 0 ? { capacity } : {};
}
