// Configuring a queue or a topic: a form with every field, or the JSON itself.

import { putQueue } from "../calls.js";
import { GROUPS, changes, textOf } from "./configuration-fields.js";
import { curlBox } from "./curl.js";
import { fill, h } from "../dom.js";
import { Field, FieldSet, parseJson, showProblem } from "./fields.js";

/** What of a queue's description is its configuration. */
const MEMBERS = [
  "capacity",
  "delivery",
  "retention_ms",
  "result_retention_ms",
  "dedup_window_ms",
  "max_message_bytes",
  "cors_origins",
  "push",
];

/**
 * @param {any} page of a queue or a topic
 * @param {{ groups: typeof GROUPS, members: string[], put: (name: string, patch: object) =>
 *   import("../calls.js").Call }} [form]
 */
export function configurationTab(page, form = { groups: GROUPS, members: MEMBERS, put: putQueue }) {
  const tab = new Configuration(page, form);
  page.onDescription((description) => tab.take(description));
  return { element: tab.element };
}

class Configuration {
  constructor(page, { groups, members, put }) {
    Object.assign(this, { page, groups, members, put });
    /** The configuration that the form was filled from. */
    this.base = null;
    this.specs = groups.flatMap((group) => group.specs);
    this.fields = new FieldSet(this.specs);
    this.curl = curlBox(page.app, "Configure");
    this.apply = h("button", { class: "main", disabled: true }, "Apply");
    this.undo = h(
      "button",
      { type: "button", disabled: true, onclick: () => this.reset() },
      "Undo",
    );
    this.status = h("span", { class: "muted small", "aria-live": "polite" });
    this.element = h("div", { class: "stack" }, this.form(), this.jsonForm());
  }

  form() {
    return h(
      "form",
      {
        class: "card stack configuration",
        oninput: () => this.changed(),
        onsubmit: (event) => {
          event.preventDefault();
          this.save();
        },
      },
      this.groups.map(({ title, text, specs }) =>
        h(
          "fieldset",
          {},
          h("legend", {}, h("b", {}, title), h("span", { class: "muted" }, ` ${text}`)),
          h("div", { class: "fields" }, this.fields.elements(specs.map((spec) => spec.name))),
        ),
      ),
      this.fields.general,
      h("div", { class: "row" }, this.apply, this.undo, this.status),
      this.curl.element,
    );
  }

  jsonForm() {
    this.json = new Field({
      name: "json",
      label: "Configuration",
      kind: "area",
      rows: 16,
      hint:
        "May be partial: what it does not name stays as it is, " +
        "null sets a field back to its default.",
    });
    this.jsonProblem = h("div", { class: "problem", role: "alert", hidden: true });
    return h(
      "details",
      { class: "card" },
      h("summary", {}, "As JSON"),
      h(
        "form",
        {
          class: "stack",
          onsubmit: (event) => {
            event.preventDefault();
            this.saveJson();
          },
        },
        this.json.element,
        this.jsonProblem,
        h("div", { class: "row" }, h("button", { class: "main" }, "Apply JSON")),
      ),
    );
  }

  /** Follows the server, unless somebody is about to change something. */
  take(description) {
    const entries = this.members.map((name) => [name, description[name]]);
    const configuration = Object.fromEntries(entries);
    const text = JSON.stringify(configuration, null, 2);
    if (text === this.baseText) return;
    const isJsonTouched = this.base !== null && this.json.input.value !== this.baseText;
    const isTouched = this.base !== null && this.isTouched();
    this.base = configuration;
    this.baseText = text;
    if (!isJsonTouched) this.json.text = text;
    if (!isTouched) this.reset();
    else this.changed();
  }

  reset() {
    for (const spec of this.specs) this.fields.get(spec.name).text = textOf(spec, this.base);
    this.fields.clear();
    this.changed();
  }

  patch() {
    return changes((spec) => this.fields.text(spec.name), this.base ?? {}, this.groups);
  }

  isTouched() {
    return Object.keys(this.patch()).length > 0;
  }

  changed() {
    const isTouched = this.isTouched();
    this.apply.disabled = !isTouched;
    this.undo.disabled = !isTouched;
    if (isTouched) fill(this.status);
    this.curl.show(this.put(this.page.name, this.patch()));
  }

  async save() {
    this.fields.clear();
    try {
      this.accepted(await this.page.send(this.put(this.page.name, this.patch())));
      this.reset();
      fill(this.status, "Applied. It holds from now on.");
    } catch (error) {
      this.fields.show(error);
    }
  }

  async saveJson() {
    this.jsonProblem.hidden = true;
    this.json.complain("");
    try {
      const configuration = parseJson(this.json.input.value, "json");
      this.accepted(await this.page.send(this.put(this.page.name, configuration)));
      this.json.text = this.baseText;
      this.reset();
      this.page.app.say("Configuration applied.");
    } catch (error) {
      if (error.field === "json") this.json.complain(error.message);
      else showProblem(this.jsonProblem, error);
    }
  }

  /**
   * The server answers a change with what it made of it; where it does not, the next poll
   * tells.
   */
  accepted(description) {
    if (description?.name) this.page.take({ ...this.page.description, ...description });
  }
}
