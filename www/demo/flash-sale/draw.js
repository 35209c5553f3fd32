// The draw: people take part in no order, the server draws, and this page checks the draw by
// itself: with the seed that was committed to before anybody came.

import { fill, h, setText } from "../../dom.js";
import { count } from "../../format.js";

const PLACES = 3;
const PEOPLE = 24;
/** They have this long to take part. */
const OPEN_MS = 2_500;
const LOOK_MS = 250;
const LOOKS_MAX = 80;

/**
 * @param {import("/client/index.js").Tidegate} client
 * @param {(queue: string) => void} onQueue told of each queue
 */
export function startDraw(client, onQueue) {
  const at = (name) => document.querySelector(`[data-draw-${name}]`);
  const go = at("go");
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  go.addEventListener("click", async () => {
    go.disabled = true;
    try {
      await hold();
    } catch (error) {
      setText(at("said"), error.message);
    }
    go.disabled = false;
  });

  async function hold() {
    const queue = client.queue(`demo/draw-${Date.now().toString(36)}`, { batchMessagesMax: 1 });
    const drawAtMs = Date.now() + OPEN_MS;
    const capacity = { maxAccepted: PLACES, maxPerKey: 1, admission: "draw", drawAtMs };
    const { draw } = await queue.configure({ capacity });
    onQueue(queue.name);
    setText(at("commitment"), draw.commitment);
    setText(at("said"), "Committed. They are coming …");
    fill(at("people"));
    const people = await Promise.all(Array.from({ length: PEOPLE }, async (_, n) => {
      const { id } = await queue.publish("me", { key: `person ${n + 1}` });
      const element = h("li", {}, count(n + 1));
      at("people").append(element);
      return { id, element };
    }));
    const result = await drawn(queue);
    await Promise.all(people.map(async (person) => {
      person.state = (await queue.message(person.id).state()).state;
      person.element.dataset.won = String(person.state !== "not-drawn");
    }));
    const won = people.filter(({ element }) => element.dataset.won === "true").length;
    const verdict = await check(draw.commitment, result, people);
    setText(at("said"), `${count(won)} of ${count(PEOPLE)} were drawn. ${verdict}`);
  }

  async function drawn(queue) {
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      await wait(LOOK_MS);
      const { draw } = await queue.describe();
      if (draw?.seed) return draw;
    }
    throw new Error("The draw has not come.");
  }
}

/** Works the draw out again, and says whether it comes to the same. */
async function check(commitment, { seed, threshold }, people) {
  // Browsers have it on secure pages only.
  if (crypto.subtle === undefined) return "On https, this page would check it.";
  const bytes = Uint8Array.from(seed.match(/../g), (pair) => parseInt(pair, 16));
  if ((await sha256(bytes)) !== commitment) return "The seed is not the one committed to!";
  const ranks = await Promise.all(people.map(({ id }) =>
    sha256(new Uint8Array([...bytes, ...new TextEncoder().encode(id)]))));
  // Hexadecimal of one length compares as its bytes do.
  const isRight = people.every(({ state }, n) =>
    (threshold !== null && ranks[n] <= threshold) === (state !== "not-drawn"));
  return isRight
    ? "Checked by this page: the seed is the one committed to, and it draws these and no others."
    : "The seed draws others!";
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
