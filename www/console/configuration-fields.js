// Every field of a queue's configuration that can be set: its unit, what it means, and what empty
// means.

/** @typedef {import("./fields.js").FieldSpec & { empty?: any }} ConfigurationSpec */

/** @type {{ title: string, text: string, specs: ConfigurationSpec[] }[]} */
export const GROUPS = [
  {
    title: "Capacity",
    text: "What is let in. The rest is refused at once.",
    specs: [
      {
        name: "capacity.max_accepted",
        label: "Total stock",
        kind: "number",
        unit: "messages",
        hint: "Ever accepted, until purged or raised. Empty: no bound",
      },
      {
        name: "capacity.max_per_key",
        label: "Per key",
        kind: "number",
        unit: "messages",
        hint: "Accepted for one Tidegate-Key, which is then required. Empty: no bound",
      },
      {
        name: "capacity.max_messages",
        label: "Backlog",
        kind: "number",
        unit: "messages",
        hint: "Waiting, delayed and in flight at a time. Empty: 100,000",
      },
      {
        name: "capacity.max_bytes",
        label: "Backlog size",
        kind: "number",
        unit: "bytes",
        hint: "Of all bodies in the backlog. Empty: 1 GiB",
      },
      {
        name: "capacity.overflow",
        label: "When full",
        kind: "select",
        hint: "What a publish meets that finds no room",
        options: [
          ["reject", "reject: refuse it"],
          ["redirect", "redirect: send it elsewhere"],
          ["drop_oldest", "drop_oldest: drop the oldest for it"],
          ["dead_letter", "dead_letter: take it as a dead letter"],
          ["wait", "wait: let it wait in line"],
        ],
      },
      {
        name: "capacity.max_waiting",
        label: "Line",
        kind: "number",
        unit: "messages",
        hint: "For wait or draw: how many may wait for a place. Empty: 100,000",
      },
      {
        name: "capacity.admission",
        label: "Admission",
        kind: "select",
        hint: "Who gets the places there are",
        options: [
          ["fifo", "fifo: who comes first"],
          ["draw", "draw: who is drawn, at an instant"],
        ],
      },
      {
        name: "capacity.draw_at_ms",
        label: "Draw",
        kind: "instant",
        hint: "For draw, in your time zone: publishes before it take part. Empty: none",
      },
      {
        name: "capacity.redirect_url",
        label: "Redirect to",
        placeholder: "https://example.com/waiting",
        hint: "For redirect: an http or https URL. Empty: none",
      },
      {
        name: "capacity.retry_after_ms",
        label: "Retry after",
        kind: "number",
        unit: "ms",
        hint: "What the refused are told where nothing better is known. Empty: 1,000",
      },
      {
        name: "capacity.opens_at_ms",
        label: "Opens",
        kind: "instant",
        hint: "In your time zone. Empty: open from the start",
      },
      {
        name: "capacity.closes_at_ms",
        label: "Closes",
        kind: "instant",
        hint: "In your time zone. Empty: never",
      },
    ],
  },
  {
    title: "Publish rate",
    text: "A limit on accepted publishes a second. Without a number a second there is none.",
    specs: [
      {
        name: "capacity.publish_rate.per_second",
        label: "In the long run",
        kind: "number",
        unit: "a second",
        hint: "Empty: no limit",
      },
      {
        name: "capacity.publish_rate.burst",
        label: "At once",
        kind: "number",
        unit: "messages",
        hint: "After a pause. Empty: one second's worth",
      },
      {
        name: "capacity.publish_rate.per",
        label: "Counted",
        kind: "select",
        hint: "One limit for all, or one for each key",
        options: [
          ["queue", "for the queue"],
          ["key", "for each key"],
        ],
      },
    ],
  },
  {
    title: "Delivery",
    text: "How messages are handed to those who pull.",
    specs: [
      {
        name: "delivery.order",
        label: "Order",
        kind: "select",
        hint: "Strict order costs parallelism",
        options: [
          ["best_effort", "best_effort: by priority, retries may be late"],
          ["fifo", "fifo: strict, one in flight"],
          ["key", "key: strict within a key"],
        ],
      },
      {
        name: "delivery.visibility_timeout_ms",
        label: "Lease",
        kind: "number",
        unit: "ms",
        hint: "How long a worker has a message. Empty: 30,000",
      },
      {
        name: "delivery.max_attempts",
        label: "Attempts",
        kind: "number",
        unit: "deliveries",
        hint: "Before it is a dead letter. Empty: 5",
      },
      {
        name: "delivery.dead_letter_queue",
        label: "Dead letters go to",
        placeholder: "shop/dead",
        hint: "A queue's name. Empty: they stay in this queue, aside",
      },
      {
        name: "delivery.callback_queue",
        label: "Results go to",
        placeholder: "shop/done",
        hint: "A queue that is told of every message that is done. Empty: none",
      },
      {
        name: "delivery.failure_callback_queue",
        label: "Failures are told to",
        placeholder: "shop/failed",
        hint: "A queue that is told of every message that is given up. Empty: none",
      },
      {
        name: "delivery.backoff.initial_ms",
        label: "First retry after",
        kind: "number",
        unit: "ms",
        hint: "Empty: 0, at once",
      },
      {
        name: "delivery.backoff.multiplier",
        label: "Then each time",
        kind: "number",
        unit: "×",
        hint: "Empty: 2",
      },
      {
        name: "delivery.backoff.max_ms",
        label: "At most after",
        kind: "number",
        unit: "ms",
        hint: "Empty: 900,000, a quarter of an hour",
      },
    ],
  },
  {
    title: "Keeping",
    text: "How long things are remembered, and how large a message may be.",
    specs: [
      {
        name: "retention_ms",
        label: "Messages",
        kind: "number",
        unit: "ms",
        hint: "Expire after that. Empty: 345,600,000, four days",
      },
      {
        name: "result_retention_ms",
        label: "Results",
        kind: "number",
        unit: "ms",
        hint: "Readable that long. Empty: 600,000, ten minutes",
      },
      {
        name: "dedup_window_ms",
        label: "Idempotency keys",
        kind: "number",
        unit: "ms",
        hint: "Recognised that long. Empty: 300,000, five minutes",
      },
      {
        name: "max_message_bytes",
        label: "Largest message",
        kind: "number",
        unit: "bytes",
        hint: "Up to 1,048,576. Empty: 262,144",
      },
      {
        name: "cors_origins",
        label: "Origins of web pages that may call",
        kind: "area",
        rows: 2,
        wide: true,
        placeholder: "https://shop.example",
        hint: "One a line; * is every origin. Empty: only pages of this server",
      },
    ],
  },
];

