// Live curves: a grid of uPlot charts that share one x axis, one cursor, one zoom and one legend.
// Nothing is sent to the server: zoom and legend are local.

import { make, setText, unpack } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { lapOf, paintOf, placeOf, readTheme } from "../lib/palette.js";
import { saveButton, together } from "../lib/save.js";
import { tipOf } from "../lib/tip.js";
import uPlot from "../lib/uPlot.esm.js";
import { drawChart } from "./picture.js";

const NARROW = 700; // px: below it one column
const FEW = 40; // points: up to here each is marked, since a single point draws no line
const AXIS_TEXT = 14; // px: readable from the back row
const MARKS = 12; // on a line whose colour another run has too
const DOTTED = [2, 5]; // px: lines of the right-hand axis, and that axis
const STAIRS = uPlot.paths.stepped({ align: 1 });

export default mounted(({ parentElement }) => new Curves(parentElement), (view, { data }) => view.update(data));

class Curves {
  constructor(parent) {
    this.root = rootOf("curves", parent);
    this.root.dataset.zoomed = "false";
    const bar = make("div", "bar", this.root);
    this.legend = make("div", "bar", bar);
    this.legend.style.margin = 0;
    this.styles = make("span", "styles", bar);
    for (const [name, style] of [["training", ""], ["validation", "dashed"]]) {
      const item = make("span", "", this.styles);
      make("i", `line ${style}`, item);
      item.append(name);
    }
    make("span", "space", bar);
    const reset = make("button", "reset", bar, "Reset zoom");
    reset.onclick = () => this.zoomTo(null);
    saveButton(bar, () => this.saved());
    this.grid = make("div", "grid", this.root);

    this.syncKey = Symbol("curves").toString() + Math.random(); // cursors meet within one view, not across the page
    this.panels = [];
    this.chips = new Map(); // group -> its button
    this.places = new Map(); // group -> place in the palette: sticky, so a run keeps its colour when others leave
    this.hidden = new Set(); // groups switched off in the legend
    this.zoom = null; // [min, max] of x, or null: follow the data
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.root);
  }

  update(bytes) {
    if (bytes !== this.bytes) this.message = decode((this.bytes = bytes)); // the same bytes: only the theme changed
    this.theme = readTheme(this.root, this.theme);
    const { panels, columns, height } = this.message;
    this.root.style.setProperty("--columns", columns);
    this.root.style.setProperty("--height", `${height}px`);
    this.root.dataset.points = panels[0]?.series[0]?.given ?? 0;
    const all = panels.flatMap(panel => panel.series);
    this.styles.hidden = !all.some(s => s.dashed);
    this.updateLegend([...new Set(all.map(s => s.group))]);
    this.findExtent();
    while (this.panels.length > panels.length) this.panels.pop().destroy();
    while (this.panels.length < panels.length) this.panels.push(new Panel(this));
    this.panels.forEach((panel, i) => panel.update(panels[i]));
  }

  updateLegend(groups) {
    for (const [group, chip] of this.chips) {
      if (!groups.includes(group)) {
        chip.remove();
        this.chips.delete(group);
      }
    }
    for (const group of groups) {
      placeOf(group, this.message.places, this.places);
      if (!this.chips.has(group)) {
        const chip = make("button", "chip", this.legend);
        make("i", "swatch", chip);
        make("span", "name", chip, group);
        chip.title = `Show or hide ${group}`;
        chip.setAttribute("aria-pressed", !this.hidden.has(group));
        chip.onclick = () => this.toggle(group);
        this.chips.set(group, chip);
      }
      this.chips.get(group).style.setProperty("--colour", this.colour(group));
      this.chips.get(group).dataset.lap = this.lap(group);
    }
  }

  toggle(group) {
    if (!this.hidden.delete(group)) this.hidden.add(group);
    this.chips.get(group).setAttribute("aria-pressed", !this.hidden.has(group));
    this.findExtent();
    for (const panel of this.panels) panel.refresh();
  }

  colour(group, dashed = false) {
    const palette = dashed ? this.theme.strong : this.theme.palette;
    return paintOf(this.places.get(group), palette, this.theme.text);
  }

  lap(group) {
    return lapOf(this.places.get(group), this.theme.palette);
  }

  // The extent of x over all panels, so that they stand aligned above each other.
  findExtent() {
    const all = this.message.panels.flatMap(panel => panel.series).filter(s => s.x.length > 0);
    const shown = all.filter(s => !this.hidden.has(s.group));
    const used = shown.length > 0 ? shown : all;
    const min = Math.min(...used.map(s => s.x[0]));
    const max = Math.max(...used.map(s => s.x[s.x.length - 1]));
    if (max > min) this.extent = [min, max];
    else this.extent = this.message.logX ? [min / 2, min * 2] : [min - 1, min + 1]; // one single point
  }

  xRange() {
    return this.zoom ?? this.extent;
  }

  zoomTo(range) {
    this.zoom = range;
    this.root.dataset.zoomed = String(range !== null);
    const [min, max] = this.xRange();
    for (const panel of this.panels) panel.plot?.setScale("x", { min, max });
  }

  fit() {
    this.root.classList.toggle("narrow", this.root.clientWidth < NARROW);
    for (const panel of this.panels) panel.fit();
  }

  // All charts as they are seen, with their legend.
  saved() {
    const shown = this.panels.filter(panel => panel.plot);
    if (shown.length === 0) return null;
    const parts = [...this.chips.values()].flatMap(chip => [{ swatch: chip.firstChild }, { words: chip.lastChild }]);
    for (const panel of shown) {
      parts.push({ words: panel.name }, { words: panel.unit }, { words: panel.rightName },
        { element: panel.plot.root, draw: c => drawChart(c, panel) });
    }
    const name = `${[...this.chips.keys()].slice(0, 3).join("-")}-curves`;
    return together({ name, background: this.theme.background, parts });
  }

  destroy() {
    this.observer.disconnect();
    for (const panel of this.panels) panel.destroy();
    this.root.remove();
  }
}

