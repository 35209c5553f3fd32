// The endpoint that a queue pushes to: where, how it is, and the way back once it was disabled.

import { operate } from "../calls.js";
import { h } from "../dom.js";

/** What a state is called, and how it looks. */
const STATES = {
  active: ["active", "tag on"],
  open: ["left alone after failures", "tag warn"],
  half_open: ["being tried", "tag warn"],
  disabled: ["disabled", "tag bad"],
};

/** A line on the endpoint; hidden where the queue is pulled. */
export class Endpoint {
  /** @param {import("./queue-page.js").QueuePage} page */
  constructor(page) {
    this.page = page;
    this.url = h("code", { class: "wrap-anywhere" });
    this.state = h("span", { class: "tag" });
    this.calls = h("span", { class: "muted small" });
    this.button = h("button", { type: "button", class: "small", onclick: () => this.enable() });
    this.button.textContent = "Call it again";
    this.element = h(
      "div",
      { class: "row wrap-anywhere", hidden: true },
      h("span", { class: "small" }, "Pushes to"),
      this.url,
      this.state,
      this.calls,
      this.button,
    );
  }

  /** @param {{push: object | null, endpoint: object | null}} queue as the server describes it */
  show({ push, endpoint }) {
    this.element.hidden = !push || !endpoint;
    if (this.element.hidden) return;
    const [name, className] = STATES[endpoint.state] ?? [endpoint.state, "tag"];
    this.url.textContent = push.url;
    this.state.textContent = endpoint.reason ? `${name}: ${endpoint.reason}` : name;
    this.state.className = className;
    const failed = endpoint.failed_total + endpoint.timed_out_total + endpoint.cut_total;
    this.calls.textContent =
      `${endpoint.succeeded_total} succeeded, ${failed} failed, ${endpoint.under_way} under way`;
    this.button.hidden = endpoint.state === "active";
  }

  async enable() {
    try {
      await this.page.send(operate(this.page.name, "push/enable"));
      this.page.app.say("The endpoint is called again, slowly at first.");
    } catch (error) {
      this.page.complain(error);
    }
  }
}
