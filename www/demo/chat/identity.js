// Who one is in the chat: a name that may change, and a mark of this browser that does not. Readers
// are shown to each other as `mark name`; nobody checks it, as in any chat without accounts.

const KEY = "tidegate-chat";
const NAME_CHARS_MAX = 40;
const MARK = /^[a-z0-9]{8}$/;

/** @typedef {{ mark: string, name: string }} Person */

/** @returns {Person} of this browser; the name is empty until there is one */
export function ownPerson() {
  try {
    const { mark, name } = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (MARK.test(mark)) return { mark, name: cleanName(name) };
  } catch {
    // Storage can be refused, or hold something else: then this is a new person.
  }
  return { mark: freshMark(), name: "" };
}

/** @param {Person} person */
export function remember(person) {
  try {
    localStorage.setItem(KEY, JSON.stringify(person));
  } catch {
    // The name then lasts as long as the page.
  }
}

/** A name that can be shown to others: one line, not endless. */
export function cleanName(text) {
  if (typeof text !== "string") return "";
  const line = text.replace(/\p{C}+/gu, " ").replace(/\s+/g, " ").trim();
  return [...line].slice(0, NAME_CHARS_MAX).join("");
}

/** @param {Person} person @returns {string} as readers are shown to each other */
export const memberOf = ({ mark, name }) => `${mark} ${name}`;

/** @param {string} member @returns {Person | null} nothing where it has another form */
export function personOf(member) {
  const mark = member.slice(0, 8);
  const name = cleanName(member.slice(9));
  return MARK.test(mark) && name !== "" ? { mark, name } : null;
}

/** A number from 0 to 359 that stays with a mark. */
export function hueOf(mark) {
  let sum = 7;
  for (const char of mark) sum = (sum * 31 + char.charCodeAt(0)) % 360;
  return sum;
}

/** Random letters and digits. */
export function freshMark() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) =>
    (byte % 36).toString(36)).join("");
}
