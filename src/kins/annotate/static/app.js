// The way between pages: #project/1, #image/7, …; the head of the page; signing in.

import { annotatePage } from "./annotate.js";
import { get, logout, me } from "./api.js";
import { button, el, fill, known, toast } from "./dom.js";
import { imagesPage } from "./images.js";
import { loginForm, loginPage } from "./login.js";
import { peoplePage, usersPage } from "./people.js";
import { projectsPage } from "./projects.js";
import { reviewPage } from "./review.js";
import { setTheme, turnTheme } from "./theme.js";

/** @type {[RegExp, (app: any, id: any, layer: any) => Promise<(main: HTMLElement) => unknown>][]} what an address shows */
const PAGES = [
  [/^$/, projectsPage],
  [/^projects$/, (app) => projectsPage(app, true)],
  [/^project\/(\d+)$/, imagesPage],
  [/^project\/(\d+)\/people$/, peoplePage],
  [/^image\/(\d+)$/, annotatePage],
  [/^image\/(\d+)\/layer\/(\d+)$/, annotatePage],
  [/^image\/(\d+)\/review$/, reviewPage],
  [/^users$/, usersPage],
];

class App {
  constructor() {
    this.main = known("main");
    this.top = known("top");
    /** @type {(() => void)|null} */
    this.leave = null;
    this.step = 0;
    window.addEventListener("hashchange", () => this.show());
  }

  async start() {
    setTheme();
    this.who = await me();
    await this.show();
  }

  /** Shows what the address names. A page loads first and says how it is drawn then: one that loads
   *  until another one is asked for is never drawn, so that it can't take the place of that one. */
  async show() {
    const step = (this.step += 1);
    const late = () => step !== this.step;
    this.leave?.();
    this.leave = null;
    delete this.top.dataset.image; // or else the head of the same image, seen again, would be taken for drawn
    const path = location.hash.replace(/^#\/?/, "");
    if (!this.who.user) {
      this.head([]);
      loginPage(this)(this.main);
      return;
    }
    const [pattern, page] = PAGES.find(([other]) => other.test(path)) ?? [/^/, null];
    const [, id, more] = pattern.exec(path) ?? [];
    this.head([]);
    try {
      const draw = page ? await page(this, Number(id), Number(more)) : nothing;
      if (late()) return;
      const leave = draw(this.main);
      this.leave = typeof leave === "function" ? /** @type {() => void} */ (leave) : null;
    } catch (error) {
      if (late()) return;
      if (error.status === 401) await this.signedOut();
      else fill(this.main, el("div", { class: "page" }, el("p", { class: "error" }, error.message), button("Try again", "Load this page again", () => this.show())));
    }
  }

  go(path) {
    location.hash = path;
  }

  /** The head of the page: where one is, and what is always there. */
  head(trail, more = []) {
    const links = trail.map(([text, path]) => (path === null ? el("span", {}, text) : el("a", { href: `#${path}` }, text)));
    const user = this.who?.accounts && this.who.user ? [el("span", { class: "quiet" }, this.who.user.name), button("Sign out", "End this session", () => this.signOut())] : [];
    if (this.who?.accounts && this.who.user?.admin) user.unshift(el("a", { href: "#users" }, "Users"));
    fill(this.top, el("a", { class: "brand", href: "#" }, "kins"),
      el("nav", { "aria-label": "Where you are" }, links.flatMap((link) => [el("span", { class: "quiet" }, "/"), link])),
      more, user, button("◐", "Light or dark", turnTheme, { "aria-label": "Light or dark" }));
  }

  /** The head of an image's page; brought up to date by it. */
  title(editor, image) {
    const text = `${editor.layer.status} ${editor.layer.revision}`;
    if (this.titled === text && this.top.dataset.image === String(image.id)) return;
    this.titled = text;
    this.top.dataset.image = image.id;
    const status = editor.layer.status === "open" ? "" : editor.layer.status;
    const reviews = ["owner", "reviewer"].includes(editor.project.role) && this.who.accounts;
    this.head([[editor.project.name, `project/${image.project}`], [image.file, null]], [
      status ? el("span", { class: "state", data: { state: status } }, status) : null,
      reviews ? el("a", { href: `#image/${image.id}/review` }, "Review") : null,
      button("‹", "Previous image (PageUp)", () => editor.page.go(-1), { "aria-label": "Previous image" }),
      button("›", "Next image (PageDown)", () => editor.page.go(1), { "aria-label": "Next image" }),
      button("Keys", "Show all keys (F1)", () => editor.page.help()),
      editor.layer.status === "open"
        ? button("Done", "Check the image and call it done (Ctrl+Enter)", () => editor.page.done(), { class: "main" })
        : button("Reopen", "Go on with this image", () => editor.page.reopen()),
    ]);
  }

  /** All images of a project, as the list has them; as they were lately where that is enough. */
  async imagesOf(project, lately = false) {
    if (lately && this.listed?.project === project) return this.listed;
    const images = [];
    let after = "";
    do {
      const part = await get(`/projects/${project}/images?limit=1000${after}`);
      images.push(...part.images);
      after = part.next === null ? "" : `&after=${encodeURIComponent(part.next)}`;
    } while (after);
    this.listed = { project, images };
    return this.listed;
  }

  async signOut() {
    await logout().catch((error) => toast(error.message));
    await this.signedOut();
  }

  async signedOut() {
    this.leave?.();
    this.leave = null;
    this.who = await me();
    await this.show();
  }

  /** Signing in again without leaving the image. */
  async signIn() {
    if (this.signing) return;
    this.signing = true;
    const box = el("dialog", { "aria-label": "Sign in again" });
    loginForm(box, this, () => box.close(), "Your session has ended. What you did is kept in this browser.");
    box.addEventListener("close", () => { this.signing = false; box.remove(); });
    document.body.append(box);
    box.showModal();
  }
}

function nothing(main) {
  fill(main, el("p", { class: "page" }, "There is no such page."));
}

new App().start().catch((error) => fill(document.getElementById("main"), el("p", { class: "page error" }, error.message)));
