// The page of the flash sale: reads the form, starts and stops a sale, and shows it while it runs.

import { Access } from "../../access.js";
import { openClient, wordsOf } from "../../client.js";
import { fill, h, setText } from "../../dom.js";
import { count, duration } from "../../format.js";
import { startHeader } from "../../header.js";
import { Chart } from "./chart.js";
import { startDraw } from "./draw.js";
import { History } from "./history.js";
import { Sale } from "./sale.js";
import { startTill } from "./till-view.js";
import { share, verdictOf } from "./verdict.js";

const EVERY_MS = 100;
const RUNNING = new Set(["opening", "selling", "draining"]);
const PHASES = {
  opening: "Opening the shop…",
  selling: "The crowd is at the gate.",
  draining: "Everybody has an answer; the backend works off the orders.",
};

const find = (name) => document.querySelector(`[data-${name}]`);
const form = /** @type {HTMLFormElement} */ (find("sale-form"));
const access = new Access({ form: find("access-form"), button: find("access-forget") }, () => {});
const reach = { token: () => access.token(), onUnauthorized: () => access.demand() };
const client = openClient(reach);
const rates = new Chart(find("rates"), {
  isStacked: true,
  yMin: 50,
  series: ["admitted", "object", "edge"].map((kind) => ({ kind, read: (point) => point[kind] })),
});
const places = new Chart(find("places"), {
  isStacked: false,
  series: ["admitted", "consumed"].map((kind) => ({ kind, read: (point) => point[kind] })),
});
/** Queues of this page that are still there. */
const queues = new Set();
/** @type {Sale | null} */
let sale = null;
let history = new History();

startHeader();
explainConnections();
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (sale === null || !RUNNING.has(sale.phase)) start(readSettings());
});
find("stop").addEventListener("click", () => sale?.stop());
find("clean").addEventListener("click", clean);
drawCharts();
startTill(client, keepTrack);
startDraw(client, keepTrack);

/** @returns {import("./sale.js").Settings} */
function readSettings() {
  const number = (name) => Number(form.elements.namedItem(name).value);
  return {
    stock: number("stock"),
    crowd: number("crowd"),
    tries: number("tries"),
    perKey: number("per-key"),
    concurrency: number("concurrency"),
    pace: number("pace"),
  };
}

async function start(settings) {
  sale = new Sale(reach, settings);
  history = new History();
  queues.add(sale.name);
  find("after").hidden = true;
  find("verdict").hidden = true;
  find("comparison").hidden = false;
  setRunning(true);
  const timer = setInterval(show, EVERY_MS);
  await sale.run();
  clearInterval(timer);
  show();
  setRunning(false);
  showEnd();
}

function setRunning(isRunning) {
  find("go").disabled = isRunning;
  find("stop").hidden = !isRunning;
  find("fields").disabled = isRunning;
}

function show() {
  const { totals, backend } = sale;
  if (sale.startedMs > 0) {
    history.add({ t: sale.elapsedMs / 1000, ...totals, consumed: backend.consumed });
  }
  setText(find("phase"), PHASES[sale.phase] ?? "");
  const selling = sale.phase === "selling";
  const left = Math.max(0, sale.settings.stock - totals.admitted);
  showCounter(
    "attempts",
    sale.attempts,
    selling ? `${count(Math.round(history.rate))} a second` : `of ${count(sale.attemptsMax)}`,
  );
  showCounter(
    "admitted",
    totals.admitted,
    left > 0
      ? `${count(left)} left of ${count(sale.settings.stock)}`
      : `of ${count(sale.settings.stock)}, sold out`,
  );
  showCounter("refused", sale.refused, `${share(totals.edge, sale.refused)} at the edge`);
  showCounter(
    "consumed",
    backend.consumed,
    `${count(Math.max(0, totals.admitted - backend.consumed))} to go`,
  );
  find("progress").value = sale.attempts / sale.attemptsMax;
  showComparison();
  showResults();
  drawCharts();
}

function showCounter(name, value, note) {
  const element = document.querySelector(`[data-counter="${name}"]`);
  setText(element.querySelector(".value"), count(value));
  setText(element.querySelector(".note-line"), note);
}

function drawCharts() {
  const stock = sale?.settings.stock;
  rates.draw(history.rates);
  places.draw(history.totals, stock ? { value: stock, label: `stock ${count(stock)}` } : null);
}

function showComparison() {
  const { totals, refused, backend, figures, phase } = sale;
  const rows = [
    ["Accepted", totals.admitted, figures?.acceptedTotal],
    ["Refused", refused, figures?.rejectedTotal],
    ["Acknowledged", backend.consumed, figures?.ackedTotal],
    ["Not done yet", totals.admitted - backend.consumed, figures?.depth],
  ];
  // A sale that was broken off leaves answers unread: its counts may differ, and nothing is wrong.
  const otherwise = RUNNING.has(phase) ? "…" : phase === "done" ? "differs" : "–";
  const word = (here, there) => (here === there ? "agrees" : otherwise);
  fill(
    find("comparison-rows"),
    rows.map(([name, here, there]) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, name),
        h("td", {}, count(here)),
        h("td", {}, count(there)),
        h("td", { class: here === there ? "agrees" : "muted" }, word(here, there)),
      ),
    ),
  );
}

function showResults() {
  const list = find("results");
  for (const { key, order, afterMs } of sale.results.slice(list.childElementCount)) {
    list.append(
      h(
        "li",
        {},
        h("span", {}, key.replace("-", " ")),
        h("b", {}, `your order #${count(order)}`),
        h("span", { class: "muted" }, `after ${duration(afterMs)}`),
      ),
    );
  }
  if (sale.results.length === 0) fill(list);
  find("results-card").hidden = sale.results.length === 0;
}

function showEnd() {
  const { isGood, title, text } = verdictOf(sale);
  const box = find("verdict");
  box.classList.toggle("bad", !isGood);
  box.dataset.phase = sale.phase;
  fill(
    box,
    h("h2", {}, title),
    h("p", {}, text),
    sale.lastError &&
      sale.phase !== "failed" &&
      h("p", { class: "small" }, `The last failure: ${sale.lastError}`),
    sale.phase === "done" &&
      h(
        "p",
        { class: "small" },
        sale.agrees
          ? "The server's own counters say the same."
          : "The server's own counters say something else; see the table.",
      ),
  );
  box.hidden = false;
  setText(find("phase"), `Took ${duration(sale.elapsedMs)}.`);
  find("console-link").href = `/#/queues/${encodeURIComponent(sale.name)}`;
  showAfter();
}

/** A queue that the page has made, to be deleted with the others. */
function keepTrack(queue) {
  queues.add(queue);
  showAfter();
}

function showAfter() {
  setText(
    find("clean"),
    queues.size === 1 ? "Delete its queue" : `Delete the ${queues.size} queues`,
  );
  find("clean").disabled = queues.size === 0;
  find("after").hidden = false;
}

/** Deletes the queues of this page's sales. */
async function clean() {
  find("clean").disabled = true;
  for (const queue of [...queues]) {
    try {
      await client.queue(queue).delete();
      queues.delete(queue);
    } catch (error) {
      if (error.type === "not-found") queues.delete(queue);
      else setText(find("phase"), wordsOf(error));
    }
  }
  if (queues.size > 0) showAfter();
  else setText(find("clean"), "Deleted");
}

/** A browser keeps requests back where the connection is of the old kind: say so. */
function explainConnections() {
  const [visit] = performance.getEntriesByType("navigation");
  find("connections").hidden = visit?.nextHopProtocol !== "http/1.1";
}
