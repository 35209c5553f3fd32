// The waiting page: asks for a place in the line that its path names, shows where it is, and sends
// the visitor on when it is their turn. Where to is the queue's own setting, never the query's.

import { Api } from "./api.js";
import { brand } from "./brand.js";
import { Line } from "./line.js";
import { Keeper } from "./place.js";
import { clock, refusal, roughly } from "./words.js";

/** Time to read that one is through. */
const GO_MS = 1_200;
/** A retry comes within this time after it is due, so that not all come at once. */
const SPREAD_MS = 1_000;
const TICK_MS = 500;

/** What counts as being let in: having a place, or being served. */
const LET_IN = {
  place: ["queued", "held", "delayed", "leased", "done"],
  served: ["leased", "done"],
};

const query = new URLSearchParams(location.search);
const queue = decodeURIComponent(location.pathname.slice("/wait/".length));
const letIn = LET_IN[query.get("until")] ?? LET_IN.place;
const isLetIn = ({ state }) => letIn.includes(state);

const at = (name) => document.querySelector(`[data-${name}]`);
const view = document.querySelector("main");
const keeper = new Keeper(queue);
const token = takeToken();
const line = new Line(new Api({ token: () => token }), queue, keeper, {
  onReach: (isReached) => (at("connection").hidden = isReached),
});
/** Counts up with each new beginning; what belongs to an earlier one stops. */
let round = 0;
let announced = "";

brand(query);
at("leave").addEventListener("click", leave);
at("retry").addEventListener("click", start);
for (const event of ["online", "pageshow"]) addEventListener(event, () => line.wake());
document.addEventListener("visibilitychange", () => document.hidden || line.wake());
start();

/** A token of the shop's for this visitor comes behind `#`, which no server sees. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("access_token");
  const name = `tidegate-visitor:${queue}`;
  try {
    if (given === null) return sessionStorage.getItem(name);
    sessionStorage.setItem(name, given);
  } catch {
    // Storage can be refused: the token then lasts as long as the page.
  }
  if (given !== null) history.replaceState(null, "", location.pathname + location.search);
  return given;
}

async function start() {
  round += 1;
  const mine = round;
  show("joining", "Joining the line …");
  try {
    const first = await line.join();
    if (mine !== round) return;
    showPlace(first);
    const isOver = (state) => mine !== round || isLetIn(state);
    const last = isOver(first) ? first : await line.follow(isOver, (state) => {
      if (mine === round) showPlace(state);
    });
    if (mine === round) end(last);
  } catch (error) {
    if (mine === round) refuse(error, mine);
  }
}

function end(state) {
  if (isLetIn(state)) {
    through(state);
    return;
  }
  if (state.state === "not-drawn") {
    show("refused", "You were not drawn", "Others were drawn this time. Thank you for taking part.");
    announce("You were not drawn.");
    return;
  }
  const title = state.state === "cancelled" ? "You have left the line" : "Your place has run out";
  keeper.renew();
  show("left", title, "You can join again, at the end of the line.");
  at("retry").hidden = false;
}

function showPlace(state) {
  if (isLetIn(state) || !["waiting", "queued", "delayed", "held"].includes(state.state)) return;
  const { position, estimated_wait_ms: waitMs } = state;
  show("waiting", "You are in line");
  at("leave").hidden = false;
  at("promise").hidden = false;
  at("place").hidden = position === undefined;
  if (state.draw_at_ms !== undefined) {
    at("title").textContent = "You are taking part";
    const time = new Date(state.draw_at_ms).toLocaleString(undefined, { timeStyle: "short" });
    at("detail").textContent = `The draw is at ${time}. It does not matter who came first.`;
    announce(at("detail").textContent);
  }
  if (position === undefined) return;
  const first = Math.max(keeper.place().first ?? 0, position);
  keeper.update({ first });
  at("number").textContent = position.toLocaleString("en");
  at("caption").textContent = position === 1 ? "You are next" : "your place in line";
  at("estimate").textContent = waitMs === undefined ? "" : `It will take ${roughly(waitMs)}`;
  at("progress").value = (first - position + 1) / (first + 1);
  document.title = `${position} · In line`;
  announce(position === 1 ? "You are next." : `You are number ${position} in line.`);
}

function through({ id, redirect_url: url, ticket }) {
  const { isThrough, ...place } = keeper.place();
  const target = targetOf(url, id, ticket ?? place.ticket);
  show("through", "It is your turn", target === null ? "" : "You are being taken on.");
  document.title = "It is your turn";
  announce("It is your turn.");
  if (target === null) return;
  at("continue").href = target;
  at("continue").hidden = false;
  keeper.update({ isThrough: true });
  // Who comes back by the browser's button wants to stay.
  if (!isThrough) setTimeout(() => location.assign(target), GO_MS);
  else at("detail").textContent = "You have been let in before.";
}

/** The shop's address, with what the shop needs to know the visitor by. */
function targetOf(url, id, ticket) {
  if (!URL.canParse(url ?? "")) return null;
  const target = new URL(url);
  if (!["http:", "https:"].includes(target.protocol)) return null;
  target.searchParams.set("queue", queue);
  target.searchParams.set("message_id", id);
  if (ticket !== undefined) target.searchParams.set("ticket", ticket);
  return target.href;
}

function refuse(error, mine) {
  const { title, detail, again, againMs } = refusal({ document: {}, ...error });
  show("refused", title, detail);
  announce(`${title}. ${detail}`);
  at("retry").hidden = againMs !== null;
  if (againMs === null) return;
  const due = Date.now() + againMs + Math.random() * SPREAD_MS;
  const tick = () => {
    if (mine !== round) return;
    const left = due - Date.now();
    if (left <= 0) start();
    else {
      at("detail").textContent = `${detail} ${again} ${clock(left)}.`;
      setTimeout(tick, Math.min(left, TICK_MS));
    }
  };
  tick();
}

async function leave() {
  at("leave").disabled = true;
  round += 1;
  try {
    await line.leave();
    show("left", "You have left the line", "You can join again, at the end of the line.");
    announce("You have left the line.");
    at("retry").hidden = false;
    at("retry").focus();
  } catch (error) {
    refuse(error, round);
  } finally {
    at("leave").disabled = false;
  }
}

function show(name, title, detail = "") {
  view.dataset.view = name;
  at("title").textContent = title;
  at("detail").textContent = detail;
  document.title = title;
  for (const part of ["place", "continue", "retry", "leave", "promise"]) at(part).hidden = true;
}

/** Says to who listens what has changed, once. */
function announce(text) {
  if (text === announced) return;
  announced = text;
  at("announce").textContent = text;
}
