// Stepping through what annotators say differently of an object, and taking one's version into the consensus.

import { get } from "./api.js";
import { button, el } from "./dom.js";
import { boxOf, pathOf } from "./geometry.js";
import { uuid } from "./model.js";
import { colourAt } from "./paint.js";
import { common, maskOf } from "./raster.js";

const SAME = 0.5; // IoU from which on two outlines are of one object

/** What the page of a consensus has beside that of an annotator. */
export class Steps {
  /** @type {import("./editor.js").Editor} */ editor;
  /** @type {import("./api.js").Agreement} */ agreement;
  /** @type {{id: number, user: number, name: string, objects: import("./model.js").Thing[], pairs: import("./model.js").Known[]}[]} */ layers;

  static async load(editor, members) {
    const { image } = editor;
    const agreement = await get(`/images/${image.id}/agreement`);
    const layers = await Promise.all(agreement.layers.map((layer) => get(`/layers/${layer.id}`)));
    const names = new Map(members.map((member) => [member.user, member.name]));
    return new Steps(editor, agreement, layers.map((layer) => ({ ...layer, name: layer.kind === "model" ? "network" : names.get(layer.user) ?? `user ${layer.user}` })));
  }

  constructor(editor, agreement, layers) {
    Object.assign(this, { editor, agreement, layers });
    this.at = -1;
    this.open = agreement.objects.map((object, index) => ({ ...object, reasons: reasons(agreement, object, index, layers) }))
      .filter((object) => object.reasons.length);
  }

  get step() {
    return this.open[this.at];
  }

  /** Outlines of all layers for the object looked at: [{rings, colour}]. */
  get outlines() {
    return this.step ? this.layers.map((layer, k) => ({ rings: this.of(layer)?.rings, colour: colourAt(k) })).filter((one) => one.rings) : [];
  }

  of(layer) {
    return layer.objects.find((object) => object.id === this.step.members[layer.id]);
  }

  go(by) {
    this.at = (this.at + by + this.open.length) % this.open.length;
    const { editor } = this;
    const boxes = this.outlines.map((one) => boxOf(one.rings));
    const ends = [0, 1, 2, 3].map((side) => Math[side < 2 ? "min" : "max"](...boxes.map((box) => box[side])) / 100);
    editor.selected = this.mine?.id ?? null;
    editor.view.fit([ends[0] - 10, ends[1] - 10, ends[2] + 10, ends[3] + 10]);
    editor.moveView();
    editor.changed();
  }

  /** The object of the consensus that is the one looked at. */
  get mine() {
    return this.step && this.nearest(this.layers.map((layer) => this.of(layer)).filter(Boolean));
  }

  /** The object of the consensus that overlaps most with one of these. */
  nearest(candidates) {
    const { image, layer } = this.editor;
    let best = null;
    for (const object of layer.state.objects.values()) {
      for (const other of candidates) {
        const [a, b] = [maskOf(object.rings, image), maskOf(other.rings, image)];
        const { pixels } = common(a, b);
        const iou = pixels / Math.max(1, a.area + b.area - pixels);
        if (iou > (best?.iou ?? SAME)) best = { iou, object };
      }
    }
    return best?.object ?? null;
  }

  /** Takes one annotator's outline and class, and who is in front of what; or nothing, where that one has no object. */
  take(layer) {
    const { mine, editor } = this;
    const theirs = this.of(layer);
    if (!theirs) {
      if (mine) editor.commit([["delete", { object: mine.id }]]);
      return;
    }
    const id = mine?.id ?? uuid();
    const parts = mine
      ? [["outline", { object: id, rings: theirs.rings }], ["class", { object: id, category: theirs.category }]]
      : [["add", { object: id, category: theirs.category, rings: theirs.rings }]];
    if (!editor.commit([...parts, ...this.orders(layer, theirs, id)])) return;
    editor.select(id);
  }

  /** What one annotator says of the order of an object, for the objects of the consensus. */
  orders(layer, theirs, id) {
    const parts = [];
    for (const { nearer, farther } of layer.pairs) {
      if (nearer !== theirs.id && farther !== theirs.id) continue;
      const other = layer.objects.find((object) => object.id === (nearer === theirs.id ? farther : nearer));
      const there = other && this.nearest([other]);
      if (there && there.id !== id) parts.push(["pair", nearer === theirs.id ? { nearer: id, farther: there.id } : { nearer: there.id, farther: id }]);
    }
    return parts;
  }

  /** The part of the side. */
  section() {
    if (!this.open.length) return el("section", {}, el("h2", {}, "Annotators"), el("p", {}, "All annotators agree."));
    const { step } = this;
    const choices = step ? this.layers.map((layer, k) => {
      const made = button("", `Take what ${layer.name} has`, () => this.take(layer), { class: "object-button" });
      made.append(el("span", { class: "swatch", colour: colourAt(k) }), `Take ${layer.name}: ${this.said(layer)}`);
      return made;
    }) : [];
    return el("section", { "aria-label": "Disagreements" }, el("h2", {}, `Disagreements: ${this.open.length}`),
      el("div", { class: "row" }, button("Previous", "The disagreement before", () => this.go(-1)), button("Next", "The next disagreement", () => this.go(1), { data: { id: "next-step" } })),
      step ? el("p", {}, `${this.at + 1} of ${this.open.length}: ${step.reasons.join(", ")}`) : null,
      choices, step ? el("p", { class: "quiet" }, "As it is now is what the majority says; it can be edited, too.") : null);
  }

  said(layer) {
    const object = this.of(layer);
    return object ? this.editor.category(object.category)?.name ?? "no class" : "no object";
  }

  paint(view) {
    const { over } = view;
    for (const { rings, colour } of this.outlines) {
      over.setLineDash([6 / view.scale, 4 / view.scale]);
      over.lineWidth = 2.5 / view.scale;
      over.strokeStyle = colour;
      over.stroke(pathOf(rings));
    }
    over.setLineDash([]);
  }
}

/** In what annotators differ about an object. */
export function reasons(agreement, object, index, layers) {
  const found = [];
  const has = Object.keys(object.members).length;
  if (has < layers.length) found.push(`found by ${has} of ${layers.length}`);
  if (object.iou !== null && object.iou < 0.75) found.push(`IoU ${object.iou.toFixed(2)}`);
  if (new Set(object.classes).size > 1) found.push(`classes ${[...new Set(object.classes)].join(" and ")}`);
  const orders = agreement.pairs.filter((pair) => pair.a === index || pair.b === index);
  if (orders.some(({ says }) => new Set(Object.values(says).filter(Boolean)).size > 1)) found.push("the order");
  return found;
}
