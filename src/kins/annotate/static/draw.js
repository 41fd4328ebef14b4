// Drawing an outline: point by point or freehand. The draft is kept in the browser at each point.

import { covers, common, maskOf } from "./raster.js";
import { uuid } from "./model.js";
import { closes, cornersMade, expanded, snapped } from "./snap.js";

const FREEHAND = 4; // screen pixels between points
const CLOSE = 8; // screen pixels around the first point

/** The tool while an outline is drawn. `purpose`: object, occluder, ring (of the selected object) or exception. */
export class Draw {
  constructor(editor, draft) {
    this.editor = editor;
    this.draft = { anchors: [], closeOther: false, ...draft };
    this.hint = {
      object: "Click along the whole outline, hidden parts too, or drag. Enter closes.",
      occluder: "Outline what hides but is no object. Enter closes.",
      ring: "A further outline, or (begun inside the object) a hole. Enter closes.",
      exception: "Outline the region in which the other one of the two is in front. Enter closes.",
    }[draft.purpose];
  }

  find = (id) => this.editor.layer.state.objects.get(id);

  get points() {
    return expanded(this.draft.anchors, this.find);
  }

  /** Where a press would put a point: {x, y, snap}. */
  place(at) {
    const { editor } = this;
    const snap = editor.snapping ? snapped([...editor.layer.state.objects.values()], at.x, at.y, editor.view) : null;
    return { x: snap?.x ?? at.x, y: snap?.y ?? at.y, snap };
  }

  press(at) {
    const first = this.draft.anchors[0];
    const near = first && Math.hypot(first.x - at.x, first.y - at.y) <= this.editor.view.reach(CLOSE);
    if (near && !this.editor.snapping && this.draft.anchors.length > 2) return this.finish();
    this.add(this.place(at));
    this.down = at;
    return undefined;
  }

  move(at) {
    if (!this.down || this.editor.snapping) return;
    if (Math.hypot(at.x - this.down.x, at.y - this.down.y) < this.editor.view.reach(FREEHAND)) return;
    this.down = at;
    this.add({ ...at, snap: null });
  }

  release() {
    this.down = null;
  }

  add({ x, y, snap }) {
    const last = this.draft.anchors.at(-1);
    if (last?.x === x && last?.y === y) return;
    this.draft.anchors.push({ x, y, snap });
    this.kept();
  }

  /** Takes back a point; true where one was left. */
  back() {
    const had = this.draft.anchors.pop() !== undefined;
    this.kept();
    return had;
  }

  /** Takes the neighbour's border the other way round; false where none was copied. */
  turn() {
    const { anchors } = this.draft;
    const [before, last] = [anchors.at(-2), anchors.at(-1)];
    if (before?.snap && last.snap && before.snap.object === last.snap.object && before.snap.ring === last.snap.ring) {
      last.otherWay = !last.otherWay;
    } else if (closes(anchors)) {
      this.draft.closeOther = !this.draft.closeOther;
    } else return false;
    this.kept();
    return true;
  }

  kept() {
    this.editor.keepDraft(this.draft);
  }

  /** Closes the outline. */
  finish() {
    const { editor, draft } = this;
    const points = expanded(draft.anchors, this.find, true, draft.closeOther);
    if (points.length < 6) return editor.tell("An outline has at least three points.");
    if (points.length > 20000) return editor.tell("An outline has at most 10 000 points.");
    const parts = this[draft.purpose](points);
    if (!parts) return undefined;
    const shared = cornersMade(draft.anchors, this.find);
    editor.stopDrawing();
    editor.commit([...[...shared].map(([object, rings]) => ["outline", { object, rings }]), ...parts]);
    const [kind, { object }] = parts[0];
    if (kind === "add") editor.select(object);
    return undefined;
  }

  object(points) {
    return [["add", { object: uuid(), category: this.draft.category, rings: [{ hole: false, points }] }]];
  }

  occluder(points) {
    const { editor } = this;
    this.draft.category ??= [...editor.occluders][0] ?? null;
    if (this.draft.category !== null) return this.object(points);
    if (editor.occluderMade) editor.occluderMade.then(() => editor.tool === this && editor.occluders.size && this.finish());
    else editor.tell("There is no class for occluders.");
    return undefined;
  }

  ring(points) {
    const target = this.find(this.draft.object);
    if (!target) return this.editor.tell("The object is gone.");
    const [inside, all] = [maskOf(target.rings, this.editor.image), points.length / 2];
    let count = 0;
    for (let i = 0; i < points.length; i += 2) count += Number(covers(inside, points[i], points[i + 1]));
    return [["outline", { object: target.id, rings: [...target.rings, { hole: count > all / 2, points }] }]];
  }

  /** Of the two objects that overlap most within the region; a pair chosen before is preferred. */
  exception(points) {
    const { editor } = this;
    const region = maskOf([{ hole: false, points }], editor.image);
    let best = null;
    for (const { nearer, farther } of editor.hiding) {
      const inside = [nearer, farther].map((id) => common(region, maskOf(this.find(id).rings, editor.image)).pixels);
      const preferred = editor.selected === nearer || editor.selected === farther;
      const score = Math.min(...inside) * (preferred ? 2 : 1);
      if (score > (best?.score ?? 0)) best = { score, nearer, farther };
    }
    if (!best) return editor.tell("No two objects overlap in this region.");
    return [["exception", { exception: uuid(), nearer: best.nearer, farther: best.farther, points }]];
  }
}
