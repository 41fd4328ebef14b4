// Users, members of a project, who gets which images, settings.

import { api, get, post } from "./api.js";
import { ask, button, el, field, fill, table, toast } from "./dom.js";

const ROLES = ["owner", "reviewer", "annotator", "viewer"];

const inside = (label) => label.querySelector("input, select, textarea");

/** Runs what a button does, and shows the page anew. */
const act = (app, work) => async () => {
  try {
    await work();
    await app.show();
  } catch (error) {
    toast(error.message);
  }
};

/** All users; only for an administrator. */
export async function usersPage(app) {
  const users = await get("/users");
  const [name, password] = [field("Name", { type: "text", maxLength: 100 }), field("Password", { type: "password", autocomplete: "new-password" })];
  const admin = el("label", {}, el("input", { type: "checkbox" }), "administrator");
  const add = act(app, () => post("/users", { name: inside(name).value.trim(), password: inside(password).value, admin: inside(admin).checked }));
  return (main) => {
    app.head([["Users", null]]);
    fill(main, el("div", { class: "page" }, el("h1", {}, "Users"),
      table(["number", "name", "", ""], users.map((user) => [String(user.id), user.name, user.admin ? "administrator" : "", user.active === false ? "closed" : ""])),
      el("h2", {}, "New user"), el("div", { class: "row" }, name, password, admin, button("Add", "Make this user", add, { class: "main" }))));
  };
}

/** Members, assignment and settings of a project; only for its owner. Without accounts there are settings alone. */
export async function peoplePage(app, id) {
  const { accounts } = app.who;
  const everyone = accounts && app.who.user.admin ? get("/users") : Promise.resolve(null);
  const [projects, members, users, classes] = await Promise.all([get("/projects"), get(`/projects/${id}/members`), everyone, get(`/projects/${id}/categories`)]);
  const project = projects.find((other) => other.id === id);
  return (main) => {
    app.head([[project.name, `project/${id}`], [accounts ? "People" : "Settings", null]]);
    const people = accounts ? [membersCard(id, members, users, app), assignCard(id, members, app)] : [];
    fill(main, el("div", { class: "page" }, el("h1", {}, accounts ? "People and settings" : "Settings"), people, settingsCard(project, app), classesCard(id, classes, app)));
  };
}

function membersCard(id, members, users, app) {
  const roles = () => el("select", { "aria-label": "Role" }, ROLES.map((role) => el("option", { value: role }, role)));
  const user = users
    ? el("select", { "aria-label": "User" }, users.map((one) => el("option", { value: one.id }, one.name)))
    : el("input", { type: "number", min: 1, placeholder: "number of the user", "aria-label": "Number of the user" });
  const role = roles();
  role.value = "annotator";
  const add = act(app, () => post(`/projects/${id}/members`, { user: Number(user.value), role: role.value }));
  const rows = members.map((member) => [member.name, member.role, button("Remove", `Remove ${member.name} from the project`, act(app, () => api("DELETE", `/projects/${id}/members?user=${member.user}`)))]);
  return el("div", { class: "card" }, el("h2", {}, "Members"), table(["name", "role", ""], rows),
    el("div", { class: "row" }, user, role, button("Add", "Add this member, or change the role", add, { class: "main" })));
}

function assignCard(id, members, app) {
  const people = members.filter((member) => member.role !== "viewer").map((member) =>
    el("label", {}, el("input", { type: "checkbox", value: member.user, checked: member.role === "annotator" }), member.name));
  const each = field("Annotators for each image", { type: "number", min: 1, max: 9, value: 1 });
  const assign = act(app, async () => {
    const users = people.map(inside).filter((box) => box.checked).map((box) => Number(box.value));
    const { assigned } = await post(`/projects/${id}/assign`, { users, images: null, each: Number(inside(each).value) });
    toast(`${assigned} assignments were made.`);
  });
  return el("div", { class: "card" }, el("h2", {}, "Assign images"), el("div", { class: "row" }, people), el("div", { class: "row" }, each,
    button("Assign", "Share out the images that nobody has", assign, { class: "main" })));
}

function classesCard(id, classes, app) {
  const rows = classes.map((one) => {
    const name = el("input", { type: "text", value: one.name, maxLength: 200, "aria-label": `Name of ${one.name}` });
    const key = el("input", { type: "text", value: one.key ?? "", maxLength: 1, size: 2, "aria-label": `Key of ${one.name}` });
    const save = act(app, () => api("PATCH", `/projects/${id}/categories?category=${one.id}`, { name: name.value.trim(), key: key.value || null, colour: one.colour }));
    const remove = act(app, () => removeClass(id, one, classes));
    return [name, key, one.is_occluder ? "only hides" : "", button("Save", `Save the class ${one.name}`, save), button("Remove…", `Remove the class ${one.name}`, remove)];
  });
  return el("div", { class: "card" }, el("h2", {}, "Classes"), rows.length ? table(["name", "key", "", "", ""], rows) : el("p", {}, "None yet: annotators make them."));
}

/** Removes a class; where objects have it, asks which other one they become. */
async function removeClass(id, one, classes) {
  const address = `/projects/${id}/categories?category=${one.id}`;
  try {
    await api("DELETE", address);
  } catch (error) {
    const others = classes.filter((other) => other.id !== one.id && other.is_occluder === one.is_occluder);
    if (error.body?.error !== "in-use" || !others.length) throw error;
    const into = el("select", { "aria-label": "Class that takes its place" }, others.map((other) => el("option", { value: other.id }, other.name)));
    const text = el("p", {}, `${error.body.objects} ${error.body.objects === 1 ? "object is" : "objects are"} of the class ${one.name}. All become:`);
    const answer = await ask(`Remove ${one.name}`, [text, into], [{ label: "Replace", value: true }, { label: "Cancel", value: null }]);
    if (answer) await api("DELETE", `${address}&into=${into.value}`);
  }
}

function settingsCard(project, app) {
  const name = field("Name", { type: "text", value: project.name });
  const guidelines = el("textarea", { rows: 6, value: project.guidelines ?? "", "aria-label": "Guidelines" });
  const settings = { annotators: 1, assistance: 0.9, questions: [], ...project.settings };
  const share = field("Share of images with proposals (0 to 1)", { type: "number", min: 0, max: 1, step: 0.05, value: settings.assistance });
  const annotators = field("Annotators for each image", { type: "number", min: 1, max: 9, value: settings.annotators });
  const questions = el("textarea", { rows: 3, value: settings.questions.join("\n"), "aria-label": "Questions" });
  const save = act(app, () => api("PATCH", `/projects/${project.id}`, {
    name: inside(name).value.trim(),
    guidelines: guidelines.value,
    settings: { annotators: Number(inside(annotators).value), assistance: Number(inside(share).value), questions: questions.value.split("\n").map((line) => line.trim()).filter(Boolean) },
  }));
  return el("div", { class: "card" }, el("h2", {}, "Project"), name, el("h3", {}, "Guidelines"), guidelines,
    el("h3", {}, "Questions to be ticked at “Done”, one a line"), questions, el("div", { class: "row" }, app.who.accounts ? annotators : null, share), el("div", { class: "row" }, button("Save", "Save the project's settings", save, { class: "main" })));
}
