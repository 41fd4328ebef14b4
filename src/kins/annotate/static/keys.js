// Keys to actions. Every key can be changed; changes are kept in the browser.

import { ACTIONS } from "./actions.js";

const STORE = "kins-keys";
let changed = read();

function read() {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "{}") ?? {};
  } catch {
    return {};
  }
}

/** The keys of an action as they are now. */
export const keysOf = (action) => changed[action.id] ?? action.keys;

/** Gives an action another key; null gives it its own keys back. */
export function setKey(action, key) {
  if (key === null) delete changed[action.id];
  else changed[action.id] = [key];
  localStorage.setItem(STORE, JSON.stringify(changed));
}

export function resetKeys() {
  changed = {};
  localStorage.removeItem(STORE);
}

/** A key with its modifiers as text: "A", "Shift+A", "Ctrl+Z", "{", "Space". */
export function keyOf(event) {
  let { key } = event;
  if (key === " ") key = "Space";
  if (key.length === 1 && key.toUpperCase() !== key.toLowerCase()) key = key.toUpperCase();
  const named = key.length > 1 || key.toUpperCase() !== key.toLowerCase();
  const parts = [event.ctrlKey || event.metaKey ? "Ctrl" : "", event.altKey ? "Alt" : "", event.shiftKey && named ? "Shift" : ""];
  return [...parts.filter(Boolean), key].join("+");
}

const typing = (target) => target.closest?.("input, textarea, select, dialog");
const clickable = (target) => target.closest?.("button, a, summary, [tabindex='0']:not(canvas)");

/** Whether a key belongs to what has the focus, rather than to the picture. */
function elsewhere(event, key) {
  if (typing(event.target)) return true;
  const own = ["Enter", "Space", "Tab", "Shift+Tab", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"];
  return own.includes(key) && Boolean(clickable(event.target) || (key.endsWith("Tab") && !event.target.closest?.("canvas")));
}

export const possible = (action, editor) => !action.when || action.when(editor);

/** Connects the keyboard with an editor; returns a function that ends it. */
export function listenToKeys(editor) {
  const held = new Map();
  const down = (event) => {
    const key = keyOf(event);
    if (elsewhere(event, key)) return;
    if (/^[1-9]$/.test(key)) {
      editor.setClass(editor.keyed(key)?.id);
      return;
    }
    const action = ACTIONS.find((other) => keysOf(other).includes(key) && possible(other, editor));
    if (!action) return;
    event.preventDefault();
    if (action.hold) {
      if (!held.has(event.code)) action.hold(editor, true);
      held.set(event.code, action);
    } else if (!event.repeat || action.group === "Cross" || action.group === "View") action.run?.(editor);
  };
  const up = (event) => {
    held.get(event.code)?.hold(editor, false);
    held.delete(event.code);
  };
  const blur = () => {
    for (const action of held.values()) action.hold(editor, false);
    held.clear();
  };
  /** @type {[EventTarget, string, (event: any) => void][]} */
  const events = [[document, "keydown", down], [document, "keyup", up], [window, "blur", blur]];
  for (const [target, name, run] of events) target.addEventListener(name, run);
  return () => events.forEach(([target, name, run]) => target.removeEventListener(name, run));
}
