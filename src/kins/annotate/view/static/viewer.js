// The way between lists, cases and images; the head of the page; the keys.

import { get } from "./api.js";
import { button, el, fill, known } from "./dom.js";
import { link, read } from "./address.js";
import { casePage, imagePage } from "./compare.js";
import { casesPage, imagesPage } from "./pages.js";
import { setTheme, turnTheme } from "./theme.js";

const BLEND = "kins-view-blend";

/** Whether a key belongs to what has the focus. */
const elsewhere = ({ target, key }) => target.closest?.("input:not([type='range']), select, textarea, dialog") || (target.type === "range" && key.startsWith("Arrow"));

class Viewer {
  constructor() {
    this.main = known("main");
    this.top = known("top");
    this.blend = localStorage.getItem(BLEND) === "1";
    this.shown = {};
    this.step = 0;
  }

  async start() {
    setTheme();
    this.opened = await get("/open");
    document.title = `kins view: ${this.opened.truth}`;
    window.addEventListener("hashchange", () => this.show());
    document.addEventListener("keydown", (event) => this.key(event));
    await this.show();
  }

  /** Shows what the address names; one that loads slowly never takes the place of a later one. */
  async show() {
    const step = (this.step += 1);
    const words = read();
    this.head(words);
    try {
      const draw = await page(words)(this, words);
      if (step !== this.step) return;
      this.shown.leave?.();
      this.shown = draw(this.main);
    } catch (error) {
      if (step !== this.step) return;
      this.shown.leave?.();
      this.shown = {};
      fill(this.main, el("div", { class: "page" }, el("p", { class: "error" }, error.message), el("a", { href: "#" }, "All objects")));
    }
    this.main.dataset.ready = location.hash;
  }

  head(words) {
    const { opened } = this;
    const list = { ...words, at: "", page: "", show: "" };
    const tab = (text, href, on) => el("a", { href, "aria-current": on ? "page" : null, class: on ? "on" : "" }, text);
    fill(this.top, el("a", { class: "brand", href: "#" }, "kins"),
      el("nav", { "aria-label": "What to look at" },
        tab("Objects", link({ ...list, image: "" }), words.show !== "images"), tab("Images", link({ ...list, image: "", show: "images" }), words.show === "images"),
        opened.report ? el("a", { href: "/report" }, "Report") : null),
      el("span", { class: "quiet names" }, [opened.truth, ...opened.runs].join(" · ")),
      button("◐", "Light or dark", turnTheme, { "aria-label": "Light or dark" }));
  }

  turnBlend() {
    this.blend = !this.blend;
    localStorage.setItem(BLEND, this.blend ? "1" : "0");
    this.show();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || elsewhere(event)) return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const run = this.shown.keys?.[name] ?? { b: () => this.opened.runs.length && this.turnBlend() }[name];
    if (!run) return;
    event.preventDefault();
    run();
  }
}

/**
 * Which page an address is of.
 * @param {Object<string, string>} words
 */
function page({ show, at, image }) {
  if (show === "images") return at === undefined ? imagesPage : imagePage;
  if (at !== undefined) return casePage;
  return image === undefined ? casesPage : imagePage;
}

new Viewer().start().catch((error) => fill(known("main"), el("p", { class: "page error" }, error.message)));
