// The same object was changed here and elsewhere: both side by side, and one is chosen.

import { ask, el } from "./dom.js";
import { fold } from "./model.js";
import { pathOf } from "./geometry.js";

/** Asks which of both holds: "mine" or "theirs". */
export async function conflictDialog(editor, mine, theirs) {
  const { log, operations } = editor.layer;
  const own = new Set(mine.map((operation) => operation.id));
  const others = operations.filter((operation) => !own.has(operation.id));
  const with_ = [...log, ...mine];
  const content = [
    el("p", {}, "These objects were changed here and in another window since the last saving."),
    el("div", { class: "beside" },
      figure(editor, fold(with_), `Here (${mine.length} changes)`),
      figure(editor, fold(others), `Elsewhere (${theirs.length} changes)`)),
  ];
  const answer = await ask("Two versions", content, [
    { label: "Keep what is here", value: "mine", title: "The changes made here are saved on top" },
    { label: "Keep the other one", value: "theirs", title: "The changes made here are set aside" },
  ]);
  return answer ?? "mine";
}

/** A small picture of a state. */
export function figure(editor, state, caption) {
  const { width, height } = editor.image;
  const scale = Math.min(1, 420 / width);
  const canvas = el("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.drawImage(editor.picture, 0, 0, width, height);
  for (const object of state.objects.values()) {
    context.lineWidth = 2 / scale;
    context.strokeStyle = "#ffe600";
    context.stroke(pathOf(object.rings));
  }
  return el("figure", {}, canvas, el("figcaption", {}, caption));
}
