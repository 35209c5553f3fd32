// What is done to a queue as a whole.

import { deleteQueue, operate } from "../calls.js";
import { askByName } from "./confirmation.js";
import { curlBox } from "./curl.js";
import { fill, h } from "../dom.js";
import { showProblem } from "./fields.js";
import { count } from "../format.js";

/** @param {import("./queue-page.js").QueuePage} page */
export function operationsTab(page) {
  const element = h(
    "div",
    { class: "stack" },
    section(page, {
      title: "Pause and resume",
      action: "Pause",
      call: () => operate(page.name, "pause"),
      done: "Paused.",
      text: "While paused, nothing is delivered. Publishing goes on, up to the capacity.",
      more: { action: "Resume", call: () => operate(page.name, "resume"), done: "Resumed." },
    }),
    section(page, {
      title: "Redrive",
      action: "Redrive dead letters",
      call: () => operate(page.name, "redrive"),
      text: "Moves the dead letters of this queue back into line, with a fresh count of attempts.",
      done: ({ moved }) => `${count(moved ?? 0)} moved back.`,
    }),
    section(page, {
      title: "Purge",
      action: "Purge…",
      call: () => operate(page.name, "purge"),
      done: "Purged.",
      text: "Drops every message, leased and delayed ones too, and makes the whole stock free.",
      danger: { title: `Purge ${page.name}?`, action: "Drop all messages" },
    }),
    section(page, {
      title: "Delete",
      action: "Delete…",
      call: () => deleteQueue(page.name),
      done: "Deleted.",
      text: "Deletes the queue with its configuration, its messages and their results.",
      danger: { title: `Delete ${page.name}?`, action: "Delete the queue" },
      leaves: "#/",
    }),
  );
  return { element };
}

/**
 * @param {any} page of a queue or a topic
 * @param {{ title: string, text: string, action: string, call: () => import("../calls.js").Call,
 *   done: string | ((answer: any) => string), danger?: object, more?: object, leaves?: string }}
 *   operation `leaves`: where to go afterwards
 * @returns {HTMLElement}
 */
export function section(page, operation) {
  const { title, text, danger, more } = operation;
  const problem = h("div", { class: "problem", role: "alert", hidden: true });
  const outcome = h("span", { class: "muted", "aria-live": "polite" });
  const curl = curlBox(page.app, title);
  curl.show(operation.call());
  const button = ({ action, ...rest }) =>
    h(
      "button",
      {
        type: "button",
        class: danger ? "danger" : null,
        onfocus: () => curl.show(rest.call()),
        onclick: () => start(page, { ...operation, ...rest }, problem, outcome),
      },
      action,
    );
  return h(
    "section",
    { class: danger ? "card stack dangerous" : "card stack" },
    h("h2", {}, title),
    h("p", { class: "muted" }, text),
    h("div", { class: "row" }, button(operation), more && button(more), outcome),
    problem,
    curl.element,
  );
}

async function start(page, operation, problem, outcome) {
  const { danger, text, done, leaves } = operation;
  problem.hidden = true;
  const run = async () => {
    const answer = await (leaves
      ? page.app.send(operation.call())
      : page.send(operation.call()));
    const said = typeof done === "function" ? done(answer) : done;
    fill(outcome, said);
    if (danger) page.app.say(`${page.name}: ${said}`);
    if (leaves) location.hash = leaves;
  };
  if (danger) {
    askByName({ ...danger, text, name: page.name, run });
    return;
  }
  await run().catch((error) => showProblem(problem, error));
}
