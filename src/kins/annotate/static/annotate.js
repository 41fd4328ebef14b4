// The page of one image: toolbar, picture, side, and what is saved.

import { ACTIONS } from "./actions.js";
import { get, here, picture, post, proposalsOf } from "./api.js";
import { commentsDialog } from "./comments.js";
import { doneDialog } from "./done.js";
import { ask, button, el, fill, toast } from "./dom.js";
import { Editor } from "./editor.js";
import { helpDialog } from "./help.js";
import { keysOf, listenToKeys, possible } from "./keys.js";
import { showLists } from "./lists.js";
import { Layer } from "./model.js";
import * as outbox from "./outbox.js";
import { chooseClass } from "./classes.js";
import { conflictDialog } from "./conflict.js";
import { listen } from "./pointer.js";
import { Steps } from "./consensus.js";
import { Sync } from "./sync.js";
import { View } from "./view.js";

const pictures = new Map(); // fetched before they are needed

/** A picture, taken from those fetched before. */
function pictureOf(image) {
  if (!pictures.has(image)) pictures.set(image, picture(image));
  for (const old of [...pictures.keys()].slice(0, -4)) pictures.delete(old);
  return pictures.get(image);
}

function unread(error) {
  toast(`What this browser keeps of earlier work can't be read (${error?.message}): load this page again before you go on.`);
  return [];
}

/** Everything that belongs to one image and one's own layer of it, or another layer. */
async function load(id, layer) {
  const wanted = layer ? get(`/layers/${layer}`) : post(`/images/${id}/layers`);
  const [image, made, shown] = await Promise.all([get(`/images/${id}`), wanted, pictureOf(id)]);
  const [projects, categories, proposals, log, pending] = await Promise.all([
    get("/projects"),
    get(`/projects/${image.project}/categories`),
    proposalsOf(id).catch(() => []), // help that can be done without
    get(`/layers/${made.id}/operations?after=0`),
    outbox.kept(here(made.id)).catch(unread),
  ]);
  const project = projects.find((other) => other.id === image.project);
  return { image, project, categories, proposals, picture: shown, layer: new Layer(made, log.operations, pending) };
}

/** The page of an image; drawing it gives a function that leaves it. */
export async function annotatePage(app, id, layer) {
  const given = await load(id, layer);
  return (main) => {
    const page = new Page(build(main, given.image.file), given, app);
    page.start().catch((error) => toast(error.message));
    return () => page.leave();
  };
}

function build(main, title) {
  const canvas = (name, more = {}) => el("canvas", { class: name, ...more });
  const over = canvas("over", { tabIndex: 0, role: "application", "aria-label": "Picture with objects; F1 shows the keys" });
  const parts = {
    tools: el("nav", { class: "tools", "aria-label": "Tools" }),
    stage: el("div", { class: "stage" }, canvas("under"), canvas("objects-layer"), over),
    side: el("aside", { class: "side", "aria-label": "Classes and objects" }),
    banner: el("div", { class: "banner", role: "status", hidden: true }),
    hint: el("span", { class: "hint" }),
    saved: el("span", { class: "saved", role: "status", "aria-live": "polite" }),
    order: el("span", { class: "said" }),
    place: el("span", { class: "place" }),
  };
  const foot = el("footer", { class: "foot" }, parts.hint, parts.order, parts.place, parts.saved);
  fill(main, el("div", { class: "annotate" }, el("h1", { class: "unseen" }, title), parts.banner, parts.tools, parts.stage, parts.side, foot));
  return parts;
}

class Page {
  /** @type {ReturnType<typeof build>} */ parts;
  /** @type {import("./api.js").Image} */ image;
  /** @type {any} the page's App: its class is no part of what it is asked for */ app;
  /** @type {(() => void)[]} */ endings;
  /** @type {[HTMLButtonElement, import("./actions.js").Action][]} */ buttons;
  /** @type {(event: Event) => void} */ warn;
  /** @type {number|undefined} */ following;

  constructor(parts, given, app) {
    Object.assign(this, { parts, app, image: given.image });
    const sync = new Sync(given.layer, {
      changed: () => {
        this.editor.changed();
        this.showSaved();
      },
      conflict: (mine, theirs) => conflictDialog(this.editor, mine, theirs),
      refused: (error) => toast(`The server refused an action: ${error.message}. It was taken back here.`),
      signedOut: () => app.signIn(),
      tell: toast,
    });
    this.sync = sync;
    this.editor = new Editor(new View(parts.stage), { ...given, sync }, () => this.follow());
    this.furnish(given);
  }

