// The admin token: asked for when the server says 401, kept for as long as the tab lives, sent as
// a header only. It is never part of a URL.

const KEY = "tidegate-admin-token";

/** The credentials of this tab, and the field that asks for them. */
export class Access {
  /**
   * @param {{ form: HTMLFormElement, button: HTMLButtonElement }} elements
   * @param {() => void} onChange
   */
  constructor({ form, button }, onChange) {
    this.form = form;
    this.button = button;
    this.onChange = onChange;
    this.input = form.elements.namedItem("token");
    this.hint = form.querySelector("[data-access-hint]");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.set(this.input.value.trim());
    });
    button.addEventListener("click", () => this.set(""));
    this.show(false);
  }

  /** @returns {string | null} */
  token() {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return this.kept ?? null;
    }
  }

  hasToken() {
    return this.token() !== null;
  }

  /** The server refused what was sent: asks. */
  demand() {
    if (this.form.hidden) {
      this.hint.textContent = this.hasToken()
        ? "The server does not know this token. Is it the deployment's ADMIN_TOKEN?"
        : "This server asks for its ADMIN_TOKEN. It stays in this tab and is sent as a header.";
      this.show(true);
      this.input.focus();
    }
  }

  set(token) {
    this.kept = token === "" ? null : token;
    try {
      if (token === "") sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, token);
    } catch {
      // Storage can be refused: the token then lasts as long as the page.
    }
    this.input.value = "";
    this.show(false);
    this.onChange();
  }

  show(isAsking) {
    this.form.hidden = !isAsking;
    this.button.hidden = !this.hasToken();
  }
}
