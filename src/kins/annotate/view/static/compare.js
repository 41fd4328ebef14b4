// Truth and predictions of one image: a stage for each, side by side or blended, which zoom and pan together.

import { get, picture } from "./api.js";
import { button, el, fill } from "./dom.js";
import { asked, go, link } from "./address.js";
import { cards, title } from "./crops.js";
import { facts, likeIt, wrongOrder } from "./facts.js";
import { boxOf } from "./geometry.js";
import { colourOf, paintStage } from "./painted.js";
import { listen } from "./pointer.js";
import { View } from "./view.js";

const STEP = 1.3;
const ROOM = 0.6; // around an object, by its longer side

/** The case at a place of a list, in its image. */
export async function casePage(app, words) {
  const answer = await get(`/cases?${asked(words, { from: words.at, count: 1 })}`);
  const [one] = answer.cases;
  if (!one) throw new Error("The list has no such place; its filters or the files have changed.");
  const given = await imageOf(app, one.image, words);
  return (main) => new Comparison(app, words, given, one, answer.total).show(main);
}

/** The image at a place of a list of images, or the one that is named; its cases below. */
export async function imagePage(app, words) {
  let [place, total] = [Number(words.image), null];
  if (words.show === "images") {
    const answer = await get(`/images?${asked(words, { from: words.at, count: 1 })}`);
    if (!answer.images.length) throw new Error("The list has no such place; its filters or the files have changed.");
    [place, total] = [answer.images[0].image, answer.total];
  }
  const list = { ...words, show: "", at: "", image: place };
  const [given, inside] = await Promise.all([imageOf(app, place, words), get(`/cases?${asked(list, { from: 0, count: 60 })}`)]);
  return (main) => new Comparison(app, words, given, null, total, { list, inside }).show(main);
}

async function imageOf(app, place, words) {
  const [image, shown] = await Promise.all([
    get(`/images/${place}?${asked({ score: words.score, iou: words.iou, matching: words.matching })}`),
    app.opened.pictures ? picture(place).catch(() => null) : null,
  ]);
  return { image, shown };
}

class Comparison {
  /** @type {any} the page's Viewer */ app;
  /** @type {Object<string, any>} of the address */ words;
  /** @type {{image: number, file: string, width: number, height: number, truth: any[], runs: any[]}} as the server tells it */ image;
  /** @type {HTMLImageElement|null} */ shown;
  /** @type {any} the case looked at, as the server tells it, or null */ one;
  /** @type {number|null} how many the list has */ total;
  /** @type {{list: Object<string, any>, inside: {total: number, cases: any[]}}|null} what the image's cases follow from */ below;
  /** @type {number|undefined} */ waiting;
  far = false;

  /** @param {Comparison["below"]} below */
  constructor(app, words, { image, shown }, one, total, below = null) {
    Object.assign(this, { app, words, image, shown, one, total, below });
    this.labels = true;
    this.only = false;
    this.share = 50;
    this.blend = app.blend; // as it was when the stages were made: turning it shows the page anew
    this.truth = image.truth.map((object, k) => ({ ...object, id: `t${k}`, colour: colourOf(k), label: `${object.class} ${k + 1}` }));
    this.runs = image.runs.map((side) => ({ ...side, objects: side.detections.map((found) => this.detection(found, side.name)) }));
    this.bright = one ? new Set([one, one.front].filter(Boolean).flatMap((side) => this.ids(side))) : null;
  }

  /** The object and the detection of a case; and what other predictions have for the object. */
  ids({ object, detection }) {
    const others = this.runs.filter(({ name }) => name !== this.run).flatMap(({ objects }) => objects);
    const theirs = others.filter((found) => found.own && found.object === object).map(({ id }) => id);
    return [`t${object}`, `d${detection}@${this.run}`, ...theirs];
  }

  get several() {
    return this.app.opened.runs.length > 1;
  }

  /** The name of the predictions that the list is of. */
  get run() {
    return this.words.run || this.app.opened.runs[0];
  }

  detection(found, run) {
    const label = `${found.class} ${found.score.toFixed(2)}`;
    return { ...found, id: `d${found.detection}@${run}`, run, colour: colourOf(found.object, found.detection, this.truth.length), label };
  }

  /** [title, sides] of each stage. */
  get panels() {
    const truth = { objects: this.truth, alpha: 1, dashed: false };
    const { runs } = this;
    if (!runs.length) return [["annotations", [truth]]];
    if (!this.blend) return [["truth", [truth]], ...runs.map((run) => [run.name, [{ objects: run.objects, alpha: 1, dashed: false }]])];
    const [mine, theirs] = [Math.min(1, 2 - this.share / 50), Math.min(1, this.share / 50)];
    return runs.map((run) => [`truth and ${run.name}`, [{ ...truth, alpha: mine }, { objects: run.objects, alpha: theirs, dashed: true }]]);
  }

