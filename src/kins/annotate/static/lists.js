// The side: classes, objects by cluster (to be dragged), the order of the selected object, exceptions.

import { button, el, fill } from "./dom.js";
import { colourAt } from "./paint.js";
import { placed } from "./order.js";
import { common, maskOf } from "./raster.js";

/** Fills the side anew. */
export function showLists(side, editor) {
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.id : undefined;
  const parts = [editor.steps?.section(), classes(editor), selection(editor), circles(editor), ...objects(editor)];
  fill(side, parts);
  if (focused) side.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  side.querySelector(".object.selected")?.scrollIntoView({ block: "nearest" });
}

/** The class that a draft, the selected object or the next object has. */
export function classNow(editor) {
  if (editor.drawing) return editor.tool.draft.category;
  return editor.layer.state.objects.get(editor.selected)?.category ?? editor.lastCategory;
}

function classes(editor) {
  const now = classNow(editor);
  const chips = editor.categories.map((category) => {
    const chip = button(category.name, `Class ${category.name}`, () => editor.setClass(category.id), {
      class: category.id === now ? "chip on" : "chip",
      "aria-pressed": String(category.id === now),
      data: { id: `class-${category.id}` },
    });
    chip.append(el("kbd", {}, editor.digit(category) ?? ""));
    return chip;
  });
  const more = button("Class…", "Choose or make a class by its name ( / )", () => editor.chooseClass(), { class: "chip" });
  return el("section", { "aria-label": "Classes" }, el("h2", {}, "Classes"), el("div", { class: "chips" }, chips, more));
}

/** The selected object: its flags, and who is in front of whom. */
function selection(editor) {
  const object = editor.layer.state.objects.get(editor.selected);
  if (!object) return null;
  const tick = (name, label, title) => el("label", { title }, el("input", {
    type: "checkbox",
    checked: Boolean(object.flags[name]),
    onchange: (event) => editor.commit([["flag", { object: object.id, name, value: event.target.checked }]]),
  }), label);
  const pairs = editor.derived.byObject.get(object.id) ?? [];
  const kept = likeProposal(editor, object);
  return el("section", { "aria-label": "Selected object" },
    el("h2", {}, editor.name(object.id)),
    el("div", { class: "ticks" }, tick("outside", "goes on outside", "The object goes on outside of the image"), tick("guess", "guess", "The hidden part is a guess")),
    kept === null ? null : el("p", { class: "quiet" }, `From a proposal; IoU with it ${kept.toFixed(2)}`),
    el("ul", { class: "pairs" }, pairs.map((pair) => pairRow(editor, object.id, pair))));
}

/** IoU of an object with the proposal that it was made of; null where it was made of none that is known. */
function likeProposal({ proposals, image }, { origin, rings }) {
  const proposal = origin?.proposal && proposals.find(({ id }) => id === origin.proposal);
  if (!proposal) return null;
  const [now, then] = [rings, proposal.rings].map((outlines) => maskOf(outlines, image));
  const { pixels } = common(now, then);
  return pixels / Math.max(1, now.area + then.area - pixels);
}

function pairRow(editor, id, pair) {
  const other = pair.nearer === id ? pair.farther : pair.nearer;
  const text = pair.nearer === id ? `in front of ${editor.name(other)}` : `behind ${editor.name(other)}`;
  const exceptions = [...editor.layer.state.exceptions.values()].filter((e) => [e.nearer, e.farther].includes(id) && [e.nearer, e.farther].includes(other));
  const say = (nearer, farther) => () => editor.commit([["pair", { nearer, farther }]]);
  return el("li", { class: pair.confirmed ? "" : "open" },
    el("span", {}, text, pair.confirmed ? "" : " ?"),
    button("Flip", "Turn this order round", say(pair.farther, pair.nearer)),
    pair.confirmed ? null : button("Confirm", "Confirm this order", say(pair.nearer, pair.farther)),
    exceptions.map((exception) => button("Remove exception", "Remove this region of reversed order",
      () => editor.commit([["unexception", { exception: exception.id }]]))));
}

function circles(editor) {
  const { circles: found } = editor.derived;
  if (!found.length) return null;
  return el("section", { class: "warning", role: "status" },
    found.map((circle) => el("p", {}, `A circle: each of ${[...circle].map((id) => editor.name(id)).join(", ")} is in front of the next. Flip one, or draw an exception (V).`)));
}

function objects(editor) {
  const { clusters, byObject } = editor.derived;
  const groups = clusters.filter((ids) => ids.length > 1);
  const alone = clusters.filter((ids) => ids.length === 1).flat();
  const occluders = [...editor.layer.state.objects.keys()].filter((id) => !byObject.has(id));
  const section = (title, ids, draggable) => ids.length ? el("section", { "aria-label": title }, el("h2", {}, title), list(editor, ids, draggable)) : null;
  return [
    ...groups.map((ids, k) => section(`Cluster ${k + 1}, near to far`, ids, true)),
    section("Alone", alone, false),
    section("Occluders", occluders, false),
  ];
}

function list(editor, ids, draggable) {
  const rows = ids.map((id) => row(editor, id, draggable));
  const box = el("ol", { class: "objects", start: 0 }, rows);
  if (draggable) {
    box.addEventListener("dragover", (event) => event.preventDefault());
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      drop(editor, event.dataTransfer.getData("text/plain"), event.target.closest("li"), event.clientY, ids);
    });
  }
  return box;
}

function row(editor, id, draggable) {
  const unsure = (editor.derived.byObject.get(id) ?? []).some((pair) => !pair.confirmed);
  const object = editor.layer.state.objects.get(id);
  const marks = [unsure ? "?" : "", object.flags.guess ? "guess" : "", object.flags.outside ? "↔" : ""].filter(Boolean).join(" ");
  const inside = button("", `Select ${editor.name(id)}`, () => editor.select(id), { class: "object-button", data: { id } });
  inside.append(el("span", { class: "swatch", colour: editor.derived.byObject.has(id) ? colourAt(editor.derived.numbers.get(id)) : "#8a8a8a" }), editor.name(id), el("em", {}, marks));
  const item = el("li", { class: id === editor.selected ? "object selected" : "object", draggable, data: { object: id } }, inside);
  item.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", id));
  return item;
}

/** Puts a dragged object before or behind the one it was dropped on. */
function drop(editor, id, item, y, ids) {
  if (!ids.includes(id) || !item || item.dataset.object === id) return;
  const box = item.getBoundingClientRect();
  const at = ids.indexOf(item.dataset.object) + (y > box.top + box.height / 2 ? 1 : 0);
  const before = ids.slice(at).find((other) => other !== id) ?? null;
  const parts = placed(id, before, ids, editor.pairs);
  if (parts.length) editor.commit(parts);
}
