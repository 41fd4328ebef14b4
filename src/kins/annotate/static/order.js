// Who is in front of whom: pairs, clusters, the order from near to far, and what changes it.

import { boxOf } from "./geometry.js";
import { pairKey } from "./model.js";
import { overlap } from "./raster.js";

/**
 * Every overlapping pair once, with what was said about it or else a guess.
 * @param {import("./model.js").Layer} layer
 * @param {Set<number|null>} occluders categories of occluders: those are in front of everything and make no pair
 * @param {{width: number, height: number}} image
 * @param {object[]} proposals of the image, with which of them each is in front of
 * @returns {Map<string, {nearer: string, farther: string, confirmed: boolean}>}
 */
export function pairsOf(layer, occluders, image, proposals = []) {
  const { objects, pairs: confirmed } = layer.state;
  const found = new Map();
  const list = [...objects.values()].filter((object) => !occluders.has(object.category));
  const unchanged = list.map((object) => layer.said.objects.get(object.id)?.rings === object.rings);
  const said = new Map(list.map((object) => [object.id, new Map()]));
  for (const pair of layer.said.pairs) for (const [a, b] of [[pair.nearer, pair.farther], [pair.farther, pair.nearer]]) said.get(a)?.set(b, pair);
  list.forEach((first, k) => {
    const ofFirst = said.get(first.id);
    for (let m = k + 1; m < list.length; m += 1) {
      const second = list[m];
      const both = unchanged[k] && unchanged[m];
      const known = both ? ofFirst?.get(second.id) : undefined;
      if (both ? !known : !overlap(first.rings, second.rings, image)) continue;
      const key = pairKey(first.id, second.id);
      const { nearer, farther } = confirmed.get(key) ?? known ?? proposed(first, second, proposals) ?? guess(first, second, image);
      found.set(key, { nearer, farther, confirmed: confirmed.has(key) });
    }
  });
  return found;
}

/** What the file of two proposals says of the objects made of them. */
function proposed(first, second, proposals) {
  const [one, other] = [first, second].map(({ origin }) => (origin?.proposal ? proposals.find(({ id }) => id === origin.proposal) : null));
  if (!one || !other) return null;
  if (one.farther?.includes(other.id)) return { nearer: first.id, farther: second.id };
  return other.farther?.includes(one.id) ? { nearer: second.id, farther: first.id } : null;
}

/** The lower bottom edge is nearer; where both are equal, what was drawn later. */
function guess(first, second, image) {
  const bottom = (object) => Math.min(boxOf(object.rings)[3], 100 * image.height);
  const [nearer, farther] = bottom(first) > bottom(second) ? [first, second] : [second, first];
  return { nearer: nearer.id, farther: farther.id };
}

/**
 * Objects from near to far. A circle is entered where the fewest are in front.
 * @returns {string[]} ids; of those that are free to choose, the lower bottom edge comes first
 */
export function nearToFar(objects, pairs) {
  /** @type {Map<string, number>} how many that are in front of an object wait, too */
  const waiting = new Map([...objects].map((object) => [object.id, 0]));
  /** @type {Map<string, string[]>} */
  const behind = new Map([...waiting.keys()].map((id) => [id, []]));
  for (const { nearer, farther } of pairs.values()) {
    waiting.set(farther, (waiting.get(farther) ?? 0) + 1);
    behind.get(nearer)?.push(farther);
  }
  const bottoms = new Map([...objects].map((object) => [object.id, boxOf(object.rings)[3]]));
  /** @type {string[]} */
  const order = [];
  while (waiting.size) {
    let [next, least, lowest] = ["", Infinity, -Infinity];
    for (const [id, count] of waiting) {
      const bottom = bottoms.get(id) ?? -Infinity;
      if (count < least || (count === least && bottom > lowest)) [next, least, lowest] = [id, count, bottom];
    }
    waiting.delete(next);
    order.push(next);
    for (const id of behind.get(next) ?? []) if (waiting.has(id)) waiting.set(id, (waiting.get(id) ?? 0) - 1);
  }
  return order;
}

/** Groups of objects that overlap, directly or through others; each from near to far, the largest first. */
export function clustersOf(order, pairs) {
  const root = new Map(order.map((id) => [id, id]));
  const top = (id) => {
    while (root.get(id) !== id) id = root.get(id);
    return id;
  };
  for (const { nearer, farther } of pairs.values()) root.set(top(nearer), top(farther));
  const groups = Map.groupBy(order, top);
  return [...groups.values()].sort((a, b) => b.length - a.length);
}

/** Circles in which each is in front of the next: sets of ids (strongly connected, more than one). */
export function circlesOf(order, pairs) {
  const behind = new Map(order.map((id) => [id, []]));
  const before = new Map(order.map((id) => [id, []]));
  for (const { nearer, farther } of pairs.values()) {
    behind.get(nearer).push(farther);
    before.get(farther).push(nearer);
  }
  const reach = (start, next) => {
    const seen = new Set([start]);
    for (const id of seen) for (const other of next.get(id)) seen.add(other);
    return seen;
  };
  const circles = [];
  const placed = new Set();
  for (const id of order) {
    if (placed.has(id) || !behind.get(id).length || !before.get(id).length) continue;
    const back = reach(id, before);
    const circle = new Set([...reach(id, behind)].filter((other) => back.has(other)));
    circle.forEach((other) => placed.add(other));
    if (circle.size > 1) circles.push(circle);
  }
  return circles;
}

/** The pairs without an exception: circles among these are open. */
export function plainPairs(pairs, exceptions) {
  const excepted = new Set([...exceptions.values()].map(({ nearer, farther }) => pairKey(nearer, farther)));
  return new Map([...pairs].filter(([key]) => !excepted.has(key)));
}

/**
 * What it takes to bring an object nearer (step 1) or farther (step -1): one step, or to the end.
 * @returns {[string, object][]} parts of operations: the pairs that turn round
 */
export function moved(id, step, toEnd, order, pairs) {
  const others = step > 0 ? order.slice(0, order.indexOf(id)).reverse() : order.slice(order.indexOf(id) + 1);
  const met = others.filter((other) => pairs.has(pairKey(id, other)));
  return turned(id, toEnd ? met : met.slice(0, 1), step > 0, pairs);
}

/** What it takes to put an object before another one in the list (or at its end: null). */
export function placed(id, before, order, pairs) {
  const rest = order.filter((other) => other !== id);
  const at = before === null ? rest.length : rest.indexOf(before);
  const met = (list) => list.filter((other) => pairs.has(pairKey(id, other)));
  return [...turned(id, met(rest.slice(0, at)), false, pairs), ...turned(id, met(rest.slice(at)), true, pairs)];
}

function turned(id, others, nearer, pairs) {
  return others
    .filter((other) => (pairs.get(pairKey(id, other)).nearer === id) !== nearer)
    .map((other) => ["pair", nearer ? { nearer: id, farther: other } : { nearer: other, farther: id }]);
}
