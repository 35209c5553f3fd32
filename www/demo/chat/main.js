// The page of the chat: who one is, which room one is in, what is written, and how the connection
// stands.

import { Access } from "../../access.js";
import { openClient, wordsOf } from "../../client.js";
import { fill, h, setText } from "../../dom.js";
import { count } from "../../format.js";
import { startHeader } from "../../header.js";
import { cleanName, ownPerson, remember } from "./identity.js";
import { Log, showPeople, showTyping } from "./log.js";
import { Room, existingRooms, roomName } from "./room.js";

const ROOMS = ["lounge", "engineering", "weekend"];
const TITLE = "Chat · Tidegate";
/** What is written is tried for about half a minute before its writer is asked. */
const TRIES = 8;
const BACK_SHOWN_MS = 4_000;

const find = (name) => document.querySelector(`[data-${name}]`);
const access = new Access({ form: find("access-form"), button: find("access-forget") }, enter);
const client = openClient({
  token: () => access.token(),
  onUnauthorized: () => access.demand(),
  tries: TRIES,
});
/** For what is nice to have: nobody is asked for a token because of it. */
const quiet = openClient({ token: () => access.token() });
const log = new Log((seq) => room?.forgetBefore(seq));
const composer = find("composer");
const text = composer.elements.namedItem("text");
const dialog = find("name-dialog");

let person = ownPerson();
/** @type {Room | null} */
let room = null;
let rooms = ROOMS;

startHeader();
addEventListener("hashchange", enter);
find("rename").addEventListener("click", askName);
find("name-form").addEventListener("submit", takeName);
// Without a name there is no way in; with one, Escape goes back.
dialog.addEventListener("cancel", (event) => person.name === "" && event.preventDefault());
find("new-room").addEventListener("submit", openRoom);
find("older").addEventListener("click", lookBack);
composer.addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  say();
});
text.addEventListener("input", () => {
  grow();
  if (text.value.trim() !== "") room?.type();
});
if (person.name === "") askName();
else enter();

/** The room at the address; whoever has no name yet is asked first. */
async function enter() {
  room?.leave();
  if (person.name === "") return;
  const name = roomName(location.hash.slice(1)) ?? ROOMS[0];
  rooms = [...new Set([...rooms, name])];
  const mine = new Room(client, quiet, name, person, listener(() => room === mine));
  room = mine;
  showRoom(name);
  try {
    existingRooms(quiet).then((known) => room === mine && showRooms(known, name), () => {});
    await mine.enter();
  } catch (error) {
    if (room === mine) showTrouble(wordsOf(error));
  }
}

function showRoom(name) {
  log.clear(person.mark);
  document.title = `#${name} · ${TITLE}`;
  setText(find("room-name"), name);
  setText(find("topic"), room.topic);
  setText(find("own-name"), person.name);
  find("console").href = `/#/topics/${encodeURIComponent(room.topic)}`;
  find("connection").hidden = true;
  find("older").hidden = find("empty").hidden = true;
  setText(find("here-short"), "Coming in…");
  showTyping(find("typing"), []);
  showPeople(find("people"), [], person.mark);
  showRooms([], name);
  if (!matchMedia("(pointer: coarse)").matches) text.focus();
}

function showRooms(known, current) {
  rooms = [...new Set([...rooms, ...known])].sort();
  fill(find("rooms"), rooms.map((name) =>
    h("li", {}, h("a", { href: `#${name}`, "aria-current": name === current ? "page" : null },
      h("span", { "aria-hidden": "true" }, "#"), name))));
}

/** What a room has to say, as long as it is the one that is shown. */
function listener(isShown) {
  let wasOpen = false;
  let meanwhile = 0;
  const shown = (act) => (...all) => isShown() && act(...all);
  return {
    onSaid: shown((said) => {
      if (!find("connection").hidden) meanwhile += 1;
      find("empty").hidden = true;
      log.add(said);
      find("older").hidden = !room.hasOlder;
    }),
    onState: shown((state) => {
      if (state === "open") {
        if (wasOpen) showBack(() => meanwhile);
        find("empty").hidden = !log.isEmpty;
        wasOpen = true;
      } else {
        meanwhile = 0;
        showTrouble(wasOpen
          ? "Connection lost. What you write is sent when it is back, and nothing will be missed."
          : "The server does not answer yet. Trying again.");
      }
    }),
    onPeople: shown((people) => {
      showPeople(find("people"), people, person.mark);
      setText(find("here-count"), count(people.length));
      const others = people.filter(({ mark }) => mark !== person.mark).map(({ name }) => name);
      setText(find("here-short"), shortly(others));
    }),
    onMove: shown(({ name }, hasCome) => log.note(`${name} ${hasCome ? "came in" : "left"}`)),
    onTyping: shown((names) => showTyping(find("typing"), names)),
    onMissed: shown((missed) => log.note(`${count(missed)} messages are gone by now`)),
  };
}

function shortly(others) {
  if (others.length === 0) return "Nobody else is here: open this page in a second window";
  if (others.length <= 3) return `Here with ${others.join(", ")}`;
  return `Here with ${others.slice(0, 2).join(", ")} and ${count(others.length - 2)} others`;
}

function showTrouble(words) {
  const box = find("connection");
  box.className = "connection bad";
  setText(box, words);
  box.hidden = false;
}

/** Says for a while what came in between; it arrives right after the connection. */
function showBack(meanwhile) {
  const box = find("connection");
  box.className = "connection good";
  setText(box, "Connected again.");
  const mine = room;
  setTimeout(() => {
    if (room !== mine || !box.classList.contains("good")) return;
    const missed = meanwhile();
    if (missed > 0) log.note(`Connected again: ${count(missed)} came meanwhile, none is missing`);
    box.hidden = true;
  }, BACK_SHOWN_MS);
}

function say() {
  const words = text.value.trim();
  if (words === "" || room === null) return;
  text.value = "";
  grow();
  find("empty").hidden = true;
  const mine = room;
  const said = mine.draft(words);
  const failed = log.addPending(said);
  const send = () => mine.say(said).catch((error) => failed(wordsOf(error), send));
  send();
}

async function lookBack() {
  const mine = room;
  find("older").disabled = true;
  try {
    const older = await mine.older();
    if (room === mine) log.addOlder(older);
  } catch (error) {
    if (room === mine) showTrouble(wordsOf(error));
  }
  find("older").disabled = false;
  find("older").hidden = !mine.hasOlder;
}

function openRoom(event) {
  event.preventDefault();
  const field = event.target.elements.namedItem("room");
  const name = roomName(field.value.trim().toLowerCase());
  if (!name) return;
  field.value = "";
  location.hash = name;
}

function askName() {
  const field = dialog.querySelector("input");
  field.value = person.name;
  dialog.showModal();
}

function takeName(event) {
  const name = cleanName(dialog.querySelector("input").value);
  if (name === "") return event.preventDefault();
  person = { ...person, name };
  remember(person);
  return enter();
}

/** As high as what is written, within reason; the style sheet says how high that is. */
function grow() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}
