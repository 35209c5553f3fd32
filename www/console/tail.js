// The live tail: a topic's messages as they come, from any place in it, through a filter.

import { followTopic } from "../calls.js";
import { curlBox } from "./curl.js";
import { fill, h, setText } from "../dom.js";
import { FieldSet, numberOf, parseJson } from "./fields.js";
import { count, preview, timeOfDay } from "../format.js";

/** Rows that are kept on the page. */
const ROWS_MAX = 200;
const PREVIEW_CHARS = 200;

const SPECS = [
  {
    name: "from_seq",
    label: "From",
    value: "earliest",
    hint: "earliest, latest, last_per_key or a number",
    suggestions: ["earliest", "latest", "last_per_key"],
  },
  {
    name: "filter",
    label: "Filter",
    placeholder: "region = 'eu'",
    hint: "A selector over attributes, or an event pattern as JSON. Empty: all",
  },
];

/** @param {import("./topic-page.js").TopicPage} page */
export function tailTab(page) {
  const tail = new Tail(page);
  page.signal.addEventListener("abort", () => tail.stop());
  return { element: tail.element, onShow: () => tail.start(), onHide: () => tail.stop() };
}

class Tail {
  constructor(page) {
    this.page = page;
    this.leave = new AbortController();
    this.seen = 0;
    this.fields = new FieldSet(SPECS);
    this.curl = curlBox(page.app, "Follow the topic");
    this.state = h("span", { class: "tag", role: "status" }, "stopped");
    this.sum = h("span", { class: "muted small" });
    this.button = h("button", { type: "button", onclick: () => this.toggle() }, "Stop");
    this.body = h("tbody");
    const headings = ["Number", "Time", "Key", "Attributes", "Body"];
    this.table = h(
      "table",
      { class: "messages" },
      h("caption", { class: "visually-hidden" }, "Messages of the topic, the newest first"),
      h("thead", {}, h("tr", {}, headings.map((name) => h("th", { scope: "col" }, name)))),
      this.body,
    );
    const follow = (event) => {
      event.preventDefault();
      this.stop();
      this.start();
    };
    this.element = h(
      "form",
      { class: "card stack", oninput: () => this.showCurl(), onsubmit: follow },
      h("div", { class: "fields" }, this.fields.elements()),
      this.fields.general,
      h("div", { class: "row" }, h("button", { class: "main" }, "Follow"), this.button, this.state,
        this.sum),
      h("div", { class: "listing" }, this.table),
      this.curl.element,
    );
    this.showCurl();
  }

  /** Where and what; throws a FieldError where the filter is no JSON although it begins so. */
  options() {
    const from = numberOf(this.fields.text("from_seq") || "latest");
    const text = this.fields.text("filter");
    const filter = text.startsWith("{") ? parseJson(text, "filter") : text || undefined;
    return { fromSeq: from, filter };
  }

  showCurl() {
    const from_seq = this.fields.text("from_seq") || "latest";
    const filter = this.fields.text("filter") || undefined;
    this.curl.show(followTopic(this.page.name, { from_seq, ...(filter && { filter }) }));
  }

  toggle() {
    if (this.leave.signal.aborted) this.start();
    else this.stop();
  }

  stop() {
    this.leave.abort();
    this.showState("stopped", "");
    setText(this.button, "Go on");
  }

  async start() {
    this.leave.abort();
    this.leave = new AbortController();
    const { signal } = this.leave;
    this.fields.clear();
    this.seen = 0;
    fill(this.body);
    setText(this.sum, "");
    setText(this.button, "Stop");
    this.showState("connecting", "");
    try {
      const topic = this.page.app.client.topic(this.page.name);
      const callbacks = {
        onState: (state) => {
          if (!signal.aborted) this.showState(state, state === "open" ? "on" : "warn");
        },
        onLagged: ({ missed }) => missed > 0 && this.page.app.say(`${count(missed)} are gone.`),
      };
      for await (const message of topic.subscribe({ ...this.options(), ...callbacks, signal })) {
        this.add(message);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.stop();
      this.fields.show(error);
    }
  }

  showState(text, kind) {
    this.state.className = `tag ${kind}`;
    setText(this.state, text);
  }

  add(message) {
    this.seen += 1;
    setText(this.sum, this.seen > ROWS_MAX
      ? `${count(this.seen)} seen, the last ${count(ROWS_MAX)} shown`
      : `${count(this.seen)} seen`);
    const { seq, key, attributes, timestampMs } = message;
    const pairs = Object.entries(attributes).map(([name, value]) => `${name}=${value}`);
    const row = h(
      "tr",
      { "data-seq": seq },
      h("th", { scope: "row" }, count(seq)),
      h("td", { "data-heading": "Time" }, timeOfDay(timestampMs)),
      h("td", { "data-heading": "Key", class: "mono wrap-anywhere" }, key ?? "–"),
      h("td", { "data-heading": "Attributes", class: "mono body" }, pairs.join(", ") || "–"),
      h("td", { "data-heading": "Body", class: "mono body" },
        preview({ body: message.text() }, PREVIEW_CHARS)),
    );
    this.body.prepend(row);
    while (this.body.rows.length > ROWS_MAX) this.body.lastElementChild.remove();
  }
}
