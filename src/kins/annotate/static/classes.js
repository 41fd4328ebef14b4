// Choosing a class by letters, or making one.

import { post } from "./api.js";
import { button, el, fill, toast } from "./dom.js";

/** A small list that letters narrow; Enter takes the first, or makes a new class of what was typed. */
export function chooseClass(editor) {
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    const input = el("input", { type: "text", "aria-label": "Class", autocomplete: "off", maxLength: 100 });
    const list = el("div", { class: "choices" });
    const box = el("dialog", { class: "palette", "aria-label": "Choose a class" }, input, list);
    const take = (category) => {
      box.close();
      if (category) editor.setClass(category.id);
    };
    const matching = () => {
      const text = input.value.trim().toLowerCase();
      const rank = (category) => category.name.toLowerCase().indexOf(text);
      return editor.categories.filter((category) => rank(category) >= 0).sort((a, b) => rank(a) - rank(b));
    };
    const make = async () => {
      try {
        const made = await post(`/projects/${editor.project.id}/categories`, { name: input.value.trim() });
        editor.categories = [...editor.categories, made];
        take(made);
      } catch (error) {
        toast(`No new class: ${error.message}`);
      }
    };
    const show = () => {
      const found = matching();
      const fresh = input.value.trim() && !found.some((category) => category.name === input.value.trim());
      fill(list, found.map((category) => button(category.name, `Class ${category.name}`, () => take(category))),
        fresh ? button(`New class “${input.value.trim()}”`, "Make this class", make) : null);
    };
    input.addEventListener("input", show);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      list.querySelector("button")?.click();
    });
    box.addEventListener("close", () => { box.remove(); resolve(); });
    document.body.append(box);
    show();
    box.showModal();
    input.focus();
  }));
}
