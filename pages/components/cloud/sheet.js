// One map on three canvases: decoded tiles, above them the points, above these what moves with the hand.

import { STILL, make, setText } from "../lib/dom.js";
import { clamp, grouped, NEAR, ticks } from "../lib/plot.js";
import { placeTip, tipOf } from "../lib/tip.js";
import { extentOf, fitted, panned, placed, read, scaleOf, unplaced, written, zoomed } from "./camera.js";
import { Near } from "./near.js";
import { Pointing } from "./pointing.js";
import { radiusOf, splat } from "./paint.js";
import { Tiling } from "./tiling.js";
import { pointerOn, sizes } from "../lib/talk.js";

const PANE = 104; // px of the picture beside the hand
const FINER = 2; // pixels of a file for one of the page, at least
const STEP = 3; // px between corners of a lasso
const BESIDE = 22; // px from the pointer to the tip
const KEY = 0.12; // of the plane, that an arrow key moves
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const TEXT = 13; // px

export class Sheet {
  constructor(cloud, parent) {
    this.cloud = cloud;
    this.root = make("section", "sheet", parent);
    this.title = make("div", "title", this.root);
    this.box = make("div", "plot", this.root);
    [this.under, this.middle, this.over] = ["tiles", "points", "hand"].map(name => make("canvas", name, this.box));
    for (const canvas of [this.under, this.middle]) canvas.setAttribute("aria-hidden", "true");
    this.over.setAttribute("role", "application");
    this.over.tabIndex = 0;
    this.tip = tipOf(this.box);
    this.decoded = make("div", "decoded", this.tip);
    this.card = make("div", "card", this.tip);
    this.note = make("div", "note", this.root);
    this.tiling = new Tiling(this);
    this.pointers = new Map(); // those that are down, with their places
    this.camera = null;
    this.line = null; // of the lasso that is being drawn, in units of the map
    this.at = null; // px, where the hand points
    this.failed = error => cloud.tell(`${this.map.title}: ${error.message || "no decoding here"}`);
    this.listen();
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.box);
  }

  // `fresh`: another plane than before, so nothing of it is kept.
  receive(map, number, message, fresh) {
    const { columns } = message;
    Object.assign(this, { map, number });
    this.xs = columns[`x.${number}`];
    const plain = columns[`y.${number}`];
    const { x, y } = extentOf({ xs: this.xs, ys: plain });
    // axes that share no scale are stretched to the same length; from here on places are stretched
    this.stretch = map.square ? 1 : (x[1] - x[0]) / (y[1] - y[0]);
    this.ys = this.stretch === 1 ? plain : plain.map(v => v * this.stretch);
    this.extent = { x, y: y.map(v => v * this.stretch) };
    this.near = null;
    this.codes = map.hand && new Pointing(map, (x, y, count) => this.find(x, y * this.stretch, count));
    if (fresh) {
      this.camera = null;
      this.line = null;
      this.pointing = null;
      this.opening = null;
      this.tiling.clear();
    }
    this.name(map.title);
    setText(this.note, [`→ ${named(map.across)}`, `↑ ${named(map.up)}`, map.note].filter(Boolean).join(" · "));
    this.redraw();
  }

  name(text) {
    setText(this.title, text);
    this.title.title = text;
  }

  // Between this map and another, where points are as they move: 0 is here.
  mix(other, part) {
    if (part === 0) [this.seenX, this.seenY] = [null, null];
    else {
      const blend = (a, b) => a.map((v, i) => v + (b[i] - v) * part);
      [this.seenX, this.seenY] = [blend(this.xs, other.xs), blend(this.ys, other.ys)];
    }
    this.moving = part > 0 && part < 1; // nobody can point at what moves
    this.away = part > 0; // places are not this map's own, so none has a code
    this.near = null;
    this.redraw();
  }

  get x() {
    return this.seenX ?? this.xs;
  }

  get y() {
    return this.seenY ?? this.ys;
  }

  get size() {
    return { width: this.box.clientWidth, height: this.box.clientHeight };
  }

  get whole() {
    return fitted(this.shared ?? this.extent, this.size);
  }

  // The view of all points is that of another map as well, or of this one alone.
  share(other) {
    const both = axis => [Math.min(this.extent[axis][0], other.extent[axis][0]),
      Math.max(this.extent[axis][1], other.extent[axis][1])];
    this.shared = other && { x: both("x"), y: both("y") };
    if (!this.moved) this.camera = null;
  }

  get closer() {
    return this.whole.span / this.camera.span;
  }

  find(x, y, count, radius, counts) {
    this.near ??= new Near(this.x, this.y);
    return this.near.find(x, y, count, radius, counts);
  }

  look(camera) {
    this.camera = camera;
    this.cloud.looked();
    this.tiling.moved();
    this.redraw();
  }

  // As the address has it: places as the axes have them. Null while all is in view.
  get looking() {
    return this.camera && this.moved ? { ...this.camera, y: this.camera.y / this.stretch } : null;
  }

  // What is seen is what the address says, to the pixel: nobody sees the difference, and a link shows the same.
  settle() {
    if (this.looking) this.lookAt(read(written(this.looking)));
  }

  lookAt(shared) {
    this.moved = shared !== null;
    this.camera = shared && { ...shared, y: shared.y * this.stretch };
    this.tiling.moved();
    this.redraw();
  }

  all() {
    this.moved = false;
    if (this.size.width) this.look(this.whole);
  }

  zoom(factor, pixel = [this.size.width / 2, this.size.height / 2]) {
    this.moved = true;
    this.look(zoomed(this.camera, this.size, factor, pixel, this.whole));
  }

  // Shows the point i in the middle, closer than all if it was far.
  goTo(i) {
    this.moved = true;
    this.look({ x: this.x[i], y: this.y[i], span: Math.min(this.camera.span, this.whole.span / 6) });
    this.at = placed(this.camera, this.size, this.x[i], this.y[i]);
  }

  // ------------------------------------------------------------------------------------------------ the decoder

  // Brings the decoder here, once; `pointing` is null until then. What keeps it from coming is told below the map.
  open() {
    if (!this.map.hand) return Promise.resolve(null);
    this.opening ??= (async () => {
      const { map, codes: pointing } = this;
      try {
        await pointing.open();
      } catch (error) {
        this.refused = true;
        if (this.map === map) this.failed(error);
        return null;
      }
      if (this.map !== map) return null; // another plane came meanwhile
      this.pointing = pointing;
      this.tiling.moved();
      return pointing;
    })();
    return this.opening;
  }

  // The picture at a place, beside the hand.
  async decode([x, y]) {
    const { pointing } = this;
    const code = pointing.codeAt(x, y / this.stretch);
    if (!code) return;
    await this.prepare();
    pointing.decode(code, seen => {
      if (pointing !== this.pointing) return; // another plane came meanwhile
      this.pane.show(seen);
      const density = pointing.density(code);
      this.pane.element.style.opacity = density?.strength ?? 1;
      setText(this.how, [pointing.words, pointing.judge ? "" : density?.words].filter(Boolean).join(" · "));
      this.root.dataset.decoded = Number(this.root.dataset.decoded ?? 0) + 1;
      this.redraw("over");
      pointing.judged(seen.mean, logits => pointing === this.pointing && this.verdict?.show(logits, density));
    }, this.failed);
  }

  // What the decoded picture is shown in.
  prepare() {
    if (this.shownOf !== this.pointing) this.prepared = this.furnish();
    return this.prepared;
  }

  async furnish() {
    const { pointing } = this;
    this.shownOf = pointing;
    const [{ paneOf }, { verdictIn }] = await Promise.all([import("../lib/panes.js"), import("../lib/verdict.js")]);
    this.decoded.replaceChildren();
    this.pane = paneOf(pointing.modality, { side: PANE });
    this.decoded.append(this.pane.element);
    this.verdict = pointing.judge ? verdictIn(this.decoded, pointing.verdict) : null;
    this.how = make("div", "how", this.decoded);
  }

  // The hand rests, and what it points at has changed.
  pointAgain() {
    if (this.at && this.camera) this.cloud.pointed(this, unplaced(this.camera, this.size, this.at));
  }

  // The code in hand is another one: a plane through it shows other pictures.
  codeMoved() {
    this.redraw("over");
    if (this.map.method !== "dims" || this.map.size === 2) return;
    this.tiling.clear();
    this.tiling.moved();
    this.pointAgain();
    this.redraw();
  }

  // ------------------------------------------------------------------------------------------------ the hand

  // What is in sight, as a line around it.
  sight() {
    const { width, height } = this.size;
    if (!this.camera) return null;
    return [[0, 0], [width, 0], [width, height], [0, height]]
      .flatMap(corner => unplaced(this.camera, this.size, corner));
  }

  listen() {
    const { over } = this;
    over.onpointerdown = event => this.down(event, pointerOn(event));
    over.onpointermove = event => this.move(event, pointerOn(event));
    over.onpointerup = event => this.up(event, pointerOn(event));
    over.onpointercancel = event => this.cancel(event);
    over.onlostpointercapture = event => this.cancel(event);
    over.onpointerleave = event => {
      if (event.pointerType !== "touch" && this.pointers.size === 0) this.leave();
    };
    over.onfocus = () => (this.cloud.used = this);
    over.onblur = () => {
      if (this.keyed) this.leave();
    };
    over.addEventListener("wheel", event => {
      event.preventDefault(); // the plane is closer, not the page further down
      this.cloud.used = this;
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : event.deltaMode ? 0.05 : 0.0015)), pointerOn(event));
      this.point(pointerOn(event));
    }, { passive: false });
    over.onkeydown = event => this.key(event);
  }

  down(event, at) {
    if (event.button > 0) return;
    this.over.focus({ preventScroll: true });
    this.over.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, at);
    this.keyed = false;
    this.travelled = this.pointers.size > 1 ? Infinity : 0;
    if (this.pointers.size > 1) this.line = null; // two fingers zoom, whatever the first had begun
    else if (this.cloud.lasso || event.shiftKey) this.line = unplaced(this.camera, this.size, at);
    this.redraw("over");
  }

  move(event, at) {
    if (!this.camera) return;
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.keyed = false;
      this.point(at);
      return;
    }
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
    if (others.length > 0) {
      const [[, other]] = others;
      const apart = ([x, y]) => Math.max(10, Math.hypot(x - other[0], y - other[1]));
      this.moved = true;
      const held = panned(this.camera, this.size, (at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
      const middle = [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
      this.look(zoomed(held, this.size, apart(at) / apart(before), middle, this.whole));
      this.pointers.set(event.pointerId, at);
    } else if (this.line) {
      const far = Math.hypot(at[0] - before[0], at[1] - before[1]);
      if (far < STEP) return;
      this.travelled += far;
      this.leave(true);
      this.line.push(...unplaced(this.camera, this.size, at));
      this.pointers.set(event.pointerId, at);
      this.redraw("over");
    } else {
      this.travelled += Math.hypot(at[0] - before[0], at[1] - before[1]);
      if (this.travelled < STILL) return;
      this.leave(true);
      this.moved = true;
      this.look(panned(this.camera, this.size, at[0] - before[0], at[1] - before[1]));
      this.pointers.set(event.pointerId, at);
    }
  }

  up(event, at) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { line, travelled } = this;
    this.line = null;
    if (line && travelled >= STILL) {
      this.cloud.lassoed(this, line);
    } else if (travelled < STILL) {
      this.point(at, true); // a tap shows what lies there
      this.cloud.clicked(this, unplaced(this.camera, this.size, at));
    }
    this.redraw("over");
  }

  cancel(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    this.line = null;
    this.redraw("over");
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = this.size;
    const { key } = event;
    if (key in ARROWS) {
      const [across, down] = ARROWS[key];
      const far = KEY * Math.min(width, height);
      this.moved = true;
      this.look(panned(this.camera, this.size, across * far, down * far));
    } else if (key === "+" || key === "=") this.zoom(1.5);
    else if (key === "-") this.zoom(1 / 1.5);
    else if (key === "0") this.all();
    else if (key === "Enter") this.cloud.clicked(this, [this.camera.x, this.camera.y]);
    else if (key === "Escape") {
      if (!this.line) return; // the view lets the lassos go
      this.line = null;
      event.stopPropagation();
      this.redraw("over");
      return;
    } else return;
    event.preventDefault();
    this.keyed = true; // whoever moves the map by keys points with its middle
    this.point([width / 2, height / 2]);
  }

  point(at, atOnce = false) {
    if (!this.camera) return;
    this.at = at;
    const place = unplaced(this.camera, this.size, at);
    const ink = this.cloud.inks[this.number];
    const near = NEAR / scaleOf(this.camera, this.size);
    const [found] = this.moving ? [] : this.find(...place, 1, near, i => ink[i] !== 0);
    this.cloud.hovered(found?.i ?? -1, this, atOnce);
    this.cloud.pointed(this, place);
    this.redraw("over");
  }

  leave(atOnce = false) {
    this.at = null;
    this.keyed = false;
    this.cloud.hovered(-1, this, atOnce);
    this.cloud.pointed(this, null);
    this.redraw("over");
  }

  // ------------------------------------------------------------------------------------------------ drawing

  // The window has another size.
  fit() {
    if (!this.moved) this.camera = null;
    this.tiling.moved();
    this.redraw();
  }

  // All of it, or "over": what is above the points.
  redraw(what = "all") {
    this.due = what === "all" || this.due === "all" ? "all" : "over";
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { width, height } = this.size;
    const { theme, inks } = this.cloud;
    if (!(theme && this.map && inks[this.number] && width > 0 && height > 0)) return; // as on a hidden tab
    this.camera ??= this.whole;
    const { due } = this;
    this.due = null;
    const ratio = sizes(this.over).density;
    for (const canvas of [this.under, this.middle, this.over]) {
      const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    }
    if (due === "all") {
      this.drawTiles(ratio);
      this.drawPoints(ratio);
      this.root.dataset.frames = Number(this.root.dataset.frames ?? 0) + 1;
    }
    this.drawOver(ratio);
  }

  drawTiles(ratio) {
    const c = this.under.getContext("2d");
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, this.under.width, this.under.height);
    if (!this.cloud.tiles || this.away) return;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.tiling.draw(c);
  }

  drawPoints(ratio) {
    const { width, height } = this.middle;
    if (this.image?.width !== width || this.image.height !== height) this.image = new ImageData(width, height);
    this.putPoints(this.image, ratio);
    this.middle.getContext("2d").putImageData(this.image, 0, 0);
  }

  // All points as pixels of an image, of which `ratio` are one of the page.
  putPoints(image, ratio) {
    const pixels = new Uint32Array(image.data.buffer);
    pixels.fill(0);
    const { points, chosen, others, inks } = this.cloud;
    if (!points) return;
    const { x, y, camera } = this;
    const about = { x: camera.x, y: camera.y, scale: scaleOf(camera, this.size) * ratio,
      radius: radiusOf(x.length, this.closer) * ratio };
    const pale = chosen && this.cloud.pale(this.number);
    if (chosen) splat(pixels, image.width, image.height, { xs: x, ys: y, ink: pale, only: others }, about);
    splat(pixels, image.width, image.height, { xs: x, ys: y, ink: inks[this.number], only: chosen }, about);
  }

  drawOver(ratio) {
    const c = this.over.getContext("2d");
    const { held } = this.cloud;
    const { width, height } = this.size;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    this.drawMarks(c);
    if (this.line) this.drawLine(c, this.line);
    if (held >= 0) this.ring(c, placed(this.camera, this.size, this.x[held], this.y[held]));
    if (this.keyed) this.drawCross(c, [width / 2, height / 2], 6);
    this.placeTip();
  }

  // Axes, lassos and the code in hand: what stays when the hand has left.
  drawMarks(c) {
    const { theme, lassos, pin } = this.cloud;
    c.font = `${TEXT}px ${theme.font}`;
    this.drawAxes(c);
    if (this.away) return;
    for (const [name, lasso] of Object.entries(lassos)) {
      if (lasso.line && lasso.map === this.number) this.drawLine(c, lasso.line, name);
    }
    if (pin?.sheet === this) this.drawCross(c, placed(this.camera, this.size, ...pin.place), 9);
    const inHand = !pin && this.codes?.placeOfHand();
    if (inHand) this.drawHand(c, placed(this.camera, this.size, inHand[0], inHand[1] * this.stretch));
  }

  // The same for a file; points are finer than the page has them, so that a picture can be enlarged.
  drawFile(c, ratio) {
    const { width, height } = this.size;
    const finer = Math.max(ratio, FINER);
    c.beginPath();
    c.rect(0, 0, width, height);
    c.clip();
    if (this.cloud.tiles && !this.away) this.tiling.draw(c);
    const canvas = document.createElement("canvas");
    const image = new ImageData(Math.round(width * finer), Math.round(height * finer));
    Object.assign(canvas, { width: image.width, height: image.height });
    this.putPoints(image, finer);
    canvas.getContext("2d").putImageData(image, 0, 0);
    c.drawImage(canvas, 0, 0, width, height);
    this.drawMarks(c);
    Object.assign(c, { strokeStyle: this.cloud.theme.grid, lineWidth: 1 });
    c.strokeRect(0.5, 0.5, width - 1, height - 1);
  }

  // Numbers along the lower and the left edge, over whatever lies there.
  drawAxes(c) {
    const { theme } = this.cloud;
    const { width, height } = this.size;
    const [left, bottom] = unplaced(this.camera, this.size, [0, height]);
    const [right, top] = unplaced(this.camera, this.size, [width, 0]);
    Object.assign(c, { fillStyle: theme.text, strokeStyle: theme.background, lineWidth: 3, lineJoin: "round" });
    const write = (text, x, y) => {
      c.strokeText(text, x, y);
      c.fillText(text, x, y);
    };
    c.textAlign = "center";
    c.textBaseline = "bottom";
    for (const v of ticks(left, right, width / 110)) {
      const [x] = placed(this.camera, this.size, v, 0);
      if (x > 36 && x < width - 20) write(grouped(v), x, height - 4);
    }
    c.textAlign = "left";
    c.textBaseline = "middle";
    for (const v of ticks(bottom / this.stretch, top / this.stretch, height / 90)) {
      const [, y] = placed(this.camera, this.size, 0, v * this.stretch);
      if (y > 12 && y < height - 24) write(grouped(v), 5, y);
    }
  }

  drawLine(c, line, name) {
    const { theme } = this.cloud;
    c.beginPath();
    for (let at = 0; at < line.length; at += 2) c.lineTo(...placed(this.camera, this.size, line[at], line[at + 1]));
    c.closePath();
    c.globalAlpha = 0.08;
    c.fillStyle = theme.text;
    if (!name) c.fill("evenodd");
    c.globalAlpha = 1;
    Object.assign(c, { strokeStyle: theme.background, lineWidth: 4 });
    c.stroke();
    Object.assign(c, { strokeStyle: theme.text, lineWidth: 1.5 });
    c.setLineDash(name === "B" ? [6, 5] : []);
    c.stroke();
    c.setLineDash([]);
    if (!name) return;
    const [x, y] = placed(this.camera, this.size, line[0], line[1]);
    c.textAlign = "center";
    c.textBaseline = "middle";
    Object.assign(c, { strokeStyle: theme.background, lineWidth: 4, fillStyle: theme.text });
    c.strokeText(name, x, y - 12);
    c.fillText(name, x, y - 12);
  }

  ring(c, [x, y]) {
    const radius = radiusOf(this.x.length, this.closer) + 4;
    for (const [colour, width] of [[this.cloud.theme.background, 5], [this.cloud.theme.text, 2.5]]) {
      c.beginPath();
      c.arc(x, y, radius, 0, 7);
      Object.assign(c, { strokeStyle: colour, lineWidth: width });
      c.stroke();
    }
  }

  drawCross(c, [x, y], reach) {
    for (const [colour, width] of [[this.cloud.theme.background, 5], [this.cloud.theme.text, 2]]) {
      c.beginPath();
      c.moveTo(x - reach, y);
      c.lineTo(x + reach, y);
      c.moveTo(x, y - reach);
      c.lineTo(x, y + reach);
      Object.assign(c, { strokeStyle: colour, lineWidth: width });
      c.stroke();
    }
  }

  // Where the code in hand lies, which was moved elsewhere: on Traverse, say.
  drawHand(c, [x, y]) {
    const { theme } = this.cloud;
    this.drawCross(c, [x, y], 9);
    c.textAlign = "left";
    c.textBaseline = "middle";
    Object.assign(c, { strokeStyle: theme.background, lineWidth: 4, fillStyle: theme.text });
    c.strokeText("in hand", x + 13, y);
    c.fillText("in hand", x + 13, y);
  }

  // Beside the hand while it decodes, else beside the point.
  placeTip() {
    const here = this.cloud.sheetOfTip === this;
    this.decoded.hidden = !(here && this.at && this.cloud.decoding && this.pointing && !this.away);
    this.card.hidden = !(here && this.cloud.shown >= 0);
    this.tip.hidden = this.decoded.hidden && this.card.hidden;
    if (this.tip.hidden) return;
    const i = this.cloud.shown;
    const at = !this.decoded.hidden ? this.at : placed(this.camera, this.size, this.x[i], this.y[i]);
    placeTip(this.tip, this.box, at.map((v, axis) => clamp(v, 0, axis ? this.size.height : this.size.width)),
      { apart: BESIDE });
  }

  describe(text) {
    if (this.over.getAttribute("aria-label") !== text) this.over.setAttribute("aria-label", text);
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.tiling.clear();
    this.observer.disconnect();
    this.root.remove();
  }
}

const named = ({ title, unit }) => (unit ? `${title} (${unit})` : title);
