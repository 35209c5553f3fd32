// Asks before something is done that cannot be undone: the name of what will be gone has to be
// typed.

import { fill, h } from "../dom.js";
import { Field, showProblem } from "./fields.js";

/**
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.text what will be gone
 * @param {string} question.name what has to be typed
 * @param {string} question.action the button's text
 * @param {() => Promise<void>} question.run on yes; what it throws is shown
 */
export function askByName({ title, text, name, action, run }) {
  const field = new Field({ name: "name", label: `Type the name to go on: ${name}` });
  const problem = h("div", { class: "problem", role: "alert", hidden: true });
  const yes = h("button", { class: "danger main", disabled: true }, action);
  const dialog = h("dialog", { class: "confirmation", "aria-label": title });
  field.input.addEventListener("input", () => (yes.disabled = field.text !== name));
  const form = h(
    "form",
    {
      class: "stack",
      method: "dialog",
      onsubmit: async (event) => {
        event.preventDefault();
        if (field.text !== name) return;
        yes.disabled = true;
        try {
          await run();
          dialog.close();
        } catch (error) {
          showProblem(problem, error);
          yes.disabled = false;
        }
      },
    },
    h("h2", { class: "wrap-anywhere" }, title),
    h("p", { class: "muted" }, text),
    field.element,
    problem,
    h(
      "div",
      { class: "row" },
      yes,
      h("button", { type: "button", onclick: () => dialog.close() }, "Keep it"),
    ),
  );
  fill(dialog, form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  field.input.focus();
}