  show(main) {
    this.stages = this.panels.map(([name]) => this.stage(name));
    this.place = el("div", { class: "stages" }, this.stages.map(({ figure }) => figure));
    const side = el("aside", { class: "about", "aria-label": "What is known" }, this.about());
    fill(main, el("div", { class: this.below ? "compare whole-image" : "compare" }, this.bar(), this.place, side, this.below ? this.list(this.below) : null));
    this.arrange();
    const ends = this.stages.map((stage) => listen(stage.box, stage));
    const watch = new ResizeObserver(() => this.arrange());
    watch.observe(this.place);
    return { keys: this.keys(), leave: () => { watch.disconnect(); ends.forEach((end) => end()); } };
  }

  /** One stage: what pointer.js takes for an editor. */
  stage(name) {
    const box = el("div", { class: "stage", data: { name } }, el("canvas", {}), el("canvas", {}), el("canvas", { class: "over", tabIndex: 0, "aria-label": name }));
    const view = new View(box);
    view.image = this.image;
    return {
      name, box, view, tool: null, placed: false,
      figure: el("figure", { class: "panel" }, el("figcaption", { title: name, class: this.several && [this.run, `truth and ${this.run}`].includes(name) ? "on" : "" }, name), box),
      moveView: () => this.moved(view),
      redrawOver: () => null,
      pointed: () => null,
      select: (id) => this.open(id),
      objectAt: (at) => this.objectAt(name, at),
    };
  }

  /** Stages in as many columns as show most. */
  arrange() {
    const { clientWidth: width, clientHeight: height } = this.place;
    const [left, top, right, bottom] = this.focus();
    const count = this.stages.length;
    const scale = (columns) => Math.min(width / columns / (right - left), height / Math.ceil(count / columns) / (bottom - top));
    const narrow = matchMedia("(max-width: 700px)").matches;
    const choices = narrow ? [1] : this.stages.map((_, k) => count - k); // of equal ones side by side
    const columns = choices.reduce((best, other) => (scale(other) > scale(best) ? other : best));
    this.place.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    for (const { view } of this.stages) view.resize();
    this.stages[0].view.fit(this.focus());
    for (const stage of this.stages) stage.placed = true;
    this.moved(this.stages[0].view);
  }

  /** What is to be seen first: the case with room around it, or the whole image. */
  focus() {
    const whole = [0, 0, this.image.width, this.image.height];
    if (!this.one || this.far) return whole;
    const rings = [...this.one.masks, ...(this.one.front?.masks ?? [])].filter(Boolean).map((masks) => masks.whole).filter((ring) => ring.length);
    if (!rings.length) return whole;
    const boxes = rings.map((ring) => boxOf(ring).map((value) => value / 100));
    const [left, top] = [0, 1].map((k) => Math.min(...boxes.map((box) => box[k])));
    const [right, bottom] = [2, 3].map((k) => Math.max(...boxes.map((box) => box[k])));
    const room = Math.max(16, ROOM * Math.max(right - left, bottom - top));
    return [Math.max(0, left - room), Math.max(0, top - room), Math.min(whole[2], right + room), Math.min(whole[3], bottom + room)];
  }

  /** All stages show the same part. */
  moved({ scale, left, top }) {
    for (const { view } of this.stages) Object.assign(view, { scale, left, top });
    this.paint();
  }

