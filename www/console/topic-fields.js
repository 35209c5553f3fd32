// Every field of a topic's configuration that can be set, as configuration-fields.js has a queue's.

import { GROUPS } from "./configuration-fields.js";

/** What of a topic's description is its configuration. */
export const TOPIC_MEMBERS = [
  "retention_ms",
  "max_messages",
  "max_bytes",
  "max_message_bytes",
  "dedup_window_ms",
  "cors_origins",
];

const ofQueues = GROUPS.flatMap(({ specs }) => specs);
const same = (name) => ofQueues.find((spec) => spec.name === name);

/** @type {typeof GROUPS} */
export const TOPIC_GROUPS = [
  {
    title: "The log",
    text: "How long and how much can be read. The oldest go first.",
    specs: [
      {
        name: "retention_ms",
        label: "Retention",
        kind: "number",
        unit: "ms",
        hint: "How long a message can be read. Empty: 345,600,000, four days",
      },
      {
        name: "max_messages",
        label: "Messages",
        kind: "number",
        unit: "messages",
        hint: "At most. Empty: 1,000,000",
      },
      {
        name: "max_bytes",
        label: "Size",
        kind: "number",
        unit: "bytes",
        hint: "Of all bodies. Empty: 1 GiB",
      },
    ],
  },
  {
    title: "Publishing",
    text: "What a message may be, and which pages may send one.",
    specs: ["max_message_bytes", "dedup_window_ms", "cors_origins"].map(same),
  },
];
