// Objects with both of their masks: visible parts filled, hidden ones hatched, whole outlines. In a stage or in a crop.

import { boxOf, meet, pathOf } from "./geometry.js";
import { colourAt, hatch, label } from "./paint.js";

const DASH = [6, 4];

/**
 * Paints objects in one context that is placed over the picture.
 * @param {CanvasRenderingContext2D} context
 * @param {{masks: object|null, colour: string, dim?: boolean}[]} objects
 * @param {{pixel: number, ratio: number, alpha: number, dashed: boolean}} how `pixel` of the image is one of the screen
 */
export function paintMasks(context, objects, { pixel, ratio, alpha, dashed }) {
  for (const { masks, colour, dim } of objects) {
    if (!masks) continue;
    const shade = dim ? 0.3 : 1;
    context.globalAlpha = 0.38 * alpha * shade;
    context.fillStyle = colour;
    context.fill(pathOf(masks.seen));
    context.globalAlpha = alpha * shade;
    if (masks.hidden.length) {
      const pattern = hatch(context, colour, ratio);
      pattern.setTransform(context.getTransform().inverse());
      context.fillStyle = pattern;
      context.fill(pathOf(masks.hidden));
    }
    context.setLineDash(dashed ? DASH.map((length) => length * pixel) : []);
    for (const { style, width } of [{ style: "#000000a0", width: 3.4 }, { style: colour, width: dim ? 1.2 : 2 }]) {
      if (dim && width > 3) continue;
      context.strokeStyle = style;
      context.lineWidth = width * pixel;
      context.stroke(pathOf(masks.whole));
    }
    context.setLineDash([]);
  }
  context.globalAlpha = 1;
}

/** Paints objects in a stage, with labels; those out of sight are left out. */
export function paintStage(view, sides, { labels, bright }) {
  view.start(view.objects);
  const corners = [[0, 0], [view.width, view.height]].map(([x, y]) => view.toImage(x, y));
  const window = [corners[0].x, corners[0].y, corners[1].x, corners[1].y];
  for (const { objects, alpha, dashed } of sides) {
    const seen = objects.filter((object) => object.masks?.whole.length && meet(boxOf(object.masks.whole), window));
    paintMasks(view.objects, seen, { pixel: 1 / view.scale, ratio: view.ratio, alpha, dashed });
    if (labels && alpha > 0.4) for (const object of seen) label(view, { ...object, rings: dashed ? below(view, object) : object.masks.whole }, { bright });
  }
}

/** A place for a second label: under the object. */
function below(view, { masks }) {
  const [left, , , bottom] = boxOf(masks.whole);
  return [{ points: [left, bottom + view.reach(16)] }];
}

/** The colour of a case: the same for the object and its detection. */
export const colourOf = (object, detection, objects = 0) => colourAt(object ?? objects + (detection ?? 0));

/** A canvas with a part of the picture and what lies on it. */
export function crop(sides, box, shown, { width, height }) {
  const [x, y, w, h] = box;
  const ratio = window.devicePixelRatio || 1;
  const scale = Math.min(width / w, height / h);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.max(1, Math.round(w * scale * ratio)), Math.max(1, Math.round(h * scale * ratio))];
  [canvas.style.width, canvas.style.height] = [`${w * scale}px`, `${h * scale}px`];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const paint = (picture) => {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#606060";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (picture) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const zoom = scale * ratio;
    context.setTransform(zoom, 0, 0, zoom, -x * zoom, -y * zoom);
    for (const { objects, dashed } of sides) paintMasks(context, objects, { pixel: 1 / scale, ratio, alpha: 1, dashed });
  };
  paint(null);
  shown?.then(paint, () => null);
  return canvas;
}
