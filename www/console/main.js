// The console: which page is shown at which address.

import { startHeader } from "../header.js";
import { App } from "./app.js";
import { fill } from "../dom.js";
import { queueListPage } from "./queue-list.js";
import { QueuePage } from "./queue-page.js";
import { topicListPage } from "./topic-list.js";
import { TopicPage } from "./topic-page.js";

const TITLE = "Tidegate console";
const PAGES = { queues: QueuePage, topics: TopicPage };

startHeader();
const main = document.querySelector("main");
const app = new App(() => open(true));
let leave = new AbortController();
/** @type {QueuePage | TopicPage | null} of one queue or topic */
let shown = null;

window.addEventListener("hashchange", () => open(false));
open(true);

/** Shows the page at the address; one that is shown already only changes what has to change. */
function open(isAnew) {
  const [kind, name, tab, id] = location.hash.slice(2).split("/").map(decode);
  const Page = PAGES[kind];
  if (Page && name) {
    if (isAnew || shown?.name !== name || !(shown instanceof Page)) {
      change();
      shown = new Page(app, name, leave.signal);
      fill(main, shown.element);
    }
    shown.open(tab, id);
    document.title = `${name} · ${TITLE}`;
    return;
  }
  change();
  document.title = TITLE;
  fill(main, (kind === "topics" ? topicListPage : queueListPage)(app, leave.signal));
}

function change() {
  leave.abort();
  leave = new AbortController();
  shown = null;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
