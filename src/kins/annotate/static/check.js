// The masks that kins paints on the server, compared with the preview of the page.

import { get } from "./api.js";
import { pen } from "./paint.js";
import { decode, maskOf } from "./raster.js";

let checking = false;

/** Shows or hides the pixels in which amodal masks differ; says how many there are. */
export async function toggleCheck(editor) {
  const shown = editor.check !== null;
  editor.check = null;
  editor.redrawOver();
  if (shown || checking) return;
  checking = true;
  await editor.sync.flush();
  try {
    const { objects, findings } = await get(`/layers/${editor.layer.id}/masks`);
    const { picture, different } = compared(editor, objects);
    editor.check = picture;
    const found = findings.length ? ` ${findings.length} findings: ${findings[0].text}` : "";
    editor.tell(`${different} pixels of outlines are filled otherwise by kins (magenta).${found}`);
  } catch (error) {
    editor.tell(`No masks: ${error.message}`);
  }
  checking = false;
  editor.redrawOver();
}

/** A picture in which differing pixels are magenta and hidden ones of kins are blue. */
function compared(editor, objects) {
  const { width, height } = editor.image;
  const picture = new OffscreenCanvas(width, height);
  const context = pen(picture);
  const pixels = context.createImageData(width, height);
  let different = 0;
  for (const { id, amodal, inmodal } of objects) {
    const object = editor.layer.state.objects.get(id);
    if (!object) continue;
    const [whole, visible, preview] = [decode(amodal), decode(inmodal), full(maskOf(object.rings, editor.image), width, height)];
    for (let k = 0; k < whole.length; k += 1) {
      if (whole[k] !== preview[k]) {
        different += 1;
        pixels.data.set([255, 0, 255, 255], 4 * k);
      } else if (whole[k] && !visible[k]) pixels.data.set([0, 90, 255, 130], 4 * k);
    }
  }
  context.putImageData(pixels, 0, 0);
  return { picture, different };
}

function full(mask, width, height) {
  const whole = new Uint8Array(width * height);
  for (let row = 0; row < mask.height; row += 1) {
    whole.set(mask.data.subarray(row * mask.width, (row + 1) * mask.width), (mask.y + row) * width + mask.x);
  }
  return whole;
}
