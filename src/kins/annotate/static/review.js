// Reviewing an image: annotators side by side, where they disagree, consensus, and the verdict.

import { get, picture, post } from "./api.js";
import { button, el, fill, table, toast } from "./dom.js";
import { figure } from "./conflict.js";
import { boxOf, pathOf } from "./geometry.js";
import { colourAt } from "./paint.js";

/** The page of a reviewer. */
export async function reviewPage(main, id, app) {
  const [image, agreement, shown] = await Promise.all([get(`/images/${id}`), get(`/images/${id}/agreement`), picture(id)]);
  const [layers, projects, categories] = await Promise.all([
    Promise.all(image.layers.map((layer) => get(`/layers/${layer.id}`).then((whole) => ({ ...whole, person: layer.user })))),
    get("/projects"),
    get(`/projects/${image.project}/categories`),
  ]);
  const project = projects.find((other) => other.id === image.project);
  app.head([[project?.name ?? "project", `project/${image.project}`], [image.file, `image/${id}`], ["Review", null]]);
  const review = new Review({ image, agreement, layers, categories, picture: shown, app });
  fill(main, review.page());
}

class Review {
  constructor(given) {
    Object.assign(this, given);
    const unlike = this.agreement.objects.filter((object) => !object.agree);
    this.steps = unlike;
    this.at = 0;
  }

  page() {
    const text = el("input", { type: "text", placeholder: "what should be changed", "aria-label": "What should be changed" });
    return el("div", { class: "page" },
      el("h1", {}, this.image.file), el("p", { class: "quiet" }, `${this.image.state}; ${this.steps.length} of ${this.agreement.objects.length} objects disagree`),
      el("div", { class: "beside" }, this.layers.map((layer) => this.layer(layer, text))),
      el("div", { class: "row" }, text, button("Make a consensus", "What the majority says becomes a layer of its own", () => this.consensus())),
      this.steps.length ? this.stepper() : null,
      el("h2", {}, "Objects"), this.objects(), el("h2", {}, "Order"), this.pairs());
  }

  /** One annotator's objects, and the verdict on them. */
  layer(layer, text) {
    const state = { objects: new Map(layer.objects.map((object) => [object.id, object])) };
    const name = this.person(layer);
    const made = figure({ image: this.image, picture: this.picture }, state, `${name}: ${layer.objects.length} objects, ${layer.state}`);
    const verdict = (answer) => async () => {
      try {
        await post(`/images/${this.image.id}/review`, { layer: layer.id, verdict: answer, text: text.value });
        await this.app.show();
      } catch (error) {
        toast(error.message);
      }
    };
    made.append(el("div", { class: "row" }, button("Accept", `Accept the layer of ${name}`, verdict("accept")), button("Send back", `Send the image back to ${name}`, verdict("send back"))));
    return made;
  }

  person(layer) {
    return typeof layer.person === "object" ? layer.person?.name ?? layer.kind : String(layer.person ?? layer.kind);
  }

  async consensus() {
    try {
      await post(`/images/${this.image.id}/consensus`);
      await this.app.show();
    } catch (error) {
      toast(error.message);
    }
  }

  /** Steps through what disagrees: the place large, one outline a layer. */
  stepper() {
    const canvas = el("canvas", { width: 640, height: 360 });
    const caption = el("figcaption", {});
    const show = (by) => {
      this.at = (this.at + by + this.steps.length) % this.steps.length;
      const object = this.steps[this.at];
      caption.textContent = `${this.at + 1} of ${this.steps.length}: IoU ${number(object.iou)}, ${this.classes(object)}`;
      this.paint(canvas, object);
    };
    show(0);
    return el("div", { class: "card" }, el("h2", {}, "Disagreements"), el("figure", {}, canvas, caption),
      el("div", { class: "row" }, button("Previous", "The disagreement before", () => show(-1)), button("Next", "The next disagreement", () => show(1)),
        this.layers.map((layer, k) => el("span", {}, el("span", { class: "swatch", colour: colourAt(k) }), ` ${this.person(layer)}`))));
  }

  paint(canvas, { members }) {
    const outlines = this.layers.map((layer) => layer.objects.find((object) => object.id === members[layer.id])?.rings);
    const boxes = outlines.filter(Boolean).map(boxOf);
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!boxes.length) return;
    const [left, top, right, bottom] = [0, 1, 2, 3].map((side) => Math[side < 2 ? "min" : "max"](...boxes.map((box) => box[side])) / 100);
    const scale = Math.min(canvas.width / (right - left + 20), canvas.height / (bottom - top + 20));
    context.setTransform(scale, 0, 0, scale, -(left - 10) * scale, -(top - 10) * scale);
    context.drawImage(this.picture, 0, 0, this.image.width, this.image.height);
    outlines.forEach((rings, k) => {
      if (!rings) return;
      context.strokeStyle = colourAt(k);
      context.lineWidth = 2 / scale;
      context.stroke(pathOf(rings));
    });
  }

  category = (id) => this.categories.find((category) => category.id === id)?.name ?? String(id ?? "no class");

  classes(object) {
    return [...new Set(object.classes.map((value) => this.category(value)))].join(" or ");
  }

  objects() {
    return table(["class", "found by", "IoU", ""], this.agreement.objects.map((object) => [
      this.classes(object),
      this.layers.filter((layer) => object.members[layer.id] !== undefined).map((layer) => this.person(layer)).join(", "),
      number(object.iou),
      object.agree ? "agree" : el("span", { class: "warning" }, "disagree"),
    ]));
  }

  pairs() {
    const name = (index) => `${this.classes(this.agreement.objects[index] ?? { classes: [] })} ${Number(index) + 1}`;
    const words = { "a>b": (a, b) => `${a} in front`, "b>a": (a, b) => `${b} in front` };
    return table(["objects", ...this.layers.map((layer) => this.person(layer))], this.agreement.pairs.map(({ a, b, says }) => [
      `${name(a)}, ${name(b)}`, ...this.layers.map((layer) => words[says[layer.id]]?.(name(a), name(b)) ?? "–"),
    ]));
  }
}

const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