class Panel {
  constructor(view) {
    this.view = view;
    this.element = make("section", "panel", view.grid);
    this.title = make("div", "title", this.element);
    this.name = make("span", "name", this.title);
    this.unit = make("span", "unit", this.title);
    this.right = make("span", "right", this.title);
    make("i", "line dotted", this.right);
    this.rightName = make("span", "", this.right);
    this.note = make("div", "note", this.element);
    this.box = make("div", "plot", this.element);
    this.waiting = make("div", "waiting", this.box, "waiting for the first values");
    this.tip = tipOf(this.box);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.box);
  }

  update(spec) {
    this.spec = spec;
    setText(this.name, spec.title);
    setText(this.unit, spec.unit && `(${spec.unit})`);
    this.right.hidden = !spec.series.some(s => s.right);
    const { rightTitle, rightUnit } = spec;
    setText(this.rightName, [rightTitle + (rightUnit && ` (${rightUnit})`), "right axis"].filter(Boolean).join(", "));
    setText(this.note, spec.note);
    this.note.title = spec.note;
    if (spec.help) this.title.dataset.help = spec.help;
    else delete this.title.dataset.help;
    this.title.tabIndex = spec.help ? 0 : -1;
    this.waiting.hidden = spec.series.some(s => s.points > 0);

    const { logX, xLabel } = this.view.message;
    const { smoothing } = spec;
    // With smoothing a solid series gives two lines, the faint raw one and the smooth one; curves/__init__.py says why not a
    // dashed or dotted one. Those are drawn last: few strokes, else buried under a noisy training.
    const smoothable = series => smoothing > 0 && !series.dashed && !series.right;
    const raw = spec.series.map(series => ({ series, faint: smoothable(series), values: withGaps(series.y) }));
    const smoothed = spec.series.filter(smoothable)
      .map(series => ({ series, faint: false, values: smooth(series, smoothing) }));
    const depth = line => (line.faint ? 0 : line.series.dashed || line.series.right ? 2 : 1);
    this.lines = [...raw, ...smoothed].sort((a, b) => depth(a) - depth(b)); // a stable sort
    // join puts undefined where a line has no point at another's x (bridged when drawn), null stays a gap
    const tables = this.lines.map(line => [line.series.x, line.values]);
    this.data = tables.length > 0 ? uPlot.join(tables) : [[]];
    const shape = JSON.stringify([
      logX, spec.logY, xLabel, smoothing > 0, this.view.theme.font,
      spec.series.map(s => [s.label, s.group, s.dashed, s.right, s.step]),
    ]);
    if (this.plot && shape === this.shape && this.waiting.hidden) this.refresh(true);
    else this.rebuild(shape);
    this.describe();
  }

  // New values, another zoom or other visible runs: the chart, its nodes and its listeners stay.
  refresh(newData = false) {
    if (!this.plot) return;
    this.lines.forEach((line, i) => {
      this.plot.series[i + 1].show = !this.view.hidden.has(line.series.group);
    });
    this.plot.setData(newData ? this.data : this.plot.data); // the same data again: both scales find their range
    this.showTip();
  }

  // Another set of lines or another kind of axis. The old chart leaves and the new one draws before the next frame.
  rebuild(shape) {
    this.plot?.destroy();
    this.plot = null;
    this.shape = shape;
    this.tip.hidden = true;
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!this.waiting.hidden || !(width > 0 && height > 0)) return; // fit() comes back once there is room
    this.plot = new uPlot(this.options(width, height), this.data, this.box);
    const canvas = this.plot.root.querySelector("canvas");
    canvas.setAttribute("role", "img");
    canvas.tabIndex = 0;
    canvas.onkeydown = event => this.onKey(event);
  }

  options(width, height) {
    const { view } = this;
    const { xLabel, logX } = view.message;
    const font = `${AXIS_TEXT}px ${view.theme.font}`;
    const axis = {
      font,
      labelFont: font,
      stroke: () => view.theme.text, // functions: a change of theme needs a redraw only
      grid: { stroke: () => view.theme.grid, width: 1, filter: gridLines },
      ticks: { show: false },
    };
    const left = this.spec.series.some(s => !s.right);
    const right = this.spec.series.some(s => s.right);
    const border = { show: true, stroke: axis.stroke, width: 2, dash: DOTTED };
    return {
      width,
      height,
      padding: [8, right ? 0 : 14, 0, left ? 0 : 14],
      legend: { show: false },
      scales: {
        x: { time: false, distr: logX ? 3 : 1, range: () => view.xRange() },
        y: { distr: this.spec.logY ? 3 : 1, range: (u, min, max) => yRange(this.spec.logY, min, max) },
        right: { range: (u, min, max) => yRange(false, min, max) },
      },
      axes: [
        { ...axis, values: ticks(logX), size: 28, gap: 6, label: xLabel, labelSize: 22, labelGap: 0, space: 70 },
        { ...axis, show: left, values: ticks(this.spec.logY), size: widest, gap: 6, space: 36 },
        {
          ...axis, show: right, side: 1, scale: "right", values: ticks(false), size: widest, gap: 6, space: 36, border,
          grid: { ...axis.grid, show: !left },
        },
      ],
      series: [{}, ...this.lines.map((line, i) => this.seriesOptions(line, i))],
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false }, // the view sets the zoom, for all panels at once
        sync: { key: view.syncKey, scales: ["x", null], filters: { pub: type => type === "mousemove" } },
        points: { size: (u, i) => (this.lines[i - 1].faint ? 0 : 8), fill: (u, i) => this.lineColour(i - 1) },
        dataIdx: nearest,
        bind: {
          dblclick: () => () => view.zoomTo(null),
        },
      },
      hooks: {
        setCursor: [() => this.showTip()],
        setSelect: [u => {
          const { left, width } = u.select;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (width > 4) view.zoomTo([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
        }],
      },
    };
  }

  seriesOptions(line, i) {
    const stroke = () => this.lineColour(i);
    const { dashed, right, step, group } = line.series;
    const marked = !line.faint && !right && this.view.lap(group) > 0;
    return {
      stroke,
      scale: right ? "right" : "y",
      width: right ? 2.5 : 2,
      paths: step ? STAIRS : undefined,
      alpha: line.faint ? 0.28 : 1,
      dash: right ? DOTTED : dashed ? [8, 6] : undefined,
      show: !this.view.hidden.has(group),
      points: marked
        ? { show: true, filter: spaced, size: 9, width: 2, fill: () => this.view.theme.background, stroke, dash: [] }
        : { show: () => this.lines[i].series.points <= FEW, filter: alone, size: 6, fill: stroke, dash: [] },
    };
  }

  // The rows of a line that are marked, and whether by rings: those of a colour that another run has too.
  marks(i) {
    const { series, faint } = this.lines[i];
    const ringed = !faint && !series.right && this.view.lap(series.group) > 0;
    if (ringed) return { ringed, rows: spaced(this.plot, i + 1) };
    const few = series.points <= FEW && !faint;
    const all = () => [...this.plot.data[i + 1].keys()].filter(row => this.plot.data[i + 1][row] != null);
    return { ringed, rows: few ? all() : alone(this.plot, i + 1, false) ?? [] };
  }

  lineColour(i) {
    const { group, dashed, right } = this.lines[i].series;
    return this.view.colour(group, dashed || right);
  }

  showTip() {
    const { plot, tip } = this;
    if (!plot || plot.cursor.idx == null || plot.cursor.left < 0) {
      tip.hidden = true;
      return;
    }
    const { xLabel } = this.view.message;
    const rows = [];
    const twoUnits = !this.right.hidden; // then each value names its own
    this.lines.forEach((line, i) => {
      const at = plot.cursor.idxs[i + 1];
      if (line.faint || at == null || this.view.hidden.has(line.series.group)) return;
      const row = make("div", "row");
      make("i", `line ${styleOf(line.series)}`, row).style.color = this.lineColour(i);
      make("span", "name", row, this.nameOf(line.series));
      const read = plot.data[i + 1][at];
      const value = make("b", "", row, twoUnits ? withUnit(read, this.unitOf(line.series)) : number(read));
      const raw = this.lines.findIndex(other => other.faint && other.series === line.series);
      if (raw >= 0) make("span", "raw", value, ` (raw ${number(plot.data[raw + 1][at])})`);
      rows.push(row);
    });
    const room = Math.max(1, Math.floor((plot.height - 60) / 20));
    if (rows.length > room) rows.splice(room - 1, Infinity, make("div", "row", null, `and ${rows.length - room + 1} more`));
    tip.hidden = rows.length === 0;
    const head = make("div", "row", null, `${xLabel} ${GROUPED.format(plot.data[0][plot.cursor.idx])}`);
    make("b", "unit", head, twoUnits ? "" : this.spec.unit);
    tip.replaceChildren(head, ...rows);
    // beside the cursor, on the side that has room
    const left = plot.over.offsetLeft + plot.cursor.left;
    const free = plot.width - tip.offsetWidth;
    const side = left + 14 > free ? left - 14 - tip.offsetWidth : left + 14;
    tip.style.left = `${Math.max(0, Math.min(free, side))}px`;
  }

  nameOf({ group, label }) {
    if (this.view.chips.size === 1) return label; // one run: its name says nothing
    return group === label ? label : `${group} ${label}`;
  }

  unitOf({ right }) {
    return right ? this.spec.rightUnit : this.spec.unit;
  }

  onKey(event) {
    const { plot } = this;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.view.zoomTo(null);
    if (!step) return;
    event.preventDefault();
    const width = plot.over.clientWidth;
    const from = plot.cursor.left >= 0 ? plot.cursor.left : width / 2;
    plot.setCursor({ left: Math.min(width, Math.max(0, from + (step * width) / 50)), top: 0 });
  }

  // What a screen reader says of the canvas.
  describe() {
    const last = this.spec.series.filter(s => s.points > 0).map(s => {
      const i = s.y.findLastIndex(y => !Number.isNaN(y));
      return `${this.nameOf(s)} ${i < 0 ? "no value" : withUnit(s.y[i], this.unitOf(s))}`;
    });
    const text = `${this.spec.title}. Last values: ${last.join(", ")}`;
    this.plot?.root.querySelector("canvas").setAttribute("aria-label", text);
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!(width > 0 && height > 0) || !this.spec) return;
    if (!this.plot) {
      this.rebuild(this.shape);
      this.describe();
    } else if (width !== this.plot.width || height !== this.plot.height) {
      this.plot.setSize({ width, height });
    }
  }

  destroy() {
    this.observer.disconnect();
    this.plot?.destroy();
    this.element.remove();
  }
}

