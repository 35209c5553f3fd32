// A list of queues or topics with figures that change: its table, the way through its pages, and
// the way from one list to the other.

import { linkTo } from "./app.js";
import { h, setText } from "../dom.js";

/**
 * @typedef {[heading: string, read: (item: any) => string, title: string]} Column
 *
 * @typedef {object} TableSpec
 * @property {"queue" | "topic"} kind
 * @property {string} heading of the names
 * @property {string} caption
 * @property {Column[]} columns
 * @property {(item: any) => string | false | undefined} tagOf a word beside the name, if any
 */

/** Rows are kept and only their figures change, so that focus and selection last. */
export class LiveTable {
  #spec;
  #body = h("tbody");

  /** @param {TableSpec} spec */
  constructor(spec) {
    this.#spec = spec;
    const { heading, caption, columns } = spec;
    const headings = columns.map(([name, , title]) => h("th", { scope: "col", title }, name));
    this.element = h(
      "div",
      { class: "card listing", hidden: true },
      h(
        "table",
        { class: "queues" },
        h("caption", { class: "visually-hidden" }, caption),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, heading), headings)),
        this.#body,
      ),
    );
  }

  /** @param {any[]} items as the server describes them */
  show(items) {
    const { kind, columns, tagOf } = this.#spec;
    const known = new Map([...this.#body.rows].map((row) => [row.dataset[kind], row]));
    const rows = items.map((item) => {
      const row = known.get(item.name) ?? this.#row(item.name);
      columns.forEach(([, read], at) => {
        const cell = row.cells[at + 1];
        const text = read(item);
        setText(cell, text);
        cell.classList.toggle("zero", text === "0" || text === "–");
      });
      const word = tagOf(item);
      const tag = row.querySelector(".tag");
      tag.hidden = !word;
      if (word) setText(tag, word);
      return row;
    });
    const { rows: shown } = this.#body;
    const isSame = rows.length === shown.length && rows.every((row, at) => row === shown[at]);
    if (!isSame) this.#body.replaceChildren(...rows);
  }

  #row(name) {
    const { kind, columns } = this.#spec;
    return h(
      "tr",
      { [`data-${kind}`]: name },
      h(
        "th",
        { scope: "row" },
        h("a", { class: "wrap-anywhere", href: linkTo(`${kind}s`, name) }, name),
        " ",
        h("span", { class: "tag warn", hidden: true }),
      ),
      columns.map(([heading]) => h("td", { "data-heading": heading })),
    );
  }
}

/** The way through a list that has several pages. */
export class Pages {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.cursors = [undefined];
    this.next = undefined;
    const go = (step) => () => {
      step();
      onChange();
    };
    this.back = h(
      "button",
      { type: "button", onclick: go(() => this.cursors.pop()) },
      "Previous page",
    );
    this.forth = h(
      "button",
      { type: "button", onclick: go(() => this.cursors.push(this.next)) },
      "Next page",
    );
    this.element = h(
      "nav",
      { class: "row", "aria-label": "Pages of the list", hidden: true },
      this.back,
      this.forth,
    );
  }

  get cursor() {
    return this.cursors.at(-1);
  }

  get isFirst() {
    return this.cursors.length === 1;
  }

  show(next) {
    this.next = next;
    this.back.disabled = this.isFirst;
    this.forth.disabled = next === undefined;
    this.element.hidden = this.isFirst && next === undefined;
  }
}

/** @param {"queues" | "topics"} current @returns {HTMLElement} */
export function listTabs(current) {
  const lists = [["queues", "Queues", "#/"], ["topics", "Topics", "#/topics"]];
  return h(
    "nav",
    { class: "tabs", "aria-label": "Lists" },
    lists.map(([name, label, href]) =>
      h("a", { href, "aria-current": name === current ? "page" : null }, label)),
  );
}
