// A list of cases as cards: a crop of the truth and one of the prediction, and what is wrong.

import { el } from "./dom.js";
import { link } from "./address.js";
import { colourOf, crop } from "./painted.js";

const SIZE = { width: 168, height: 126 };
export const NAMES = { right: "right", missed: "missed", background: "invented", class: "wrong class", extent: "wrong hidden extent", place: "wrong extent", duplicate: "duplicate", both: "wrong class and extent" };

/** A number as percent. */
export const percent = (value, digits = 0) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`);

/** The part of a picture, loading; null without pictures. */
function part(image, [x, y, width, height], pictures) {
  if (!pictures) return null;
  const made = new Image();
  made.src = `/api/v1/images/${image}/crop?${new URLSearchParams({ x, y, width, height })}`;
  return made.decode().then(() => made);
}

const IN_FRONT = { right: "rightly said to be behind", reversed: "said to be in front of", neither: "not said to be behind", invented: "wrongly said to be behind" };
const IOUS = { box: "boxes", inmodal: "visible parts", hidden: "hidden parts" };

/** What is said below a crop; the IoU by which the list is sorted, too. */
function line(one, sort) {
  const parts = [];
  if (one.score !== null) parts.push(`score ${one.score.toFixed(2)}`);
  if (one.iou.amodal !== null) parts.push(`IoU ${one.iou.amodal.toFixed(2)}`);
  if (IOUS[sort] && one.iou[sort] !== null) parts.push(`${one.iou[sort].toFixed(2)} of ${IOUS[sort]}`);
  if (one.rate !== null) parts.push(`${percent(one.rate)} hidden`);
  if (one.below) parts.push(`${NAMES[one.below.kind]} at score ${one.below.score.toFixed(2)}`);
  if (one.front) parts.push(`${IN_FRONT[one.front.said]} ${one.front.class}`);
  else if (one.order) parts.push("order wrong");
  return parts.join(", ");
}

/** Class of the object, and of the detection where it is another one. */
export function title(one) {
  if (!one.own) return one.detected;
  return one.detected && one.detected !== one.class ? `${one.class} → ${one.detected}` : one.class;
}

/** @param {object} one a case  @param {object} words the address of the list */
function card(one, words, { opened, blend }) {
  const colour = colourOf(one.object, one.detection, 5);
  const both = one.front ? [[one, colour], [one.front, colourOf(one.front.object, one.front.detection, 5)]] : [[one, colour]];
  const [truth, found] = [0, 1].map((k) => both.filter(([{ masks }]) => masks[k]).map(([{ masks }, shade]) => ({ masks: masks[k], colour: shade })));
  const shown = part(one.image, one.crop, opened.pictures);
  const sides = [{ objects: truth, dashed: false }, { objects: found, dashed: blend }];
  const alone = !opened.runs.length;
  const pictures = blend || alone ? [crop(sides, one.crop, shown, alone ? SIZE : { width: 2 * SIZE.width, height: 2 * SIZE.height })] : sides.map((side) => crop([side], one.crop, shown, SIZE));
  return el("a", { class: "case", href: link({ ...words, page: "", at: one.at }), data: { at: one.at } },
    el("span", { class: "crops" }, pictures),
    el("span", { class: "case-line" }, el("b", {}, title(one)), one.kind ? el("span", { class: "kind", data: { kind: one.kind } }, NAMES[one.kind]) : null),
    el("span", { class: "quiet" }, line(one, words.sort)),
    el("span", { class: "quiet file" }, one.file));
}

/** All cards of a page. */
export function cards(cases, words, how) {
  return el("div", { class: how.opened.runs.length ? "cases" : "cases alone" }, cases.map((one) => card(one, words, how)));
}
