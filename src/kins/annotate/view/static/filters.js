// What narrows the list: kinds of errors with their numbers, class, occlusion, size, score, and the sequence.

import { button, el } from "./dom.js";
import { filtersOf, go, link } from "./address.js";
import { NAMES } from "./crops.js";

const KINDS = [["", "all"], ["wrong", "all wrong"], ...["missed", "background", "class", "place", "extent", "duplicate", "both"].map((kind) => [kind, NAMES[kind]]), ["order", "pairs of wrong order"], ["occlusion", "occlusion told wrong"], ["right", "right"]];
const FEW = [["others", "other detections too many"], ["extents", "hidden parts compared"], ["pairs", "pairs, one hides the other"], ["judged", "said to be occluded or not"]]; // shown where a link leads to them
const SORTS = [["", "worst first"], ["best", "best first"], ["score", "highest score"], ["large", "largest"], ["hidden-most", "most hidden"], ["box", "least IoU of boxes"], ["amodal", "least amodal IoU"], ["inmodal", "least inmodal IoU"], ["hidden", "least IoU of hidden parts"], ["image", "by image"]];
const LEVELS = { some: "occluded from 1 %", occluded: "occluded over 15 %" };
const TRUTH_SORTS = ["", "large", "hidden-most", "image"];

/** A choice; `values` are [value, text]. */
function choice(name, text, values, words) {
  const made = el("select", { "aria-label": text, title: text, onchange: () => go(changed(words, { [name]: made.value })) },
    values.map(([value, label]) => el("option", { value, selected: value === (words[name] ?? "") }, label)));
  return made;
}

/** Other words of the same list, from its beginning. */
const changed = (words, more) => ({ ...words, ...more, page: "", at: "" });

/** The kinds of errors as links, with how many there are of each. */
export function kindTabs(opened, words, kinds) {
  if (!opened.runs.length) return null;
  const now = words.kind ?? "";
  const seen = [...KINDS.filter(([kind]) => kinds[kind] || kind === now), ...FEW.filter(([kind]) => kind === now)];
  return el("nav", { class: "kinds", "aria-label": "Kinds of errors" }, seen.map(([kind, text]) => {
    const on = kind === now;
    return el("a", { class: on ? "on" : "", href: link(changed(words, { kind })), title: opened.kinds[kind] ?? "", "aria-current": on ? "true" : null, data: { kind } },
      `${text} `, el("b", {}, (kinds[kind] ?? 0).toLocaleString("en")));
  }));
}

/** All other filters. */
export function filterBar(opened, words, app) {
  const all = (name, values, now = "", told = {}) => [["", `all ${name}`], ...[...new Set([...values, now])].filter(Boolean).map((value) => [value, told[value] ?? value])];
  const found = opened.runs.length > 0;
  const wide = !matchMedia("(max-width: 700px)").matches;
  return el("details", { class: "filters", open: wide }, el("summary", {}, "Filters"), el("div", { class: "row" },
    opened.runs.length > 1 ? choice("run", "Predictions", opened.runs.map((run, k) => [k ? run : "", run]), words) : null,
    found && words.show === "images" ? choice("kind", "Kind of error", [...KINDS, ...FEW.filter(([kind]) => kind === words.kind)], words) : null,
    found ? choice("of", "Objects or detections", [["", "objects and detections"], ["objects", "objects"], ["detections", "detections too many"]], words) : null,
    choice("class", "Class", all("classes", opened.classes), words),
    found ? choice("taken", "Detected as", [["", "detected as any"], ...opened.classes.map((name) => [name, `as ${name}`])], words) : null,
    choice("level", "Occlusion", all("occlusions", opened.levels, words.level, LEVELS), words),
    choice("size", "Size", all("sizes", opened.sizes, words.size), words),
    found ? choice("iou", "Right from an IoU of", [["", "right from IoU 0.5"], ["0.75", "right from IoU 0.75"]], words) : null,
    found ? choice("matching", "Matching", [["", "matched within classes"], ["any", "matched whatever the class"]], words) : null,
    found ? score("score", "score from", 0.5, words) : null,
    found ? score("most", "to", 1, words) : null,
    choice("sort", "Sequence", found ? SORTS : SORTS.filter(([name]) => TRUTH_SORTS.includes(name)).map(([name, text]) => [name || "image", name ? text : "by image"]).slice(1), words),
    found ? button(app.blend ? "Side by side" : "Blend", "Truth and prediction in one picture, or side by side (B)", () => app.turnBlend(), { "aria-pressed": String(app.blend) }) : null,
    Object.keys(filtersOf(words)).length ? el("a", { href: link({ show: words.show }) }, "Clear") : null));
}

function score(name, text, otherwise, words) {
  const made = el("input", { type: "number", min: "0", max: "1", step: "0.05", value: words[name] ?? String(otherwise), "aria-label": `Score ${name === "score" ? "from" : "to"}` });
  made.addEventListener("change", () => {
    const value = Math.min(1, Math.max(0, Number(made.value)));
    go(changed(words, { [name]: Number.isNaN(value) || value === otherwise ? "" : value }));
  });
  return el("label", { class: "score" }, text, made);
}
