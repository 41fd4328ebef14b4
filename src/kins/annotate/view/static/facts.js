// What is known of one case: what is wrong, how far, and with whom the order is wrong.

import { el, table } from "./dom.js";
import { link } from "./address.js";
import { NAMES, percent } from "./crops.js";

const decimal = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

/** The facts of a case. */
export function facts(one, opened) {
  const found = opened.runs.length > 0;
  const rows = [
    ["class", one.class ?? "none"],
    found ? ["detected as", one.detected ?? "not at all"] : null,
    one.below ? ["with a lower score", `${NAMES[one.below.kind]}, ${decimal(one.below.score)}`] : null,
    found && one.score !== null ? ["score", decimal(one.score)] : null,
    found ? ["IoU of boxes", decimal(one.iou.box)] : null,
    found ? ["IoU of whole objects", decimal(one.iou.amodal)] : null,
    found ? ["IoU of visible parts", decimal(one.iou.inmodal)] : null,
    found ? ["IoU of hidden parts", decimal(one.iou.hidden)] : null,
    ["hidden", one.rate === null ? "not known" : `${percent(one.rate, 1)} (${one.level})`],
    one.front ? ["behind", `${one.front.class} ${one.front.object + 1}${one.front.said === "right" ? ", rightly said" : ""}`] : null,
    found && one.said !== null ? ["said to be occluded", decimal(one.said)] : null,
    ["pixels", `${one.area.toLocaleString("en")} (${one.size})`],
  ];
  return [
    one.kind ? el("p", { class: "verdict" }, el("span", { class: "kind", data: { kind: one.kind } }, NAMES[one.kind]), ` ${opened.kinds[one.kind] ?? ""}`) : null,
    table([], rows.filter(Boolean), { class: "facts" }),
  ];
}

const SAID = {
  reversed: (front, back) => `${front} hides ${back}; the prediction says the reverse`,
  neither: (front, back) => `${front} hides ${back}; the prediction says neither does`,
  invented: (front, back) => `neither hides the other; the prediction says ${front} hides ${back}`,
};

/** Pairs whose order the predictions have wrong; of one object, or of the whole image. */
export function wrongOrder(image, run, object) {
  const pairs = (image.runs.find((side) => side.name === run)?.order ?? []).filter(({ front, back }) => object === null || front === object || back === object);
  if (!pairs.length) return null;
  const name = (place) => `${image.truth[place]?.class ?? ""} ${place + 1}`;
  return [
    el("h3", {}, "Order wrong"),
    el("ul", { class: "order" }, pairs.map(({ front, back, said }) => el("li", {}, SAID[said](name(front), name(back))))),
  ];
}

/** Links to what is like this case, and to its image. */
export function likeIt(one, words) {
  const { run, score, iou, matching } = words;
  const list = { run, score, iou, matching };
  return el("p", { class: "like" },
    el("a", { href: link({ ...list, image: one.image }) }, "all of this image"), " · ",
    el("a", { href: link({ ...list, kind: one.kind, class: one.own ? one.class : one.detected, level: one.level }) }, "others like it"));
}
