// Pixels of outlines, to find out at once who overlaps whom. A preview: what counts is painted by kins on the server.

import { boxOf, meet } from "./geometry.js";

const LEAST = { pixels: 5, fraction: 0.001 }; // as kins.occlusion.Slivers
const masks = new WeakMap();
const shared = new WeakMap();

/**
 * The pixels whose centre lies inside of rings: {x, y, width, height, area, data}; clipped at the image.
 * @param {{hole: boolean, points: number[]}[]} rings
 * @param {{width: number, height: number}} image
 */
export function maskOf(rings, image) {
  let mask = masks.get(rings);
  if (!mask) masks.set(rings, (mask = drawn(rings, image)));
  return mask;
}

function drawn(rings, image) {
  const [left, top, right, bottom] = boxOf(rings).map((v) => v / 100);
  const x = Math.min(image.width, Math.max(0, Math.floor(left)));
  const y = Math.min(image.height, Math.max(0, Math.floor(top)));
  const width = Math.max(0, Math.min(image.width, Math.ceil(right)) - x) || 0;
  const height = Math.max(0, Math.min(image.height, Math.ceil(bottom)) - y) || 0;
  const mask = { x, y, width, height, area: 0, data: new Uint8Array(width * height) };
  for (const ring of rings) if (!ring.hole) paint(mask, ring.points, 1);
  for (const ring of rings) if (ring.hole) paint(mask, ring.points, 0);
  mask.area = mask.data.reduce((sum, value) => sum + value, 0);
  return mask;
}

/** Sets the pixels inside of one ring (even-odd rule) to a value. */
function paint(mask, points, value) {
  for (let row = 0; row < mask.height; row += 1) {
    const y = (mask.y + row + 0.5) * 100;
    const cuts = [];
    for (let i = 0, j = points.length - 2; i < points.length; j = i, i += 2) {
      const [y0, y1] = [points[j + 1], points[i + 1]];
      if (y0 <= y !== y1 <= y) cuts.push(points[j] + ((y - y0) / (y1 - y0)) * (points[i] - points[j]));
    }
    cuts.sort((a, b) => a - b);
    for (let k = 0; k + 1 < cuts.length; k += 2) {
      const from = Math.max(0, Math.ceil(cuts[k] / 100 - 0.5) - mask.x);
      const to = Math.min(mask.width, Math.ceil(cuts[k + 1] / 100 - 0.5) - mask.x);
      if (to > from) mask.data.fill(value, row * mask.width + from, row * mask.width + to);
    }
  }
}

/** Whether a point in hundredths lies on a pixel of the mask. */
export function covers(mask, x, y) {
  const column = Math.floor(x / 100) - mask.x;
  const row = Math.floor(y / 100) - mask.y;
  return column >= 0 && row >= 0 && column < mask.width && row < mask.height && mask.data[row * mask.width + column] === 1;
}

/** What two masks share: {pixels, solid}; solid counts those in a square of 2 x 2 shared ones. */
export function common(a, b) {
  const [x0, y0] = [Math.max(a.x, b.x), Math.max(a.y, b.y)];
  const [x1, y1] = [Math.min(a.x + a.width, b.x + b.width), Math.min(a.y + a.height, b.y + b.height)];
  let pixels = 0;
  let solid = 0;
  const both = (x, y) => a.data[(y - a.y) * a.width + x - a.x] & b.data[(y - b.y) * b.width + x - b.x];
  for (let y = y0; y < y1; y += 1) {
    for (let x = x0; x < x1; x += 1) {
      if (!both(x, y)) continue;
      pixels += 1;
      if (x + 1 < x1 && y + 1 < y1 && both(x + 1, y) && both(x, y + 1) && both(x + 1, y + 1)) solid += 1;
    }
  }
  return { pixels, solid };
}

/** Whether two objects overlap by more than rounding; kept for the rings given. */
export function overlap(first, second, image) {
  if (!meet(boxOf(first), boxOf(second))) return false;
  const known = shared.get(first) ?? shared.set(first, new WeakMap()).get(first);
  if (!known.has(second)) {
    const [a, b] = [maskOf(first, image), maskOf(second, image)];
    const { pixels, solid } = common(a, b);
    known.set(second, pixels >= Math.max(LEAST.pixels, LEAST.fraction * Math.min(a.area, b.area)) && solid > 1);
  }
  return known.get(second);
}

/** The pixels of a compressed COCO RLE, row by row: Uint8Array of height x width. */
export function decode({ size: [height, width], counts }) {
  const mask = new Uint8Array(height * width);
  const runs = [];
  for (let at = 0; at < counts.length;) {
    let value = 0;
    let shift = 0;
    let code;
    do {
      code = counts.charCodeAt(at) - 48;
      value |= (code & 31) << shift;
      shift += 5;
      at += 1;
    } while (code & 32);
    if (code & 16) value |= -1 << shift;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  let place = 0;
  runs.forEach((run, k) => {
    for (let end = place + run; place < end; place += 1) {
      if (k % 2) mask[(place % height) * width + Math.floor(place / height)] = 1;
    }
  });
  return mask;
}
