// Signing in, where there are accounts.

import { login } from "./api.js";
import { el, field, fill } from "./dom.js";

/** The page of somebody who is not signed in. */
export function loginPage(app) {
  const card = el("div", { class: "narrow card" });
  if (app.who.accounts) loginForm(card, app, () => app.show(), "");
  else {
    fill(card, el("h1", {}, "kins annotate"),
      el("p", {}, "Open the address that “kins annotate” printed: it carries a token that works once. Start it again for another one."));
  }
  return (main) => fill(main, card);
}

/** A form for name and password; `then` is called when signed in. */
export function loginForm(place, app, then, text) {
  const name = field("Name", { type: "text", autocomplete: "username", required: true });
  const password = field("Password", { type: "password", autocomplete: "current-password", required: true });
  const wrong = el("p", { class: "error", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    const [user, secret] = [name, password].map((label) => label.querySelector("input"));
    try {
      app.who = await login(user.value, secret.value);
      then();
    } catch (error) {
      wrong.textContent = error.message;
      secret.value = "";
      secret.focus();
    }
  };
  fill(place, el("form", { onsubmit: submit }, el("h1", {}, "Sign in"), text ? el("p", {}, text) : null, name, password, wrong,
    el("button", { type: "submit", class: "main", title: "Sign in" }, "Sign in")));
}