const RATE = "capacity.publish_rate";

/** The text that a field shows for a configuration. */
export function textOf(spec, configuration) {
  const value = spec.name.split(".").reduce((at, part) => at?.[part], configuration);
  if (value === null || value === undefined)
    return spec.kind === "select" ? spec.options[0][0] : "";
  if (Array.isArray(value)) return value.join("\n");
  return spec.kind === "instant" ? localTime(value) : String(value);
}

/** The value that a field's text stands for; `null`, the default, where it is empty. */
export function valueOf(spec, text) {
  if (spec.name === "cors_origins") return text.split(/\s+/).filter((origin) => origin !== "");
  if (text === "") return null;
  if (spec.kind === "instant") return new Date(text).getTime();
  if (spec.kind !== "number") return text;
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

/**
 * The partial configuration that says what has changed.
 * @param {(spec: ConfigurationSpec) => string} textOfField
 * @param {object} configuration as the server has it
 * @param {typeof GROUPS} [groups] of fields
 */
export function changes(textOfField, configuration, groups = GROUPS) {
  const patch = {};
  for (const { specs } of groups) {
    const changed = specs.filter((spec) => textOfField(spec) !== textOf(spec, configuration));
    const isRate = specs[0].name.startsWith(RATE);
    if (isRate && changed.length > 0) put(patch, RATE, rateOf(specs, textOfField));
    if (!isRate)
      for (const spec of changed) put(patch, spec.name, valueOf(spec, textOfField(spec)));
  }
  return patch;
}

/** A rate is one value: it is set as a whole, or not at all. */
function rateOf(specs, textOfField) {
  if (textOfField(specs[0]) === "" && textOfField(specs[1]) === "") return null;
  const entries = specs.map((spec) => [
    spec.name.split(".").pop(),
    valueOf(spec, textOfField(spec)),
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}

function put(object, path, value) {
  const parts = path.split(".");
  const last = parts.pop();
  parts.reduce((at, part) => (at[part] ??= {}), object)[last] = value;
}

/** Milliseconds as a `datetime-local` input wants them. */
function localTime(ms) {
  const shifted = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, -1);
}
