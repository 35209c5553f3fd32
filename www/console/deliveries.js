// Pulling, and what a worker does with what it pulled.

import { pull } from "../calls.js";
import { curlBox } from "./curl.js";
import { fill, h } from "../dom.js";
import { FieldSet, numberOf } from "./fields.js";
import { count } from "../format.js";
import { Lease } from "./lease.js";

const TICK_MS = 250;
/** A lease where the queue's own time is not known. */
const LEASE_MS_DEFAULT = 30_000;

const SPECS = [
  { name: "batch_size", label: "At most", unit: "messages", value: "5", hint: "1 to 1,000" },
  {
    name: "wait_ms",
    label: "Wait",
    unit: "ms",
    value: "0",
    hint: "For the first message, up to 30,000. 0: not at all",
  },
  {
    name: "visibility_timeout_ms",
    label: "Lease",
    unit: "ms",
    hint: "How long they are yours. Empty: as the queue says",
  },
];

/** @param {import("./queue-page.js").QueuePage} page */
export function deliveriesTab(page) {
  const deliveries = new Deliveries(page);
  return { element: deliveries.element };
}

class Deliveries {
  constructor(page) {
    this.page = page;
    const { leases } = page.app;
    if (!leases.has(page.name)) leases.set(page.name, []);
    /** @type {Lease[]} */
    this.leases = leases.get(page.name);
    for (const lease of this.leases) lease.attach(page, (done) => this.remove(done));
    this.fields = new FieldSet(SPECS);
    this.curl = curlBox(page.app, "Pull");
    this.list = h("ul", { class: "leases" });
    this.answer = h("p", { class: "muted", "aria-live": "polite" });
    this.button = h("button", { class: "main" }, "Pull");
    const form = h(
      "form",
      {
        class: "card stack",
        oninput: () => this.showCurl(),
        onsubmit: (event) => {
          event.preventDefault();
          this.pull();
        },
      },
      h("div", { class: "fields" }, this.fields.elements()),
      this.fields.general,
      h("div", { class: "row" }, this.button, this.answer),
      this.curl.element,
    );
    this.element = h("div", { class: "stack" }, form, this.list);
    this.showCurl();
    this.showList();
    const timer = setInterval(() => this.tick(), TICK_MS);
    page.signal.addEventListener("abort", () => clearInterval(timer));
  }

  call() {
    const options = {};
    for (const { name } of SPECS) {
      const text = this.fields.text(name);
      if (text !== "") options[name] = numberOf(text);
    }
    return pull(this.page.name, options);
  }

  showCurl() {
    this.curl.show(this.call());
  }

  async pull() {
    this.fields.clear();
    this.button.disabled = true;
    fill(this.answer, "Waiting…");
    try {
      const call = this.call();
      const asked = JSON.parse(call.body).visibility_timeout_ms;
      const own = this.page.description?.delivery?.visibility_timeout_ms ?? LEASE_MS_DEFAULT;
      const waitMs = JSON.parse(call.body).wait_ms;
      const options = { signal: this.page.signal, waitMs: Number(waitMs) || 0 };
      const { messages, depth } = await this.page.send(call, options);
      for (const message of messages) {
        const lease = new Lease(message, Date.now() + (asked ?? own));
        lease.attach(this.page, (done) => this.remove(done));
        this.leases.push(lease);
      }
      fill(
        this.answer,
        messages.length === 0
          ? "Nothing to deliver."
          : `${count(messages.length)} leased, ${count(depth)} in the backlog.`,
      );
      this.showList();
    } catch (error) {
      fill(this.answer);
      if (error.name !== "AbortError") this.fields.show(error);
    }
    this.button.disabled = false;
  }

  remove(lease) {
    const at = this.leases.indexOf(lease);
    if (at >= 0) this.leases.splice(at, 1);
    this.showList();
  }

  showList() {
    fill(
      this.list,
      this.leases.map((lease) => lease.element),
    );
  }

  tick() {
    if (document.hidden) return;
    for (const lease of this.leases) lease.tick();
  }
}
