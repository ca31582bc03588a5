// A drawing pad: strokes in white on black, kept here. Who embeds it sees each change at once; a server gets a small
// grey picture once the pen rests.

import { make, setText } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { sizes } from "../lib/talk.js";

const PEN = 0.085; // width of a stroke on the pad, in its sides
const THICK = 0.155; // width of a stroke as it is sent, in lengths of the whole drawing: as heavy as MNIST's
const THIN = 0.02; // and in sides of the pad at least: two pixels of what is sent
const NEAR = 0.002; // in sides: points closer than that change nothing
const REST = 150; // ms from lifting the pen until the drawing is sent

const drawings = new Map(); // key -> strokes; they outlive a view that Streamlit takes away and mounts anew

export default mounted(
  ({ data, parentElement }) => new Pad(parentElement, data),
  (view, { data, setStateValue }) => view.update(data, setStateValue),
);

export class Pad {
  // `onDraw(strokes)` is called at every frame in which the drawing is another.
  constructor(parent, { key, held }, onDraw = () => {}) {
    this.onDraw = onDraw;
    if (!drawings.has(key)) drawings.set(key, { strokes: [], sent: true });
    this.drawing = drawings.get(key); // strokes are lists of x, y, x, y ... in longer sides of the pad
    this.pointer = null; // the one that draws; a second finger or a palm does nothing
    this.root = rootOf("pad", parent);
    this.root.setAttribute("role", "group");
    this.label = make("div", "label", this.root);
    this.sheet = make("div", "sheet", this.root);
    this.canvas = make("canvas", "", this.sheet);
    this.canvas.setAttribute("role", "img");
    this.hint = make("div", "hint", this.sheet, "Draw here");
    this.hint.setAttribute("aria-hidden", "true");
    const bar = make("div", "bar", this.root);
    this.undo = make("button", "", bar, "Undo");
    this.clear = make("button", "", bar, "Clear");
    this.undo.type = this.clear.type = "button";
    // On a blank pad they are only said to be disabled: a button that really is drops the keyboard's focus.
    this.undo.onclick = () => this.change(strokes => strokes.pop());
    this.clear.onclick = () => this.change(strokes => strokes.splice(0));
    this.canvas.onpointerdown = event => this.down(event);
    this.canvas.onpointermove = event => this.move(event);
    this.canvas.onpointerup = this.canvas.onpointercancel = event => this.up(event);
    this.canvas.onlostpointercapture = event => this.up(event);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.sheet);
    // A drawing whose view was taken away before it was sent, or that the server has forgotten meanwhile.
    this.due = !this.drawing.sent || (this.drawing.strokes.length > 0 && !held);
  }

  update({ label, height, side, aspect }, setStateValue) {
    this.side = side;
    this.wide = Math.min(1, aspect); // of the pad, in its longer sides
    this.tall = Math.min(1, 1 / aspect);
    this.send = setStateValue;
    this.name = label;
    setText(this.label, label);
    this.root.setAttribute("aria-label", label);
    this.root.style.setProperty("--width", `${height * this.wide}px`);
    this.root.style.setProperty("--aspect", aspect);
    this.draw();
    if (this.due) this.rest();
    this.due = false;
  }

  down(event) {
    const busy = this.pointer !== null && this.pointer !== event.pointerId; // the same one: its lifting went unseen
    if (busy || event.button !== 0) return;
    event.preventDefault(); // no selection, no drag of the page
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId); // a stroke may leave the pad and come back
    clearTimeout(this.timer);
    this.drawing.sent = false;
    this.drawing.strokes.push(this.place(event));
    this.draw();
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const stroke = this.drawing.strokes.at(-1);
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const each of moves.length ? moves : [event]) { // all that happened since the last frame: rounder curves
      const [x, y] = this.place(each);
      if (Math.hypot(x - stroke.at(-2), y - stroke.at(-1)) >= NEAR) stroke.push(x, y);
    }
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.draw();
    this.rest();
  }

  change(edit) {
    if (this.pointer !== null || this.drawing.strokes.length === 0) return;
    edit(this.drawing.strokes);
    this.drawing.sent = false;
    this.draw();
    this.rest();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.wide, ((event.clientY - box.top) / box.height) * this.tall];
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const { canvas } = this;
    const { strokes } = this.drawing;
    const now = strokes.map(stroke => stroke.length).join(); // strokes only grow, come or go: this tells each change
    if (now !== this.seen) this.onDraw(strokes);
    this.seen = now;
    const blank = strokes.length === 0;
    this.hint.hidden = !blank;
    for (const button of [this.undo, this.clear]) button.setAttribute("aria-disabled", blank);
    this.root.dataset.strokes = strokes.length;
    canvas.setAttribute("aria-label", blank ? `${this.name}: blank` : `${this.name}: ${strokes.length} stroke${strokes.length === 1 ? "" : "s"}`);
    const pixels = Math.round(this.sheet.clientWidth * sizes(this.sheet).density);
    if (pixels === 0) return;
    const unit = pixels / this.wide; // of the longer side, so that a circle stays one
    const down = Math.round(unit * this.tall);
    if (canvas.width !== pixels || canvas.height !== down) [canvas.width, canvas.height] = [pixels, down];
    const context = canvas.getContext("2d");
    context.setTransform(unit, 0, 0, unit, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.wide, this.tall);
    context.strokeStyle = "#fff";
    context.lineWidth = PEN;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(stroke[0], stroke[1]);
      for (let i = 2; i + 3 < stroke.length; i += 2) { // curves from middle to middle: a quick hand leaves few points
        const [x, y, nextX, nextY] = stroke.slice(i, i + 4);
        context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
      }
      context.lineTo(stroke.at(-2), stroke.at(-1)); // of a mere tap, a dot
      context.stroke();
    }
  }

  rest() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.drawing.sent = true;
      this.send("ink", this.drawing.strokes.length ? encode(this.drawing.strokes, this.side) : "");
    }, REST);
  }

  destroy() {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.root.remove();
  }
}

