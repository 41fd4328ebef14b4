// Everything that can be done in the editor: its keys, its button, and what it does.

import { post, proposalsOf } from "./api.js";
import { Edit } from "./edit.js";
import { moved } from "./order.js";
import { pairKey, uuid } from "./model.js";
import { toggleCheck } from "./check.js";

const chosen = (editor) => editor.layer.state.objects.has(editor.selected);
const editing = (editor) => editor.tool instanceof Edit;

/** Begins an occluder; its class is made on the way if there is none yet. */
function occluder(editor) {
  editor.draw("occluder", { category: [...editor.occluders][0] ?? null });
  if (editor.occluders.size) return;
  editor.occluderMade ??= post(`/projects/${editor.project.id}/categories`, { name: "occluder", is_occluder: true })
    .then((made) => { editor.categories = [...editor.categories, made]; })
    .catch((error) => editor.tell(`No class for occluders: ${error.message}`))
    .finally(() => { editor.occluderMade = null; });
}

function flip(editor) {
  const pair = editor.pairHere(true);
  if (!pair) return editor.tell("No two objects overlap here.");
  editor.lastPair = [pair.nearer, pair.farther].sort().join(" ");
  return editor.commit([["pair", { nearer: pair.farther, farther: pair.nearer }]]);
}

const said = (pairs) => pairs.map(({ nearer, farther }) => ["pair", { nearer, farther }]);

/** Confirms the pair under the pointer, or else all of the selected object, or else the next one. */
function confirm(editor) {
  const pair = editor.pairHere(false);
  if (!pair) return editor.tell("No order is left to confirm.");
  const own = (editor.derived.byObject.get(editor.selected) ?? []).filter((other) => !other.confirmed);
  return editor.commit(said(own.includes(pair) ? own : [pair]));
}

function flag(editor, name) {
  const value = !editor.layer.state.objects.get(editor.selected).flags[name];
  editor.commit([["flag", { object: editor.selected, name, value }]]);
}

const bring = (step, toEnd) => (editor) => {
  const parts = moved(editor.selected, step, toEnd, editor.derived.order, editor.pairs);
  if (parts.length) editor.commit(parts);
  else editor.tell(step > 0 ? "Nothing that it overlaps is nearer." : "Nothing that it overlaps is farther.");
};

/** Whether proposals can be looked at, or a network can be asked for some. */
const proposed = (editor) => editor.openProposals.length > 0 || Boolean(editor.image.network);

async function findProposals(editor) {
  editor.image.network = false; // once is enough
  editor.tell("A network looks for objects…");
  try {
    editor.proposals.splice(0, editor.proposals.length, ...(await proposalsOf(editor.image.id, true)));
    if (!editor.openProposals.length) editor.tell("The network has found nothing.");
  } catch (error) {
    editor.image.network = true;
    editor.tell(`No proposals: ${error.message}`);
  }
}

async function nextProposal(editor, step = 1) {
  if (!editor.openProposals.length) await findProposals(editor);
  const open = editor.openProposals;
  const at = open.indexOf(editor.proposal);
  editor.proposal = open[(at + step + open.length) % open.length] ?? null;
  editor.changed();
}

function accept(editor) {
  const { suggestion, proposal } = editor;
  editor.suggestion = null;
  if (suggestion) {
    editor.commit(taken(editor, suggestion));
    return;
  }
  const object = uuid();
  const category = proposal.category ?? editor.lastCategory ?? null;
  const following = editor.openProposals[editor.openProposals.indexOf(proposal) + 1] ?? null;
  if (!editor.commit([["accept", { proposal: proposal.id, object, category, rings: proposal.rings }]])) return;
  editor.proposal = following;
  editor.select(object);
}

/** A completed outline lies behind what hides it: that is said with it, or else it might come to lie in front. */
function taken(editor, { object, rings, nearer }) {
  const { objects, pairs } = editor.layer.state;
  const front = nearer.filter((id) => objects.has(id) && !pairs.has(pairKey(id, object)));
  return [["outline", { object, rings }], ...front.map((id) => ["pair", { nearer: id, farther: object }])];
}

function reject(editor) {
  const { suggestion, proposal } = editor;
  editor.suggestion = null;
  if (suggestion) editor.changed();
  else {
    nextProposal(editor);
    if (editor.proposal === proposal) editor.proposal = null;
    editor.commit([["reject", { proposal: proposal.id }]]);
  }
}

async function complete(editor) {
  const object = editor.selected;
  await editor.sync.flush();
  try {
    const { rings } = editor.layer.state.objects.get(object);
    const found = await post(`/layers/${editor.layer.id}/complete`, { object, rings });
    if (found.rings.length === rings.length) editor.tell("Nothing is hidden here that would be completed.");
    else if (editor.selected === object) editor.suggestion = { object, ...found };
  } catch (error) {
    editor.tell(`Not completed: ${error.message}`);
  }
  editor.changed();
}

