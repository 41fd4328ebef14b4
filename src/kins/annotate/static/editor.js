// One image being annotated: what is selected, which tool is used, and what is shown.

import { here } from "./api.js";
import { boxOf } from "./geometry.js";
import { Draw } from "./draw.js";
import { Edit } from "./edit.js";
import { pairKey } from "./model.js";
import { circlesOf, clustersOf, nearToFar, pairsOf, plainPairs } from "./order.js";
import * as outbox from "./outbox.js";
import { colourAt, paintObjects } from "./paint.js";
import { paintOver } from "./overlay.js";
import { covers, maskOf, overlap } from "./raster.js";
import { toast } from "./dom.js";

/**
 * @typedef {{id: number, rings: import("./model.js").Ring[], nearer?: number[]}} Proposal
 * @typedef {{image: import("./api.js").Image, layer: import("./model.js").Layer, sync: import("./sync.js").Sync, project: import("./api.js").Project,
 *   categories: import("./api.js").Category[], proposals: Proposal[], picture: HTMLImageElement}} Given
 * @typedef {{order: string[], pairs: Map<string, import("./model.js").Known>, clusters: string[][], circles: Set<string>[],
 *   byObject: Map<string, import("./model.js").Known[]>, numbers: Map<string, number>}} Derived
 */

export class Editor {
  /** @type {Given["image"]} */ image;
  /** @type {Given["layer"]} */ layer;
  /** @type {Given["sync"]} */ sync;
  /** @type {Given["project"]} */ project;
  /** @type {Given["categories"]} */ categories;
  /** @type {Given["proposals"]} */ proposals;
  /** @type {Given["picture"]} */ picture;
  /** @type {(Derived & {state: object, said: object, categories: object}) | undefined} */ known;
  /** @type {number|null|undefined} */ lastCategory;
  /** @type {Promise<void>|null|undefined} */ occluderMade;
  /** @type {import("./consensus.js").Steps|null|undefined} */ steps;
  /** @type {Proposal[]|undefined} */ openProposals;
  /** @type {Promise<void>|undefined} */ draftKept;
  /** @type {number|undefined} */ waiting;
  stale = false;
  moved = false;
  placed = false;
  seen = false;

  /**
   * @param {import("./view.js").View} view
   * @param {Given} given
   * @param {() => void} listsChanged called when lists at the side have to follow
   */
  constructor(view, given, listsChanged) {
    Object.assign(this, given);
    this.view = view;
    this.listsChanged = listsChanged;
    /** @type {string|null} */
    this.selected = null;
    /** @type {Draw|Edit|null} null: selecting */
    this.tool = null;
    this.preview = new Map(); // rings of objects while they are dragged
    /** @type {{x: number, y: number}|null} */
    this.pointer = null; // in hundredths; null: not over the picture
    this.cross = false; // whether the pointer is moved by keys
    this.snapping = false;
    this.peeling = false; // what is nearer than the selection is hidden
    this.show = { fill: true, dim: false, labels: true };
    this.light = { brightness: 1, contrast: 1 };
    /** @type {Proposal|null} */
    this.proposal = null; // the one looked at
    /** @type {{rings: import("./model.js").Ring[]}|null} */
    this.suggestion = null; // what a network proposes for the selected object
    /** @type {string|null} */
    this.lastPair = null;
    /** @type {OffscreenCanvas|null} */
    this.check = null; // a picture of what kins paints otherwise
    view.image = this.image;
  }

  get drawing() {
    return this.tool instanceof Draw;
  }

  /** @returns {Set<number|null>} */
  get occluders() {
    return new Set(this.categories.filter((category) => category.is_occluder).map((category) => category.id));
  }

  /** All that follows from the state; worked out once a state. */
  get derived() {
    const { state, said } = this.layer;
    const { known } = this;
    if (known?.state === state && known.said === said && known.categories === this.categories) return known;
    const occluders = this.occluders;
    const pairs = pairsOf(this.layer, occluders, this.image, this.proposals);
    const things = [...state.objects.values()].filter((object) => !occluders.has(object.category));
    const order = nearToFar(things, pairs);
    const clusters = clustersOf(order, pairs);
    const circles = circlesOf(order, plainPairs(pairs, state.exceptions));
    /** @type {Derived["byObject"]} */
    const byObject = new Map(order.map((id) => [id, []]));
    for (const pair of pairs.values()) for (const id of [pair.nearer, pair.farther]) byObject.get(id)?.push(pair);
    const numbers = new Map([...state.objects.keys()].map((id, k) => [id, k]));
    this.known = { state, said, categories: this.categories, pairs, order, clusters, circles, byObject, numbers };
    return this.known;
  }

