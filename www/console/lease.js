// One leased message: how long it is still ours, and what to do with it.

import { ack } from "../calls.js";
import { linkTo } from "./app.js";
import { curlBox } from "./curl.js";
import { h, setText } from "../dom.js";
import { FieldError, FieldSet, numberOf, parseJson } from "./fields.js";
import { count } from "../format.js";

const SPECS = [
  {
    name: "result",
    label: "Result, as JSON",
    placeholder: '{"order": 1}',
    hint: "Its publisher can read it. Empty: none",
  },
  { name: "delay_ms", label: "Retry after", unit: "ms", hint: "Empty: the queue's backoff" },
  {
    name: "visibility_timeout_ms",
    label: "Extend to",
    unit: "ms",
    value: "30000",
    hint: "From now on",
  },
];

/** What has to go right for each verb, as the answer counts it. */
const VERBS = {
  acks: { counted: "acked", done: "Acknowledged", field: "result", ends: true },
  retries: { counted: "retried", done: "Given back", field: "delay_ms", ends: true },
  extends: { counted: "extended", done: "Extended", field: "visibility_timeout_ms", ends: false },
};

/** A lease of this tab. */
export class Lease {
  /** @param {any} message as pulled @param {number} untilMs by this machine's clock */
  constructor(message, untilMs) {
    this.message = message;
    this.untilMs = untilMs;
    this.lengthMs = Math.max(1, untilMs - Date.now());
  }

  /** Builds its card on a page. */
  attach(page, onDone) {
    this.page = page;
    this.onDone = onDone;
    this.fields = new FieldSet(SPECS);
    this.countdown = h("span", { class: "tag on" });
    this.bar = h("progress", { max: 1, value: 1, "aria-label": "Time left of the lease" });
    this.curl = curlBox(page.app, `Acknowledge message ${this.message.seq}`);
    this.element = this.build();
    this.showCurl("acks");
    this.tick();
  }

  build() {
    const { seq, id, body, key, attempts } = this.message;
    const verb = (name, label, kind) =>
      h(
        "button",
        {
          type: "button",
          class: kind,
          onclick: () => this.settle(name),
          onfocus: () => this.showCurl(name),
          "aria-label": `${label} message ${seq}`,
        },
        label,
      );
    const pair = (field, button) =>
      h(
        "div",
        { class: "pair", onfocusin: () => this.showCurl(button.dataset.verb) },
        this.fields.get(field).element,
        button,
      );
    const named = (name, ...rest) => {
      const button = verb(name, ...rest);
      button.dataset.verb = name;
      return button;
    };
    return h(
      "li",
      { class: "card stack", oninput: () => this.showCurl(this.shown) },
      h(
        "div",
        { class: "row spread" },
        h(
          "div",
          { class: "row" },
          h(
            "a",
            { href: linkTo("queues", this.page.name, "messages", id) },
            h("b", {}, `Number ${count(seq)}`),
          ),
          key && h("span", { class: "mono muted wrap-anywhere" }, key),
          h(
            "span",
            { class: "muted small" },
            attempts === 1 ? "first attempt" : `attempt ${attempts}`,
          ),
        ),
        this.countdown,
      ),
      this.bar,
      h("pre", { class: "content" }, typeof body === "string" ? body : JSON.stringify(body)),
      h(
        "div",
        { class: "verbs" },
        pair("result", named("acks", "Acknowledge", "main")),
        pair("delay_ms", named("retries", "Retry")),
        pair("visibility_timeout_ms", named("extends", "Extend")),
      ),
      this.fields.general,
      this.curl.element,
    );
  }

  /** The entry for one verb; throws a FieldError where the result is no JSON. */
  entry(verb) {
    const entry = { lease_id: this.message.lease_id };
    const { field } = VERBS[verb];
    const text = this.fields.text(field);
    if (text === "") return entry;
    return { ...entry, [field]: field === "result" ? parseJson(text, field) : numberOf(text) };
  }

  showCurl(verb) {
    this.shown = verb;
    try {
      this.curl.show(ack(this.page.name, { [verb]: [this.entry(verb)] }));
    } catch {
      // What is typed is not finished; the last line stays.
    }
  }

  async settle(verb) {
    const { counted, done, field, ends } = VERBS[verb];
    this.fields.clear();
    try {
      const entry = this.entry(verb);
      const answer = await this.page.send(ack(this.page.name, { [verb]: [entry] }));
      if (answer[counted] !== 1) throw refused(answer.errors?.[0]?.error);
      this.page.app.say(`${done}: number ${count(this.message.seq)}.`);
      if (ends) this.onDone(this);
      else this.extend(Number(entry[field] ?? this.lengthMs));
    } catch (error) {
      this.fields.show(error);
    }
  }

  extend(ms) {
    this.lengthMs = ms;
    this.untilMs = Date.now() + ms;
    this.tick();
  }

  tick() {
    const left = Math.max(0, this.untilMs - Date.now());
    setText(this.countdown, left > 0 ? `${Math.ceil(left / 1000)} s left` : "lease has run out");
    this.countdown.className = left > 0 ? "tag on" : "tag bad";
    this.bar.value = left / this.lengthMs;
  }
}

/** An entry's own error, which may be a problem document or its slug. */
function refused(problem = {}) {
  if (typeof problem === "string") return new Error(problem);
  return new FieldError(
    problem.field,
    problem.detail ?? problem.title ?? "The server did not take it.",
  );
}
