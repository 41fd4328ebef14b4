// Pictures that come to a project, sent from here or found in its folder; files of proposals.

import { post } from "./api.js";
import { ask, el, field, tell, toast } from "./dom.js";

const KINDS = "image/png,image/jpeg,image/webp,image/tiff,image/bmp,image/gif";

/** Asks which pictures; `then` is called when some were added. */
export async function addPictures(project, then) {
  const files = field("Pictures to send", { type: "file", multiple: true, accept: KINDS });
  const content = [files, el("p", { class: "quiet" }, "They are put into the project's folder. No file there is replaced.")];
  const answer = await ask("Add pictures", content, [
    { label: "Send", value: "send" },
    { label: "Look in the folder", value: "look", title: "Take in pictures that came into the folder since" },
    { label: "Cancel", value: null },
  ]);
  if (answer === "look") await look(project, then);
  const chosen = [...files.querySelector("input").files];
  if (answer === "send" && chosen.length) await send(project, chosen, then);
}

async function look(project, then) {
  try {
    const { added, left_out: wrong } = await post(`/projects/${project.id}/images`);
    await told(added, 0, wrong, then);
  } catch (error) {
    toast(error.message);
  }
}

/** One after the other: the server decodes one at a time. */
async function send(project, files, then) {
  /** @type {string[][]} */
  const [wrong, known] = [[], []];
  for (const [k, file] of files.entries()) {
    toast(`Sending ${file.name} (${k + 1} of ${files.length})`);
    try {
      const made = await post(`/projects/${project.id}/upload?name=${encodeURIComponent(file.name)}`, file);
      if (made.known) known.push(made.file);
    } catch (error) {
      wrong.push(error.status ? error.message : `${file.name}: ${error.message}`);
    }
  }
  await told(files.length - wrong.length - known.length, known.length, wrong, then);
}

/** Asks for a file of proposals, and sends it. */
export async function addProposals(project) {
  const file = field("File of proposals", { type: "file" });
  const layer = el("input", { type: "checkbox" });
  const content = [file, el("label", { title: "Reviewers see it beside those of people; nobody is shown proposals" }, layer, "As the layer of a network"), el("p", { class: "quiet" }, "What a detector found, or annotations, in any format that kins reads; images are found by their names. They are shown dotted, to accept or reject one by one.")];
  const answer = await ask("Proposals", content, [{ label: "Send", value: true }, { label: "Cancel", value: null }]);
  const [chosen] = file.querySelector("input").files;
  if (!answer || !chosen) return;
  toast(`Sending ${chosen.name}`);
  try {
    const { images, objects, lines } = await post(`/projects/${project.id}/proposals?name=${encodeURIComponent(chosen.name)}${layer.checked ? "&layer=1" : ""}`, chosen);
    const what = layer.checked ? "object" : "proposal";
    await tell("Proposals", `${objects} ${what}${objects === 1 ? "" : "s"} for ${images} ${images === 1 ? "image" : "images"}.`, ...lines);
  } catch (error) {
    await tell("No proposals", error.message);
  }
}

async function told(added, known, wrong, then) {
  if (added) await then();
  const lines = [`${added} ${added === 1 ? "picture was" : "pictures were"} added.`, known ? `${known} were there already.` : "", ...wrong];
  await tell("Pictures", ...lines.filter(Boolean));
}
