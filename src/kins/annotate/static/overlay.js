// What lies over the objects: the draft, handles, proposals, the cross that keys move.

import { nearestCorner, pathOf } from "./geometry.js";

const DRAFT = "#ffe600";

/** @param {import("./view.js").View} view  @param {import("./editor.js").Editor} editor */
export function paintOver(view, editor) {
  view.start(view.over);
  paintProposals(view, editor);
  editor.steps?.paint(view);
  if (editor.check) paintCheck(view, editor.check);
  if (editor.drawing) paintDraft(view, editor);
  else if (editor.tool) paintHandles(view, editor);
  if (editor.cross && editor.pointer) paintCross(view, editor.pointer);
}

function dotted(view, path, colour, width) {
  const { over } = view;
  const pixel = 1 / view.scale;
  for (const [style, extra] of [["#000000a0", 1.5], [colour, 0]]) {
    over.setLineDash([2 * pixel, 3 * pixel]);
    over.strokeStyle = style;
    over.lineWidth = (width + extra) * pixel;
    over.stroke(path);
  }
  over.setLineDash([]);
}

function paintProposals(view, editor) {
  for (const proposal of editor.openProposals ?? []) {
    dotted(view, pathOf(proposal.rings), proposal === editor.proposal ? "#00e5ff" : "#ffffff", proposal === editor.proposal ? 2.5 : 1.2);
  }
  if (editor.suggestion) dotted(view, pathOf(editor.suggestion.rings), "#00e5ff", 2.5);
}

function paintDraft(view, editor) {
  const { over } = view;
  const { points } = editor.tool;
  const pixel = 1 / view.scale;
  const next = editor.pointer && editor.tool.place(editor.pointer);
  const line = () => {
    over.beginPath();
    for (let i = 0; i < points.length; i += 2) over.lineTo(points[i] / 100, points[i + 1] / 100);
    if (next && points.length) over.lineTo(next.x / 100, next.y / 100);
    over.stroke();
  };
  for (const { style, width } of [{ style: "#000000", width: 3.5 }, { style: DRAFT, width: 1.8 }]) {
    over.strokeStyle = style;
    over.lineWidth = width * pixel;
    line();
  }
  for (let i = 0; i < points.length; i += 2) dot(view, points[i], points[i + 1], i ? 2.5 : 5, DRAFT);
  if (next?.snap) dot(view, next.x, next.y, 6, "#00ff6a");
}

function dot(view, x, y, radius, colour) {
  const { over } = view;
  over.beginPath();
  over.arc(x / 100, y / 100, radius / view.scale, 0, 7);
  over.fillStyle = colour;
  over.fill();
  over.lineWidth = 1 / view.scale;
  over.strokeStyle = "#000000";
  over.stroke();
}

function paintHandles(view, editor) {
  const rings = editor.tool.target?.rings ?? [];
  for (const { points } of rings) for (let i = 0; i < points.length; i += 2) dot(view, points[i], points[i + 1], 4, "#ffffff");
  const near = editor.pointer && nearestCorner(rings, editor.pointer.x, editor.pointer.y, view.reach(8));
  if (near) dot(view, near.x, near.y, 6, DRAFT);
}

/** Pixels in which the page's preview and the masks painted by kins differ. */
function paintCheck(view, check) {
  view.over.imageSmoothingEnabled = false;
  view.over.drawImage(check, 0, 0);
}

function paintCross(view, { x, y }) {
  const { over } = view;
  const pixel = 1 / view.scale;
  for (const { style, width } of [{ style: "#000000", width: 3 }, { style: "#ffffff", width: 1 }]) {
    over.strokeStyle = style;
    over.lineWidth = width * pixel;
    over.beginPath();
    over.moveTo(x / 100 - 14 * pixel, y / 100);
    over.lineTo(x / 100 + 14 * pixel, y / 100);
    over.moveTo(x / 100, y / 100 - 14 * pixel);
    over.lineTo(x / 100, y / 100 + 14 * pixel);
    over.stroke();
  }
}
