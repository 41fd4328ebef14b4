// Mouse, pen and fingers on the picture: the tool in use, selecting, panning, zooming.

const THRESHOLD = 4; // screen pixels before a press becomes a drag

/** Connects the stage with an editor; returns a function that ends it. */
export function listen(stage, editor) {
  const { view } = editor;
  const fingers = new Map();
  let pan = null;

  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const image = (event) => {
    const { x, y } = place(event);
    return view.toImage(x, y);
  };

  const down = (event) => {
    stage.querySelector("canvas:last-of-type").focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    if (fingers.size === 2) {
      editor.tool?.release?.();
      pan = null;
      return;
    }
    editor.cross = false;
    editor.pointer = image(event);
    const panning = event.button === 1 || editor.panning;
    if (event.button === 2 && editor.drawing) editor.tool.finish();
    else if (panning || !editor.tool) pan = { from: place(event), last: place(event), moved: panning, click: event.button === 0 && !panning };
    else if (event.button === 0) editor.tool.press(editor.pointer, { alt: event.altKey });
    editor.redrawOver();
  };

  const move = (event) => {
    const here = place(event);
    if (fingers.size === 2 && fingers.has(event.pointerId)) return pinch(event, here);
    editor.cross = false;
    editor.pointer = image(event);
    if (pan) {
      if (Math.hypot(here.x - pan.from.x, here.y - pan.from.y) > THRESHOLD) pan.moved = true;
      if (pan.moved) {
        view.pan(here.x - pan.last.x, here.y - pan.last.y);
        pan.last = here;
        editor.moveView();
      }
    } else if (event.buttons & 1) editor.tool?.move(editor.pointer);
    editor.redrawOver();
    editor.pointed();
    return undefined;
  };

  const pinch = (event, here) => {
    const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const before = fingers.get(event.pointerId);
    const distance = (at) => Math.max(1, Math.hypot(at.x - other.x, at.y - other.y));
    view.zoom(distance(here) / distance(before), (here.x + other.x) / 2, (here.y + other.y) / 2);
    view.pan((here.x - before.x) / 2, (here.y - before.y) / 2);
    fingers.set(event.pointerId, here);
    editor.moveView();
  };

  const up = (event) => {
    fingers.delete(event.pointerId);
    if (pan) {
      if (pan.click && !pan.moved) editor.select(editor.objectAt(editor.pointer));
      pan = null;
    } else editor.tool?.release?.();
    editor.redrawOver();
  };

  const leave = () => {
    if (!editor.cross) editor.pointer = null;
    editor.redrawOver();
  };

  const wheel = (event) => {
    event.preventDefault();
    const { x, y } = place(event);
    view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), x, y);
    editor.moveView();
  };

  const none = (event) => event.preventDefault();
  const events = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, pointerleave: leave, wheel, contextmenu: none };
  for (const [name, run] of Object.entries(events)) stage.addEventListener(name, run, { passive: false });
  const watch = new ResizeObserver(() => {
    const whole = view.scale <= view.whole * 1.001;
    if (view.resize()) {
      if (whole || !editor.placed) view.fitAll();
      editor.placed = true;
      editor.moveView();
    }
  });
  watch.observe(stage);
  return () => {
    watch.disconnect();
    for (const [name, run] of Object.entries(events)) stage.removeEventListener(name, run);
  };
}
