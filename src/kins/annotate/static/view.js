// Where the picture lies on the screen: zoom, pan, and three canvases (picture, objects, what follows the pointer).

const MOST = 32; // screen pixels a pixel

/** Scales above 1 in quarters: pixels are equally wide then. */
const quarters = (scale) => (scale > 1 ? Math.floor(4 * scale) / 4 : scale);

/** @param {HTMLCanvasElement} canvas */
const pen = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

export class View {
  /** @type {CanvasRenderingContext2D} */ under;
  /** @type {CanvasRenderingContext2D} */ objects;
  /** @type {CanvasRenderingContext2D} */ over;
  /** @type {OffscreenCanvasRenderingContext2D|undefined} what `paintObjects` fills objects in */ aside;

  /** @param {HTMLElement} stage holds the canvases; the last one takes the pointer */
  constructor(stage) {
    this.stage = stage;
    this.canvases = [...stage.querySelectorAll("canvas")];
    [this.under, this.objects, this.over] = this.canvases.map(pen);
    this.image = { width: 1, height: 1 };
    this.scale = 1;
    this.left = this.top = 0;
    this.width = this.height = this.ratio = 1;
  }

  /** Fits the canvases to the stage; true where their size changed. */
  resize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const ratio = window.devicePixelRatio || 1;
    if (width === this.width && height === this.height && ratio === this.ratio) return false;
    [this.width, this.height, this.ratio] = [width, height, ratio];
    for (const canvas of this.canvases) [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    return true;
  }

  /** The scale at which the whole picture is seen. */
  get whole() {
    return quarters(Math.min(this.width / this.image.width, this.height / this.image.height) * 0.98);
  }

  /** Shows a box [left, top, right, bottom] in pixels. */
  fit([left, top, right, bottom]) {
    const scale = Math.min(this.width / (right - left), this.height / (bottom - top)) * 0.98;
    this.scale = this.bounded(quarters(scale));
    this.left = Math.round((this.width - (left + right) * this.scale) / 2);
    this.top = Math.round((this.height - (top + bottom) * this.scale) / 2);
  }

  fitAll() {
    this.fit([0, 0, this.image.width, this.image.height]);
  }

  bounded(scale) {
    return Math.min(MOST, Math.max(this.whole / 4, scale));
  }

  /** Zooms by a factor; the place (x, y) of the screen stays. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = this.bounded(this.scale * factor);
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.pan(0, 0);
  }

  /** Moves the picture; some of it stays on the screen. */
  pan(dx, dy) {
    const rim = 40;
    this.left = Math.min(this.width - rim, Math.max(rim - this.image.width * this.scale, this.left + dx));
    this.top = Math.min(this.height - rim, Math.max(rim - this.image.height * this.scale, this.top + dy));
  }

  /** Screen to hundredths of a pixel. */
  toImage(x, y) {
    return { x: Math.round(((x - this.left) / this.scale) * 100), y: Math.round(((y - this.top) / this.scale) * 100) };
  }

  /** Hundredths of a pixel to the screen. */
  toScreen(x, y) {
    return { x: (x / 100) * this.scale + this.left, y: (y / 100) * this.scale + this.top };
  }

  /** Screen pixels as hundredths. */
  reach(pixels) {
    return (pixels / this.scale) * 100;
  }

  /** A cleared context in pixels of the image. */
  start(context) {
    const { canvas } = context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    this.place(context);
  }

  place(context) {
    const zoom = this.ratio * this.scale;
    context.setTransform(zoom, 0, 0, zoom, this.ratio * this.left, this.ratio * this.top);
  }

  /** The picture itself; pixels are seen as squares when near. */
  paintPicture(picture) {
    this.start(this.under);
    this.under.imageSmoothingEnabled = this.scale < 3;
    if (picture) this.under.drawImage(picture, 0, 0, this.image.width, this.image.height);
    Object.assign(this.stage.dataset, { scale: this.scale, left: this.left, top: this.top });
  }
}
