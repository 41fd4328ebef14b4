// The images of a project with their states, and what is done with all of them.

import { api, get, post, smallOf } from "./api.js";
import { addPictures, addProposals } from "./adding.js";
import { ask, button, el, field, fill, table, toast } from "./dom.js";
import { counted } from "./projects.js";

const STATES = ["to do", "in work", "done", "reviewed", "set aside"];
const FORMATS = ["kins2020", "kins2019", "cocoa", "cocoa-cls", "d2sa", "aistron", "coco", "labelme", "isat", "cvat", "datumaro", "label-studio", "yolo"];

/** The page of a project. */
export async function imagesPage(app, id) {
  const [projects, { images }] = await Promise.all([get("/projects"), app.imagesOf(id)]);
  const project = projects.find((other) => other.id === id);
  if (!project) throw new Error("There is no such project, or you are not a member of it.");
  return (main) => draw(main, project, images, app);
}

function draw(main, project, images, app) {
  app.head([[project.name, null]]);
  const owner = project.role === "owner";
  const reviews = owner || project.role === "reviewer";
  const rows = el("div", { class: "scroll" });
  const state = el("select", { "aria-label": "State" }, el("option", { value: "" }, "all states"), STATES.map((name) => el("option", { value: name }, name)));
  const name = el("input", { type: "text", placeholder: "part of the file's name", "aria-label": "Part of the file's name" });
  const show = () => fill(rows, list(images.filter((image) => (!state.value || image.state === state.value) && image.file.includes(name.value)), app, reviews));
  state.addEventListener("change", show);
  name.addEventListener("input", show);
  const next = button("Annotate", "Go to the next image that is to do", () => start(project, app), { class: "main" });
  fill(main, el("div", { class: "page" },
    el("h1", {}, project.name), el("p", { class: "quiet" }, counted(project.counts)),
    project.guidelines ? el("details", { class: "card" }, el("summary", {}, "Guidelines"), el("div", { class: "guidelines" }, project.guidelines)) : null,
    el("div", { class: "row" }, next, state, name,
      owner ? button("Add pictures…", "Send pictures to the folder, or take in those that came into it", () => addPictures(project, () => app.show())) : null,
      owner ? button("Proposals…", "Send a file of what a detector found, to accept or reject one by one", () => addProposals(project)) : null,
      owner ? button("Export…", "Write the annotations to a file", () => exportDialog(project, app.who.accounts)) : null,
      owner ? button(app.who.accounts ? "People…" : "Settings…", "Settings of the project, and who works on it", () => app.go(`project/${project.id}/people`)) : null,
      reviews ? button("Statistics", "Counts and minutes an object", () => statistics(project)) : null,
      app.who.user.admin ? button("Projects…", "All projects, and a new one of another folder", () => app.go("projects")) : null),
    rows));
  show();
  next.focus();
}

async function start(project, app) {
  const { image } = await get(`/projects/${project.id}/next`);
  if (image === null) toast("No image is to do.");
  else app.go(`image/${image}`);
}

function list(images, app, reviews) {
  if (!images.length) return el("p", { class: "quiet" }, "No images.");
  const rows = images.slice(0, 1000).map((image) => [
    small(image),
    el("a", { href: `#image/${image.id}` }, image.file),
    el("span", { class: "state", data: { state: image.state } }, image.state),
    String(image.objects ?? ""),
    `${image.width} × ${image.height}`,
    reviews && app.who.accounts ? el("a", { href: `#image/${image.id}/review` }, "review") : "",
  ]);
  const more = images.length > 1000 ? el("p", { class: "quiet" }, `and ${images.length - 1000} more: narrow the list`) : null;
  return [table(["", "image", "state", "objects", "pixels", ""], rows), more];
}

/** A small picture, loaded once it is near to being seen. */
function small(image) {
  const scale = Math.min(64 / image.width, 36 / image.height);
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  return el("img", { loading: "lazy", alt: "", width, height, src: smallOf(image.id, 2 * width) });
}

const LAYERS = [["mine", "my own"], ["reviewed", "what reviewers accepted"], ["consensus", "consensus"], ["network", "the network's"], ["all", "every annotator's (a zip)"]];

async function exportDialog(project, accounts) {
  const known = el("datalist", { id: "formats" }, FORMATS.map((name) => el("option", { value: name }, name)));
  const format = el("input", { type: "text", list: "formats", value: "kins2020", "aria-label": "Format" });
  const layers = el("select", { "aria-label": "Whose" }, LAYERS.map(([value, text]) => el("option", { value }, text)));
  layers.value = accounts ? "reviewed" : "mine";
  const masks = el("select", { "aria-label": "Which masks, where the format has one" }, [["amodal", "whole masks"], ["inmodal", "visible masks"]].map(([value, text]) => el("option", { value }, text)));
  const [polygons, occluders] = [["Outlines in place of run lengths", "They give the same pixels"], ["Occluders as objects", "in COCOA's files"]].map(([text, title]) =>
    el("label", { title }, el("input", { type: "checkbox" }), text));
  const several = () => { polygons.hidden = format.value === "parquet"; occluders.hidden = format.value !== "cocoa"; masks.hidden = !["coco", "yolo"].includes(format.value); };
  format.addEventListener("input", several);
  several();
  const user = field("or of one annotator (name)", { type: "text" });
  const states = STATES.map((state) => el("label", {}, el("input", { type: "checkbox", value: state, checked: accounts ? state === "reviewed" : state !== "set aside" }), state));
  const content = [el("div", { class: "row" }, format, known, layers, masks), el("div", { class: "row" }, polygons, occluders), user, el("div", { class: "row" }, states)];
  if (!(await ask("Export", content, [{ label: "Export", value: true }, { label: "Cancel", value: null }]))) return;
  const wanted = states.map((label) => label.firstChild).filter((box) => box.checked).map((box) => box.value);
  const one = user.querySelector("input").value.trim();
  try {
    await finished(await post(`/projects/${project.id}/exports`, { format: format.value, states: wanted, layers: one ? `user:${one}` : layers.value, masks: masks.value, polygons: !polygons.hidden && polygons.firstChild.checked, occluders: occluders.firstChild.checked }));
  } catch (error) {
    toast(error.message);
  }
}

/** Waits for an export, and offers its file. */
async function finished(job) {
  let now = job;
  while (now.state === "working") {
    await new Promise((resolve) => setTimeout(resolve, 500));
    now = await get(`/exports/${job.id}`);
  }
  const losses = (now.losses ?? []).map((line) => el("li", {}, String(line)));
  await ask(now.state === "failed" ? "Not exported" : "Exported", [
    now.error ? el("p", {}, now.error) : null,
    now.state === "failed" ? null : el("p", {}, el("a", { href: `/api/v1/exports/${now.id}/file`, download: "" }, "Download the file")),
    losses.length ? el("p", {}, "This format can't hold everything:") : null,
    losses.length ? el("ul", {}, losses) : null,
  ].filter(Boolean), [{ label: "Close", value: true }]);
}

async function statistics(project) {
  try {
    const numbers = await api("GET", `/projects/${project.id}/statistics`);
    await ask("Statistics", [shown(numbers)], [{ label: "Close", value: true }]);
  } catch (error) {
    toast(error.message);
  }
}

/** Any JSON as nested tables. */
function shown(value) {
  if (Array.isArray(value)) return el("div", {}, value.map((item) => shown(item)));
  if (value && typeof value === "object") return table(["", ""], Object.entries(value).map(([name, inner]) => [name, shown(inner)]));
  return el("span", {}, typeof value === "number" ? String(Math.round(value * 1000) / 1000) : String(value ?? "–"));
}
