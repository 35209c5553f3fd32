// The fields of forms: a label, an input, what it means, and room for what the server says of it.

import { TidegateError } from "/client/index.js";
import { wordsOf } from "../client.js";
import { fill, freshId, h } from "../dom.js";

/**
 * @typedef {object} FieldSpec
 * @property {string} name as problem documents call it
 * @property {string} label
 * @property {string} [hint] what it means, and what empty means
 * @property {string} [unit]
 * @property {"text" | "number" | "area" | "select" | "instant"} [kind]
 * @property {[string, string][]} [options] of a select: value and text
 * @property {string} [placeholder]
 * @property {string} [value]
 * @property {number} [rows]
 * @property {boolean} [wide]
 * @property {string[]} [suggestions]
 */

/** One field of a form. */
export class Field {
  /** @param {FieldSpec} spec */
  constructor(spec) {
    this.spec = spec;
    const id = freshId("field");
    this.error = h("p", { class: "error", id: `${id}-error`, role: "alert" });
    this.input = makeInput(spec, id);
    const control = spec.unit
      ? h("div", { class: "with-unit" }, this.input, h("span", { class: "unit" }, spec.unit))
      : this.input;
    this.element = h(
      "div",
      { class: spec.wide ? "field wide" : "field" },
      h("label", { for: id }, spec.label),
      control,
      spec.suggestions && suggestions(id, spec.suggestions),
      spec.hint && h("p", { class: "hint", id: `${id}-hint` }, spec.hint),
      this.error,
    );
  }

  get text() {
    return this.input.value.trim();
  }

  set text(text) {
    this.input.value = text;
  }

  /** Says what is wrong with it; an empty text says that nothing is. */
  complain(text) {
    fill(this.error, text);
    if (text === "") this.input.removeAttribute("aria-invalid");
    else this.input.setAttribute("aria-invalid", "true");
  }
}

function makeInput(spec, id) {
  const { kind = "text", placeholder, value = "", rows = 4, name } = spec;
  const shared = {
    id,
    name,
    placeholder,
    value,
    "aria-describedby": `${spec.hint ? `${id}-hint ` : ""}${id}-error`,
  };
  if (kind === "area") return h("textarea", { ...shared, rows, spellcheck: "false" });
  if (kind === "select") {
    const options = spec.options.map(([option, text]) => h("option", { value: option }, text));
    const select = h("select", { ...shared, value: null }, options);
    if (value !== "") select.value = value;
    return select;
  }
  if (kind === "instant") return h("input", { ...shared, type: "datetime-local", step: "0.001" });
  const inputmode = kind === "number" ? "decimal" : null;
  const list = spec.suggestions ? `${id}-list` : null;
  return h("input", {
    ...shared,
    type: "text",
    inputmode,
    list,
    autocomplete: "off",
    spellcheck: "false",
  });
}

function suggestions(id, values) {
  return h(
    "datalist",
    { id: `${id}-list` },
    values.map((value) => h("option", { value })),
  );
}

/** A number where the text is one; else the text, so that the server says what it thinks of it. */
export function numberOf(text) {
  const number = Number(text);
  return text === "" || Number.isNaN(number) ? text : number;
}

/** Several fields, and a place for what concerns none of them. */
export class FieldSet {
  /** @param {FieldSpec[]} specs */
  constructor(specs) {
    this.fields = new Map(specs.map((spec) => [spec.name, new Field(spec)]));
    this.general = h("div", { class: "problem", role: "alert", hidden: true });
  }

  /** @returns {Field} */
  get(name) {
    return this.fields.get(name);
  }

  elements(names = [...this.fields.keys()]) {
    return names.map((name) => this.get(name).element);
  }

  text(name) {
    return this.get(name).text;
  }

  clear() {
    for (const field of this.fields.values()) field.complain("");
    this.general.hidden = true;
  }

  /** Shows an error at the field it names, or below all of them. */
  show(error) {
    this.clear();
    const field = error.field && this.find(error.field);
    if (field) {
      field.complain(wordsOf(error));
      for (let at = field.element.parentElement; at; at = at.parentElement) {
        if (at instanceof HTMLDetailsElement) at.open = true;
      }
      field.input.focus();
      return;
    }
    showProblem(this.general, error);
  }

  /**
   * The field of a name, in any case of letters; else the one that it is a part of, or that is
   * part of it.
   */
  find(name) {
    const wanted = name.toLowerCase();
    const all = [...this.fields.values()];
    const test = (holds) => all.find((field) => holds(field.spec.name.toLowerCase()));
    return (
      test((own) => own === wanted) ??
      test((own) => wanted.startsWith(`${own}.`) || wanted.startsWith(`${own}[`)) ??
      test((own) => own.startsWith(`${wanted}.`))
    );
  }
}

/** Shows an error in a box of its own. */
export function showProblem(box, error) {
  const isProblem = error instanceof TidegateError && error.status !== undefined;
  const words = wordsOf(error);
  const meta = isProblem
    ? `${error.status} ${error.type}${error.field ? `, ${error.field}` : ""}`
    : null;
  fill(
    box,
    h("b", {}, isProblem ? (error.title ?? words) : words),
    isProblem && words !== error.title && h("div", {}, words),
    meta && h("code", {}, meta),
  );
  box.hidden = false;
}

/** An error about one field that the page itself has found. */
export class FieldError extends Error {
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

/** @returns {any} the value of JSON text; throws a FieldError where it is none */
export function parseJson(text, field) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FieldError(field, `This is no JSON: ${error.message}`);
  }
}