  /** What the editor needs of the page. */
  furnish({ project, proposals }) {
    const { editor } = this;
    editor.page = this;
    const last = Number(localStorage.getItem(here(`class/${project.id}`)));
    editor.lastCategory = editor.category(last)?.id ?? editor.categories.find((category) => !category.is_occluder)?.id ?? null;
    Object.defineProperty(editor, "openProposals", { get: () => proposals.filter((other) => !editor.layer.state.proposals.has(other.id)) });
    editor.digit = (category) => digits(editor.categories).get(category.id);
    editor.keyed = (key) => editor.categories.find((category) => editor.digit(category) === key);
    editor.chooseClass = () => chooseClass(editor);
    editor.pointed = () => this.showPlace();
    editor.steps = null; // where annotators differ, in a consensus
    editor.lit = () => {
      const { brightness, contrast } = editor.light;
      this.parts.stage.firstChild.style.filter = `brightness(${brightness}) contrast(${contrast})`;
    };
  }

  async start() {
    const { editor } = this;
    this.endings = [listen(this.parts.stage, editor), listenToKeys(editor)];
    this.warn = (event) => { if (editor.layer.pending.length && this.sync.writable) event.preventDefault(); };
    window.addEventListener("beforeunload", this.warn);
    this.tools();
    if (editor.layer.mine) await this.sync.claim();
    await editor.restoreDraft();
    if (this.gone) return;
    editor.view.resize();
    editor.view.fitAll();
    editor.placed = true;
    editor.moveView();
    editor.changed();
    this.showSaved();
    this.parts.stage.lastChild.focus();
    const { withheld } = this.image;
    if (withheld) toast(`${withheld} ${withheld === 1 ? "proposal is" : "proposals are"} not shown: some images are annotated without, to compare both ways.`);
    this.prefetch();
    if (editor.layer.kind === "consensus") await this.compare();
  }

  /** Beside a consensus: what annotators say differently. */
  async compare() {
    const members = await get(`/projects/${this.image.project}/members`).catch(() => []);
    this.editor.steps = await Steps.load(this.editor, members).catch(() => null);
    this.editor.changed();
  }

  leave() {
    this.gone = true;
    this.endings.forEach((end) => end());
    window.removeEventListener("beforeunload", this.warn);
    this.sync.flush().finally(() => this.sync.close());
  }

  /** Fetches the next picture while this one is worked on. */
  async prefetch() {
    this.next = (await get(`/projects/${this.image.project}/next?after=${this.image.id}`).catch(() => ({}))).image ?? null;
    if (this.next !== null) pictureOf(this.next).catch(() => pictures.delete(this.next));
  }

  /** A button for every action, in groups. */
  tools() {
    const { editor } = this;
    this.buttons = [];
    const groups = Map.groupBy(ACTIONS, (action) => action.group);
    const closed = ["View", "Cross", "Image"];
    fill(this.parts.tools, [...groups].map(([name, actions]) => el("details", { open: !closed.includes(name) },
      el("summary", { title: `Show or hide the tools of “${name}”` }, name), actions.map((action) => this.tool(action, editor)))));
  }

  tool(action, editor) {
    const made = button(action.label, `${action.title} (${keysOf(action).join(" or ")})`, () => {
      if (action.hold) {
        made.ariaPressed = String(made.ariaPressed !== "true");
        action.hold(editor, made.ariaPressed === "true");
      } else if (possible(action, editor)) action.run?.(editor);
      if (action.group !== "Image") this.parts.stage.lastChild.focus({ preventScroll: true });
    }, { data: { action: action.id } });
    if (action.hold) made.ariaPressed = "false";
    made.append(el("kbd", {}, keysOf(action)[0]));
    this.buttons.push([made, action]);
    return made;
  }

  /** Brings everything beside the picture up to date, once a frame. */
  follow() {
    this.following ??= requestAnimationFrame(() => {
      this.following = undefined;
      if (this.gone) return;
      const { editor, parts } = this;
      showLists(parts.side, editor);
      for (const [made, action] of this.buttons) made.disabled = !possible(action, editor);
      parts.hint.textContent = editor.tool?.hint ?? (offer(editor) || HINTS[Number(editor.categories.length > 0)]);
      this.showPlace();
    });
  }

