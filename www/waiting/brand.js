// The shop's look, from the page's query: words as text and colours as custom properties. A query
// can make the page neither unreadable nor a way to anywhere else.

const WORDS_MAX = 120;
/** WCAG 2.2, 1.4.3: text on its ground. */
const CONTRAST_MIN = 4.5;
/** The same for large text. */
const CONTRAST_LARGE_MIN = 3;
const COLOUR = /^[0-9a-f]{6}$/i;

/**
 * Puts the brand on the page.
 * @param {URLSearchParams} query `shop`, `note`, `theme`, `accent`, `ground`, `ink`
 */
export function brand(query) {
  const root = document.documentElement;
  const theme = query.get("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  say("[data-shop]", query.get("shop"));
  say("[data-note]", query.get("note"));
  const set = (name, value) => root.style.setProperty(`--wait-${name}`, value);
  const [ground, ink, accent] = ["ground", "ink", "accent"].map((name) => colour(query.get(name)));
  if (ground && ink && contrast(ground, ink) >= CONTRAST_MIN) {
    set("ground", ground);
    set("surface", ground);
    set("ink", ink);
    set("muted", ink);
    set("line", `color-mix(in srgb, ${ink} 20%, ${ground})`);
  }
  if (accent) {
    set("accent", accent);
    set("on-accent", contrast(accent, "#ffffff") >= CONTRAST_MIN ? "#ffffff" : "#000000");
    if (contrast(accent, surface()) < CONTRAST_LARGE_MIN) set("number", "var(--wait-ink)");
  }
}

function say(selector, words) {
  const element = document.querySelector(selector);
  element.textContent = (words ?? "").slice(0, WORDS_MAX);
  element.hidden = element.textContent === "";
}

/** What is behind the words, whichever colours are at work. */
function surface() {
  const rgb = getComputedStyle(document.querySelector("main")).backgroundColor.match(/\d+/g) ?? [];
  return `#${rgb.slice(0, 3).map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

function colour(text) {
  return COLOUR.test(text ?? "") ? `#${text}` : null;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Relative luminance as WCAG defines it. */
function luminance(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const share = parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
