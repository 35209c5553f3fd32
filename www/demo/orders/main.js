// The page of the shop: places orders, switches services off and on, and shows who is how far.

import { Access } from "../../access.js";
import { wordsOf } from "../../client.js";
import { fill, h, setText } from "../../dom.js";
import { count } from "../../format.js";
import { startHeader } from "../../header.js";
import { wait } from "./service.js";
import { Shop, median } from "./shop.js";

const ORDERS_SHOWN = 12;
const MANY = 40;
const COMPARED = 8;
/** Between two that are measured: the services have done what the one before brought them. */
const REST_MS = 120;
const WAYS = {
  serial: "One after another",
  parallel: "All at once",
  topic: "Through Tidegate",
};

const find = (name) => document.querySelector(`[data-${name}]`);
const access = new Access({ form: find("access-form"), button: find("access-forget") }, () => {});
const reach = { token: () => access.token(), onUnauthorized: () => access.demand() };
const shop = new Shop(reach, later);
const cards = shop.services.map(card);
const bars = Object.entries(WAYS).map(([way, label]) => bar(way, label));
const buttons = ["one", "many", "compare"].map(find);
let isDue = false;

startHeader();
fill(find("services"), cards.map(({ element }) => element));
fill(find("bars"), bars.map(({ element }) => element));
find("one").addEventListener("click", () => run(() => shop.place(chosenWay())));
find("many").addEventListener("click", () => run(() => placeMany(MANY)));
find("compare").addEventListener("click", () => run(compare));
find("clean").addEventListener("click", clean);
show();

const chosenWay = () => new FormData(find("ways")).get("way");

/** One thing at a time; what goes wrong is said. */
async function run(act) {
  for (const button of buttons) button.disabled = true;
  setText(find("problem"), "");
  try {
    await act();
  } catch (error) {
    setText(find("problem"), wordsOf(error));
  }
  for (const button of buttons) button.disabled = false;
  show();
}

async function placeMany(orders) {
  const way = chosenWay();
  await Promise.all(Array.from({ length: orders }, () => shop.place(way, false)));
}

/** A few orders each way, one after another, so that they do not wait for each other. */
async function compare() {
  for (const way of Object.keys(WAYS)) {
    for (let n = 0; n < COMPARED; n += 1) {
      await shop.place(way);
      await wait(REST_MS);
    }
  }
}

async function clean() {
  find("clean").disabled = true;
  try {
    await shop.close();
    setText(find("problem"), "Deleted. The next order opens the shop anew.");
  } catch (error) {
    setText(find("problem"), wordsOf(error));
  }
  show();
}

/** Draws with the next frame, however much changes until then. */
function later() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    show();
  });
}

function show() {
  for (const { update } of [...cards, ...bars]) update();
  fill(find("orders"), shop.orders.slice(0, ORDERS_SHOWN).map(row));
  find("orders-card").hidden = shop.orders.length === 0;
  find("after").hidden = find("clean").disabled = shop.topic === undefined;
  if (shop.error) setText(find("problem"), shop.error);
  if (shop.topic) find("console").href = `/#/topics/${encodeURIComponent(shop.topic)}`;
  const left = Math.max(0, ...shop.services.map(({ behind }) => behind));
  const placed = shop.orders.filter(({ problem }) => problem === null).length;
  setText(find("sum"), placed === 0 ? "" : `${count(placed)} placed. ${sentence(left)}`);
}

function sentence(left) {
  if (left === 0) return "Everybody is up to date.";
  return `${count(left)} wait for the slowest; no buyer does.`;
}

function card(service) {
  const input = h("input", {
    type: "checkbox",
    role: "switch",
    id: `switch-${service.name}`,
    checked: true,
    onchange: () => service.switch(input.checked),
  });
  const state = h("span", { class: "tag" });
  const behind = h("b", { class: "value", "data-behind": service.name }, "0");
  const handled = h("span", { class: "muted small" });
  const label = `${service.label}: orders behind`;
  const meter = h("progress", { max: 1, value: 0, "aria-label": label });
  const element = h(
    "li",
    { class: "card" },
    h("div", { class: "row spread" },
      h("label", { for: input.id, class: "row" }, input, h("b", {}, service.label)), state),
    h("p", { class: "muted small" }, service.does),
    h("p", { class: "row spread" }, h("span", {}, behind, " behind"), handled),
    meter,
  );
  const update = () => {
    const { isOn, handled: done } = service;
    state.className = isOn ? "tag on" : "tag bad";
    setText(state, isOn ? "up" : "down");
    setText(behind, count(service.behind));
    setText(handled, `${count(done.size)} done`);
    meter.value = Math.min(1, service.behind / MANY);
  };
  return { element, update };
}

function bar(way, label) {
  const time = h("b", { "data-wait": way }, "–");
  const meter = h("progress", { max: 300, value: 0, "aria-label": `${label}: time waited` });
  const element = h("li", {}, h("span", { class: "row spread" }, label, time), meter);
  const update = () => {
    const ms = median(shop.waits[way]);
    setText(time, ms === null ? "–" : `${count(Math.round(ms))} ms`);
    meter.value = ms ?? 0;
  };
  return { element, update };
}

function row({ number, buyer, item, way, waitedMs, problem }) {
  const answer = waitedMs === null ? "…" : `${count(Math.round(waitedMs))} ms`;
  return h(
    "tr",
    { "data-order": number },
    h("th", { scope: "row" }, `#${number}`),
    h("td", {}, `${buyer}, a ${item}`),
    h("td", { class: "muted" }, WAYS[way]),
    h("td", { class: problem ? "bad" : "" }, problem ? `failed: ${problem}` : answer),
    shop.services.map(({ label, handled }) =>
      h("td", { class: handled.has(number) ? "done" : "muted", "data-heading": label },
        handled.has(number) ? "✓" : "·",
        h("span", { class: "visually-hidden" }, handled.has(number) ? "done" : "not yet"))),
  );
}
