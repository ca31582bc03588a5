// Heat maps: KL per latent dimension over training, all maps with one colour scale, one range of steps, one cursor.
// Nothing is sent to the server.

import { drawRamp, pixel, ramp, VIRIDIS } from "../lib/colourmap.js";
import { make, unpack } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { paintOf, placeOf, readTheme } from "../lib/palette.js";
import { saveButton, together } from "../lib/save.js";
import { placeTip, tipOf } from "../lib/tip.js";
import { pointerOn, sizes } from "../lib/talk.js";

const NARROW = 700; // px: below it one column
const WIDE = 1500; // px: from here on three
const TEXT = 14; // px: readable from the back row
const TOP = 4; // px, with BOTTOM and RIGHT the margins around the cells; the left one depends on the labels
const BOTTOM = 48;
const RIGHT = 16;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KNEE = 0.01; // nats: colour is linear below, where a dimension is dead, and logarithmic above

// Dark where KL is 0.
const COLOURS = ramp(VIRIDIS);
const RAMP = 16; // px: how high the scale is in heat.css
const HATCH = [pixel(128, 128, 128, 190), pixel(128, 128, 128, 50)]; // not finite: on no scale, in either theme

export default mounted(({ parentElement }) => new Maps(parentElement), (view, { data }) => view.update(data));

class Maps {
  constructor(parent) {
    this.root = rootOf("heat", parent);
    this.empty = make("p", "empty", this.root, "No map yet: choose a run that has a latent space.");
    this.scale = make("div", "scale", this.root);
    this.ramp = make("div", "ramp", this.scale);
    make("div", "colours", this.ramp).style.background = `linear-gradient(to right, ${VIRIDIS})`;
    make("span", "", this.scale, `KL in nats: logarithmic colours, linear below ${KNEE}`);
    this.missing = make("span", "missing", this.scale, "nan or infinite");
    saveButton(this.scale, () => this.saved());
    this.grid = make("div", "grid", this.root);
    this.maps = [];
    this.places = new Map(); // run -> place in the palette: sticky, as in curves.js
    this.step = null; // under the cursor, in any of the maps
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.root);
  }

  update(bytes) {
    const theme = readTheme(this.root, this.theme);
    if (bytes === this.bytes && theme === this.theme) return;
    if (bytes !== this.bytes) this.message = decode((this.bytes = bytes)); // the same bytes: only the theme changed
    this.theme = theme;
    const { maps, height } = this.message;
    this.root.style.setProperty("--height", `${height}px`);
    this.root.dataset.evaluations = maps[0]?.given ?? 0;
    this.empty.hidden = maps.length > 0;
    this.scale.hidden = maps.length === 0;
    this.missing.hidden = !maps.some(m => m.values.some(Number.isNaN));
    const drawn = maps.filter(m => m.columns > 0);
    const first = Math.min(...drawn.map(m => m.steps[0]));
    const last = Math.max(...drawn.map(m => m.steps.at(-1) + m.reach));
    this.extent = [first, last];
    // a map of few evaluations beside a long one still shows its last column
    for (const m of drawn) m.end = Math.min(last, m.steps.at(-1) + Math.max(m.reach, (last - first) / 100));
    this.digits = String(Math.max(0, ...maps.map(m => m.dimensions.length - 1))).length; // alike, so that maps align
    for (const { run } of maps) placeOf(run, this.message.places, this.places);
    this.drawScale();
    while (this.maps.length > maps.length) this.maps.pop().destroy();
    while (this.maps.length < maps.length) this.maps.push(new HeatMap(this));
    this.arrange();
    this.maps.forEach((map, i) => map.update(maps[i]));
    const held = this.maps.find(map => map.pointer); // the pointer rests, the steps below it have moved
    held?.pointTo(held.pointer.x, held.pointer.y);
  }

  // Place on the colour scale, from 0 at 0 nats to 1 at the ceiling.
  place(nats) {
    return Math.log1p(Math.max(nats, 0) / KNEE) / Math.log1p(this.message.ceiling / KNEE);
  }

  drawScale() {
    const { ceiling } = this.message;
    if (this.drawnCeiling === ceiling) return;
    this.drawnCeiling = ceiling;
    const ticks = [0];
    for (let tick = KNEE; this.place(tick) < 0.9; tick *= 10) ticks.push(tick);
    ticks.push(ceiling);
    this.ramp.querySelectorAll(".tick").forEach(tick => tick.remove());
    for (const tick of ticks) {
      make("span", "tick", this.ramp, short(tick)).style.left = `${100 * this.place(tick)}%`;
    }
  }

  arrange() {
    const [width, n] = [this.root.clientWidth, this.maps.length];
    const most = width < NARROW ? 1 : width >= WIDE && n !== 4 ? 3 : 2; // four stand better two by two
    this.root.style.setProperty("--columns", Math.max(1, Math.min(most, n)));
  }

  fit() {
    this.arrange();
    for (const map of this.maps) map.fit();
  }

  // All maps as they are seen, with the scale of their colours.
  saved() {
    const shown = this.maps.filter(({ canvas }) => !canvas.hidden);
    if (shown.length === 0) return null;
    const words = [...this.scale.querySelectorAll("span")].map(each => ({ words: each }));
    const parts = [...words, { element: this.ramp, draw: c => drawRamp(c, COLOURS, this.ramp.clientWidth, RAMP) }];
    for (const map of shown) {
      parts.push({ swatch: map.title.firstChild }, { words: map.name },
        { element: map.box, draw: (c, ratio) => map.drawOn(c, ratio) });
    }
    return together({ name: `${this.message.maps.slice(0, 3).map(({ run }) => run).join("-")}-kl`,
      background: this.theme.background, parts });
  }

  point(step) {
    this.step = step;
    for (const map of this.maps) map.showCursor();
  }

  destroy() {
    this.observer.disconnect();
    for (const map of this.maps) map.destroy();
    this.root.remove();
  }
}

