// The curl line of a call, for people who learn the interface from the console.

import { h, setText } from "../dom.js";

/** Longest line that is not broken. */
const LINE_CHARS = 76;

/**
 * @param {import("../calls.js").Call} call
 * @param {boolean} withToken whether the server wants a token
 * @returns {string} a command for a POSIX shell
 */
export function curlLine({ method, path, headers = {}, body }, withToken) {
  const isPlain = method === "GET" || (method === "POST" && body !== undefined);
  const streams = headers.accept === "text/event-stream";
  const parts = [
    `curl ${streams ? "-N " : ""}${isPlain ? "" : `-X ${method} `}${quote(location.origin + path)}`,
  ];
  if (withToken) parts.push('-H "Authorization: Bearer $ADMIN_TOKEN"');
  for (const [name, value] of Object.entries(headers))
    parts.push(`-H ${quote(`${name}: ${value}`)}`);
  if (body !== undefined) parts.push(`--data-raw ${quote(body)}`);
  const line = parts.join(" ");
  return line.length <= LINE_CHARS ? line : parts.join(" \\\n  ");
}

/** Quoted for a POSIX shell, only where it has to be. */
function quote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A box with the curl line of a call, and a button that copies it.
 * @param {import("./app.js").App} app
 * @param {string} what it does, as in "Publish"
 * @returns {{ element: HTMLElement, show: (call: import("../calls.js").Call) => void }}
 */
export function curlBox(app, what) {
  const code = h("code");
  const copy = h(
    "button",
    {
      type: "button",
      class: "quiet small",
      "aria-label": `Copy the curl line: ${what}`,
      onclick: async () => {
        setText(copy, (await copyText(code.textContent)) ? "Copied" : "Select it, then copy");
        setTimeout(() => setText(copy, "Copy"), 1500);
      },
    },
    "Copy",
  );
  const element = h(
    "div",
    { class: "curl" },
    h("pre", { tabindex: 0, "aria-label": `${what}, as a curl line` }, code),
    copy,
  );
  return { element, show: (call) => setText(code, curlLine(call, app.access.hasToken())) };
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
