// Borders that two objects share: snapping to a neighbour's outline, and copying its corners between two places.

import { inserted, nearestCorner, nearestEdge, withPoints } from "./geometry.js";

const REACH = 8; // screen pixels

/**
 * The place on an outline near (x, y): a corner before an edge. Null where none is in reach.
 * @returns {{x: number, y: number, object: string, ring: number, index: number, t: number}|null} t is 0 on a corner
 */
export function snapped(objects, x, y, view) {
  const reach = view.reach(REACH);
  for (const nearest of [nearestCorner, nearestEdge]) {
    /** @type {(import("./geometry.js").Place & {object: string, t: number})|null} */
    let best = null;
    for (const object of objects) {
      const found = nearest(object.rings, x, y, best?.distance ?? reach);
      if (found) best = { ...found, object: object.id, t: found.t ?? 0 };
    }
    if (best) return { x: best.x, y: best.y, object: best.object, ring: best.ring, index: best.index, t: best.t };
  }
  return null;
}

/** The corners of a ring strictly between two places on it, the shorter way round or the other one. */
export function walked(points, from, to, otherWay) {
  const count = points.length / 2;
  const [start, end] = [from.index + from.t, to.index + to.t];
  if (start === end) return [];
  const corner = (k) => [points[2 * (k % count)], points[2 * (k % count) + 1]];
  const between = (low, high) => {
    const found = [];
    for (let k = Math.floor(low) + 1; k < (high > low ? high : high + count); k += 1) found.push(corner(k));
    return found;
  };
  const onward = between(start, end);
  const backward = between(end, start).reverse();
  const length = (path) => {
    const all = [[from.x, from.y], ...path, [to.x, to.y]];
    return all.slice(1).reduce((sum, [x, y], k) => sum + Math.hypot(x - all[k][0], y - all[k][1]), 0);
  };
  return length(onward) <= length(backward) !== otherWay ? onward : backward;
}

const sameRing = (a, b) => a && b && a.object === b.object && a.ring === b.ring;

/**
 * All points of a draft, with the corners copied between anchors that lie on the same ring.
 * @param {{x: number, y: number, snap: any, otherWay?: boolean}[]} anchors `snap`: what `snapped` found there
 * @param {(id: string) => import("./model.js").Thing|undefined} find
 */
export function expanded(anchors, find, closed = false, closeOther = false) {
  const points = [];
  const walk = (from, to, otherWay) => {
    const ring = find(from.object)?.rings[from.ring];
    if (ring) for (const corner of walked(ring.points, from, to, otherWay)) points.push(...corner);
  };
  anchors.forEach((anchor, k) => {
    const before = anchors[k - 1]?.snap;
    if (k && sameRing(before, anchor.snap)) walk(before, anchor.snap, Boolean(anchor.otherWay));
    points.push(anchor.x, anchor.y);
  });
  if (closed && closes(anchors)) walk(anchors.at(-1)?.snap, anchors[0].snap, closeOther);
  return points;
}

/** Whether the line from the last anchor to the first runs along a neighbour. */
export function closes(anchors) {
  return anchors.length > 2 && sameRing(anchors.at(-1).snap, anchors[0].snap) && anchors.some((anchor) => !sameRing(anchor.snap, anchors[0].snap));
}

/**
 * Rings of neighbours with the corners that anchors on their edges make, so that both borders have the same ones.
 * @returns {Map<string, object[]>} by object
 */
export function cornersMade(anchors, find) {
  const places = anchors.map((anchor) => anchor.snap && { ...anchor.snap, x: anchor.x, y: anchor.y }).filter((snap) => snap?.t > 0 && snap.t < 1);
  places.sort((a, b) => b.index + b.t - (a.index + a.t));
  const changed = new Map();
  for (const { object, ring, index, x, y } of places) {
    const rings = changed.get(object) ?? find(object)?.rings;
    const points = rings?.[ring]?.points;
    if (points) changed.set(object, withPoints(rings, ring, inserted(points, index, x, y)));
  }
  return changed;
}
