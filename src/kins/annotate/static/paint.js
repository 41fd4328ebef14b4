// Objects on the canvas: far to near, so that the visible part shows; what is hidden is hatched.

import { boxOf, meet, pathOf } from "./geometry.js";
import { pairKey } from "./model.js";

const PALETTE = ["#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#00a3a3", "#d633a0", "#7a8f00", "#9a6324", "#0082c8", "#b8860b", "#5f5fc4"];
const OCCLUDER = "#8a8a8a";
const HATCHED = 3; // screen pixels: hatches in less are not seen
const hatches = new Map();

export const colourAt = (k) => PALETTE[k % PALETTE.length];

/**
 * What draws on a canvas aside.
 * @param {OffscreenCanvas} canvas
 */
export const pen = (canvas) => /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));

/** Diagonal lines of a colour, as wide at each zoom. */
export function hatch(context, colour, ratio) {
  const key = `${colour} ${ratio}`;
  if (!hatches.has(key)) {
    const size = Math.round(8 * ratio);
    const tile = new OffscreenCanvas(size, size);
    const lines = pen(tile);
    for (const { style, width } of [{ style: "#ffffff", width: 2.6 * ratio }, { style: colour, width: 1.4 * ratio }]) {
      lines.strokeStyle = style;
      lines.lineWidth = width;
      lines.beginPath();
      for (const shift of [-size, 0, size]) {
        lines.moveTo(shift - 2, size + 2);
        lines.lineTo(shift + size + 2, -2);
      }
      lines.stroke();
    }
    hatches.set(key, tile);
  }
  return context.createPattern(hatches.get(key), "repeat");
}

/**
 * @typedef {object} Picture what is painted
 * @property {{id: string, rings: object[], occluder: boolean, label: string, colour: string}[]} objects far to near,
 *   occluders at last
 * @property {Map<string, {nearer: string, farther: string, confirmed: boolean}>} pairs
 * @property {object[]} exceptions
 * @property {string|null} selected
 * @property {Set<string>|null} bright all others are dimmed
 * @property {boolean} fill
 * @property {boolean} labels
 */

/** Paints all objects. */
export function paintObjects(view, picture) {
  const context = view.objects;
  view.start(context);
  const window = [-view.left / view.scale, -view.top / view.scale, (view.width - view.left) / view.scale, (view.height - view.top) / view.scale];
  const seen = picture.objects.filter((object) => meet(boxOf(object.rings), window.map((v) => v * 100)));
  const byId = new Map(seen.map((object) => [object.id, object]));
  const reversed = Map.groupBy(picture.exceptions, ({ nearer, farther }) => pairKey(nearer, farther));
  if (picture.fill) fillVisible(view, seen, byId, picture);
  const occluders = seen.filter((object) => object.occluder);
  const patterns = new Map();
  for (const object of seen) hatchHidden(view, object, frontOf(view, object, occluders, byId, picture), reversed, patternOf(view, object, picture, patterns));
  for (const object of seen) strokeOutline(view, object, picture);
  for (const exception of picture.exceptions) strokeException(view, exception);
  if (picture.labels) labels(view, seen, picture);
}

/** The outlines of an object, as fine as the screen shows them. */
const outline = (view, { rings }) => pathOf(rings, view.scale * view.ratio);

const dimmed = (object, picture) => picture.bright !== null && !picture.bright.has(object.id);

/** Opaque, far to near, on a canvas aside, laid over the picture as a whole: only visible parts remain. */
function fillVisible(view, seen, byId, picture) {
  const { canvas } = view.objects;
  if (view.aside?.canvas.width !== canvas.width || view.aside.canvas.height !== canvas.height) {
    view.aside = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  }
  view.start(view.aside);
  for (const object of seen) {
    view.aside.fillStyle = dimmed(object, picture) ? "#808080" : object.colour;
    view.aside.fill(outline(view, object));
    for (const exception of picture.exceptions) if (exception.nearer === object.id) fillException(view, exception, byId);
  }
  view.objects.save();
  view.objects.setTransform(1, 0, 0, 1, 0, 0);
  view.objects.globalAlpha = 0.38;
  view.objects.drawImage(view.aside.canvas, 0, 0);
  view.objects.restore();
}

/** Within an exception's region the farther one is seen. */
function fillException(view, exception, byId) {
  const [near, far] = [byId.get(exception.nearer), byId.get(exception.farther)];
  if (!near || !far) return;
  view.aside.save();
  view.aside.clip(pathOf(regionOf(exception)));
  view.aside.clip(outline(view, near));
  view.aside.fillStyle = far.colour;
  view.aside.fill(outline(view, far));
  view.aside.restore();
}

const regions = new WeakMap();

/** An exception's region as rings. */
export function regionOf(exception) {
  if (!regions.has(exception)) regions.set(exception, [{ hole: false, points: exception.points }]);
  return regions.get(exception);
}

/**
 * What may hide an object: [other, in front outside of regions (true) or within them alone (false)]. What both cover is
 * hatched where that can be seen: not in a few pixels of the screen.
 */
