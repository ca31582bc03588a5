// The points of a sweep. Above, parallel coordinates: a line a point across all fields to its number, with a filter on
// each axis. Below, slices: the number against each field, mean and interval over seeds. Filters and colours are kept in
// the address; nothing is sent to the server.

import { onBack, read, write } from "../lib/address.js";
import { button } from "../lib/controls.js";
import { make, setText, unpack } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { readTheme } from "../lib/palette.js";
import { saveButton, together } from "../lib/save.js";
import { placeTip, tipOf } from "../lib/tip.js";
import { pointerOn, sizes } from "../lib/talk.js";

const TOP = 44; // px above the axes, for their titles
const BOTTOM = 20;
const SIDE = 56; // px beside the first and the last axis
const NEAR = 14; // px: how close the pointer must come
const CATCH = 12; // px: within so many of an end of an axis, that end is meant
const STEP = 0.05; // of an axis that a key moves a filter by
const COLOURS = 8; // values of a field that are told apart by colour
const EDGE = { left: 78, right: 12, top: 10, bottom: 42 }; // px around a slice

export default mounted(
  ({ parentElement }) => new Sweep(parentElement),
  (view, { data }) => view.receive(data),
);

class Sweep {
  constructor(parent) {
    this.root = rootOf("sweep", parent);
    const bar = make("div", "bar", this.root);
    this.said = make("span", "said", bar);
    this.said.setAttribute("aria-live", "polite");
    this.clear = button(bar, "All points", "Take the filters away. Drag along an axis to set one.", () => this.filter([]));
    const label = make("label", "", bar, "Colour by");
    label.title = "The field whose values have colours in the slices; points that differ in nothing else are joined.";
    this.by = make("select", "", label);
    this.by.onchange = () => {
      write({ by: this.by.value });
      this.draw();
    };
    saveButton(bar, () => this.saved());
    this.parallel = make("div", "parallel", make("div", "scroll", this.root));
    this.canvas = make("canvas", "", this.parallel);
    Object.assign(this.canvas, { tabIndex: 0, onkeydown: event => this.walk(event) });
    this.canvas.setAttribute("role", "img");
    this.hover(this.canvas, (x, y) => this.nearestLine(x, y));
    this.tip = tipOf(this.parallel);
    this.legend = make("div", "legend", this.root);
    this.slices = make("div", "slices", this.root);
    this.axes = []; // the controls of the filters
    this.plots = []; // of the slices
    this.filters = []; // [low, high] by axis, or nothing
    this.hot = -1;
    this.coloured = { index: 0, values: new Map() };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.parallel);
    this.observer.observe(this.slices);
    this.back = onBack(() => this.fromAddress());
  }

  receive(bytes) {
    if (bytes !== this.bytes) {
      const before = this.message;
      [this.message] = unpack((this.bytes = bytes));
      if (fieldsOf(before) !== fieldsOf(this.message)) this.build();
      this.columns = [...this.message.axes, { title: this.message.title, ticks: this.message.ticks }];
    }
    this.theme = readTheme(this.root, this.theme);
    this.draw();
  }

  // The controls, anew where the fields are others.
  build() {
    const { axes, title } = this.message;
    this.by.replaceChildren(...axes.map(axis => new Option(axis.title, axis.field)));
    for (const axis of this.axes) axis.box.remove();
    this.axes = [...axes.map(axis => axis.title), title].map((name, index) => this.control(name, index));
    this.slices.replaceChildren();
    this.plots = axes.map((axis, index) => {
      const box = make("div", "slice", this.slices);
      const canvas = make("canvas", "", box);
      canvas.setAttribute("role", "img");
      this.hover(canvas, (x, y) => this.nearestDot(index, x, y));
      return { box, canvas, tip: tipOf(box) };
    });
    this.parallel.style.setProperty("--axes", this.axes.length);
    this.fromAddress();
  }

  fromAddress() {
    const { axes } = this.message;
    const by = read("by");
    this.by.value = axes.some(axis => axis.field === by) ? by : axes[Math.min(1, axes.length - 1)].field;
    this.filters = filtersOf(read("keep"), this.axes.length);
    this.draw();
  }

  // One axis: drag over it to keep a stretch, or move its two ends with the arrow keys.
  control(name, index) {
    const box = make("div", "axis", this.parallel);
    box.title = `${name}: drag to keep a stretch, click to keep all.`;
    const range = make("div", "range", box);
    const thumbs = ["lower", "upper"].map((end, side) => {
      const thumb = make("button", "thumb", box);
      Object.assign(thumb, { type: "button", onkeydown: event => this.nudge(event, index, side) });
      thumb.setAttribute("role", "slider");
      thumb.setAttribute("aria-orientation", "vertical");
      thumb.setAttribute("aria-label", `${name}: ${end} end of what is shown`);
      thumb.setAttribute("aria-valuemin", 0);
      thumb.setAttribute("aria-valuemax", 100);
      return thumb;
    });
    const at = event => {
      const { top, height } = box.getBoundingClientRect();
      const part = clamp(1 - (event.clientY - top) / height);
      const caught = CATCH / height;
      return part < caught ? 0 : part > 1 - caught ? 1 : part;
    };
    let begun = null;
    let pressed = null;
    box.onpointerdown = event => {
      if (event.button) return;
      box.setPointerCapture(event.pointerId);
      const [low, high] = this.filters[index] ?? [0, 1];
      const thumb = thumbs.indexOf(event.composedPath()[0]);
      begun = thumb < 0 ? at(event) : thumb === 0 ? high : low; // an end is moved, the other stays
      pressed = at(event);
    };
    box.onpointermove = event => {
      if (begun === null) return;
      const here = at(event);
      if (Math.abs(here - pressed) > 0.01) this.keep(index, [Math.min(begun, here), Math.max(begun, here)]);
    };
    box.onpointerup = event => {
      if (begun !== null && Math.abs(at(event) - pressed) <= 0.01 && begun === pressed) this.keep(index, undefined);
      begun = null;
    };
    box.onpointercancel = box.onlostpointercapture = () => (begun = null);
    return { box, range, thumbs };
  }

  nudge(event, index, side) {
    const by = { ArrowUp: STEP, ArrowRight: STEP, ArrowDown: -STEP, ArrowLeft: -STEP, Home: -1, End: 1 }[event.key];
    if (event.key === "Escape") this.keep(index, undefined);
    if (by === undefined) return;
    event.preventDefault();
    const ends = [...(this.filters[index] ?? [0, 1])];
    ends[side] = clamp(ends[side] + by);
    if (ends[0] <= ends[1]) this.keep(index, ends[0] <= 0 && ends[1] >= 1 ? undefined : ends);
  }

  keep(index, ends) {
    const filters = [...this.filters];
    filters[index] = ends;
    this.filter(filters);
  }

  filter(filters) {
    this.filters = filters;
    write({ keep: textOf(filters) || null });
    this.draw();
  }

  // With the arrow keys from point to point, the best first.
  walk(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const order = this.ranked();
    if (event.key === "Escape") this.hot = -1;
    else if (step === undefined || order.length === 0) return;
    else {
      const place = order.indexOf(this.hot);
      this.hot = order[place < 0 ? 0 : (place + step + order.length) % order.length];
    }
    event.preventDefault();
    this.draw();
  }

  ranked() {
    const { points, better } = this.message;
    const sign = better === "lower" ? 1 : -1;
    return points.map((_, i) => i).filter(i => this.kept(points[i])).sort((a, b) => sign * (points[a].value - points[b].value));
  }

  kept(point) {
    return passes([...point.at, point.y], this.filters);
  }

  hover(canvas, find) {
    canvas.onpointermove = canvas.onpointerdown = event => {
      const found = find(...pointerOn(event));
      if (found === this.hot) return;
      this.hot = found;
      this.draw();
    };
    canvas.onpointerleave = () => {
      this.hot = -1;
      this.draw();
    };
  }

  // ------------------------------------------------------------------------------------------------ where things are

  x(index) {
    return SIDE + (index * (this.parallel.clientWidth - 2 * SIDE)) / Math.max(1, this.axes.length - 1);
  }

  y(part) {
    return TOP + (1 - part) * (this.parallel.clientHeight - TOP - BOTTOM);
  }

  line(point) {
    return [...point.at, point.y].map((part, index) => [this.x(index), this.y(part)]);
  }

  nearestLine(x, y) {
    let [best, least] = [-1, NEAR];
    this.message.points.forEach((point, i) => {
      if (!this.kept(point)) return;
      const distance = fromLine(this.line(point), x, y);
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  nearestDot(index, x, y) {
    let [best, least] = [-1, NEAR];
    this.message.points.forEach((point, i) => {
      const [px, py] = this.dot(index, point);
      const distance = Math.hypot(px - x, py - y);
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  dot(index, point) {
    const { clientWidth: width, clientHeight: height } = this.plots[index].box;
    // Those of one value stand beside one another by their colour, so that no interval hides another.
    const { index: by, values } = this.coloured;
    const aside = index === by || !values.size ? 0 : [...values.keys()].indexOf(point.said[by]) - (values.size - 1) / 2;
    return [EDGE.left + 8 + point.at[index] * (width - EDGE.left - EDGE.right - 16) + 4 * aside,
      EDGE.top + (1 - point.y) * (height - EDGE.top - EDGE.bottom)];
  }

  // ---------------------------------------------------------------------------------------------------- what is drawn

  draw() {
    if (!this.message || !this.theme) return;
    const { points, axes, title } = this.message;
    const ranked = this.ranked();
    if (this.hot >= points.length) this.hot = -1;
    const filtered = this.filters.some(Boolean);
    this.clear.disabled = !filtered;
    const lead = points[this.hot] ?? points[ranked[0]];
    const which = this.hot >= 0 ? "Point" : filtered ? "The best of them: point" : "The best: point";
    const count = `${points.length} point${points.length === 1 ? "" : "s"}`;
    const shown = filtered ? `${ranked.length} of ${count}. ` : `${count}. `;
    setText(this.said, shown + (lead ? `${which} ${lead.number}, ${inWords(axes, lead)}: ${lead.words}.` : ""));
    this.canvas.setAttribute("aria-label", `Parallel coordinates of ${axes.map(axis => axis.title).join(", ")} and `
      + `${title}. ${this.said.textContent} Arrow keys go from point to point; the table has all of them.`);
    this.controls();
    const context = fitted(this.canvas);
    if (context) this.drawLines(context);
    this.showTip(this.tip, this.parallel, this.hot < 0 ? null : this.line(points[this.hot]).at(-1), "lines");
    this.explain();
    this.plots.forEach((plot, index) => {
      const own = fitted(plot.canvas);
      if (own) this.drawSlice(own, index);
      plot.canvas.setAttribute("aria-label", `${title} against ${axes[index].title}, mean and interval over seeds.`);
      this.showTip(plot.tip, plot.box, this.hot < 0 ? null : this.dot(index, points[this.hot]), index);
    });
  }

  controls() {
    this.axes.forEach(({ box, range, thumbs }, index) => {
      box.style.left = `${this.x(index)}px`;
      const set = this.filters[index];
      const [low, high] = set ?? [0, 1];
      box.dataset.set = Boolean(set);
      range.hidden = !set;
      Object.assign(range.style, { top: `${100 * (1 - high)}%`, bottom: `${100 * low}%` });
      thumbs.forEach((thumb, side) => {
        thumb.style.top = `${100 * (1 - [low, high][side])}%`;
        thumb.setAttribute("aria-valuenow", Math.round(100 * [low, high][side]));
        thumb.setAttribute("aria-valuetext", nearestTick(this.columns[index].ticks, [low, high][side]));
      });
    });
  }

  drawLines(c) {
    const { theme, message: { points, better } } = this;
    c.font = `14px ${theme.font}`;
    const kept = points.map(point => this.kept(point));
    const order = points.map((_, i) => i)
      .sort((a, b) => kept[a] - kept[b] || goodness(points[a], better) - goodness(points[b], better));
    for (const i of order) this.drawLine(c, points[i], kept[i] ? 0.25 + 0.75 * goodness(points[i], better) ** 2 : 0.06, 1.5);
    const best = points.find(point => point.best);
    if (best && this.kept(best)) this.drawLine(c, best, 1, 3);
    if (this.hot >= 0) this.drawLine(c, points[this.hot], 1, 4);
    c.textBaseline = "middle";
    this.columns.forEach(({ title, ticks }, index) => {
      const x = this.x(index);
      c.globalAlpha = 1;
      c.strokeStyle = theme.text;
      c.lineWidth = 1;
      path(c, [[x, this.y(0)], [x, this.y(1)]]);
      c.fillStyle = theme.text;
      c.textAlign = "center";
      const room = (this.parallel.clientWidth - 2 * SIDE) / Math.max(1, this.axes.length - 1);
      lines(c, title, Math.max(90, room - 12)).forEach((text, row, all) => {
        c.fillText(text, x, 22 - 9 * (all.length - 1) + 18 * row, Math.max(96, room - 8));
      });
      const last = index === this.columns.length - 1;
      c.textAlign = last ? "left" : "right";
      for (const [part, text] of ticks) halo(c, text, x + (last ? 7 : -7), this.y(part), theme);
    });
  }

  drawLine(c, point, strength, width) {
    const { theme } = this;
    c.save();
    c.lineWidth = width;
    c.lineJoin = "round";
    c.strokeStyle = point.state === "early" ? theme.text : theme.palette[0];
    c.globalAlpha = point.state === "early" ? Math.min(0.35, strength) : strength;
    if (point.state !== "finished") c.setLineDash(point.state === "early" ? [2, 4] : [7, 4]);
    path(c, this.line(point));
    c.restore();
  }

  // Which values have colours: those of the chosen field, where they are few.
  colours() {
    const index = Math.max(0, this.message.axes.findIndex(axis => axis.field === this.by.value));
    const values = new Map();
    for (const point of [...this.message.points].sort((a, b) => a.at[index] - b.at[index])) {
      values.set(point.said[index], values.size);
      if (values.size > COLOURS) return { index, values: new Map() };
    }
    const order = [...new Set([...this.message.points].sort((a, b) => a.at[index] - b.at[index]).map(p => p.said[index]))];
    return { index, values: new Map(order.map((said, i) => [said, this.theme.palette[i % this.theme.palette.length]])) };
  }

  explain() {
    this.coloured = this.colours();
    const { index, values } = this.coloured;
    const entries = [...values].map(([said, colour]) => {
      const entry = make("span", "entry");
      make("i", "swatch", entry).style.setProperty("--colour", colour);
      make("span", "name", entry, `${this.message.axes[index].title} ${said}`);
      return entry;
    });
    const marks = [["early", "○ stopped early"], ["open", "◌ so far"]].filter(([kind]) => this.message.points.some(point =>
      kind === "early" ? point.state === "early" : !["early", "finished"].includes(point.state)));
    this.legend.replaceChildren(...entries, ...marks.map(([, text]) => make("span", "entry", null, text)));
  }

  drawSlice(c, index) {
    const { theme, message: { points, axes, title, unit, ticks }, coloured } = this;
    const { clientWidth: width, clientHeight: height } = this.plots[index].box;
    c.font = `14px ${theme.font}`;
    Object.assign(c, { fillStyle: theme.text, strokeStyle: theme.grid, lineWidth: 1, textBaseline: "middle" });
    c.textAlign = "right";
    for (const [part, text] of ticks) {
      const y = EDGE.top + (1 - part) * (height - EDGE.top - EDGE.bottom);
      path(c, [[EDGE.left, y], [width - EDGE.right, y]]);
      c.fillText(text, EDGE.left - 6, y);
    }
    c.textAlign = "center";
    let free = -Infinity;
    for (const [part, text] of axes[index].ticks) {
      const x = EDGE.left + 8 + part * (width - EDGE.left - EDGE.right - 16);
      const half = c.measureText(text).width / 2;
      if (x - half < free) continue; // no room
      free = x + half + 6;
      c.fillText(text, Math.min(x, width - half), height - EDGE.bottom + 12);
    }
    c.fillText(axes[index].title, (EDGE.left + width) / 2, height - 10, width - EDGE.left);
    c.save();
    c.translate(8, (height - EDGE.bottom) / 2);
    c.rotate(-Math.PI / 2);
    c.fillText(unit ? `${title} (${unit})` : title, 0, 0, height - EDGE.bottom);
    c.restore();
    const colour = point => coloured.values.get(point.said[coloured.index]) ?? theme.palette[0];
    for (const joined of apart(points, index)) {
      c.globalAlpha = joined.every(point => this.kept(point)) ? 0.5 : 0.1;
      const unlike = index === coloured.index && coloured.values.size > 0; // its points have a colour each
      Object.assign(c, { strokeStyle: unlike ? theme.text : colour(joined[0]), lineWidth: 1.5 });
      path(c, joined.map(point => this.dot(index, point)));
    }
    points.forEach((point, i) => {
      const [x, y] = this.dot(index, point);
      const bar = point.half * (height - EDGE.top - EDGE.bottom);
      c.globalAlpha = this.kept(point) ? 1 : 0.12;
      Object.assign(c, { strokeStyle: colour(point), fillStyle: colour(point), lineWidth: i === this.hot ? 3 : 1.5 });
      if (bar) {
        c.save();
        c.globalAlpha *= 0.5;
        c.lineWidth = i === this.hot ? 3 : 1;
        c.beginPath();
        c.rect(EDGE.left, EDGE.top - 6, width, height - EDGE.top - EDGE.bottom + 12);
        c.clip();
        path(c, [[x, y - bar], [x, y + bar]]);
        c.restore();
      }
      c.beginPath();
      c.arc(x, y, point.best || i === this.hot ? 7 : 4.5, 0, 7);
      if (point.state === "finished") c.fill();
      else {
        c.fillStyle = theme.background;
        c.fill();
        c.setLineDash(point.state === "early" ? [] : [3, 3]);
        c.stroke();
        c.setLineDash([]);
      }
    });
    c.globalAlpha = 1;
  }

  showTip(tip, box, at, where) {
    tip.hidden = !at || this.hot < 0 || !box.matches(":hover, :has(:focus)") && where !== "lines";
    if (tip.hidden) return;
    const point = this.message.points[this.hot];
    const rows = [[`Point ${point.number}${point.best ? ", the best" : ""}`, ""],
      ...this.message.axes.map((axis, i) => [axis.title, point.said[i]]), [this.message.title, point.words],
      ["Seeds", `${point.n} of ${this.message.seeds}`], ["State", point.told]];
    tip.replaceChildren(...rows.map(([name, value]) => {
      const row = make("div", "row");
      make(value ? "span" : "b", "", row, name);
      if (value) make("b", "", row, value);
      return row;
    }));
    placeTip(tip, box, at);
  }

  saved() {
    const drawn = (canvas, draw) => ({ element: canvas, draw: c => {
      const hot = this.hot;
      this.hot = -1;
      draw(c);
      this.hot = hot;
    } });
    const parts = [drawn(this.canvas, c => this.drawLines(c)), ...this.plots.map(({ canvas }, index) =>
      drawn(canvas, c => this.drawSlice(c, index)))];
    for (const entry of this.legend.children) {
      if (entry.querySelector(".swatch")) parts.push({ swatch: entry.firstChild }, { words: entry.lastChild });
    }
    return together({ name: `${this.message.name}-sweep`, background: this.theme.background, parts });
  }

  destroy() {
    this.observer.disconnect();
    this.back();
    this.root.remove();
  }
}

// --------------------------------------------------------------------------------------------------- without a page

const clamp = part => Math.min(1, Math.max(0, part));
const fieldsOf = message => JSON.stringify(message && [message.name, message.axes.map(axis => axis.field)]);

// How good a point is among those there are, 0 to 1.
function goodness(point, better) {
  return better === "lower" ? 1 - point.y : point.y;
}

// Whether each place lies in the stretch that is kept of its axis; a little beyond its ends, as these are drawn by hand.
export function passes(places, filters) {
  return places.every((part, i) => !filters[i] || (part >= filters[i][0] - 1e-3 && part <= filters[i][1] + 1e-3));
}

// Filters as an address has them: "0:0.25-1,2:0-0.5" keeps a stretch of the first axis and of the third.
export function textOf(filters) {
  return Array.from(filters, (ends, i) => (ends ? `${i}:${ends.map(end => Math.round(end * 1000) / 1000).join("-")}` : ""))
    .filter(Boolean).join(",");
}

export function filtersOf(text, count) {
  const filters = Array(count).fill(undefined);
  for (const [, index, low, high] of (text ?? "").matchAll(/(\d+):([\d.]+)-([\d.]+)/g)) {
    const ends = [clamp(Number(low)), clamp(Number(high))];
    if (Number(index) < count && ends[0] <= ends[1]) filters[Number(index)] = ends;
  }
  return filters;
}

// The points that differ in one field alone, joined in its order; those without a companion are left out.
export function apart(points, index) {
  const groups = new Map();
  for (const point of points) {
    const others = JSON.stringify(point.said.toSpliced(index, 1));
    groups.set(others, [...(groups.get(others) ?? []), point]);
  }
  return [...groups.values()].filter(group => group.length > 1).map(group => group.sort((a, b) => a.at[index] - b.at[index]));
}

// How far a place is from a line of several points, in px.
export function fromLine(line, x, y) {
  let least = Infinity;
  for (let i = 1; i < line.length; i++) {
    const [[ax, ay], [bx, by]] = [line[i - 1], line[i]];
    const along = clamp(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / Math.max(1e-9, (bx - ax) ** 2 + (by - ay) ** 2));
    least = Math.min(least, Math.hypot(ax + along * (bx - ax) - x, ay + along * (by - ay) - y));
  }
  return least;
}

function nearestTick(ticks, part) {
  const near = ticks.reduce((best, tick) => (Math.abs(tick[0] - part) < Math.abs(best[0] - part) ? tick : best), ticks[0]);
  return near ? `about ${near[1]}` : `${Math.round(100 * part)} %`;
}

function inWords(axes, point) {
  return axes.map((axis, i) => `${axis.title} ${point.said[i]}`).join(", ");
}

function path(c, points) {
  c.beginPath();
  points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
  c.stroke();
}

// Words over lines, on a shadow of the background.
function halo(c, text, x, y, { text: ink, background }) {
  Object.assign(c, { lineWidth: 4, strokeStyle: background, fillStyle: ink, globalAlpha: 0.85, lineJoin: "round" });
  c.strokeText?.(text, x, y);
  c.globalAlpha = 1;
  c.fillText(text, x, y);
}

// A title in one line or two.
function lines(c, text, room) {
  const words = text.split(" ");
  if (c.measureText(text).width <= room || words.length === 1) return [text];
  const half = Math.ceil(words.length / 2);
  return [words.slice(0, half).join(" "), words.slice(half).join(" ")];
}

// The context of a canvas, blank, in CSS pixels; null where it has no room.
function fitted(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return null;
  const ratio = sizes(canvas).density;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  return c;
}
