// What the page shows, as its address says: #kind=missed&class=car is a list, &at=3 the case at that place of it.

/** What narrows a list. */
export const FILTERS = ["run", "kind", "of", "class", "taken", "level", "size", "image", "score", "most", "iou", "matching", "sort"];

/** The address as an object of texts. */
export function read() {
  return Object.fromEntries(new URLSearchParams(location.hash.replace(/^#/, "")));
}

/** An address of these words; those that are empty are left out. */
export function link(words) {
  const kept = Object.entries(words).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return `#${new URLSearchParams(kept)}`;
}

/** Goes there; the way back leads here. */
export function go(words) {
  location.hash = link(words);
}

/** Goes there in place of this address. */
export function replace(words) {
  history.replaceState(null, "", link(words));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The words that narrow a list. */
export function filtersOf(words) {
  return Object.fromEntries(FILTERS.filter((name) => words[name]).map((name) => [name, words[name]]));
}

/** The same for the server, with more words. */
export const asked = (words, more = {}) => new URLSearchParams({ ...filtersOf(words), ...more }).toString();