class HeatMap {
  constructor(view) {
    this.view = view;
    this.element = make("section", "map", view.grid);
    this.title = make("div", "title", this.element);
    make("i", "swatch", this.title);
    this.name = make("span", "name", this.title);
    this.box = make("div", "plot", this.element);
    this.canvas = make("canvas", "", this.box);
    this.canvas.setAttribute("role", "img");
    this.canvas.tabIndex = 0;
    this.canvas.onpointermove = this.canvas.onpointerdown = event => this.pointTo(...pointerOn(event));
    this.canvas.onpointerleave = this.canvas.onblur = () => this.pointTo(null);
    this.canvas.onkeydown = event => this.onKey(event);
    this.waiting = make("div", "waiting", this.box);
    this.cross = make("div", "cross", this.box); // where another map has the cursor
    this.cell = make("div", "cell", this.box);
    this.tip = tipOf(this.box);
    this.pointer = null; // px in the canvas
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.box);
  }

  update(map) {
    this.map = map;
    const { view } = this;
    this.name.textContent = this.name.title = map.label;
    this.title.style.setProperty("--colour", paintOf(view.places.get(map.run), view.theme.palette, view.theme.text));
    this.waiting.textContent = map.columns === 0 ? "waiting for the first evaluation" : "no latent dimension with a KL";
    this.waiting.hidden = map.columns > 0 && map.dimensions.length > 0;
    this.canvas.hidden = !this.waiting.hidden;
    this.canvas.setAttribute("aria-label", this.inWords());
    this.draw();
    this.showCursor();
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.box;
    const size = `${width} ${height} ${sizes(this.box).density}`;
    if (!this.map || size === this.size) return;
    this.draw();
    this.showCursor();
  }

  draw() {
    const { canvas, view } = this;
    const { clientWidth: width, clientHeight: height } = this.box;
    const ratio = sizes(this.box).density;
    this.size = `${width} ${height} ${ratio}`;
    if (canvas.hidden || width === 0 || height === 0) return;
    const context = canvas.getContext("2d");
    const font = `${TEXT}px ${view.theme.font}`;
    context.font = font;
    const left = 26 + Math.ceil(view.digits * context.measureText("0").width) + 6;
    this.area = { left, width: width - left - RIGHT, height: height - TOP - BOTTOM };
    if (this.area.width < 1 || this.area.height < 1) return;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    context.font = font; // a change of size has reset it
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const cells = this.cells(context, Math.round(this.area.width * ratio), Math.round(this.area.height * ratio), ratio);
    context.putImageData(cells, Math.round(left * ratio), Math.round(TOP * ratio));
    this.drawAxes(context);
  }

  // The map once more, for a file.
  drawOn(context, ratio) {
    const { left, width, height } = this.area;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const own = canvas.getContext("2d");
    own.putImageData(this.cells(own, canvas.width, canvas.height, ratio), 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, left, TOP, width, height);
    context.font = `${TEXT}px ${this.view.theme.font}`;
    this.drawAxes(context);
  }

  // Every pixel of the map. Where rows are thinner than a pixel, it shows the largest of them: none is left out.
  cells(context, width, height, ratio) {
    const { steps, values, columns, dimensions } = this.map;
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const r = dimensions.length;
    const between = height / ratio / r >= 8; // px: rows that high get a line between them
    const strip = new Float32Array(height);
    const gaps = Uint8Array.from(strip, (_, y) => (between && y < height - 1 && rowAt(y + 1) > rowAt(y) ? 1 : 0));
    function rowAt(y) {
      return Math.floor((y * r) / height);
    }
    for (let j = 0; j < columns; j++) {
      const from = Math.round(this.share(steps[j]) * width);
      const to = Math.round(this.share(this.endOf(j)) * width);
      if (to <= from) continue;
      for (let y = 0; y < height; y++) {
        let largest = NaN;
        for (let row = rowAt(y), end = Math.max(row + 1, rowAt(y + 1)); row < end; row++) {
          const value = values[j * r + row];
          if (value > largest || Number.isNaN(largest)) largest = value;
        }
        strip[y] = largest;
      }
      for (let y = 0; y < height; y++) {
        if (gaps[y]) continue;
        const at = y * width;
        if (Number.isNaN(strip[y])) {
          for (let x = from; x < to; x++) pixels[at + x] = HATCH[(x + y) % 8 < 3 ? 0 : 1];
        } else {
          pixels.fill(COLOURS[Math.min(255, Math.round(255 * this.view.place(strip[y])))], at + from, at + to);
        }
      }
    }
    return image;
  }

  drawAxes(context) {
    const { view, area } = this;
    const { dimensions } = this.map;
    const bottom = TOP + area.height;
    context.fillStyle = context.strokeStyle = view.theme.text;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const pitch = area.height / dimensions.length;
    const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find(n => n * pitch >= 16);
    dimensions.forEach((dimension, row) => {
      if (row % every === 0) context.fillText(dimension, area.left - 6, TOP + (row + 0.5) * pitch + 1);
    });
    context.textAlign = "center";
    for (const tick of stepTicks(view.extent, area.width / 76)) {
      const x = area.left + this.share(tick) * area.width;
      const rightmost = area.left + area.width + RIGHT - context.measureText(short(tick)).width / 2;
      context.fillRect(Math.round(x), bottom, 1, 4);
      context.fillText(short(tick), Math.min(x, rightmost), bottom + 16);
    }
    context.fillText("step", area.left + area.width / 2, bottom + 37);
    context.rotate(-Math.PI / 2);
    context.fillText(view.message.ordered ? "dimension, by KL" : "latent dimension", -(TOP + area.height / 2), 10);
    context.rotate(Math.PI / 2);
  }

  // Where a step stands within the shared range, 0 to 1.
  share(step) {
    const [first, last] = this.view.extent;
    return (step - first) / (last - first);
  }

  // A column reaches to the next evaluation, the last one a little further.
  endOf(column) {
    const { steps, columns, end } = this.map;
    return column + 1 < columns ? steps[column + 1] : end;
  }

  pointTo(x, y) {
    const { area } = this;
    const [across, down] = [x - area?.left, y - TOP];
    const inside = x !== null && across >= 0 && across < area.width && down >= 0 && down < area.height;
    if (!inside && !this.pointer) return;
    this.pointer = inside ? { x, y } : null;
    const [first, last] = this.view.extent;
    this.view.point(inside ? first + (across / area.width) * (last - first) : null);
  }

  showCursor() {
    const { step, message } = this.view;
    const { map, area, pointer } = this;
    const column = step === null || step >= map.end ? -1 : map.steps.findLastIndex(s => s <= step);
    const shown = column >= 0 && this.waiting.hidden && area;
    this.cross.hidden = !shown || pointer !== null;
    this.cell.hidden = this.tip.hidden = !shown || pointer === null;
    if (!shown) return;
    if (!pointer) {
      const left = area.left + this.share(step) * area.width;
      Object.assign(this.cross.style, { left: `${left - 1}px`, top: `${TOP}px`, height: `${area.height}px` });
      return;
    }
    const r = map.dimensions.length;
    const row = Math.min(r - 1, Math.floor(((pointer.y - TOP) / area.height) * r));
    const [from, to] = [map.steps[column], this.endOf(column)].map(s => area.left + this.share(s) * area.width);
    const pitch = area.height / r;
    Object.assign(this.cell.style, {
      left: `${from}px`, width: `${to - from}px`, top: `${TOP + row * pitch}px`, height: `${pitch}px`,
    });
    const value = map.values[column * r + row];
    this.tip.replaceChildren(
      make("div", "", null, map.label),
      make("div", "", null, `dimension ${map.dimensions[row]} · step ${GROUPED.format(map.steps[column])}`),
      make("b", "", null, Number.isNaN(value) ? "nan or infinite" : `KL ${nats(value)} nats`),
    );
    placeTip(this.tip, this.box, [pointer.x, pointer.y], { bottom: TOP + area.height });
  }

  // Arrow keys: to the next evaluation, to the next row; the first one enters at the last evaluation, at the top.
  onKey(event) {
    const [across, down] = ARROWS[event.key] ?? [];
    if (event.key === "Escape") this.pointTo(null);
    if (across === undefined || !this.area) return;
    event.preventDefault();
    const { map, area, pointer } = this;
    const r = map.dimensions.length;
    const pitch = area.height / r;
    const clamp = (v, n) => Math.max(0, Math.min(n - 1, v));
    const at = map.steps.findLastIndex(s => s <= this.view.step);
    const column = pointer ? clamp(at + across, map.columns) : map.columns - 1;
    const row = pointer ? clamp(Math.floor((pointer.y - TOP) / pitch) + down, r) : 0;
    const middle = (map.steps[column] + this.endOf(column)) / 2;
    this.pointTo(area.left + this.share(middle) * area.width, TOP + (row + 0.5) * pitch);
  }

  // What a screen reader says of the canvas.
  inWords() {
    const { label, steps, values, columns, dimensions } = this.map;
    const r = dimensions.length;
    if (columns === 0 || r === 0) return `${label}: no KL yet`;
    const last = Array.from(values.subarray((columns - 1) * r));
    const above = last.filter(value => value > KNEE).length;
    const top = last.reduce((best, value, i) => (value > last[best] || Number.isNaN(last[best]) ? i : best), 0);
    const most = Number.isNaN(last[top]) ? "none is finite"
      : `dimension ${dimensions[top]} has the most, ${nats(last[top])} nats`;
    return `${label}: KL of ${r} latent dimension${r === 1 ? "" : "s"} from step ${GROUPED.format(steps[0])} to `
      + `${GROUPED.format(steps.at(-1))}. At the last evaluation ${above} of ${r} above ${KNEE} nats; ${most}.`;
  }

  destroy() {
    this.observer.disconnect();
    this.pointTo(null);
    this.element.remove();
  }
}

// u32 header length | JSON header | float32 values, as heat/__init__.py packs it.
export function decode(bytes) {
  const [message, floats] = unpack(bytes);
  for (const map of message.maps) {
    map.steps = floats(map.columns);
    map.values = floats(map.columns * map.dimensions.length);
  }
  return message;
}

// Round steps within the range, at most `most` of them.
export function stepTicks([first, last], most) {
  const least = (last - first) / Math.max(1, most);
  const decade = 10 ** Math.floor(Math.log10(least));
  const pitch = Math.max(1, [1, 2, 5, 10].map(n => n * decade).find(n => n >= least * 0.999)); // steps are whole
  const ticks = [];
  for (let i = Math.ceil(first / pitch); i * pitch <= last; i++) ticks.push(i * pitch);
  return ticks;
}

export function short(v) {
  const [unit, letter] = [[1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([least]) => v >= least) ?? [1, ""];
  return Number((v / unit).toPrecision(6)) + letter;
}

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const THREE = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });

export function nats(value) {
  if (Math.abs(value) < 5e-5) return "0.0000"; // as good as none, and rounding may make it negative
  return Math.abs(value) < 0.1 ? value.toFixed(4) : THREE.format(value);
}
