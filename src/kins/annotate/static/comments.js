// Comments on an image.

import { get, post } from "./api.js";
import { ask, el, toast } from "./dom.js";

/** Shows the comments of an image, and takes one more. */
export async function commentsDialog(editor) {
  try {
    const comments = await get(`/images/${editor.image.id}/comments`);
    const text = el("textarea", { "aria-label": "Comment", rows: 3, maxLength: 2000 });
    const about = editor.selected && editor.layer.state.objects.has(editor.selected) ? editor.name(editor.selected) : null;
    const lines = comments.map((comment) => el("p", { class: "comment" }, el("strong", {}, `${comment.name ?? ""} `), comment.text));
    const content = [...lines, el("p", {}, about ? `New comment on ${about}:` : "New comment on the image:"), text];
    const answer = await ask("Comments", content, [{ label: "Send", value: true }, { label: "Close", value: null }]);
    if (answer && text.value.trim()) await post(`/images/${editor.image.id}/comments`, { text: text.value.trim(), ...(about ? { object: editor.selected } : {}) });
  } catch (error) {
    toast(error.message);
  }
}
