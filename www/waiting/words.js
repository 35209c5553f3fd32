// What the page says, and how it says times.

const MINUTE = 60_000;

/** @param {number} ms @returns {string} as in `about 4 minutes` */
export function roughly(ms) {
  if (ms < 20_000) return "a few seconds";
  if (ms < MINUTE) return "less than a minute";
  const minutes = Math.round(ms / MINUTE);
  if (minutes < 60) return minutes === 1 ? "about a minute" : `about ${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours === 1 ? "about an hour" : `about ${hours} hours`;
}

/** @param {number} ms @returns {string} as in `1:05` or `2:10:00` */
export function clock(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/**
 * Why there is no place, and whether it is worth coming back.
 * @param {import("./api.js").Problem} problem
 * @returns {{ title: string, detail: string, again?: string, againMs: number | null }}
 *   `againMs`: when the page asks again by itself; `again` says so before the time
 */
export function refusal({ type, status, document }) {
  const againMs = document.retry_after_ms ?? null;
  const asks = "This page asks again by itself.";
  const said = {
    "sold-out": ["Everything is taken", "A place may come free when somebody gives it back.", null],
    "queue-full": ["There is no room at the moment", asks, againMs ?? 5_000],
    "key-limit": ["You have your share already", "Each visitor has only so many places.", null],
    "not-open": ["Not open yet", "This page lets you in by itself.", againMs],
    closed: ["This has closed", "There are no more places to come.", null],
    "rate-limited": ["Many are coming at once", asks, againMs ?? 1_000],
    overloaded: ["Many are coming at once", asks, againMs ?? 2_000],
    "not-found": ["There is no such line", "Please go back to where you came from.", null],
  }[type];
  if (said !== undefined) {
    const [title, detail, ms] = said;
    return { title, detail, again: type === "not-open" ? "It opens in" : "Next in", againMs: ms };
  }
  if (status === 401 || status === 403) {
    return {
      title: "This line needs an invitation",
      detail: "Please come through the link of the shop.",
      againMs: null,
    };
  }
  return { title: "This does not work at the moment", detail: "Please try again.", againMs: null };
}
