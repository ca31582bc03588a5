// What a decoded modality looks like: a picture, numbers by name, probabilities of classes, lines over time.
//
// A modality is what `vaecore/explore/panes.py` tells: { name, kind, shape, names, centre, scale }; the style is
// `panes.css`.

import { blank, make, setText } from "./dom.js";
import { minus } from "./numbers.js";
import { grid, paint, picture, put, sizeOf } from "./picture.js";
import { sizes } from "./talk.js";

const NUMBERS = 24; // of a vector in sight
const CLASSES = 12;
const REACH = 3; // standard deviations that fill half a bar
const ROUNDING = 1e-5; // of a standard deviation: single precision goes no farther
const REST = 350; // ms: other rows come into sight only when nothing moves any more

// `show({ mean, sigma }, { what, beside })` draws one observation, Float32Arrays as the model has them; `what` is
// "mean" or "sigma", and `beside` are the numbers of the observation that the code came from, if there is one.
// Pictures are at most `side` px wide, and of a vector at most `numbers` are named.
export function paneOf(modality, { side = 320, numbers = NUMBERS } = {}) {
  return new (PANES[modality.kind] ?? Unseen)(modality, side, numbers);
}

class Pane {
  constructor(modality, side) {
    this.modality = modality;
    this.element = make("div", `pane pane-${modality.kind}`);
    this.element.style.setProperty("--side", `${side}px`);
  }

  canvas(role = "img") {
    const canvas = make("canvas", "pane-picture", this.element);
    canvas.setAttribute("role", role);
    canvas.setAttribute("aria-label", `Decoded ${this.modality.name}`);
    return canvas;
  }

  // Which rows are in sight, of those whose `weight` is largest: at once the first time, later when all is at rest.
  choose(weights, most, then) {
    const chosen = () => largest(weights, most);
    clearTimeout(this.timer);
    if (!this.chosen || weights.length <= most) this.chosen = chosen();
    else {
      this.timer = setTimeout(() => {
        const next = chosen();
        if (next.join() === this.chosen.join()) return;
        this.chosen = next;
        then();
      }, REST);
    }
    return this.chosen;
  }

  destroy() {
    clearTimeout(this.timer);
    this.element.remove();
  }
}

class ImagePane extends Pane {
  constructor(modality, side) {
    super(modality, side);
    this.picture = this.canvas();
    const [, height, width] = modality.shape;
    Object.assign(this.picture, { width, height }); // what it will have: nothing jumps when the first picture comes
    this.picture.style.setProperty("--wide", Math.min(1, width / height));
  }

  show({ mean, sigma }, { what = "mean" } = {}) {
    if (what === "sigma" && sigma) paint(this.picture, sigma, this.modality.shape, { top: topOf(sigma) });
    else paint(this.picture, mean, this.modality.shape);
  }
}

// Stripes, and the numbers of the columns that lie farthest from their means or have the largest σ, in the file's units.
class VectorPane extends Pane {
  constructor(modality, side, numbers) {
    super(modality, side);
    this.picture = this.canvas();
    this.numbers = numbers;
    this.rows = rowsIn(this.element, Math.min(numbers, modality.names.length), true);
    this.note = make("div", "pane-note", this.element);
    this.explain("that lie farthest from their means");
  }

  // Which columns are in sight, and how long a bar is.
  explain(which) {
    const { numbers, modality: { names, shape, scale } } = this;
    setText(this.note, `${names.length > numbers ?
      `The ${numbers} of ${shape[0].toLocaleString("en")} columns ${which}. ` : ""}${
      scale.length ? "In the file's units; bars in standard deviations, three at the end." : "Bars end at three."}`);
  }

  show(values, options = {}) {
    const { names, centre, scale, shape } = this.modality;
    const { beside } = options;
    const sigma = options.what === "sigma" && values.sigma;
    const apart = sigma || values.mean;
    this.explain(sigma ? "whose σ is largest" : "that lie farthest from their means");
    paint(this.picture, apart, shape, sigma ? { top: topOf(sigma) } : {});
    const inUnits = (x, d) => (scale.length ? x * scale[d] + (sigma ? 0 : centre[d]) : x);
    const weights = Array.from(apart, x => even3(Math.abs(x)));
    const chosen = this.choose(weights, this.numbers, () => this.show(values, options));
    chosen.forEach((d, place) => {
      const said = plain(inUnits(apart[d], d), scale[d]);
      const own = beside && !sigma ? ` / ${plain(inUnits(beside[d], d), scale[d])}` : "";
      fill(this.rows[place], names[d], apart[d] / REACH, said + own, `${names[d]}: ${said}`);
    });
  }
}

