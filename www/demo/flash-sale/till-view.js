// The till on the page: a card for each buyer, with what they can do, and the items by where they
// are. Cards stay the same elements while they change, so that focus and readers stay with them.

import { h, setText } from "../../dom.js";
import { count } from "../../format.js";
import { BUYERS_MAX, HOLD_MS, STOCK, Till } from "./till.js";

const TICK_MS = 250;
const SAYS = {
  sold: "Bought",
  expired: "Too slow: the item went to the next",
  cancelled: "Walked away",
};

/**
 * Puts the till into the page.
 * @param {import("/client/index.js").Tidegate} client
 * @param {(queue: string) => void} onQueue told of the queue once there is one
 */
export function startTill(client, onQueue) {
  const at = (name) => document.querySelector(`[data-till-${name}]`);
  const till = new Till(client, show);
  /** @type {Map<import("./till.js").Buyer, ReturnType<typeof card>>} */
  const cards = new Map();

  at("send").addEventListener("click", () => send(1));
  at("crowd").addEventListener("click", () => send(4));
  setInterval(tick, TICK_MS);
  show();

  async function send(buyers) {
    at("send").disabled = at("crowd").disabled = true;
    try {
      for (let n = 0; n < buyers && till.active < BUYERS_MAX; n += 1) await till.send();
      onQueue(till.queue.name);
      at("page").href = `/wait/${encodeURIComponent(till.queue.name)}?shop=Flash%20sale`;
      at("page").hidden = false;
    } catch (error) {
      till.fail(error);
    }
    show();
  }

  function show() {
    at("send").disabled = at("crowd").disabled = till.active >= BUYERS_MAX;
    setText(at("problem"), till.error ?? "");
    for (const [name, value] of Object.entries(till.items)) setText(at(name), count(value));
    const { left, held, sold } = till.items;
    const sum = `${count(left)} + ${count(held)} + ${count(sold)} = ${count(STOCK)}`;
    setText(at("sum"), left + held + sold === STOCK ? `${sum}, as it has to be` : sum);
    for (const buyer of till.buyers) {
      if (!cards.has(buyer)) cards.set(buyer, card(till, buyer));
    }
    for (const [buyer, { element }] of cards) {
      if (!till.buyers.includes(buyer)) {
        element.remove();
        cards.delete(buyer);
      } else if (!element.isConnected) at("buyers").append(element);
    }
    tick();
  }

  function tick() {
    for (const [buyer, { update }] of cards) update(buyer);
  }
}

function card(till, buyer) {
  const does = (act) => () => act().catch((error) => till.fail(error));
  const says = h("span", { class: "says" });
  const label = `${buyer.name}'s time to pay`;
  const time = h("progress", { max: HOLD_MS, value: 0, "aria-label": label });
  const pay = h("button", { class: "main small", onclick: does(() => till.pay(buyer)) }, "Pay");
  const walk = does(() => till.walkAway(buyer));
  const go = h("button", { class: "small", onclick: walk }, "Walk away");
  for (const button of [pay, go]) {
    button.type = "button";
    button.setAttribute("aria-label", `${button.textContent}: ${buyer.name}`);
  }
  const buttons = h("span", { class: "row" }, pay, go);
  const element = h("li", {}, h("b", {}, buyer.name), says, time, buttons);
  const update = ({ state, position, endsMs }) => {
    const left = Math.max(0, endsMs - Date.now());
    element.dataset.state = state;
    time.value = left;
    time.hidden = pay.hidden = state !== "held";
    go.hidden = !["held", "waiting"].includes(state);
    setText(says, wordsOf(state, position, left));
  };
  update(buyer);
  return { element, update };
}

function wordsOf(state, position, leftMs) {
  if (state === "held") return `${count(Math.ceil(leftMs / 1_000))} s to pay`;
  if (state !== "waiting") return SAYS[state] ?? state;
  if (position === null) return "In line";
  return position === 1 ? "Next in line" : `Number ${count(position)} in line`;
}