// u32 header length | JSON header | float32 columns, as curves/__init__.py packs it.
export function decode(bytes) {
  const [message, column] = unpack(bytes);
  for (const s of message.panels.flatMap(panel => panel.series)) {
    s.x = column(s.points);
    s.y = column(s.points);
    if (s.blocked) {
      s.mean = column(s.points);
      s.count = column(s.points);
    }
  }
  return message;
}

// Exponential moving average, debiased: divided by the mass of the weights so far, so it starts at the first value.
// A thinned series brings the mean and count of what each kept point stands for; thinning then leaves the curve as is.
export function smooth(s, weight) {
  let sum = 0;
  let mass = 0;
  return Array.from(s.y, (y, i) => {
    const count = s.count ? s.count[i] : 1;
    const mean = s.mean ? s.mean[i] : y;
    if (count > 0 && !Number.isNaN(mean)) {
      const keep = weight ** count;
      sum = sum * keep + mean * (1 - keep);
      mass = mass * keep + (1 - keep);
    }
    return Number.isNaN(y) ? null : sum / mass;
  });
}

// About a dozen rows of a line, evenly apart, and its last: where marks tell it from another of its colour.
function spaced(u, seriesIndex) {
  const rows = [];
  u.data[seriesIndex].forEach((y, i) => {
    if (y != null) rows.push(i);
  });
  const every = Math.max(1, Math.ceil(rows.length / MARKS));
  return rows.filter((_, i) => i % every === 0 || i === rows.length - 1);
}

