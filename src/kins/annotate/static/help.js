// All keys, and changing them.

import { ACTIONS } from "./actions.js";
import { ask, button, el, fill } from "./dom.js";
import { keyOf, keysOf, resetKeys, setKey } from "./keys.js";

/** Shows all actions with their keys; a click on a key waits for another one. */
export async function helpDialog(changed) {
  const content = el("div", { class: "keys" });
  const show = () => fill(content, [...Map.groupBy(ACTIONS, (action) => action.group)].map(([name, actions]) =>
    el("section", {}, el("h3", {}, name), actions.map((action) => line(action, show)))));
  show();
  const fixed = el("p", {}, "1 to 9: class. Wheel: zoom. Middle button or held Space: pan. Alt+click on a point: delete it. Alt+drag: part shared points. Click on a key here to change it.");
  const answer = await ask("Keys", [fixed, content], [{ label: "Close", value: true }, { label: "All as they were", value: "reset" }]);
  if (answer === "reset") resetKeys();
  changed();
}

function line(action, show) {
  const key = button(keysOf(action).join(", "), "Change this key", () => {
    key.textContent = "press a key…";
    const take = (event) => {
      if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      document.removeEventListener("keydown", take, true);
      if (event.key !== "Escape") setKey(action, keyOf(event));
      show();
    };
    document.addEventListener("keydown", take, true);
  }, { class: "key" });
  return el("div", { class: "key-line" }, key, el("span", {}, action.title));
}
