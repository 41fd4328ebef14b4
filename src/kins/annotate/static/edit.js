// Changing points: drag a corner or an edge, click an edge for a new corner, Alt+click deletes one.

import { inserted, nearestCorner, nearestEdge, without, withPoints } from "./geometry.js";
import { snapped } from "./snap.js";

const REACH = 8; // screen pixels

/** The tool that edits the selected object. Corners of others at the very same place move along; Alt parts them. */
export class Edit {
  hint = "Drag corners or edges, click an edge for a new corner, Alt+click deletes one. E or Escape ends.";

  constructor(editor) {
    this.editor = editor;
    this.grip = null;
  }

  get target() {
    return this.editor.shown(this.editor.selected);
  }

  /** The corner or edge in reach. */
  under(at) {
    const reach = this.editor.view.reach(REACH);
    const rings = this.target?.rings ?? [];
    return nearestCorner(rings, at.x, at.y, reach) ?? nearestEdge(rings, at.x, at.y, 0.75 * reach);
  }

  press(at, { alt }) {
    const found = this.target && this.under(at);
    if (!found) {
      const other = this.editor.objectAt(at);
      if (other) this.editor.select(other);
      return;
    }
    const { points } = this.target.rings[found.ring];
    const ends = found.t === undefined ? [found.index] : [found.index, (found.index + 1) % (points.length / 2)];
    const corners = ends.map((index) => [points[2 * index], points[2 * index + 1]]);
    this.grip = { at, alt, found, corners, moved: false, places: this.coinciding(corners, alt) };
  }

  /** Where these corners are, in the selected object or (not alone) in all: [{object, ring, index, corner}]. */
  coinciding(corners, alone) {
    const places = [];
    for (const object of alone ? [this.target] : this.editor.layer.state.objects.values()) {
      object.rings.forEach(({ points }, ring) => {
        for (let i = 0; i < points.length; i += 2) {
          const corner = corners.findIndex(([x, y]) => points[i] === x && points[i + 1] === y);
          if (corner >= 0) places.push({ object: object.id, ring, index: i / 2, corner });
        }
      });
    }
    return places;
  }

  move(at) {
    const { grip, editor } = this;
    if (!grip) return;
    if (!grip.moved && Math.hypot(at.x - grip.at.x, at.y - grip.at.y) < editor.view.reach(2)) return;
    grip.moved = true;
    const others = [...editor.layer.state.objects.values()].filter((object) => !grip.places.some((place) => place.object === object.id));
    const snap = editor.snapping && grip.corners.length === 1 ? snapped(others, at.x, at.y, editor.view) : null;
    const [x0, y0] = grip.corners[0];
    const [dx, dy] = snap ? [snap.x - x0, snap.y - y0] : [at.x - grip.at.x, at.y - grip.at.y];
    editor.preview = this.changed(grip.places, (points, { index, corner }) => {
      const [x, y] = grip.corners[corner];
      const copy = points.slice();
      [copy[2 * index], copy[2 * index + 1]] = [x + dx, y + dy];
      return copy;
    });
    editor.redraw();
  }

  release() {
    const { grip, editor } = this;
    this.grip = null;
    if (!grip) return;
    if (grip.moved) this.commit(editor.preview);
    else if (grip.found.t !== undefined) this.insert(grip);
    else if (grip.alt) this.erase(grip.found);
    editor.preview = new Map();
    editor.redraw();
  }

  /** Rings by object with a change of the points at places. */
  changed(places, change) {
    const rings = new Map();
    for (const place of places) {
      const old = rings.get(place.object) ?? this.editor.layer.state.objects.get(place.object).rings;
      rings.set(place.object, withPoints(old, place.ring, change(old[place.ring].points, place)));
    }
    return rings;
  }

  /** A new corner on an edge; a neighbour with the very same edge gets it, too. */
  insert({ found, corners }) {
    const edges = new Map();
    for (const object of this.editor.layer.state.objects.values()) {
      object.rings.forEach(({ points }, ring) => {
        for (let i = 0; i < points.length; i += 2) {
          const j = (i + 2) % points.length;
          const ends = [`${points[i]} ${points[i + 1]}`, `${points[j]} ${points[j + 1]}`];
          if (corners.every(([x, y]) => ends.includes(`${x} ${y}`)) && !edges.has(object.id)) edges.set(object.id, { object: object.id, ring, index: i / 2 });
        }
      });
    }
    this.commit(this.changed([...edges.values()], (points, { index }) => inserted(points, index, found.x, found.y)));
  }

  /** Deletes a corner, in neighbours that share it, too. */
  erase({ ring, index }) {
    const { points } = this.target.rings[ring];
    const places = this.coinciding([[points[2 * index], points[2 * index + 1]]], false).reverse();
    this.commit(this.changed(places, (old, place) => without(old, place.index)));
  }

  commit(rings) {
    if ([...rings.values()].some((list) => !list.some((ring) => !ring.hole))) {
      this.editor.tell("An outline has at least three points; delete the object instead.");
      return;
    }
    this.editor.commit([...rings].map(([object, list]) => ["outline", { object, rings: list }]));
  }
}