// Rows of values with a gap on both sides: no line reaches them, so they are marked. null: mark all, or none.
function alone(u, seriesIndex, markedAnyway) {
  if (markedAnyway) return null;
  const found = [];
  let stretch = []; // the first two rows since the last gap: one alone is what we look for
  const close = () => {
    if (stretch.length === 1) found.push(stretch[0]);
    stretch = [];
  };
  u.data[seriesIndex].forEach((y, i) => {
    if (y === null) close();
    else if (y !== undefined && stretch.length < 2) stretch.push(i);
  });
  close();
  return found.length > 0 ? found : null;
}

function styleOf({ dashed, right }) {
  return right ? "dotted" : dashed ? "dashed" : "";
}

// uPlot breaks a line at null.
export function withGaps(values) {
  return Array.from(values, v => (Number.isNaN(v) ? null : v));
}

function yRange(log, min, max) {
  if (min == null) return log ? [1, 10] : [0, 1]; // all hidden, or only gaps in view
  return log ? uPlot.rangeLog(min, max, 10, false) : uPlot.rangeNum(min, max, 0.1, true);
}

// The row to read for a series at row i: its own nearest one in view. Beyond its ends a series has nothing to say.
function nearest(u, seriesIndex, i) {
  const xs = u.data[0];
  const ys = u.data[seriesIndex];
  if (seriesIndex === 0 || ys[i] !== undefined) return i;
  let left = i;
  let right = i;
  while (left >= 0 && ys[left] === undefined) left--;
  while (right < ys.length && ys[right] === undefined) right++;
  const distance = j => (xs[j] === undefined ? Infinity : Math.abs(u.valToPos(xs[j], "x") - u.valToPos(xs[i], "x")));
  const best = distance(left) <= distance(right) ? left : right;
  const between = left >= 0 && right < ys.length;
  const inView = xs[best] >= u.scales.x.min && xs[best] <= u.scales.x.max;
  return inView && (between || distance(best) < 12) ? best : null;
}

