// The list of projects, and making one.

import { get, post } from "./api.js";
import { ask, button, el, field, fill, tell } from "./dom.js";

const STATES = ["to do", "in work", "done", "reviewed", "set aside"];

/** All projects; where there is only one, its images at once, unless the list is asked for. */
export async function projectsPage(app, asked = false) {
  const projects = await get("/projects");
  if (projects.length === 1 && asked !== true) return () => location.replace(`#project/${projects[0].id}`);
  const more = app.who.user.admin ? el("div", { class: "row" }, button("New project…", "Make a project of another folder of pictures", () => newProject(app))) : null;
  return (main) => fill(main, el("div", { class: "page" }, el("h1", {}, "Projects"),
    projects.length ? projects.map(card) : el("p", {}, "You are not a member of any project yet. Ask its owner."), more));
}

/** Asks for name and folder, makes the project and goes there. */
async function newProject(app) {
  const name = field("Name", { type: "text", maxLength: 200 });
  const folder = field("Folder", { type: "text", maxLength: 1000, placeholder: "streets/monday" });
  const content = [name, folder, el("p", { class: "quiet" }, "A folder inside of the one that is served. It is made if it is not there; pictures can be sent to it.")];
  if (!(await ask("New project", content, [{ label: "Make", value: true }, { label: "Cancel", value: null }]))) return;
  const [called, place] = [name, folder].map((label) => label.querySelector("input").value.trim());
  try {
    const made = await post("/projects", { name: called || place, folder: place });
    if (made.left_out.length) await tell("Left out", ...made.left_out);
    app.go(`project/${made.id}`);
  } catch (error) {
    await tell("No project", error.message);
  }
}

function card(project) {
  return el("div", { class: "card" }, el("h2", {}, el("a", { href: `#project/${project.id}` }, project.name)),
    el("p", { class: "quiet" }, `${project.role}; ${counted(project.counts)}`));
}

/** "3 to do, 1 done" */
export const counted = (counts) => STATES.filter((state) => counts[state]).map((state) => `${counts[state]} ${state}`).join(", ") || "no images";
