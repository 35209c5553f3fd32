// The console: which page is shown at which address.

import { startHeader } from "../header.js";
import { App } from "./app.js";
import { fill } from "../dom.js";
import { queueListPage } from "./queue-list.js";
import { QueuePage } from "./queue-page.js";

const TITLE = "Tidegate console";

startHeader();
const main = document.querySelector("main");
const app = new App(() => open(true));
let leave = new AbortController();
/** @type {QueuePage | null} */
let queuePage = null;

window.addEventListener("hashchange", () => open(false));
open(true);

/** Shows the page at the address; one that is shown already only changes what has to change. */
function open(isAnew) {
  const [kind, queue, tab, id] = location.hash.slice(2).split("/").map(decode);
  if (kind === "queues" && queue) {
    if (isAnew || queuePage?.name !== queue) {
      change();
      queuePage = new QueuePage(app, queue, leave.signal);
      fill(main, queuePage.element);
    }
    queuePage.open(tab, id);
    document.title = `${queue} · ${TITLE}`;
    return;
  }
  change();
  document.title = TITLE;
  fill(main, queueListPage(app, leave.signal));
}

function change() {
  leave.abort();
  leave = new AbortController();
  queuePage = null;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
