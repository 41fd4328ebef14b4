// The lists: of cases as crops, and of images.

import { get } from "./api.js";
import { button, el, fill, table } from "./dom.js";
import { asked, go, link } from "./address.js";
import { cards } from "./crops.js";
import { filterBar, kindTabs } from "./filters.js";

const CASES = 24;
const IMAGES = 50;

/** Where one is in a list, and the way on. */
function pager(words, total, each) {
  const page = Number(words.page ?? 0) || 0;
  const last = Math.max(0, Math.ceil(total / each) - 1);
  const to = (other) => () => go({ ...words, page: other || "" });
  const [from, end] = [page * each + 1, Math.min(total, (page + 1) * each)];
  return el("div", { class: "row pager" },
    button("‹", "Previous page (←)", to(page - 1), { disabled: page <= 0, "aria-label": "Previous page" }),
    el("span", {}, total ? `${from.toLocaleString("en")} to ${end.toLocaleString("en")} of ${total.toLocaleString("en")}` : "none"),
    button("›", "Next page (→)", to(page + 1), { disabled: page >= last, "aria-label": "Next page" }));
}

/** A list of cases. */
export async function casesPage(app, words) {
  const answer = await get(`/cases?${asked(words, { from: CASES * (Number(words.page) || 0), count: CASES })}`);
  return (main) => {
    fill(main, el("div", { class: "page wide" },
      kindTabs(app.opened, words, answer.kinds), filterBar(app.opened, words, app),
      pager(words, answer.total, CASES),
      answer.cases.length ? cards(answer.cases, words, app) : el("p", { class: "quiet" }, "Nothing is in this list."),
      answer.total > CASES ? pager(words, answer.total, CASES) : null));
    return { keys: turning(words, answer.total, CASES) };
  };
}

/** Arrows turn the pages of a list. */
function turning(words, total, each) {
  const page = Number(words.page ?? 0) || 0;
  return {
    ArrowLeft: () => page > 0 && go({ ...words, page: page - 1 || "" }),
    ArrowRight: () => (page + 1) * each < total && go({ ...words, page: page + 1 }),
  };
}

/** A list of images. */
export async function imagesPage(app, words) {
  const from = IMAGES * (Number(words.page) || 0);
  const answer = await get(`/images?${asked(words, { from, count: IMAGES })}`);
  const found = app.opened.runs.length > 0;
  const rows = answer.images.map((image, k) => [
    el("a", { href: link({ ...words, page: "", at: from + k }) }, image.file),
    ...(found ? [image.quality === null ? "–" : image.quality.toFixed(1), String(image.right)] : []),
    String(image.objects),
    el("a", { href: link({ ...words, show: "", page: "", image: image.image }) }, String(image.cases)),
    `${image.size[0]} × ${image.size[1]}`,
  ]);
  return (main) => {
    fill(main, el("div", { class: "page" }, filterBar(app.opened, words, app), pager(words, answer.total, IMAGES),
      el("div", { class: "wide-table" }, table(["image", ...(found ? ["quality", "right"] : []), "objects", "in the list", "pixels"], rows))));
    return { keys: turning(words, answer.total, IMAGES) };
  };
}