const toggle = (name) => (editor) => {
  editor.show[name] = !editor.show[name];
  editor.changed();
};

const light = (name, by) => (editor) => {
  editor.light[name] = Math.min(4, Math.max(0.25, editor.light[name] * by));
  editor.lit();
};

const zoom = (factor) => (editor) => {
  const at = editor.pointer && editor.view.toScreen(editor.pointer.x, editor.pointer.y);
  editor.view.zoom(factor, at?.x, at?.y);
  editor.moveView();
};

const home = (editor) => {
  editor.view.fitAll();
  editor.moveView();
};

function escape(editor) {
  if (editor.drawing) editor.stopDrawing();
  else if (editor.suggestion || editor.proposal) [editor.suggestion, editor.proposal] = [null, null];
  else if (editor.tool) editor.tool = null;
  else editor.selected = null;
  editor.changed();
}

const clear = (editor) => {
  for (const name of ["brightness", "contrast"]) editor.light[name] = 1;
  editor.lit();
};

/** Moves the cross by keys. */
const move = (dx, dy) => (editor) => {
  const { view } = editor;
  const centre = view.toImage(view.width / 2, view.height / 2);
  const at = editor.pointer ?? centre;
  editor.cross = true;
  editor.pointer = { x: at.x + Math.round(view.reach(dx)), y: at.y + Math.round(view.reach(dy)) };
  if (editor.held) editor.tool?.move(editor.pointer);
  editor.redrawOver();
  editor.pointed();
};

/** What a click does, at the cross. In editing the first press takes hold, the second lets go. */
function press(editor, alt = false) {
  if (!editor.pointer) move(0, 0)(editor);
  if (editor.drawing) {
    editor.tool.press(editor.pointer, { alt });
    editor.tool?.release();
  } else if (editor.tool && editor.held) {
    editor.held = false;
    editor.tool.release();
  } else if (editor.tool) {
    editor.tool.press(editor.pointer, { alt });
    if (alt) editor.tool.release();
    editor.held = Boolean(editor.tool?.grip);
  } else editor.select(editor.objectAt(editor.pointer));
  editor.redrawOver();
}

/**
 * @typedef {object} Action
 * @property {string} id
 * @property {string[]} keys
 * @property {string} label on its button
 * @property {string} title
 * @property {string} group
 * @property {(editor: any) => void} [run] or else `hold`
 * @property {(editor: any) => boolean} [when] whether it can be done now
 * @property {(editor: any, on: boolean) => void} [hold] done as long as the key is held; the button toggles
 */

const drawing = (editor) => editor.drawing;
const selecting = (editor) => !editor.drawing;
const offered = (editor) => !editor.drawing && Boolean(editor.suggestion || editor.proposal);

