// Browsing: what is in the queue, without leasing it, page by page.

import { browse } from "../calls.js";
import { linkTo } from "./app.js";
import { curlBox } from "./curl.js";
import { fill, h } from "../dom.js";
import { showProblem } from "./fields.js";
import { age, count, preview } from "../format.js";
import { stateTag } from "./message-view.js";

const PAGE_MESSAGES = 25;

/** @param {import("./queue-page.js").QueuePage} page */
export function messageListTab(page) {
  const list = new MessageList(page);
  return { element: list.element, onShow: () => list.load() };
}

class MessageList {
  constructor(page) {
    this.page = page;
    /** Where each page up to the shown one begins: after this number. */
    this.starts = [0];
    this.lastSeq = 0;
    this.body = h("tbody");
    this.table = h(
      "table",
      { class: "messages" },
      h("caption", { class: "visually-hidden" }, "Messages in the queue, by number"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Number", "State", "Age", "Attempts", "Key", "Body"].map((name) =>
            h("th", { scope: "col" }, name),
          ),
        ),
      ),
      this.body,
    );
    this.empty = h("p", { class: "muted", hidden: true });
    this.problem = h("div", { class: "problem", role: "alert", hidden: true });
    this.curl = curlBox(page.app, "Browse");
    const go = (label, step) =>
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            step();
            this.load();
          },
        },
        label,
      );
    this.back = go("Previous page", () => this.starts.pop());
    this.forth = go("Next page", () => this.starts.push(this.lastSeq));
    this.element = h(
      "div",
      { class: "card stack" },
      h(
        "div",
        { class: "row spread" },
        h("p", { class: "muted small" }, "Looking does not lease: nothing is taken from anybody."),
        h(
          "div",
          { class: "row" },
          this.back,
          this.forth,
          go("Reload", () => {}),
        ),
      ),
      this.problem,
      this.empty,
      h("div", { class: "listing" }, this.table),
      this.curl.element,
    );
  }

  async load() {
    const call = browse(this.page.name, { limit: PAGE_MESSAGES, after_seq: this.starts.at(-1) });
    this.curl.show(call);
    try {
      const { messages } = await this.page.app.send(call, { signal: this.page.signal });
      this.show(messages);
    } catch (error) {
      if (error.name !== "AbortError") showProblem(this.problem, error);
    }
  }

  show(messages) {
    this.problem.hidden = true;
    this.lastSeq = messages.at(-1)?.seq ?? 0;
    this.back.disabled = this.starts.length === 1;
    this.forth.disabled = messages.length < PAGE_MESSAGES;
    this.table.hidden = messages.length === 0;
    this.empty.hidden = messages.length > 0;
    fill(this.empty, this.starts.length > 1 ? "Nothing after this." : "The queue is empty.");
    fill(
      this.body,
      messages.map((message) => this.row(message)),
    );
  }

  row(message) {
    const link = linkTo("queues", this.page.name, "messages", message.id);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: link, title: message.id }, count(message.seq))),
      h("td", { "data-heading": "State" }, message.state ? stateTag(message.state) : "–"),
      h("td", { "data-heading": "Age" }, age(message.timestamp_ms)),
      h("td", { "data-heading": "Attempts" }, count(message.attempts)),
      h("td", { "data-heading": "Key", class: "mono" }, message.key ?? "–"),
      h("td", { "data-heading": "Body", class: "mono body" }, preview(message)),
    );
  }
}