  paint() {
    if (this.waiting !== undefined) cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => {
      this.panels.forEach(([, sides], k) => {
        const { view } = this.stages[k];
        view.paintPicture(this.shown);
        const shown = sides.map((side) => ({ ...side, objects: this.chosen(side.objects) }));
        paintStage(view, shown, { labels: this.labels, bright: this.bright });
      });
    });
  }

  /** All objects, those dimmed that the case is not of; or its own alone. */
  chosen(objects) {
    const { bright } = this;
    if (!bright) return objects;
    const dimmed = objects.map((object) => ({ ...object, dim: !bright.has(object.id) }));
    return this.only ? dimmed.filter(({ dim }) => !dim) : dimmed.sort((a, b) => b.dim - a.dim);
  }

  zoom(factor) {
    const { view } = this.stages[0];
    view.zoom(factor);
    this.moved(view);
  }

  see(far) {
    this.far = far;
    this.arrange();
  }

  /** The smallest object of a stage at a place, as {run, object, detection}. */
  objectAt(name, { x, y }) {
    const k = this.stages.findIndex((stage) => stage.name === name);
    const inside = ({ masks }) => {
      if (!masks?.whole.length) return false;
      const [left, top, right, bottom] = boxOf(masks.whole);
      return x >= left && x < right && y >= top && y < bottom;
    };
    const area = ({ masks }) => {
      const [left, top, right, bottom] = boxOf(masks.whole);
      return (right - left) * (bottom - top);
    };
    const objects = this.panels[k][1].flatMap((side) => side.objects).filter(inside).sort((a, b) => area(a) - area(b));
    return objects[0]?.id ?? null;
  }

  /** Opens the case of an object or a detection that was clicked. */
  async open(id) {
    if (!id || this.bright?.has(id)) return;
    const { score, iou, matching } = this.words;
    const { run = this.words.run, detection } = this.runs.flatMap(({ objects }) => objects).find((found) => found.id === id) ?? {};
    const list = { run, score, iou, matching, image: this.image.image };
    const { cases } = await get(`/cases?${asked(list, { from: 0, count: 200 })}`);
    const found = cases.find((one) => (detection === undefined ? one.own && `t${one.object}` === id : one.detection === detection));
    if (found) go({ ...list, at: found.at });
  }

  step(by) {
    const next = Number(this.words.at) + by;
    if (this.total !== null && next >= 0 && next < this.total) go({ ...this.words, at: next });
  }

  back() {
    go({ ...this.words, at: "", page: "" });
  }

  keys() {
    return {
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), Escape: () => this.back(),
      "+": () => this.zoom(STEP), "=": () => this.zoom(STEP), "-": () => this.zoom(1 / STEP),
      b: () => this.app.turnBlend(), z: () => this.see(false), 0: () => this.see(true),
      l: () => { this.labels = !this.labels; this.paint(); },
      o: () => { this.only = !this.only; this.paint(); },
    };
  }

  bar() {
    const { app, words, total } = this;
    const at = Number(words.at);
    const slider = el("input", { type: "range", min: "0", max: "100", value: String(this.share), "aria-label": "From truth to prediction" });
    slider.addEventListener("input", () => { this.share = Number(slider.value); this.paint(); });
    return el("div", { class: "row bar" },
      total === null ? null : [
        button("‹", "Previous (←)", () => this.step(-1), { disabled: at <= 0, "aria-label": "Previous" }),
        el("span", {}, `${(at + 1).toLocaleString("en")} of ${total.toLocaleString("en")}`),
        button("›", "Next (→)", () => this.step(1), { disabled: at + 1 >= total, "aria-label": "Next" }),
        button("List", "Back to the list (Esc)", () => this.back())],
      el("span", { class: "grow file" }, this.image.file),
      button("+", "Nearer (+)", () => this.zoom(STEP), { "aria-label": "Nearer" }), button("−", "Farther (−)", () => this.zoom(1 / STEP), { "aria-label": "Farther" }),
      this.one ? button("Object", "Zoom to the object (Z)", () => this.see(false)) : null,
      button("Image", "The whole image (0)", () => this.see(true)),
      this.one ? button("Only this", "Leave out all other objects (O)", () => this.keys().o()) : null,
      button("Labels", "Show or hide names (L)", () => this.keys().l()),
      app.opened.runs.length ? button(app.blend ? "Side by side" : "Blend", "Truth and prediction in one picture, or side by side (B)", () => app.turnBlend(), { "aria-pressed": String(app.blend) }) : null,
      app.blend && app.opened.runs.length ? el("label", { class: "score" }, "truth", slider, "prediction") : null);
  }

  about() {
    const { one, app, image, words, run } = this;
    if (one) return [el("h2", {}, title(one)), facts(one, app.opened), one.own ? wrongOrder(image, run, one.object) : null, likeIt(one, words)].flat();
    return [el("p", { class: "quiet" }, `${image.truth.length} objects, ${image.width} × ${image.height}`), wrongOrder(image, run, null)].flat();
  }

  /** What is in the image, as crops. */
  list({ list, inside }) {
    const more = inside.total - inside.cases.length;
    return el("div", { class: "below" }, el("h3", {}, `${inside.total} in this image${this.several ? `, by ${this.run}` : ""}`), cards(inside.cases, list, this.app),
      more > 0 ? el("p", { class: "quiet" }, `and ${more} more (`, el("a", { href: link({ ...list, page: 1 }) }, "narrow the list"), ")") : null);
  }
}