/** @type {Action[]} of the same key the first one that can be done now is done. */
export const ACTIONS = [
  { id: "add", keys: ["A"], label: "Object", title: "Draw a whole outline, hidden parts too", group: "Draw", run: (editor) => editor.draw("object") },
  { id: "ring", keys: ["Shift+A"], label: "Part or hole", title: "Draw a further outline of the selected object, or a hole in it", group: "Draw", run: (editor) => editor.draw("ring", { object: editor.selected }), when: chosen },
  { id: "occluder", keys: ["O"], label: "Occluder", title: "Outline what hides others but is no object (a pole, a hedge)", group: "Draw", run: occluder },
  { id: "exception", keys: ["V"], label: "Exception", title: "Outline a region in which the order of two objects is reversed", group: "Draw", run: (editor) => editor.draw("exception"), when: (editor) => editor.layer.state.objects.size > 1 },
  { id: "finish", keys: ["Enter"], label: "Close outline", title: "Close the outline that is being drawn", group: "Draw", run: (editor) => editor.tool.finish(), when: drawing },
  { id: "back", keys: ["Backspace", "Ctrl+Z"], label: "Point back", title: "Take back the last point", group: "Draw", run: (editor) => editor.tool.back(), when: drawing },
  { id: "turn", keys: ["Tab"], label: "Other way", title: "Follow the neighbour's border the other way round", group: "Draw", run: (editor) => editor.tool.turn(), when: drawing },
  { id: "snap", keys: ["Q"], label: "Snap", title: "Held: points snap to borders of others, whose corners are copied", group: "Draw", hold: (editor, on) => { editor.snapping = on; editor.redrawOver(); } },
  { id: "escape", keys: ["Escape"], label: "Cancel", title: "Leave the outline, the tool or the selection", group: "Draw", run: escape },

  { id: "edit", keys: ["E"], label: "Points", title: "Change the points of the selected object", group: "Change", run: (editor) => editor.edit(), when: (editor) => selecting(editor) && chosen(editor) },
  { id: "class", keys: ["/"], label: "Class…", title: "Choose the class by its name", group: "Change", run: (editor) => editor.chooseClass() },
  { id: "guess", keys: ["G"], label: "Guess", title: "The hidden part is a guess", group: "Change", run: (editor) => flag(editor, "guess"), when: chosen },
  { id: "outside", keys: ["U"], label: "Goes on outside", title: "The object goes on outside of the image", group: "Change", run: (editor) => flag(editor, "outside"), when: chosen },
  { id: "corner", keys: ["Delete"], label: "Delete point", title: "Delete the point under the pointer", group: "Change", run: (editor) => press(editor, true), when: (editor) => editing(editor) && Boolean(editor.pointer && editor.tool.target && editor.tool.under(editor.pointer)) },
  { id: "delete", keys: ["Delete"], label: "Delete", title: "Delete the selected object", group: "Change", run: (editor) => editor.commit([["delete", { object: editor.selected }]]), when: (editor) => selecting(editor) && chosen(editor) },
  { id: "undo", keys: ["Ctrl+Z"], label: "Undo", title: "Undo the last action, without end", group: "Change", run: (editor) => editor.commit(editor.layer.undoing()), when: (editor) => selecting(editor) && editor.layer.undoing().length > 0 },
  { id: "redo", keys: ["Ctrl+Shift+Z", "Ctrl+Y"], label: "Redo", title: "Do again what was undone", group: "Change", run: (editor) => editor.commit(editor.layer.redoing()), when: (editor) => selecting(editor) && editor.layer.redoing().length > 0 },

  { id: "flip", keys: ["X"], label: "Flip", title: "Flip the order of the two objects under the pointer, or of the selected one", group: "Order", run: flip, when: (editor) => editor.pairs.size > 0 },
  { id: "confirm", keys: ["C"], label: "Confirm", title: "Confirm the order under the pointer, or all of the selected object", group: "Order", run: confirm, when: (editor) => editor.unconfirmed.length > 0 },
  { id: "confirm-all", keys: ["Shift+C"], label: "Confirm all", title: "Confirm every order of the image", group: "Order", run: (editor) => editor.commit(said(editor.unconfirmed)), when: (editor) => editor.unconfirmed.length > 0 },
  { id: "nearer", keys: ["]"], label: "Nearer", title: "Bring the selected object one step nearer", group: "Order", run: bring(1, false), when: chosen },
  { id: "farther", keys: ["["], label: "Farther", title: "Bring the selected object one step farther", group: "Order", run: bring(-1, false), when: chosen },
  { id: "nearest", keys: ["}"], label: "To the front", title: "In front of all that it overlaps", group: "Order", run: bring(1, true), when: chosen },
  { id: "farthest", keys: ["{"], label: "To the back", title: "Behind all that it overlaps", group: "Order", run: bring(-1, true), when: chosen },

  { id: "next-proposal", keys: ["Tab"], label: "Next proposal", title: "Look at the next proposal; a network finds some where kins annotate has one", group: "Proposals", run: (editor) => nextProposal(editor), when: (editor) => selecting(editor) && proposed(editor) },
  { id: "last-proposal", keys: ["Shift+Tab"], label: "Last proposal", title: "Look at the proposal before", group: "Proposals", run: (editor) => nextProposal(editor, -1), when: (editor) => selecting(editor) && proposed(editor) },
  { id: "accept", keys: ["Enter"], label: "Accept", title: "Take the proposal as an object", group: "Proposals", run: accept, when: offered },
  { id: "reject", keys: ["Backspace"], label: "Reject", title: "Put the proposal away", group: "Proposals", run: reject, when: offered },
  { id: "complete", keys: ["K"], label: "Complete", title: "A network proposes the whole outline of the selected object", group: "Proposals", run: complete, when: (editor) => selecting(editor) && chosen(editor) },

  { id: "next", keys: ["N"], label: "Next object", title: "Select the next object of the list", group: "View", run: (editor) => editor.step(1), when: selecting },
  { id: "previous", keys: ["P"], label: "Previous object", title: "Select the object before", group: "View", run: (editor) => editor.step(-1), when: selecting },
  { id: "in", keys: ["+", "="], label: "Zoom in", title: "Zoom in at the pointer (or the wheel)", group: "View", run: zoom(1.5) },
  { id: "out", keys: ["-"], label: "Zoom out", title: "Zoom out at the pointer", group: "View", run: zoom(1 / 1.5) },
  { id: "object", keys: ["Z"], label: "Zoom to object", title: "Show the selected object large", group: "View", run: (editor) => editor.zoomTo(editor.selected), when: chosen },
  { id: "all", keys: ["0"], label: "Whole image", title: "Show the whole image", group: "View", run: home },
  { id: "peel", keys: ["H"], label: "Look behind", title: "Held: hides what is nearer than the selected object", group: "View", hold: (editor, on) => { editor.peeling = on; editor.redraw(); } },
  { id: "pan", keys: ["Space"], label: "Pan", title: "Held: drag moves the picture (or the middle button)", group: "View", hold: (editor, on) => { editor.panning = on; } },
  { id: "fill", keys: ["F"], label: "Fill", title: "Fill objects, or outlines alone", group: "View", run: toggle("fill") },
  { id: "dim", keys: ["D"], label: "Dim others", title: "Dim all but the cluster of the selected object", group: "View", run: toggle("dim") },
  { id: "labels", keys: ["L"], label: "Names", title: "Show names", group: "View", run: toggle("labels") },
  { id: "brighter", keys: ["Shift+ArrowUp"], label: "Brighter", title: "Brighten the picture", group: "View", run: light("brightness", 1.15) },
  { id: "darker", keys: ["Shift+ArrowDown"], label: "Darker", title: "Darken the picture", group: "View", run: light("brightness", 1 / 1.15) },
  { id: "contrast", keys: ["Shift+ArrowRight"], label: "More contrast", title: "More contrast", group: "View", run: light("contrast", 1.15) },
  { id: "flat", keys: ["Shift+ArrowLeft"], label: "Less contrast", title: "Less contrast", group: "View", run: light("contrast", 1 / 1.15) },
  { id: "plain", keys: ["B"], label: "As it is", title: "Brightness and contrast as they are in the file", group: "View", run: clear },
  { id: "check", keys: ["M"], label: "Masks of kins", title: "Show where the masks that kins paints differ from this preview", group: "View", run: toggleCheck },

  { id: "left", keys: ["ArrowLeft"], label: "Cross left", title: "Move the cross (Alt: by ten)", group: "Cross", run: move(-1, 0) },
  { id: "right", keys: ["ArrowRight"], label: "Cross right", title: "Move the cross (Alt: by ten)", group: "Cross", run: move(1, 0) },
  { id: "up", keys: ["ArrowUp"], label: "Cross up", title: "Move the cross (Alt: by ten)", group: "Cross", run: move(0, -1) },
  { id: "down", keys: ["ArrowDown"], label: "Cross down", title: "Move the cross (Alt: by ten)", group: "Cross", run: move(0, 1) },
  { id: "far-left", keys: ["Alt+ArrowLeft"], label: "Ten left", title: "Move the cross by ten", group: "Cross", run: move(-10, 0) },
  { id: "far-right", keys: ["Alt+ArrowRight"], label: "Ten right", title: "Move the cross by ten", group: "Cross", run: move(10, 0) },
  { id: "far-up", keys: ["Alt+ArrowUp"], label: "Ten up", title: "Move the cross by ten", group: "Cross", run: move(0, -10) },
  { id: "far-down", keys: ["Alt+ArrowDown"], label: "Ten down", title: "Move the cross by ten", group: "Cross", run: move(0, 10) },
  { id: "press", keys: ["."], label: "Press", title: "Put a point at the cross, take hold of one, or select", group: "Cross", run: (editor) => press(editor) },

  { id: "done", keys: ["Ctrl+Enter"], label: "Done", title: "Check the image and call it done", group: "Image", run: (editor) => editor.page.done(), when: (editor) => selecting(editor) && editor.layer.status === "open" },
  { id: "reopen", keys: ["Ctrl+Enter"], label: "Reopen", title: "Go on with an image that was done", group: "Image", run: (editor) => editor.page.reopen(), when: (editor) => editor.layer.status !== "open" },
  { id: "aside", keys: ["Ctrl+Backspace"], label: "Set aside", title: "The image can't be annotated; says why", group: "Image", run: (editor) => editor.page.setAside(), when: selecting },
  { id: "next-image", keys: ["PageDown"], label: "Next image", title: "Go to the next image", group: "Image", run: (editor) => editor.page.go(1) },
  { id: "last-image", keys: ["PageUp"], label: "Previous image", title: "Go to the image before", group: "Image", run: (editor) => editor.page.go(-1) },
  { id: "comments", keys: ["T"], label: "Comments", title: "Read and write comments on this image", group: "Image", run: (editor) => editor.page.comments() },
  { id: "panels", keys: ["F6"], label: "Next panel", title: "Move the keyboard to the next panel", group: "Image", run: (editor) => editor.page.nextPanel() },
  { id: "help", keys: ["?", "F1"], label: "Keys", title: "Show all keys, and change them", group: "Image", run: (editor) => editor.page.help() },
];