// Probabilities of the classes, the likeliest in large type.
class LabelPane extends Pane {
  constructor(modality, side) {
    super(modality, side);
    this.best = make("div", "pane-best", this.element);
    const box = make("div", "", this.element);
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `Probabilities of ${modality.name}`);
    this.rows = rowsIn(box, Math.min(CLASSES, modality.names.length), false);
  }

  show(values) {
    const { names } = this.modality;
    const chances = values.mean;
    const best = chances.indexOf(Math.max(...chances));
    setText(this.best, names[best]);
    const chosen = this.choose(Array.from(chances), CLASSES, () => this.show(values));
    chosen.forEach((n, place) => {
      const said = `${Math.round(100 * chances[n])} %`;
      fill(this.rows[place], names[n], chances[n], said, `${names[n]}: ${said}`);
      this.rows[place].row.classList.toggle("pane-likeliest", n === best);
    });
  }
}

// Numbers (T, D) as a line each, from the least to the largest of all.
class TrajectoryPane extends Pane {
  constructor(modality, side) {
    super(modality, side);
    this.picture = this.canvas();
    this.picture.classList.add("pane-lines");
  }

  show({ mean }) {
    const { picture: canvas, modality: { shape: [frames, numbers] } } = this;
    const c = blank(canvas);
    if (!c) return;
    const { width, height } = canvas;
    const low = mean.reduce((a, b) => Math.min(a, b), Infinity);
    const span = mean.reduce((a, b) => Math.max(a, b), -Infinity) - low || 1;
    const palette = getComputedStyle(canvas).getPropertyValue("--st-chart-categorical-colors").split(",");
    c.lineWidth = 2 * sizes(canvas).density;
    for (let d = 0; d < numbers; d++) {
      c.strokeStyle = palette[d % palette.length].trim() || "#888";
      c.beginPath();
      for (let t = 0; t < frames; t++) {
        const up = (mean[t * numbers + d] - low) / span;
        c.lineTo(((t + 0.5) * width) / frames, (0.96 - 0.92 * up) * height);
      }
      c.stroke();
    }
  }
}

// Frames (T, C, H, W) beside each other.
class VideoPane extends Pane {
  constructor(modality, side) {
    super(modality, side);
    this.picture = this.canvas();
  }

  show({ mean }) {
    const [frames, ...shape] = this.modality.shape;
    const size = sizeOf(shape);
    const seen = Array.from({ length: frames }, (_, t) => picture(mean.subarray(t * size, (t + 1) * size), shape));
    put(this.picture, grid(seen, Math.ceil(Math.sqrt(frames))));
  }
}

class Unseen extends Pane {
  constructor(modality, side) {
    super(modality, side);
    setText(make("div", "pane-note", this.element), `${modality.name} is not drawn here: there is no picture of it.`);
  }

  show() {}
}

const PANES = {
  image: ImagePane, vector: VectorPane, label: LabelPane, trajectory: TrajectoryPane, video: VideoPane };

// -- rows of a name, a bar and a number

function rowsIn(parent, count, bothWays) {
  return Array.from({ length: count }, () => {
    const row = make("div", "pane-row", parent);
    const name = make("span", "pane-name", row);
    const bar = make("span", bothWays ? "pane-bar pane-both" : "pane-bar", row);
    return { row, name, bar: make("span", "", bar), said: make("span", "pane-said", row), bothWays };
  });
}

// `share` is of the bar, or from -1 to 1 of its half where it goes both ways.
function fill({ row, name, bar, said, bothWays }, label, share, text, title) {
  setText(name, label);
  setText(said, text);
  if (row.title !== title) row.title = title;
  const long = Math.max(-1, Math.min(1, share || 0));
  const width = Math.max(0.5, (bothWays ? 50 : 100) * Math.abs(long));
  bar.style.width = `${width.toFixed(1)}%`;
  if (!bothWays) return;
  bar.style.left = `${(long >= 0 ? 50 : 50 - width).toFixed(1)}%`;
  bar.classList.toggle("pane-below", long < 0);
}

const topOf = sigma => sigma.reduce((a, b) => Math.max(a, b), 0) || 1; // too many to be arguments

// The places of the `most` largest, in their own order; of equals the first.
export function largest(weights, most) {
  const order = Array.from(weights, (_, place) => place);
  if (order.length <= most) return order;
  return order.sort((a, b) => weights[b] - weights[a] || a - b).slice(0, most).sort((a, b) => a - b);
}

const even3 = x => Math.round(x * 1000) / 1000; // what differs by less is alike: rows keep their places

// A number as a file would have it, in four digits; 0 where it is nothing beside `unit`: as `plain` of shared/bars.py.
export function plain(value, unit = 0) {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) < ROUNDING * (unit || 0) || value === 0) return "0";
  const [digits, power] = value.toExponential(3).split("e");
  const exponent = Number(power);
  const cut = text => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  const text = exponent < -4 || exponent > 3
    ? `${cut(digits)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`
    : cut(value.toFixed(3 - exponent));
  return minus(text);
}