// The strokes as side x side grey values, of a pad that is no square with black beside it. They are painted anew: what
// is read back from a canvas is noise in browsers that guard against fingerprinting, and depends on the screen. And the
// pen is as thick as befits the size of the drawing: it is enlarged to a digit's 20 pixels, where the pad's pen would be
// a blot if somebody drew small.
export function painted(strokes, side) {
  const pixels = new Uint8Array(side * side);
  const radius = (Math.max(THIN, THICK * reach(strokes)) * side) / 2;
  for (const stroke of strokes) {
    for (let i = 0; i < stroke.length; i += 2) {
      const before = Math.max(0, i - 2);
      segment(pixels, side, radius, ...[before, before + 1, i, i + 1].map(at => stroke[at] * side));
    }
  }
  return pixels;
}

// The same in base64, as a message has it.
export const encode = (strokes, side) => btoa(String.fromCharCode(...painted(strokes, side)));

// The longer side of what is drawn, in sides of the pad; what left the pad does not count.
export function reach(strokes) {
  const low = [1, 1];
  const high = [0, 0];
  for (const stroke of strokes) {
    stroke.forEach((value, i) => {
      const seen = Math.max(0, Math.min(1, value));
      low[i % 2] = Math.min(low[i % 2], seen);
      high[i % 2] = Math.max(high[i % 2], seen);
    });
  }
  return Math.max(high[0] - low[0], high[1] - low[1]);
}

// A line with round ends; at its edge a pixel is as bright as its covered part.
function segment(pixels, side, radius, x0, y0, x1, y1) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const inside = v => Math.max(0, Math.min(side, v));
  const [left, right] = [inside(Math.floor(Math.min(x0, x1) - radius)), inside(Math.ceil(Math.max(x0, x1) + radius))];
  const [top, bottom] = [inside(Math.floor(Math.min(y0, y1) - radius)), inside(Math.ceil(Math.max(y0, y1) + radius))];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
      const along = length ? Math.max(0, Math.min(1, (px * dx + py * dy) / length)) : 0;
      const covered = radius + 0.5 - Math.hypot(px - along * dx, py - along * dy);
      const value = Math.round(255 * Math.max(0, Math.min(1, covered)));
      if (value > pixels[y * side + x]) pixels[y * side + x] = value;
    }
  }
}