  get pairs() {
    return this.derived.pairs;
  }

  /** Who may hide whom: the pairs, and occluders with what they overlap. */
  get hiding() {
    const { byObject, order } = this.derived;
    const { objects } = this.layer.state;
    const before = [...objects.keys()].filter((id) => !byObject.has(id));
    const rings = (id) => objects.get(id)?.rings ?? [];
    const met = (id) => order.filter((other) => overlap(rings(id), rings(other), this.image));
    return [...this.pairs.values(), ...before.flatMap((id) => met(id).map((other) => ({ nearer: id, farther: other })))];
  }

  get unconfirmed() {
    return [...this.pairs.values()].filter((pair) => !pair.confirmed);
  }

  category(id) {
    return this.categories.find((category) => category.id === id);
  }

  /** What people call an object: its class and its number. */
  name(id) {
    const object = this.object(id);
    const number = this.derived.numbers.get(id);
    if (!object || number === undefined) return "an object that is gone";
    return `${this.category(object.category)?.name ?? "no class"} ${number + 1}`;
  }

  /**
   * An object as the state has it; undefined where there is none of this id.
   * @param {string|null} id
   */
  object(id) {
    return id === null ? undefined : this.layer.state.objects.get(id);
  }

  /** An object as it is shown now, also while it is dragged. */
  shown(id) {
    const object = this.object(id);
    const rings = this.preview.get(id);
    return object && rings ? { ...object, rings } : object;
  }

  // --- selecting ---

  /** Ids of the objects at a place, near to far, occluders first. */
  objectsAt({ x, y }) {
    const at = (id) => covers(maskOf(this.object(id)?.rings ?? [], this.image), x, y);
    const { order, byObject } = this.derived;
    const before = [...this.layer.state.objects.keys()].filter((id) => !byObject.has(id));
    return [...before, ...order].filter(at);
  }

  /** The nearest object at a place; where that is selected already, the next one behind it. */
  objectAt(at) {
    const found = this.objectsAt(at);
    return found[(found.findIndex((id) => id === this.selected) + 1) % found.length] ?? null;
  }

  select(id) {
    this.selected = id;
    this.suggestion = null;
    this.changed();
  }

  /** Selects the next object of the list. */
  step(by) {
    const ids = [...this.derived.clusters.flat(), ...[...this.layer.state.objects.keys()].filter((id) => !this.derived.byObject.has(id))];
    if (!ids.length) return;
    const at = ids.findIndex((id) => id === this.selected);
    this.select(ids[at < 0 ? (by > 0 ? 0 : ids.length - 1) : (at + by + ids.length) % ids.length]);
  }

  /** The pair that X and C are about: under the pointer, or else of the selected object. */
  pairHere(confirmedToo) {
    const usable = (pair) => pair && (confirmedToo || !pair.confirmed);
    const under = this.pointer ? this.objectsAt(this.pointer) : [];
    const there = under.flatMap((a, k) => under.slice(k + 1).map((b) => this.pairs.get(pairKey(a, b)))).filter(usable);
    const mine = (pair) => pair.nearer === this.selected || pair.farther === this.selected;
    const own = this.derived.byObject.get(this.selected ?? "") ?? [];
    const last = this.pairs.get(this.lastPair ?? "");
    return there.find(mine) ?? there[0] ?? own.find((pair) => !pair.confirmed)
      ?? (usable(last) && mine(last) ? last : null) ?? own.find(usable) ?? this.unconfirmed[0] ?? null;
  }

  // --- tools ---

  draw(purpose, more = {}) {
    if (!this.allowed()) return;
    this.tool = new Draw(this, { purpose, category: this.lastCategory ?? null, ...more });
    this.changed();
  }

  /** Goes on with the outline that was being drawn when the page was left. */
  async restoreDraft() {
    const draft = await outbox.keptDraft(here(this.layer.id)).catch(() => undefined);
    if (!draft?.anchors.length || !this.sync.writable) return;
    this.tool = new Draw(this, draft);
    this.changed();
  }

  keepDraft(draft) {
    const text = draft && JSON.parse(JSON.stringify(draft));
    const kept = () => { this.view.stage.dataset.draft = text?.anchors.length ?? 0; };
    this.draftKept = outbox.putDraft(here(this.layer.id), text).then(kept, () => undefined);
    this.redraw();
  }

