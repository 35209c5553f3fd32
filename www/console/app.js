// What every part of the console is given: the client, the credentials, a voice, and the way from
// page to page.

import { Access } from "../access.js";
import { openClient, send, wordsOf } from "../client.js";
import { fill, h } from "../dom.js";

const NOTICE_MS = 6000;

/** The console. */
export class App {
  /** @param {() => void} onAccess called when the credentials have changed */
  constructor(onAccess) {
    const form = document.querySelector("[data-access-form]");
    const button = document.querySelector("[data-access-forget]");
    this.access = new Access({ form, button }, onAccess);
    this.client = openClient({
      token: () => this.access.token(),
      onUnauthorized: () => this.access.demand(),
    });
    this.notices = document.querySelector("[data-notices]");
    /** Leased messages of this tab, by queue: they outlast the page that pulled them. */
    this.leases = new Map();
  }

  /** Sends a call of calls.js; what comes is the answer's JSON. */
  send(call, options) {
    return send(this.client, call, options);
  }

  /** Says what happened, for a while. */
  say(text) {
    const notice = h("p", { class: "notice" }, text);
    this.notices.append(notice);
    setTimeout(() => notice.remove(), NOTICE_MS);
  }

  /** Says across the page that the server cannot be reached, or no longer. */
  showTrouble(error) {
    const banner = document.querySelector("[data-trouble]");
    const isHidden = error === null || error.status === 401;
    banner.hidden = isHidden;
    if (!isHidden) fill(banner, `${wordsOf(error)} Trying again.`);
  }
}

/** The address of a page of the console. */
export const linkTo = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;
