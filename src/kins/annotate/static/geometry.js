// Rings of points in hundredths of a pixel: boxes, distances, paths. A ring is {hole, points: [x0, y0, x1, y1, …]}.

const paths = new WeakMap();
const boxes = new WeakMap();

/** Twice the signed area of a ring's points. */
export function signedArea(points) {
  let sum = 0;
  for (let i = 0, j = points.length - 2; i < points.length; j = i, i += 2) sum += points[j] * points[i + 1] - points[i] * points[j + 1];
  return sum;
}

/** [left, top, right, bottom] of all outlines, in hundredths; kept for the rings given. */
export function boxOf(rings) {
  let box = boxes.get(rings);
  if (!box) {
    box = [Infinity, Infinity, -Infinity, -Infinity];
    for (const { points } of rings) {
      for (let i = 0; i < points.length; i += 2) {
        box = [Math.min(box[0], points[i]), Math.min(box[1], points[i + 1]), Math.max(box[2], points[i]), Math.max(box[3], points[i + 1])];
      }
    }
    boxes.set(rings, box);
  }
  return box;
}

export const meet = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

const EXACT = 8;

/**
 * A path in pixels, to be filled by the nonzero rule: outlines turn one way, holes the other; kept for the rings given.
 * At a scale (screen pixels a pixel) points are left out whose lack moves the outline by less than 0.3 screen pixels.
 */
export function pathOf(rings, scale = Infinity) {
  const level = Math.min(EXACT, Math.ceil(Math.log2(scale)));
  const known = paths.get(rings);
  if (known?.level === level) return known.path;
  const path = new Path2D();
  for (const ring of rings) {
    const points = level < EXACT ? thinned(ring.points, 30 / 2 ** level) : ring.points;
    trace(path, points, signedArea(ring.points) > 0 === Boolean(ring.hole));
  }
  paths.set(rings, { level, path });
  return path;
}

/**
 * Points whose lines pass within a distance of all those left out (sleeve fitting, Zhao and Saalfeld 1997): the next one is kept where
 * no direction from the last kept one passes all since then, or where the line turns back. All where that leaves no outline.
 */
function thinned(points, within) {
  const kept = [points[0], points[1]];
  let [dx, dy, far, low, high] = [1, 0, 0, 0, 0]; // the first direction; how far it went; the angles around it that pass
  for (let i = 2; i <= points.length; i += 2) {
    const [x, y] = [points[i % points.length] - kept.at(-2), points[(i + 1) % points.length] - kept.at(-1)];
    const away = Math.hypot(x, y);
    if (far === 0 && away <= within) continue;
    if (far === 0) [dx, dy, low, high] = [x / away, y / away, -Infinity, Infinity];
    const angle = Math.atan2(dx * y - dy * x, dx * x + dy * y);
    if (away >= far && angle >= low && angle <= high) {
      const room = Math.asin(within / away);
      [far, low, high] = [away, Math.max(low, angle - room), Math.min(high, angle + room)];
    } else {
      i -= 2; // looked at once more, from the point before it
      kept.push(points[i], points[i + 1]);
      far = 0;
    }
  }
  return kept.length < 6 ? points : kept;
}

/** Adds a closed ring to a path, backwards if asked. */
function trace(path, points, backwards) {
  const last = points.length - 2;
  for (let k = 0; k <= last; k += 2) {
    const i = backwards ? last - k : k;
    if (k) path.lineTo(points[i] / 100, points[i + 1] / 100);
    else path.moveTo(points[i] / 100, points[i + 1] / 100);
  }
  path.closePath();
}

/** The point of a segment nearest to (x, y), as {x, y, t, distance}; t runs from 0 to 1. */
export function onSegment(x, y, x0, y0, x1, y1) {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const length = dx * dx + dy * dy;
  const t = length ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
  const at = { x: x0 + t * dx, y: y0 + t * dy, t };
  return { ...at, distance: Math.hypot(at.x - x, at.y - y) };
}

/**
 * @typedef {{ring: number, index: number, x: number, y: number, distance: number, t?: number}} Place on an outline: its ring, the corner or
 *   the first corner of its edge, and how far along that edge
 */

/**
 * The nearest corner of rings within reach, or null.
 * @returns {Place|null}
 */
export function nearestCorner(rings, x, y, reach) {
  /** @type {Place|null} */
  let best = null;
  for (const [ring, { points }] of rings.entries()) {
    for (let i = 0; i < points.length; i += 2) {
      const distance = Math.hypot(points[i] - x, points[i + 1] - y);
      if (distance <= (best?.distance ?? reach)) best = { ring, index: i / 2, x: points[i], y: points[i + 1], distance };
    }
  }
  return best;
}

/**
 * The nearest edge of rings within reach, or null.
 * @returns {Place|null}
 */
export function nearestEdge(rings, x, y, reach) {
  /** @type {Place|null} */
  let best = null;
  for (const [ring, { points }] of rings.entries()) {
    for (let i = 0; i < points.length; i += 2) {
      const j = (i + 2) % points.length;
      const found = onSegment(x, y, points[i], points[i + 1], points[j], points[j + 1]);
      if (found.distance <= (best?.distance ?? reach)) best = { ring, index: i / 2, ...found };
    }
  }
  return best && { ...best, x: Math.round(best.x), y: Math.round(best.y) };
}

/** Rings with one ring's points replaced; without the ring where it would have fewer than three. */
export function withPoints(rings, at, points) {
  const changed = rings.map((ring, k) => (k === at ? { ...ring, points } : ring));
  return points.length < 6 ? changed.filter((_, k) => k !== at) : changed;
}

/** Points with one inserted behind the corner `index`. */
export const inserted = (points, index, x, y) => [...points.slice(0, 2 * index + 2), x, y, ...points.slice(2 * index + 2)];

/** Points without the corner `index`. */
export const without = (points, index) => [...points.slice(0, 2 * index), ...points.slice(2 * index + 2)];
