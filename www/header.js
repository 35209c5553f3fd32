// What every page's header does: the button that goes through the colours, system, light and dark.

const KEY = "tidegate-theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };

/** Brings the page's theme button to life. */
export function startHeader() {
  const button = document.querySelector("[data-theme-button]");
  const root = document.documentElement;
  const current = () => root.dataset.theme ?? "auto";
  const show = () => {
    button.querySelector("[data-theme-name]").textContent = current();
    button.setAttribute("aria-label", `Colours: ${current()}. Change to ${NEXT[current()]}`);
  };
  button.addEventListener("click", () => {
    const next = NEXT[current()];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    remember(next);
    show();
  });
  show();
}

function remember(theme) {
  try {
    if (theme === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage can be refused; the choice then lasts as long as the page.
  }
}
