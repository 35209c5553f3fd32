// One message: its state as it changes, its result, its body, and what its publisher may still do.

import { browse, cancelMessage, confirmMessage, followMessage } from "../calls.js";
import { linkTo } from "./app.js";
import { curlBox } from "./curl.js";
import { fill, h } from "../dom.js";
import { showProblem } from "./fields.js";
import { count, timeOfDay } from "../format.js";

const CANCELLABLE = new Set(["held", "delayed", "queued"]);
const KINDS = {
  queued: "on",
  leased: "on",
  done: "on",
  delayed: "warn",
  held: "warn",
  dead: "bad",
};

const MEANINGS = {
  held: "It has its place and waits to be confirmed.",
  queued: "It waits to be pulled.",
  delayed: "It is not due yet.",
  leased: "A worker has it.",
  done: "It was acknowledged.",
  dead: "It was given up after its last attempt.",
  expired: "Its time ran out before anybody had finished it.",
  cancelled: "Its publisher took it back.",
};

/** A state as a small coloured word. */
export const stateTag = (state) => h("span", { class: `tag ${KINDS[state] ?? ""}` }, state);

function attemptsText(attempts) {
  if (attempts === undefined) return "attempts unknown";
  return attempts === 1 ? "1 attempt" : `${count(attempts)} attempts`;
}

/**
 * @param {import("./queue-page.js").QueuePage} page
 * @param {string} id
 * @param {AbortSignal} signal aborted when the view is left
 * @returns {HTMLElement}
 */
export function messageView(page, id, signal) {
  const view = new MessageView(page, id, signal);
  view.follow();
  view.readBody();
  return view.element;
}

class MessageView {
  constructor(page, id, signal) {
    Object.assign(this, { page, id, signal });
    this.headline = h("div", { class: "row", "aria-live": "polite" }, "Reading…");
    this.meaning = h("p", { class: "muted" });
    this.result = h("div", { class: "stack", hidden: true });
    this.body = h("div", { class: "stack", hidden: true });
    this.history = h("ul", { class: "history" });
    this.problem = h("div", { class: "problem", role: "alert", hidden: true });
    const act = (label, call, kind) =>
      h(
        "button",
        { type: "button", class: kind, hidden: true, onclick: () => this.act(call) },
        label,
      );
    this.confirm = act("Confirm", confirmMessage, "main");
    this.cancel = act("Cancel this message", cancelMessage, "danger");
    const curl = curlBox(page.app, "Follow the message");
    curl.show(followMessage(page.name, id));
    const back = linkTo("queues", page.name, "messages");
    this.element = h(
      "div",
      { class: "card stack" },
      h("div", {}, h("a", { class: "small", href: back }, "← All messages")),
      h("h2", { class: "mono wrap-anywhere" }, id),
      this.headline,
      this.meaning,
      h("div", { class: "row" }, this.confirm, this.cancel),
      this.problem,
      this.result,
      this.body,
      h("h3", {}, "What happened while you watch"),
      this.history,
      curl.element,
    );
  }

  /** Each change, up to the last; a stream that breaks is opened again by the client. */
  async follow() {
    try {
      for await (const state of this.message().states({ signal: this.signal })) this.show(state);
    } catch (error) {
      if (this.signal.aborted) return;
      const isGone = error.type === "not-found";
      fill(this.headline, isGone ? "Unknown, or forgotten." : "No answer.");
      showProblem(this.problem, error);
    }
  }

  message() {
    return this.page.app.client.queue(this.page.name).message(this.id);
  }

  show(message) {
    const { state, seq, position, attempts } = message;
    const text = `${state}${position ? `, position ${count(position)}` : ""}`;
    if (text !== this.text) {
      this.history.prepend(h("li", {}, h("code", {}, timeOfDay(Date.now())), " ", text));
    }
    this.text = text;
    this.state = state;
    fill(
      this.headline,
      stateTag(state),
      position ? h("b", {}, `position ${count(position)}`) : null,
      h(
        "span",
        { class: "muted" },
        `number ${count(seq)}, accepted ${timeOfDay(message.timestampMs)}, `,
        attemptsText(attempts),
      ),
    );
    fill(this.meaning, MEANINGS[state] ?? "");
    this.confirm.hidden = state !== "held";
    this.cancel.hidden = !CANCELLABLE.has(state);
    this.result.hidden = state !== "done";
    if (state === "done") {
      const json =
        message.result === undefined ? "none was given" : JSON.stringify(message.result, null, 2);
      fill(
        this.result,
        h("h3", {}, "Result"),
        h("pre", { class: "content", "data-result": "" }, json),
      );
    }
  }

  /** Bodies are part of a browse; a message that is final has none there any more. */
  async readBody() {
    try {
      const options = { signal: this.signal };
      const { seq } = await this.message().state(options);
      const call = browse(this.page.name, { after_seq: seq - 1, limit: 1 });
      const { messages } = await this.page.app.send(call, options);
      const message = messages.find((found) => found.id === this.id);
      if (message) this.showBody(message);
    } catch {
      // The state says what there is to say.
    }
  }

  showBody({ body, encoding, content_type: type, key, priority, attributes = {} }) {
    const facts = [
      ["content type", type],
      ["encoding", encoding],
      ["key", key],
      ["priority", priority],
      ...Object.entries(attributes),
    ].filter(([, value]) => value !== undefined && value !== null);
    fill(
      this.body,
      h("h3", {}, "Body"),
      h("pre", { class: "content" }, body),
      h(
        "p",
        { class: "muted small wrap-anywhere" },
        facts.map(([name, value]) => `${name}: ${value}`).join(" · "),
      ),
    );
    this.body.hidden = false;
  }

  async act(call) {
    try {
      this.problem.hidden = true;
      await this.page.send(call(this.page.name, this.id));
    } catch (error) {
      showProblem(this.problem, error);
    }
  }
}
