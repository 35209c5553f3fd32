// What the figures of a sale mean, in words.

import { count } from "../../format.js";

/**
 * @param {import("./sale.js").Sale} sale
 * @returns {{ isGood: boolean, title: string, text: string }}
 */
export function verdictOf(sale) {
  const { phase, settings, totals, backend } = sale;
  if (phase === "failed") {
    return { isGood: false, title: "The sale could not be held", text: sale.lastError };
  }
  if (phase === "stopped") {
    const text =
      `${admittedOf(sale)}, ${count(backend.consumed)} consumed so far. ` +
      "What was accepted is durable and stays in the queue.";
    return { isGood: true, title: "Stopped", text };
  }
  const over = Math.max(0, totals.admitted - settings.stock);
  const isGood = over === 0 && sale.lost === 0 && totals.errors === 0 && keepsLimit(sale);
  return {
    isGood,
    title: titleOf(sale, over),
    text: [admittedText(sale, over), refusedText(sale), lostText(sale)].join(" "),
  };
}

function titleOf({ settings, totals, lost }, over) {
  if (over > 0) return `Oversold by ${count(over)}`;
  if (lost > 0) return `${count(lost)} lost`;
  if (totals.errors > 0) return `${count(totals.errors)} attempts failed`;
  return totals.admitted === settings.stock ? "Sold out, exactly" : "Everybody who came was let in";
}

const admittedOf = ({ totals, settings }) =>
  `${count(totals.admitted)} of ${count(settings.stock)} admitted`;

function admittedText(sale, over) {
  const most = count(sale.mostPerBuyer);
  const limit = sale.settings.perKey > 0 ? `, no buyer has more than ${most}` : "";
  return `${admittedOf(sale)}, ${count(over)} over${limit}.`;
}

function refusedText({ totals, refused }) {
  const errors = totals.errors > 0 ? ` ${count(totals.errors)} got no proper answer.` : "";
  if (refused === 0) return `Nobody was refused.${errors}`;
  return `${count(refused)} refused, ${share(totals.edge, refused)} of them at the edge.${errors}`;
}

function lostText({ lost, backend }) {
  const verdict = lost === 0 ? "Nothing lost" : `${count(lost)} lost`;
  return `${verdict}: ${count(backend.consumed)} consumed.`;
}

function keepsLimit({ settings, mostPerBuyer }) {
  return settings.perKey === 0 || mostPerBuyer <= settings.perKey;
}

/** A share in per cent; 100 only where it is all. */
export function share(part, whole) {
  if (whole === 0) return "0 %";
  if (part === whole) return "100 %";
  return `${(Math.floor((part / whole) * 1000) / 10).toFixed(1)} %`;
}
