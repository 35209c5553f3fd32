// The form that makes a queue or a topic: its name, a few fields, the call as curl.

import { linkTo } from "./app.js";
import { curlBox } from "./curl.js";
import { h } from "../dom.js";
import { FieldError, FieldSet } from "./fields.js";

/**
 * @param {import("./app.js").App} app
 * @param {object} of
 * @param {"queue" | "topic"} of.kind
 * @param {object[]} of.specs of the fields beside the name
 * @param {(fields: FieldSet) => object} of.configurationOf what the fields ask for
 * @param {(name: string) => object} of.get
 * @param {(name: string, configuration: object) => object} of.put
 * @param {string} [of.note] beside the button
 * @returns {HTMLElement}
 */
export function creationForm(app, { kind, specs, configurationOf, get, put, note }) {
  const fields = new FieldSet([
    {
      name: kind,
      label: "Name",
      placeholder: "shop/orders",
      hint: "1–128 of A–Z a–z 0–9 . _ - with / between levels",
    },
    ...specs,
  ]);
  const curl = curlBox(app, `Create a ${kind}`);
  const call = () => put(fields.text(kind) || `my-${kind}`, configurationOf(fields));
  const update = () => curl.show(call());
  const form = h(
    "form",
    {
      class: "card stack",
      oninput: update,
      onsubmit: async (event) => {
        event.preventDefault();
        await create(app, { kind, fields, get, call: call() });
      },
    },
    h("h2", {}, `New ${kind}`),
    h("div", { class: "fields" }, fields.elements()),
    fields.general,
    h(
      "div",
      { class: "row" },
      h("button", { class: "main" }, "Create"),
      note && h("span", { class: "muted small" }, note),
    ),
    curl.element,
  );
  update();
  return form;
}

async function create(app, { kind, fields, get, call }) {
  fields.clear();
  const name = fields.text(kind);
  try {
    if (name === "") throw new FieldError(kind, `A ${kind} needs a name.`);
    if (await exists(app, get(name))) {
      const detail = `There is a ${kind} of this name already. Open it to change it.`;
      throw new FieldError(kind, detail);
    }
    await app.send(call);
    app.say(`Created ${name}.`);
    location.hash = linkTo(`${kind}s`, name);
  } catch (error) {
    fields.show(error);
  }
}

/** PUT changes what exists; whoever creates does not mean that. */
async function exists(app, reading) {
  try {
    await app.send(reading);
    return true;
  } catch (error) {
    if (error.type === "not-found") return false;
    throw error;
  }
}