function frontOf(view, object, occluders, byId, picture) {
  if (object.occluder) return [];
  const front = occluders.map((other) => [other, true]);
  for (const pair of picture.byObject.get(object.id) ?? []) {
    const other = byId.get(pair.nearer === object.id ? pair.farther : pair.nearer);
    if (other) front.push([other, pair.farther === object.id]);
  }
  const [left, top, right, bottom] = boxOf(object.rings);
  const least = view.reach(HATCHED);
  return front.filter(([{ rings }]) => {
    const box = boxOf(rings);
    return Math.min(right, box[2]) - Math.max(left, box[0]) > least && Math.min(bottom, box[3]) - Math.max(top, box[1]) > least;
  });
}

/** An object's hatch, as wide at each zoom. */
function patternOf(view, object, picture, known) {
  const colour = dimmed(object, picture) ? "#808080" : object.colour;
  if (!known.has(colour)) {
    known.set(colour, hatch(view.objects, colour, view.ratio));
    known.get(colour).setTransform(view.objects.getTransform().inverse());
  }
  return known.get(colour);
}

function hatchHidden(view, object, front, reversed, pattern) {
  const context = view.objects;
  const plain = front.filter(([other, nearer]) => nearer && !reversed.has(pairKey(object.id, other.id)));
  if (plain.length) {
    context.save();
    context.clip(outline(view, object));
    context.fillStyle = pattern;
    for (const [other] of plain) context.fill(outline(view, other));
    context.restore();
  }
  for (const [other, nearer] of front) {
    const regions = reversed.get(pairKey(object.id, other.id)) ?? [];
    const both = [outline(view, object), outline(view, other)];
    if (nearer && regions.length) hatchWhere(view, both, regions.map((region) => outside(view, region)), pattern);
    if (!nearer) for (const region of regions) hatchWhere(view, [...both, pathOf(regionOf(region))], [], pattern);
  }
}

/** All but an exception's region, to be clipped by the even-odd rule. */
function outside(view, region) {
  const path = new Path2D(pathOf(regionOf(region)));
  path.rect(-4 * view.image.width, -4 * view.image.height, 9 * view.image.width, 9 * view.image.height);
  return path;
}

function hatchWhere(view, inside, holes, pattern) {
  const context = view.objects;
  context.save();
  for (const path of inside.slice(1)) context.clip(path);
  for (const path of holes) context.clip(path, "evenodd");
  context.fillStyle = pattern;
  context.fill(inside[0]);
  context.restore();
}

function strokeOutline(view, object, picture) {
  const context = view.objects;
  const path = outline(view, object);
  const chosen = object.id === picture.selected;
  const pixel = 1 / view.scale;
  context.globalAlpha = dimmed(object, picture) ? 0.4 : 1;
  context.setLineDash(object.occluder ? [6 * pixel, 3 * pixel] : []);
  if (chosen) {
    context.strokeStyle = "#ffffff";
    context.lineWidth = 5 * pixel;
    context.stroke(path);
  }
  context.strokeStyle = object.occluder ? OCCLUDER : object.colour;
  context.lineWidth = (chosen ? 2.5 : 1.5) * pixel;
  context.stroke(path);
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function strokeException(view, exception) {
  const context = view.objects;
  context.setLineDash([4 / view.scale, 4 / view.scale]);
  context.lineWidth = 1.5 / view.scale;
  context.strokeStyle = "#ffd400";
  context.stroke(pathOf(regionOf(exception)));
  context.setLineDash([]);
}

/** Names, that of the selected object first, then from near to far; one that would lie on another is left out. */
function labels(view, seen, picture) {
  const chosen = ({ id }) => id === picture.selected;
  const shown = seen.toReversed();
  const taken = new Set();
  for (const object of [...shown.filter(chosen), ...shown.filter((other) => !chosen(other))]) label(view, object, picture, taken);
}

/** Writes an object's label at the corner of its box, unless it is dimmed, or would lie on cells that are taken. */
export function label(view, object, picture, taken = new Set()) {
  if (dimmed(object, picture)) return;
  const context = view.objects;
  const [left, top] = boxOf(object.rings);
  const place = view.toScreen(left, top);
  const [x, y] = [Math.max(2, place.x + 2), Math.max(12, place.y - 3)];
  const cells = cellsOf(x, y, 6 * object.label.length);
  if (cells.some((cell) => taken.has(cell))) return;
  cells.forEach((cell) => taken.add(cell));
  context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  context.font = "11px system-ui, sans-serif";
  context.lineWidth = 3;
  context.strokeStyle = "#000000b0";
  context.fillStyle = "#ffffff";
  context.strokeText(object.label, x, y);
  context.fillText(object.label, x, y);
  view.place(context);
}

/** Names of the cells of 10 x 6 screen pixels that a line of text lies on. */
function cellsOf(x, y, width) {
  const cells = [];
  for (let row = Math.floor((y - 9) / 6); row <= Math.floor((y + 2) / 6); row += 1) {
    for (let column = Math.floor(x / 10); column <= Math.floor((x + width) / 10); column += 1) cells.push(`${column} ${row}`);
  }
  return cells;
}
