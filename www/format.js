// Numbers, sizes, durations and instants as people read them.

const NUMBER = new Intl.NumberFormat("en");
const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];

/** `12,345`; a dash for what is not known. */
export const count = (n) => (typeof n === "number" ? NUMBER.format(n) : "–");

/** `1.5 MiB`. */
export function bytes(n) {
  if (typeof n !== "number") return "–";
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, n)) / 10));
  const value = n / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${["B", "KiB", "MiB", "GiB"][power]}`;
}

/** `850 ms`, `1.5 s`, `10 min`, `4 d`: the largest unit in which it is at least one. */
export function duration(ms) {
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ["ms", 1];
  const value = ms / size;
  return `${Number(value.toFixed(value < 10 && unit !== "ms" ? 1 : 0))} ${unit}`;
}

/** How long ago an instant was. */
export const age = (atMs) =>
  typeof atMs === "number" ? duration(Math.max(0, Date.now() - atMs)) : "–";

/** The time of day with milliseconds, in the reader's zone. */
export function timeOfDay(atMs) {
  const at = new Date(atMs);
  const two = (n) => String(n).padStart(2, "0");
  const ms = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}

/** A body for a row of a table. */
export function preview({ body, encoding }, length = 90) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const shown = text.replace(/\s+/g, " ").slice(0, length);
  return `${encoding === "base64" ? "base64 " : ""}${shown}${text.length > length ? "…" : ""}`;
}
