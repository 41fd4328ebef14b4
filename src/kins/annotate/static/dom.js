// Small helpers for elements and dialogs. Text from people goes through textContent alone.

/**
 * An element. Properties: `class`, `data` (an object), `on…` handlers, names with a dash or known to be attributes as
 * attributes, all else as properties. Children: elements, texts, null.
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "class") made.className = value;
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name === "colour") made.style.backgroundColor = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.includes("-") || ["role", "for", "list", "colspan"].includes(name)) made.setAttribute(name, value);
    else made[name] = value;
  }
  append(made, children);
  return made;
}

/** Adds children to an element: elements, texts, lists of them; null and false are left out. */
function append(parent, children) {
  for (const child of children.flat()) if (child !== null && child !== false && child !== undefined) parent.append(child);
}

/** Replaces what is in an element. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

/** A button with a label, a title and what it does. */
export function button(label, title, run, properties = {}) {
  return el("button", { type: "button", title, onclick: run, ...properties }, label);
}

/** An input with its label around it. */
export function field(label, properties = {}) {
  return el("label", { class: "field" }, el("span", {}, label), el("input", { "aria-label": label, ...properties }));
}

/** A table of a head and rows; cells are texts or elements. */
export function table(head, rows, properties = {}) {
  const cells = (row, tag) => el("tr", {}, row.map((cell) => el(cell === "" ? "td" : tag, {}, cell)));
  return el("table", properties, el("thead", {}, cells(head, "th")), el("tbody", {}, rows.map((row) => cells(row, "td"))));
}

/**
 * Shows a dialog over the page.
 * @param {string} title
 * @param {Node[]} content
 * @param {{label: string, value: any, title?: string}[]} answers buttons; the first is the one that Enter presses
 * @returns {Promise<any>} the value of the button, or null where it was closed by Escape
 */
export function ask(title, content, answers) {
  return new Promise((resolve) => {
    let answer = null;
    const form = el("form", { method: "dialog" }, el("h2", {}, title), content);
    const box = el("dialog", { "aria-label": title }, form);
    const choose = (value) => () => { answer = value; };
    form.append(el("div", { class: "answers" }, answers.map(({ label, value, title: hint }) =>
      el("button", { type: "submit", title: hint ?? label, onclick: choose(value) }, label))));
    box.addEventListener("close", () => { box.remove(); resolve(answer); });
    document.body.append(box);
    box.showModal();
  });
}

/** Tells something in a dialog. */
export const tell = (title, ...lines) => ask(title, lines.map((line) => el("p", {}, line)), [{ label: "Close", value: true }]);

/**
 * An element of the page's own file.
 * @param {string} id
 */
export const known = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Shows a line at the bottom for some seconds; it is read out, too. */
export function toast(text) {
  const place = known("toasts");
  const line = el("div", { class: "toast" }, text);
  place.append(line);
  while (place.children.length > 4) place.firstChild?.remove();
  setTimeout(() => line.remove(), 6000);
}
