// Publishing one message to a topic.

import { publishToTopic } from "../calls.js";
import { curlBox } from "./curl.js";
import { fill, h } from "../dom.js";
import { FieldSet } from "./fields.js";
import { count } from "../format.js";
import { headersOf } from "./publish.js";

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
    hint: "For order within a key, and the last value of each. Empty: none",
  },
  {
    name: "Tidegate-Attr",
    label: "Attributes",
    kind: "area",
    rows: 2,
    wide: true,
    placeholder: "region=eu",
    hint: "name=value, one a line; filters look at them. Empty: none",
  },
];
const HEADERS = ["Tidegate-Key"];

/** @param {import("./topic-page.js").TopicPage} page */
export function topicPublishTab(page) {
  const fields = new FieldSet(SPECS);
  const curl = curlBox(page.app, "Publish");
  const result = h("div", { "aria-live": "polite" });
  const call = () =>
    publishToTopic(page.name, fields.get("body").input.value, headersOf(fields, HEADERS));
  const update = () => {
    try {
      curl.show(call());
    } catch {
      // What is typed is not finished; the last line stays.
    }
  };
  const publish = async (event) => {
    event.preventDefault();
    fields.clear();
    fill(result);
    try {
      const { seq } = await page.send(call());
      fill(result, h("p", { class: "success" }, h("b", {}, "202 Accepted. "),
        `In the log as number ${count(seq)}.`));
    } catch (error) {
      fields.show(error);
    }
  };
  const element = h(
    "form",
    { class: "card stack", oninput: update, onsubmit: publish },
    h("div", { class: "fields" }, fields.elements()),
    fields.general,
    h("div", { class: "row" }, h("button", { class: "main" }, "Publish")),
    result,
    curl.element,
  );
  update();
  return { element };
}