  showSaved() {
    const { parts, sync, editor } = this;
    parts.saved.textContent = sync.status;
    Object.assign(parts.saved.dataset, { pending: editor.layer.pending.length, kept: sync.count });
    parts.saved.classList.toggle("bad", sync.offline || !sync.writable);
    const banner = [];
    if (editor.layer.mine && !sync.writable) banner.push("Another tab writes this image. ", button("Take over", "Write here; the other tab will only read", () => this.takeOver()));
    else if (sync.offline) banner.push("The server can't be reached. Go on: everything is kept in this browser and sent later.");
    else if (editor.layer.status !== "open") banner.push(`This image is ${editor.layer.status}. `, button("Reopen", "Go on with this image", () => this.reopen()));
    const text = banner.map((part) => part.textContent ?? part).join("");
    if (text !== this.bannered) fill(parts.banner, banner);
    this.bannered = text;
    parts.banner.hidden = !banner.length;
    this.app.title(editor, this.image);
  }

  /** Where the pointer is, and what the order there is. */
  showPlace() {
    const { editor, parts } = this;
    const { pointer } = editor;
    parts.place.textContent = pointer ? `${(pointer.x / 100).toFixed(1)}, ${(pointer.y / 100).toFixed(1)}` : "";
    const pair = editor.drawing ? null : editor.pairHere(true);
    parts.order.textContent = pair ? `${editor.name(pair.nearer)} is in front of ${editor.name(pair.farther)}${pair.confirmed ? "" : " (guess: C confirms, X flips)"}` : "";
  }

  async takeOver() {
    const { layer } = this.editor;
    const before = new Set(layer.pending.map((operation) => operation.id)); // the other tab's, as they were
    await this.sync.claim(true);
    const kept = await outbox.kept(here(layer.id)).catch(unread);
    for (const operation of kept) before.add(operation.id);
    layer.pending = [...kept, ...layer.pending.filter((operation) => !before.has(operation.id))]; // and what was done meanwhile
    await this.sync.reload(await get(`/layers/${layer.id}`));
    this.sync.soon(0);
    await this.editor.restoreDraft();
    this.editor.changed();
  }

  // --- what the actions of the group "Image" do ---

  async done() {
    await doneDialog(this.editor, async () => {
      const { image } = await get(`/projects/${this.image.project}/next?after=${this.image.id}`);
      if (this.gone) return; // somebody went elsewhere meanwhile
      if (image === null) this.app.go(`project/${this.image.project}`);
      else this.app.go(`image/${image}`);
    });
  }

  async reopen() {
    await this.state({ state: "open" });
  }

  async setAside() {
    const reason = el("input", { type: "text", "aria-label": "Reason", required: true });
    const answer = await ask("Set aside", [el("p", {}, "Why can't this image be annotated?"), reason], [{ label: "Set aside", value: true }, { label: "Cancel", value: null }]);
    if (answer && reason.value.trim()) await this.state({ state: "set aside", reason: reason.value.trim() });
  }

  async state(body) {
    const { layer } = this.editor;
    await this.sync.flush();
    try {
      layer.status = (await post(`/layers/${layer.id}/state`, body)).state;
    } catch (error) {
      toast(error.message);
    }
    this.editor.changed();
    this.showSaved();
  }

  async go(step) {
    const { images } = await this.app.imagesOf(this.image.project, true);
    const at = images.findIndex((other) => other.id === this.image.id);
    const next = images[at + step];
    if (next) this.app.go(`image/${next.id}`);
    else toast(step > 0 ? "This is the last image." : "This is the first image.");
  }

  comments() {
    return commentsDialog(this.editor);
  }

  help() {
    return helpDialog(() => this.tools() ?? this.follow());
  }

  /** F6: picture, tools, side in turn. */
  nextPanel() {
    const { tools, side, stage } = this.parts;
    const stops = [stage.lastChild, tools.querySelector("summary"), side.querySelector("button")];
    const holders = [stage, tools, side];
    const at = holders.findIndex((holder) => holder.contains(document.activeElement));
    stops[(at + 1) % stops.length]?.focus();
  }
}

const HINTS = [
  "Press / and type a name: the first class. Then A draws an object.",
  "A draws an object. A click selects. F1 shows all keys.",
];

const offer = (editor) => {
  if (editor.suggestion) return "Enter takes the completed outline, Backspace puts it away.";
  return editor.proposal ? "Enter takes the proposal, Backspace puts it away, Tab looks at the next." : "";
};

/** Digits of categories: their own key, or else their place in the list. */
function digits(categories) {
  const own = new Map(categories.filter((category) => /^[1-9]$/.test(category.key ?? "")).map((category) => [category.id, category.key]));
  const taken = new Set(own.values());
  const free = [..."123456789"].filter((digit) => !taken.has(digit));
  for (const category of categories) if (!own.has(category.id) && !category.is_occluder && free.length) own.set(category.id, free.shift());
  return own;
}
