// Reviewing an image: annotators side by side, where they disagree, consensus, and the verdict.

import { get, picture, post } from "./api.js";
import { figure } from "./conflict.js";
import { reasons } from "./consensus.js";
import { ask, button, el, fill, table, toast } from "./dom.js";

/** The page of a reviewer. */
export async function reviewPage(app, id) {
  const [image, agreement, shown] = await Promise.all([get(`/images/${id}`), get(`/images/${id}/agreement`), picture(id)]);
  const kinds = image.layers.filter((layer) => layer.kind === "consensus" || layer.kind === "model" || (layer.kind === "person" && layer.revision > 0));
  const [layers, projects, members] = await Promise.all([
    Promise.all(kinds.map((layer) => get(`/layers/${layer.id}`))),
    get("/projects"),
    get(`/projects/${image.project}/members`),
  ]);
  const project = projects.find((other) => other.id === image.project);
  return (main) => {
    app.head([[project?.name ?? "project", `project/${image.project}`], [image.file, `image/${id}`], ["Review", null]]);
    fill(main, new Review({ image, agreement, layers, members, project, picture: shown, app }).page());
  };
}

class Review {
  /** @type {import("./api.js").Image} */ image;
  /** @type {import("./api.js").Agreement} */ agreement;
  /** @type {object[]} */ layers;
  /** @type {import("./api.js").Member[]} */ members;
  /** @type {import("./api.js").Project|undefined} */ project;
  /** @type {HTMLImageElement} */ picture;
  /** @type {any} the page's App */ app;

  constructor(given) {
    Object.assign(this, given);
    this.people = this.agreement.layers;
  }

  page() {
    const text = el("input", { type: "text", placeholder: "what is to be changed", "aria-label": "What is to be changed", maxLength: 2000 });
    const unlike = this.agreement.objects.filter((object, k) => reasons(this.agreement, object, k, this.people).length).length;
    return el("div", { class: "page" },
      el("h1", {}, this.image.file),
      el("p", { class: "quiet" }, `${this.image.state}; ${unlike} of ${this.agreement.objects.length} objects in which annotators differ`),
      el("div", { class: "beside" }, this.layers.map((layer) => this.layer(layer, text))),
      el("div", { class: "row" }, text,
        button("Consensus", "What the majority says becomes a layer of its own", () => this.consensus(false)),
        button("Consensus anew", "Make the consensus again from what annotators have now", () => this.consensus(true)),
        this.project?.role === "owner" ? button("Ask two more", "Give this image to two more annotators", () => this.more()) : null),
      this.people.length > 1 ? [el("h2", {}, "Objects"), this.objects(), el("h2", {}, "Order"), this.pairs()] : el("p", {}, "One annotator: nothing to compare."));
  }

  name(layer) {
    if (layer.kind !== "person") return layer.kind === "model" ? "network" : layer.kind;
    return this.members.find((member) => member.user === layer.user)?.name ?? `user ${layer.user}`;
  }

  /** One annotator's objects, and the verdict on them. */
  layer(layer, text) {
    const state = { objects: new Map(layer.objects.map((object) => [object.id, object])) };
    const name = this.name(layer);
    const made = figure(this, state, `${name}: ${layer.objects.length} objects, ${layer.state}`);
    const verdict = (answer) => () => this.act(() => post(`/images/${this.image.id}/review`, { layer: layer.id, verdict: answer, text: text.value }));
    made.append(el("div", { class: "row" },
      layer.kind === "model" ? null : button("Accept", `Accept the layer of ${name}`, verdict("accept")),
      layer.kind === "person" ? button("Send back", `Send the image back to ${name}, with the text below`, verdict("send back")) : null,
      button(layer.kind === "consensus" ? "Edit" : "Look", `Open the layer of ${name}`, () => this.app.go(`image/${this.image.id}/layer/${layer.id}`))));
    return made;
  }

  /** Does something, and shows the page anew. */
  async act(work) {
    try {
      await work();
      await this.app.show();
    } catch (error) {
      const found = error.body?.findings ?? [];
      if (found.length) await ask("Not possible yet", [el("p", {}, error.message), el("ul", {}, found.map(({ text }) => el("li", {}, text)))], [{ label: "Close", value: true }]);
      else toast(error.message);
    }
  }

  /** Makes the consensus if there is none, and opens it. */
  async consensus(again) {
    try {
      const { id } = await post(`/images/${this.image.id}/consensus`, { again });
      this.app.go(`image/${this.image.id}/layer/${id}`);
    } catch (error) {
      toast(error.message);
    }
  }

  more() {
    const users = this.members.filter((member) => member.role === "annotator").map((member) => member.user);
    return this.act(() => post(`/projects/${this.image.project}/assign`, { users, images: [this.image.id], each: this.people.filter((layer) => layer.kind === "person").length + 2 }));
  }

  objects() {
    return table(["class", "found by", "least IoU", "they differ in"], this.agreement.objects.map((object, k) => [
      [...new Set(object.classes)].join(" or "),
      this.people.filter((layer) => object.members[layer.id] !== undefined).map((layer) => this.name(layer)).join(", "),
      object.iou === null ? "–" : object.iou.toFixed(2),
      el("span", { class: "warning" }, reasons(this.agreement, object, k, this.people).join(", ")),
    ]));
  }

  pairs() {
    const name = (index) => `${this.agreement.objects[index]?.classes[0] ?? ""} ${index + 1}`;
    const words = { "a>b": (a) => `${a} in front`, "b>a": (_, b) => `${b} in front` };
    return table(["objects", ...this.people.map((layer) => this.name(layer))], this.agreement.pairs.map(({ a, b, says }) => [
      `${name(a)}, ${name(b)}`, ...this.people.map((layer) => words[says[layer.id]]?.(name(a), name(b)) ?? "–"),
    ]));
  }
}