// Room for the widest label of the y axis, in steps of 8 px so that a new digit seldom moves the plot.
function widest(u, values) {
  if (!values) return 48;
  u.ctx.save();
  u.ctx.font = u.axes[1].font[0];
  const width = Math.max(...values.map(v => u.ctx.measureText(v).width)) / uPlot.pxRatio;
  u.ctx.restore();
  return Math.max(48, Math.ceil((width + 12) / 8) * 8);
}

// Over many decades the lines at 2, 3, ... 9 would crowd the plot.
function gridLines(u, splits, axisIndex) {
  const { distr, min, max } = u.scales[u.axes[axisIndex].scale];
  if (distr !== 3 || max / min < 1000) return splits;
  return splits.map(v => (Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6 ? v : null));
}

const UNITS = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

// Labels of ticks: 0.05, 10k, 2e-5. Six digits tell neighbours apart and hide rounding (0.30000000000000004).
export function ticks(log) {
  const text = (v, step) => {
    const size = Math.abs(v);
    if (v === null) return ""; // a tick of a log axis that gets no label
    if (!log && size < step * 1e-6) return "0";
    if (log ? size < 1e-3 : step < 1e-4) return Number(v.toPrecision(6)).toExponential();
    const [unit, letter] = UNITS.find(([least]) => size >= least) ?? [1, ""];
    return Number((v / unit).toPrecision(6)) + letter;
  };
  return (u, splits, axis, space, step) => splits.map(v => text(v, step));
}

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const FOUR = new Intl.NumberFormat("en", { minimumSignificantDigits: 4, maximumSignificantDigits: 4 });

// A value to read: four digits, more only before the point.
export function number(v) {
  if (v == null) return "no value";
  const size = Math.abs(v);
  if (size === 0) return "0";
  if (size >= 1e9 || size < 1e-3) return v.toExponential(3);
  return (size >= 1000 ? GROUPED : FOUR).format(v);
}

function withUnit(v, unit) {
  return v == null || !unit ? number(v) : `${number(v)} ${unit}`;
}
