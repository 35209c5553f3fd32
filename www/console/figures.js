// The live figures of one queue, or of one topic.

import { h, setText } from "../dom.js";
import { age, bytes, count, duration } from "../format.js";

/** Label, the figure, and a line below it; all of the queue as the server describes it. */
const FIGURES = [
  ["Waiting", (q) => count(waitingIn(q)), roomOf],
  [
    "In flight",
    (q) => count(q.in_flight),
    (q) => `leases of ${duration(q.delivery?.visibility_timeout_ms ?? 0)}`,
  ],
  [
    "Delayed",
    (q) => count(q.delayed),
    (q) => (q.held ? `and ${count(q.held)} held` : "not due yet"),
  ],
  ["Accepted", (q) => count(q.accepted_total), acceptedOf],
  ["Rejected", (q) => count(q.rejected_total), rejectedBy],
  ["Acked", (q) => count(q.acked_total), () => "done"],
  ["Dead", (q) => count(q.dead_total), (q) => `after ${count(q.delivery?.max_attempts)} attempts`],
  ["Oldest", (q) => age(q.oldest_at_ms), (q) => `backlog of ${bytes(q.backlog_bytes)}`],
];

/** Of the backlog and of the stock, whichever is less. */
function roomOf({ depth, capacity, accepted }) {
  const backlog = capacity?.max_messages - depth;
  const stock = (capacity?.max_accepted ?? Infinity) - accepted;
  return `room for ${count(Math.max(0, Math.min(backlog, stock)))}`;
}

function acceptedOf({ capacity }) {
  return capacity?.max_accepted === null ? "no bound" : `stock of ${count(capacity?.max_accepted)}`;
}

function rejectedBy({ rejected }) {
  if (!Array.isArray(rejected)) return "refused";
  const edge = rejected.filter((entry) => entry.decided_by === "edge");
  return `${count(edge.reduce((sum, { total }) => sum + total, 0))} at the edge`;
}

/**
 * How many messages can be pulled now: `depth` is the backlog, which holds those that cannot be,
 * too.
 */
export const waitingIn = ({ depth, in_flight: leased = 0, delayed = 0, held = 0 }) =>
  typeof depth === "number" ? Math.max(0, depth - leased - delayed - held) : null;

/** A strip of figures. */
export class Figures {
  /** @param {typeof FIGURES} [figures] */
  constructor(figures = FIGURES) {
    this.figures = figures;
    this.parts = figures.map(([label]) => {
      const value = h(
        "dd",
        { class: "value", "data-figure": label.toLowerCase().replace(" ", "_") },
        "–",
      );
      const note = h("dd", { class: "note-line" });
      return { value, note, element: h("div", {}, h("dt", {}, label), value, note) };
    });
    this.element = h(
      "dl",
      { class: "figures" },
      this.parts.map((part) => part.element),
    );
  }

  /** @param {any} description as the server answers */
  show(description) {
    this.figures.forEach(([, value, note], at) => {
      setText(this.parts[at].value, value(description));
      setText(this.parts[at].note, note(description));
    });
  }
}