  stopDrawing() {
    this.tool = null;
    this.keepDraft(null);
    this.changed();
  }

  edit() {
    if (this.tool instanceof Edit) this.tool = null;
    else if (this.object(this.selected) && this.allowed()) this.tool = new Edit(this);
    this.changed();
  }

  // --- changing ---

  allowed() {
    if (!this.layer.mine) toast("This layer is another person's: it can be read only.");
    else if (!this.sync.writable) toast("This tab can only read: another one writes. “Take over” changes that.");
    else if (this.layer.status !== "open") toast("This image is done. “Reopen” lets you go on.");
    else return true;
    return false;
  }

  /** Does one action: parts are [kind, payload] of operations. */
  commit(parts) {
    if (!parts.length || !this.allowed()) return false;
    for (let k = 0; k < parts.length; k += 100) this.sync.commit(this.layer.make(parts.slice(k, k + 100)));
    return true;
  }

  setClass(id) {
    const category = this.category(id);
    if (!category) return;
    if (!category.is_occluder) this.lastCategory = id;
    localStorage.setItem(here(`class/${this.project.id}`), String(this.lastCategory ?? ""));
    if (this.tool instanceof Draw && this.tool.draft.purpose === "object") {
      this.tool.draft.category = id;
      this.keepDraft(this.tool.draft);
      this.changed();
    } else if (this.object(this.selected)) this.commit([["class", { object: this.selected, category: id }]]);
    else this.changed();
  }

  tell(text) {
    toast(text);
  }

  // --- showing ---

  /** The state changed: repaint, and bring the lists up to date. */
  changed() {
    this.check = null;
    if (!this.object(this.selected)) this.selected = null;
    if (this.tool instanceof Edit && !this.selected) this.tool = null;
    this.redraw();
    this.listsChanged();
  }

  /** Repaints the objects, and what is over them, with the next frame. */
  redraw() {
    this.stale = true;
    this.redrawOver();
  }

  redrawOver() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      const begin = performance.now();
      const whole = this.stale || this.moved;
      if (this.moved) this.view.paintPicture(this.picture);
      if (whole) paintObjects(this.view, this.painting());
      [this.stale, this.moved] = [false, false];
      paintOver(this.view, this);
      if (whole) measured(begin);
      if (this.placed && !this.seen) performance.mark("kins first paint");
      this.seen ||= this.placed;
    });
  }

  /** The view moved: repaint everything. */
  moveView() {
    this.moved = true;
    this.redrawOver();
  }

  /** What `paintObjects` paints. */
  painting() {
    const { order, pairs, byObject, clusters, numbers } = this.derived;
    const occluders = [...this.layer.state.objects.keys()].filter((id) => !byObject.has(id));
    const hidden = this.peeling && this.selected ? new Set([...order.slice(0, Math.max(0, order.findIndex((id) => id === this.selected))), ...occluders.filter((id) => id !== this.selected)]) : new Set();
    const objects = [...order.slice().reverse(), ...occluders].filter((id) => !hidden.has(id)).map((id) => ({
      id,
      rings: this.shown(id)?.rings ?? [],
      occluder: !byObject.has(id),
      label: this.name(id),
      colour: byObject.has(id) ? colourAt(numbers.get(id) ?? 0) : "#8a8a8a",
    }));
    const cluster = clusters.find((ids) => ids.some((id) => id === this.selected));
    const exceptions = [...this.layer.state.exceptions.values()]
      .map((exception) => ({ ...exception, ...pairs.get(pairKey(exception.nearer, exception.farther)) }));
    return { objects, pairs, byObject, exceptions, selected: this.selected, bright: this.show.dim && cluster ? new Set(cluster) : null, fill: this.show.fill, labels: this.show.labels };
  }

  /** Shows the selected object, or all. */
  zoomTo(id) {
    const object = this.layer.state.objects.get(id);
    if (!object) return;
    const [left, top, right, bottom] = boxOf(object.rings).map((v) => v / 100);
    const rim = Math.max(4, 0.15 * Math.max(right - left, bottom - top));
    this.view.fit([left - rim, top - rim, right + rim, bottom + rim]);
    this.moveView();
  }
}

/** Notes how long painting took, for whoever asks the browser. */
function measured(begin) {
  performance.clearMeasures("kins redraw");
  performance.measure("kins redraw", { start: begin, end: performance.now() });
}
