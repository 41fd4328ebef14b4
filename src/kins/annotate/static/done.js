// "Done": what the checks find, the project's questions, and the way on.

import { get, post } from "./api.js";
import { ask, el, tell, toast } from "./dom.js";

/** Checks the image with the person; `then` is called once the server has taken it. */
export async function doneDialog(editor, then) {
  await editor.sync.flush();
  if (editor.layer.pending.length) {
    await tell("Not yet", "Some actions are not saved yet. Wait until the corner says “saved”.");
    return;
  }
  let findings;
  try {
    ({ findings } = await get(`/layers/${editor.layer.id}/masks`));
  } catch (error) {
    toast(error.message);
    return;
  }
  const questions = (editor.image.questions ?? []).map((text) => el("input", { type: "checkbox", "aria-label": text }));
  const content = [
    el("p", {}, `${editor.layer.state.objects.size} objects.`),
    ...open(editor).map((line) => el("p", { class: "warning" }, line)),
    listOf(editor, findings),
    ...questions.map((box, k) => el("label", { class: "question" }, box, editor.image.questions[k])),
  ];
  if (!(await ask("Done?", content, [{ label: "Done", value: true }, { label: "Go on annotating", value: null }]))) return;
  try {
    const answer = await post(`/layers/${editor.layer.id}/state`, { state: "done", answers: questions.map((box) => box.checked) });
    editor.layer.status = answer.state;
    editor.changed();
    editor.page.showSaved();
    await then();
  } catch (error) {
    const found = error.body?.findings ?? [];
    await ask("Not done yet", [el("p", {}, error.message), listOf(editor, found)], [{ label: "Close", value: true }]);
  }
}

/** What the page itself sees that stands in the way. */
function open(editor) {
  const lines = [];
  const unclear = editor.unconfirmed.length;
  if (unclear) lines.push(`${unclear} ${unclear === 1 ? "order is" : "orders are"} a guess (C confirms, Shift+C all).`);
  if (editor.derived.circles.length) lines.push("The order runs in a circle.");
  return lines;
}

function listOf(editor, findings) {
  const line = ({ severity, text, object }) => el("li", { class: severity }, object ? `${editor.name(object)}: ${text}` : text);
  return findings.length ? el("ul", { class: "findings" }, findings.map(line)) : null;
}
