// The colours a visitor chose, put on the page before it is painted. A classic script in the
// head, so that nothing flashes; the button that changes them is in header.js.

{
  let theme = null;
  try {
    theme = localStorage.getItem("tidegate-theme");
  } catch {
    // Storage can be refused; the system's colours stand then.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
