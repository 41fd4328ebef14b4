// The list of projects.

import { get } from "./api.js";
import { el, fill } from "./dom.js";

const STATES = ["to do", "in work", "done", "reviewed", "set aside"];

/** All projects; where there is only one, its images at once. */
export async function projectsPage() {
  const projects = await get("/projects");
  if (projects.length === 1) return () => location.replace(`#project/${projects[0].id}`);
  return (main) => fill(main, el("div", { class: "page" }, el("h1", {}, "Projects"),
    projects.length ? projects.map(card) : el("p", {}, "You are not a member of any project yet. Ask its owner.")));
}

function card(project) {
  return el("div", { class: "card" }, el("h2", {}, el("a", { href: `#project/${project.id}` }, project.name)),
    el("p", { class: "quiet" }, `${project.role}; ${counted(project.counts)}`));
}

/** "3 to do, 1 done" */
export const counted = (counts) => STATES.filter((state) => counts[state]).map((state) => `${counts[state]} ${state}`).join(", ") || "no images";
