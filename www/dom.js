// Makes elements. All text goes in as text, so nothing that a queue holds can become markup.

/**
 * @param {string} tag
 * @param {Record<string, any>} [properties] attributes; `on…` functions listen; `class`,
 *   `hidden` and other properties by their HTML names; null, undefined and false leave one out
 * @param {...(Node | string | number | null | undefined | false | any[])} children
 * @returns {any} the element
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  fill(element, children);
  return element;
}

/** Puts children in the place of what an element holds. */
export function fill(element, ...children) {
  const nodes = children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...nodes.map((child) => (child instanceof Node ? child : String(child))));
}

/** Sets an element's text only where it differs, so that a selection in it lasts. */
export function setText(element, text) {
  const next = String(text);
  if (element.textContent !== next) element.textContent = next;
}

let lastId = 0;

/** An id no other element has. */
export function freshId(stem) {
  lastId += 1;
  return `${stem}-${lastId}`;
}
