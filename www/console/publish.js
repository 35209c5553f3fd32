// Publishing one message, with everything a publish may say.

import { publish } from "../calls.js";
import { linkTo } from "./app.js";
import { curlBox } from "./curl.js";
import { fill, h } from "../dom.js";
import { FieldError, FieldSet } from "./fields.js";
import { count } from "../format.js";

const SPECS = [
  {
    name: "body",
    label: "Body",
    kind: "area",
    rows: 5,
    wide: true,
    value: '{"item":"lamp","amount":1}',
  },
  {
    name: "Content-Type",
    label: "Content type",
    value: "application/json",
    hint: "Kept with the message. Empty: text/plain",
    suggestions: ["application/json", "text/plain", "application/octet-stream"],
  },
  {
    name: "Tidegate-Key",
    label: "Key",
    hint: "For order within a key, and the limit per key. Empty: none",
  },
  {
    name: "Idempotency-Key",
    label: "Idempotency key",
    hint: "The same again is answered again, and enqueued once. Empty: none",
  },
  {
    name: "Tidegate-Delay-Ms",
    label: "Delay",
    unit: "ms",
    hint: "Delivered that much later. Empty: at once",
  },
  {
    name: "Tidegate-Ttl-Ms",
    label: "Time to live",
    unit: "ms",
    hint: "Expires after that. Empty: the queue's retention",
  },
  {
    name: "Tidegate-Hold-Ms",
    label: "Hold",
    unit: "ms",
    hint: "Waits for a confirmation that long. Empty: no hold",
  },
  {
    name: "Tidegate-Priority",
    label: "Priority",
    kind: "select",
    options: [["", "4 (default)"], ...[...Array(10).keys()].map((n) => [String(n), String(n)])],
    hint: "0 to 9, higher first",
  },
  {
    name: "Tidegate-Attr",
    label: "Attributes",
    kind: "area",
    rows: 2,
    wide: true,
    placeholder: "region=eu",
    hint: "name=value, one a line. Empty: none",
  },
];

const HEADERS = SPECS.slice(2, -1).map(({ name }) => name);

/** @param {import("./queue-page.js").QueuePage} page */
export function publishTab(page) {
  const fields = new FieldSet(SPECS);
  const curl = curlBox(page.app, "Publish");
  const result = h("div", { "aria-live": "polite" });
  const update = () => {
    try {
      curl.show(publish(page.name, fields.get("body").input.value, headersOf(fields, HEADERS)));
    } catch {
      // What is typed is not finished; the last line stays.
    }
  };
  const form = h(
    "form",
    {
      class: "card stack",
      oninput: update,
      onsubmit: async (event) => {
        event.preventDefault();
        await send(page, fields, result);
      },
    },
    h(
      "div",
      { class: "fields" },
      fields.elements(["body", "Content-Type", "Tidegate-Key", "Idempotency-Key"]),
    ),
    h(
      "details",
      {},
      h("summary", {}, "Delay, time to live, hold, priority, attributes"),
      h("div", { class: "fields" }, fields.elements(SPECS.slice(4).map((spec) => spec.name))),
    ),
    fields.general,
    h("div", { class: "row" }, h("button", { class: "main" }, "Publish")),
    result,
    curl.element,
  );
  update();
  return { element: form };
}

/**
 * The headers that the fields ask for, attributes included.
 * @param {FieldSet} fields
 * @param {string[]} names of those that are headers of their own
 * @returns {Record<string, string>}
 * @throws {FieldError} where one cannot be a header
 */
export function headersOf(fields, names) {
  const headers = { "Content-Type": fields.text("Content-Type") || "text/plain" };
  for (const name of names) {
    if (fields.text(name) !== "") headers[name] = fields.text(name);
  }
  for (const line of fields
    .text("Tidegate-Attr")
    .split("\n")
    .filter((text) => text.trim() !== "")) {
    const at = line.indexOf("=");
    const name = line.slice(0, Math.max(0, at)).trim();
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      throw new FieldError(
        "Tidegate-Attr",
        `"${line}" is not name=value with a name that a header can have.`,
      );
    }
    headers[`Tidegate-Attr-${name}`] = line.slice(at + 1).trim();
  }
  for (const [name, value] of Object.entries(headers)) {
    if (/[^\x20-\xff]/.test(value)) {
      throw new FieldError(
        name.replace(/^(Tidegate-Attr)-.*/, "$1"),
        "A header cannot carry these characters.",
      );
    }
  }
  return headers;
}

async function send(page, fields, result) {
  fields.clear();
  fill(result);
  try {
    const call = publish(page.name, fields.get("body").input.value, headersOf(fields, HEADERS));
    const { id, seq, position } = await page.send(call);
    fill(
      result,
      h(
        "p",
        { class: "success" },
        h("b", {}, "202 Accepted. "),
        `Durable as number ${count(seq)}`,
        position ? `, position ${count(position)} in line. ` : ". ",
        h("a", { href: linkTo("queues", page.name, "messages", id) }, "Follow this message"),
      ),
    );
  } catch (error) {
    fields.show(error);
  }
}
