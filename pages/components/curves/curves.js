// Live curves: a grid of uPlot charts that share one x axis, one cursor, one zoom and one legend.
// How they are looked at is set here and kept in the page's address; nothing is sent to the server.

import * as address from "../lib/address.js";
import { make, setText, unpack } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { minus } from "../lib/numbers.js";
import { lapOf, paintOf, placeOf, readTheme } from "../lib/palette.js";
import { saveButton, together } from "../lib/save.js";
import { tipOf } from "../lib/tip.js";
import uPlot from "../lib/uPlot.esm.js";
import { across, logTicksBelowZero, MEASURES, SPANS, spanOf, unitOf } from "./axes.js";
import { drawChart } from "./picture.js";
import { sizes } from "../lib/talk.js";

const NARROW = 700; // px: below it one column
const FEW = 40; // points: up to here each is marked, since a single point draws no line
const AXIS_TEXT = 14; // px: readable from the back row
const MARKS = 12; // on a line whose colour another run has too
const DOTTED = [2, 5]; // px: lines of the right-hand axis, and that axis
const FADED = 0.12; // opacity of the others while one run is raised
const RAW = 0.28; // opacity of what a smooth line is drawn over, and of a parent's part
const STAIRS = uPlot.paths.stepped({ align: 1 });
const KINDS = ["training", "validation"]; // labels of series that can be left out

export default mounted(({ parentElement }) => new Curves(parentElement), (view, { data }) => view.update(data));

class Curves {
  constructor(parent) {
    this.root = rootOf("curves", parent);
    this.bar = make("div", "bar", this.root);
    this.legend = make("div", "bar", this.bar);
    this.notes = make("div", "notes", this.root);
    this.grid = make("div", "grid", this.root);

    this.syncKey = Symbol("curves").toString() + Math.random(); // cursors meet within one view, not across the page
    this.panels = [];
    this.chips = new Map(); // group -> its button
    this.places = new Map(); // group -> place in the palette: sticky, so a run keeps its colour when others leave
    this.raised = null; // the group under the pointer in the legend
    this.makeControls();
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.root);
    this.followed = address.onBack(() => this.read());
  }

  makeControls() {
    const bar = make("div", "controls", this.root);
    this.grid.before(bar);
    const select = (title, options, help, then) => {
      const label = make("label", "field", bar, title);
      label.title = help;
      const one = make("select", "", label);
      one.setAttribute("aria-label", title === "y" ? "What the vertical axes span" : `What lies on ${title}`);
      for (const [value, [words, , more]] of Object.entries(options)) {
        Object.assign(make("option", "", one, words), { value, title: more ?? "" });
      }
      one.onchange = () => then(one.value);
      return one;
    };
    const toggle = (title, help, then) => {
      const one = make("button", "toggle", bar, title);
      one.title = help;
      one.onclick = () => then(one.getAttribute("aria-pressed") !== "true");
      return one;
    };
    const measureHelp = Object.values(MEASURES).map(([words, , help]) => `${words}: ${help}`).join("\n");
    this.measure = select("x", MEASURES, measureHelp, x => this.set({ x, zoom: null }));
    this.logX = toggle("Log x", "Logarithmic axis across", logx => this.set({ logx, zoom: null }));
    this.logY = toggle("Log y", "Logarithmic vertical axes, of values above 0, or of values below 0 by their size",
      logy => this.set({ logy }));
    const spanHelp = Object.values(SPANS).map(([words, help]) => `${words}: ${help}`).join("\n");
    this.span = select("y", SPANS, spanHelp, y => this.set({ y }));
    const label = make("label", "field", bar, "Smoothing");
    label.title = "Weight of the running average drawn over the raw training curve. Validation, already a mean over "
      + "the whole set, stays as it is.";
    this.smoothing = make("input", "", label);
    Object.assign(this.smoothing, { type: "range", min: 0, max: 0.99, step: 0.01 });
    this.weight = make("span", "said", label);
    this.smoothing.oninput = () => this.set({ smooth: Number(this.smoothing.value) });
    this.kinds = make("span", "kinds", bar);
    for (const name of KINDS) {
      const one = make("button", "toggle kind", this.kinds);
      make("i", `line ${name === "validation" ? "dashed" : ""}`, one);
      one.append(name);
      one.title = `Show or hide curves of ${name}`;
      one.dataset.kind = name;
      one.onclick = () => this.set({ without: this.settings.without === name ? "" : name });
    }
    make("span", "space", bar);
    const reset = make("button", "reset", bar, "Reset zoom");
    reset.title = "All of what lies across; a double click on a chart and Escape do the same";
    reset.onclick = () => this.zoomTo(null);
    saveButton(bar, () => this.saved());
  }

  update(bytes) {
    if (bytes !== this.bytes) this.message = decode((this.bytes = bytes)); // the same bytes: only the theme changed
    this.theme = readTheme(this.root, this.theme);
    if (!this.settings) this.settings = settingsOf(address.read, this.message.smoothing);
    const { panels, columns, height } = this.message;
    this.root.style.setProperty("--columns", columns);
    this.root.style.setProperty("--height", `${height}px`);
    this.root.dataset.points = panels[0]?.series[0]?.given ?? 0;
    const all = panels.flatMap(panel => panel.series);
    this.kinds.hidden = !KINDS.every(name => all.some(s => s.label === name));
    this.updateLegend([...new Set(all.map(s => s.group))]);
    while (this.panels.length > panels.length) this.panels.pop().destroy();
    while (this.panels.length < panels.length) this.panels.push(new Panel(this));
    this.panels.forEach((panel, i) => { panel.spec = panels[i]; });
    this.draw();
  }

  // What the visitor set, into the address; what is as it was at the beginning is left out there.
  set(changes) {
    Object.assign(this.settings, changes);
    address.write(wordsOf(this.settings, this.message.smoothing));
    this.draw();
  }

  read() { // the visitor came here by Back
    if (!this.message) return;
    this.settings = settingsOf(address.read, this.message.smoothing);
    for (const [group, chip] of this.chips) chip.setAttribute("aria-pressed", !this.settings.hide.has(group));
    this.draw();
  }

  draw() {
    const { settings, message } = this;
    this.measure.value = settings.x;
    this.span.value = settings.y;
    this.logX.setAttribute("aria-pressed", settings.logx);
    this.logY.setAttribute("aria-pressed", settings.logy);
    this.smoothing.value = settings.smooth;
    setText(this.weight, settings.smooth.toFixed(2));
    for (const one of this.kinds.children) one.setAttribute("aria-pressed", settings.without !== one.dataset.kind);
    this.root.dataset.zoomed = String(settings.zoom !== null);
    this.place();
    const alone = message.panels.some(panel => slug(panel.title) === settings.metric) ? settings.metric : "";
    this.root.classList.toggle("large", alone !== "");
    this.panels.forEach((panel, i) => panel.update(message.panels[i], alone));
    this.sayNotes();
  }

  // Where each series lies across: `across` of it; null where its run does not know that measure.
  place() {
    const { settings: { x, logx, hide }, message: { panels, runs } } = this;
    const all = panels.flatMap(panel => panel.series);
    let seconds = 0;
    for (const s of all) {
      s.across = s.level || (s.before && x !== "fork") ? null : across(s.x, x, runs[s.group]);
      if (s.across && x === "time" && s.points) seconds = Math.max(seconds, s.across[s.points - 1]);
    }
    [this.unit, this.factor] = x === "time" ? unitOf(seconds) : ["", 1];
    if (this.factor !== 1) for (const s of all) if (s.across) s.across = s.across.map(v => v / this.factor);
    const placed = all.filter(s => s.across && this.shows(s) && s.points > 0);
    const shown = placed.filter(s => !hide.has(s.group));
    // The extent over all panels, so that they stand aligned above each other.
    const ends = (shown.length > 0 ? shown : placed).flatMap(s => {
      const first = logx ? s.across.findIndex(v => v > 0) : 0;
      return first < 0 ? [] : [s.across[first], s.across[s.points - 1]];
    });
    const levels = all.filter(s => s.level && s.points > 0).flatMap(s => [s.x[0], s.x[s.points - 1]]);
    const used = ends.length > 0 ? ends : logx ? levels.filter(v => v > 0) : levels;
    const [min, max] = used.length > 0 ? [Math.min(...used), Math.max(...used)] : [logx ? 1 : 0, logx ? 10 : 1];
    if (max > min) this.extent = [min, max];
    else this.extent = logx ? [min / 2, min * 2] : [min - 1, min + 1]; // one single point
    for (const s of all) if (s.level && s.points > 0) s.across = Float64Array.from(s.x, (_, i) => (i ? max : min));
  }

  shows(s) {
    return s.label !== this.settings.without || this.kinds.hidden;
  }

  sayNotes() {
    const { settings: { x, hide }, message: { panels, runs, same } } = this;
    const groups = [...this.chips.keys()];
    const notes = Object.entries(same).map(([run, other]) => `${this.called(run)} lies exactly on ${this.called(other)}.`);
    const curves = panels.flatMap(panel => panel.series).filter(s => !s.level && s.points > 0);
    if (x !== "step") {
      const lost = groups.filter(group => !hide.has(group) && curves.some(s => s.group === group)
        && !curves.some(s => s.group === group && s.across));
      const what = { epoch: "how long an epoch of it is", time: "when its steps were", fork: "its steps" }[x];
      if (lost.length > 0) notes.push(`Not here: ${lost.map(group => this.called(group)).join(", ")}. Nothing kept says ${what}.`);
    }
    if (x === "fork" && !curves.some(s => s.before) && !Object.values(runs).some(run => run.zero > 0)) {
      notes.push("None of these runs is a fork whose parent is here: all begin at 0.");
    }
    setText(this.notes, notes.join(" "));
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
        make("span", "name", chip);
        chip.setAttribute("aria-pressed", !this.settings.hide.has(group));
        chip.onclick = () => this.toggle(group);
        chip.onpointerenter = chip.onfocus = () => this.raise(group);
        chip.onpointerleave = chip.onblur = () => this.raise(null);
        this.chips.set(group, chip);
      }
      setText(this.chips.get(group).lastChild, this.called(group));
      this.chips.get(group).title = `Show or hide ${group}; under the pointer it stands out`;
      this.chips.get(group).style.setProperty("--colour", this.colour(group));
      this.chips.get(group).dataset.lap = this.lap(group);
    }
  }

  called(group) {
    return Object.hasOwn(this.message.names, group) ? this.message.names[group] : group;
  }

  toggle(group) {
    const { hide } = this.settings;
    if (!hide.delete(group)) hide.add(group);
    this.chips.get(group).setAttribute("aria-pressed", !hide.has(group));
    this.raised = null;
    this.set({});
  }

  // One run stands out, and the others fade; null: all as they are.
  raise(group) {
    if (this.raised === group || (group !== null && (this.chips.size < 2 || this.settings.hide.has(group)))) return;
    this.raised = group;
    cancelAnimationFrame(this.frame); // a pointer that passes many draws the last
    this.frame = requestAnimationFrame(() => this.panels.forEach(panel => panel.fade()));
  }

  colour(group, dashed = false) {
    const palette = dashed ? this.theme.strong : this.theme.palette;
    return paintOf(this.places.get(group), palette, this.theme.text);
  }

  lap(group) {
    return lapOf(this.places.get(group), this.theme.palette);
  }

  xRange() {
    return this.settings.zoom ?? this.extent;
  }

  get xLabel() {
    return MEASURES[this.settings.x][1] + (this.unit && ` (${this.unit})`);
  }

  zoomTo(range) {
    this.settings.zoom = range;
    this.root.dataset.zoomed = String(range !== null);
    address.write(wordsOf(this.settings, this.message.smoothing));
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
    this.followed();
    cancelAnimationFrame(this.frame);
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
    this.enlarge = make("button", "enlarge", this.title, "Large");
    this.enlarge.onclick = () => view.set({ metric: view.settings.metric ? "" : slug(this.spec.title) });
    this.note = make("div", "note", this.element);
    this.box = make("div", "plot", this.element);
    this.waiting = make("div", "waiting", this.box);
    this.tip = tipOf(this.box);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.box);
  }

  update(spec, alone) {
    this.spec = spec;
    this.element.hidden = alone !== "" && alone !== slug(spec.title);
    setText(this.name, spec.title);
    setText(this.unit, spec.unit && `(${spec.unit})`);
    setText(this.enlarge, alone ? "All charts" : "Large");
    this.enlarge.title = alone ? "Back to all charts" : `${spec.title} alone, as large as the window`;
    this.enlarge.hidden = this.view.panels.length < 2;
    this.right.hidden = !spec.series.some(s => s.right);
    const { rightTitle, rightUnit } = spec;
    setText(this.rightName, [rightTitle + (rightUnit && ` (${rightUnit})`), "right axis"].filter(Boolean).join(", "));
    if (spec.help) this.title.dataset.help = spec.help;
    else delete this.title.dataset.help;
    this.title.tabIndex = spec.help ? 0 : -1;
    if (this.element.hidden) { // what is not seen costs nothing
      this.plot?.destroy();
      this.plot = null;
      return;
    }

    const { settings } = this.view;
    const smoothing = spec.maySmooth ? settings.smooth : 0;
    const placed = spec.series.filter(s => s.across && this.view.shows(s));
    setText(this.waiting, spec.series.some(s => s.points > 0) ? "nothing to show here" : "waiting for the first values");
    this.waiting.hidden = placed.some(s => s.points > 0);
    this.logY = settings.logy && spec.mayLog ? logKind(placed) : "";
    // With smoothing a solid series gives two lines, the faint raw one and the smooth one; curves/__init__.py says why not
    // a dashed or dotted one. Those are drawn last: few strokes, else buried under a noisy training.
    const smoothable = s => smoothing > 0 && !s.dashed && !s.right && !s.level;
    let dropped = 0;
    const line = (series, faint, values) => {
      const log = series.right ? "" : this.logY;
      const y = log ? values.map(v => (v === null || (log === "above" ? v > 0 : v < 0) ? v : (dropped++, null))) : values;
      const keep = settings.logx ? [...series.across.keys()].filter(i => series.across[i] > 0) : null;
      const part = values => (keep && values ? keep.map(i => values[i]) : values);
      return { series, faint, x: part(series.across), y: part(y), mean: faint || !smoothing ? part(series.mean) : null,
        count: part(series.count) };
    };
    const raw = placed.map(s => line(s, smoothable(s) || s.before, withGaps(s.y)));
    const lost = dropped;
    const smoothed = placed.filter(smoothable).map(s => line(s, s.before, smooth(s, smoothing)));
    const many = n => (n === 1 ? "1 value" : `${GROUPED.format(n)} values`);
    const outside = lost > 0 ? `${many(lost)} ${this.logY === "below" ? "at or above" : "at or below"} 0 not on the log scale`
      : "";
    const unseen = spec.hidden > 0 ? `${spec.hidden} of these curves lie${spec.hidden > 1 ? "" : "s"} exactly on another` : "";
    setText(this.note, [outside, spec.note, unseen].filter(Boolean).join("; "));
    this.note.title = this.note.textContent;
    const depth = one => (one.faint ? 0 : one.series.dashed || one.series.right ? 2 : 1);
    this.lines = [...raw, ...smoothed].sort((a, b) => depth(a) - depth(b)); // a stable sort
    // join puts undefined where a line has no point at another's x (bridged when drawn), null stays a gap
    this.data = this.lines.length > 0 ? uPlot.join(this.lines.map(one => [one.x, one.y])) : [[]];
    const shape = JSON.stringify([
      settings.logx, this.logY, this.view.xLabel, this.view.theme.font,
      this.lines.map(({ faint, series: s }) => [faint, s.label, s.group, s.dashed, s.right, s.step, s.before]),
    ]);
    if (this.plot && shape === this.shape && this.waiting.hidden) this.refresh(true);
    else this.rebuild(shape);
    this.describe();
  }

  // New values, another zoom or other visible runs: the chart, its nodes and its listeners stay.
  refresh(newData = false) {
    if (!this.plot) return;
    this.lines.forEach((line, i) => {
      this.plot.series[i + 1].show = !this.view.settings.hide.has(line.series.group);
      this.plot.series[i + 1].alpha = this.alpha(line);
    });
    this.plot.setData(newData ? this.data : this.plot.data); // the same data again: both scales find their range
    this.showTip();
  }

  alpha({ faint, series: { group } }) {
    const { raised } = this.view;
    return (raised === null || raised === group ? 1 : FADED) * (faint ? RAW : 1);
  }

  fade() {
    if (!this.plot) return;
    this.lines.forEach((line, i) => {
      this.plot.series[i + 1].alpha = this.alpha(line);
      this.plot.series[i + 1].width = this.view.raised === line.series.group && !line.faint ? 3 : lineWidth(line);
    });
    this.plot.redraw(false);
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
    const { xLabel, settings: { logx: logX } } = view;
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
        y: { ...DISTRIBUTIONS[this.logY], range: (u, min, max) => yRange(this.logY, ...this.spanned(min, max)) },
        right: { range: (u, min, max) => yRange("", min, max) },
      },
      axes: [
        { ...axis, values: ticks(logX), size: 28, gap: 6, label: xLabel, labelSize: 22, labelGap: 0, space: 70 },
        {
          ...axis, show: left, values: ticks(this.logY !== ""), size: widest, gap: 6, space: 36,
          ...(this.logY === "below" && { splits: (u, i, min, max) => logTicksBelowZero(min, max), filter: decades }),
        },
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
        move: (u, left, top) => { // the pointer comes in px of the screen, what others point at in ours
          const { zoom } = sizes(u.over);
          return u.over.matches(":hover") ? [left / zoom, top / zoom] : [left, top];
        },
        points: { size: (u, i) => (this.lines[i - 1].faint ? 0 : 8), fill: (u, i) => this.lineColour(i - 1) },
        dataIdx: nearest,
        bind: {
          dblclick: () => () => view.zoomTo(null),
        },
      },
      hooks: {
        setCursor: [() => this.showTip()],
        draw: [u => { if (u === this.plot) this.describe(); }],
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
      width: lineWidth(line),
      paths: step ? STAIRS : undefined,
      alpha: this.alpha(line),
      dash: right ? DOTTED : dashed ? [8, 6] : undefined,
      show: !this.view.settings.hide.has(group),
      points: marked
        ? { show: true, filter: spaced, size: 9, width: 2, fill: () => this.view.theme.background, stroke, dash: [] }
        : { show: () => this.lines[i].series.points <= FEW, filter: alone, size: 6, fill: stroke, dash: [] },
    };
  }

  // What the vertical axis is to span of the values from `min` to `max` that are in view.
  spanned(min, max) {
    const { settings } = this.view;
    if (settings.y === "all" || min == null) return [min, max];
    const shown = this.lines.filter(({ series }) => !series.right && !settings.hide.has(series.group));
    return spanOf(shown, ...this.view.xRange(), settings.y, settings.logx) ?? [min, max];
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
    const { xLabel } = this.view;
    const rows = [];
    const twoUnits = !this.right.hidden; // then each value names its own
    this.lines.forEach((line, i) => {
      const at = plot.cursor.idxs[i + 1];
      if ((line.faint && !line.series.before) || at == null || this.view.settings.hide.has(line.series.group)) return;
      const row = make("div", "row");
      make("i", `line ${styleOf(line.series)}`, row).style.color = this.lineColour(i);
      make("span", "name", row, this.nameOf(line.series));
      row.classList.toggle("raised", this.view.raised === line.series.group);
      const read = plot.data[i + 1][at];
      const value = make("b", "", row, twoUnits ? withUnit(read, this.unitOf(line.series)) : number(read));
      const raw = this.lines.findIndex(other => other !== line && other.faint && other.series === line.series);
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

  nameOf({ group, label, before }) {
    const name = before ? `${label}, its parent` : label;
    if (this.view.chips.size === 1) return name; // one run: its name says nothing
    return group === label ? label : `${this.view.called(group)} ${name}`;
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
    if (!this.plot) return;
    const range = ({ min, max }) => (min == null ? "nothing" : `${number(min)} to ${number(max)}`);
    const { x, y } = this.plot.scales;
    const text = `${this.spec.title}. Last values: ${last.join(", ")}. Across: ${this.view.xLabel}, ${range(x)}. Up: ${range(y)}`;
    const canvas = this.plot.root.querySelector("canvas");
    if (canvas.getAttribute("aria-label") !== text) canvas.setAttribute("aria-label", text);
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
  for (const clock of Object.values(message.runs)) {
    clock.steps = column(clock.knots);
    clock.seconds = column(clock.knots);
  }
  return message;
}

// How the curves are looked at, as the address has it; `read` gives the words of a name. What is none is left out.
export function settingsOf(read, smoothing) {
  const zoom = (read("zoom") ?? "").split(",").map(Number);
  const smooth = Number(read("smooth") ?? NaN);
  return {
    x: Object.hasOwn(MEASURES, read("x") ?? "") ? read("x") : "step",
    logx: read("logx") === "true",
    logy: read("logy") === "true",
    y: Object.hasOwn(SPANS, read("y") ?? "") ? read("y") : "all",
    smooth: smooth >= 0 && smooth <= 0.99 ? smooth : smoothing,
    zoom: zoom.length === 2 && zoom.every(Number.isFinite) && zoom[0] < zoom[1] ? zoom : null,
    metric: read("metric") ?? "",
    hide: new Set((read("hide") ?? "").split(",").filter(Boolean)),
    without: KINDS.includes(read("without")) ? read("without") : "",
  };
}

// The same as words of the address; null for what is as at the beginning.
export function wordsOf(settings, smoothing) {
  const { x, logx, logy, y, smooth, zoom, metric, hide, without } = settings;
  return {
    x: x === "step" ? null : x,
    logx: logx || null,
    logy: logy || null,
    y: y === "all" ? null : y,
    smooth: smooth === smoothing ? null : smooth,
    zoom: zoom && zoom.map(v => Number(v.toPrecision(6))).join(","),
    metric: metric || null,
    hide: [...hide].join(",") || null,
    without: without || null,
  };
}

// A chart's name in the address.
export const slug = title => title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");

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

// Which log axis the values have: of those above 0 where there are any, else of those below 0, by their size.
function logKind(series) {
  const values = series.filter(s => !s.right).flatMap(s => Array.from(s.y)).filter(v => !Number.isNaN(v));
  return values.length > 0 && values.every(v => v < 0) ? "below" : "above";
}

const DISTRIBUTIONS = {
  "": { distr: 1 },
  above: { distr: 3 },
  below: { distr: 100, fwd: v => -Math.log10(Math.max(1e-30, -v)), bwd: v => -(10 ** -v) },
};

function yRange(log, min, max) {
  if (min == null) return { "": [0, 1], above: [1, 10], below: [-10, -1] }[log]; // all hidden, or only gaps in view
  if (log === "above") return uPlot.rangeLog(min, max, 10, false);
  if (log === "below") return [min * 1.05, max / 1.05];
  return uPlot.rangeNum(min, max, 0.1, true);
}

const lineWidth = ({ series: { right } }) => (right ? 2.5 : 2);

// Labels of a log axis below 0: where many decades lie, only theirs.
function decades(u, splits) {
  if (splits.length <= 12) return splits;
  return splits.map(v => (Math.abs(Math.log10(-v) - Math.round(Math.log10(-v))) < 1e-6 ? v : null));
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
  return (u, splits, axis, space, step) => splits.map(v => minus(text(v, step)));
}

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const FOUR = new Intl.NumberFormat("en", { minimumSignificantDigits: 4, maximumSignificantDigits: 4 });

// A value to read: four digits, more only before the point.
export function number(v) {
  if (v == null) return "no value";
  const size = Math.abs(v);
  if (size === 0) return "0";
  if (size >= 1e9 || size < 1e-3) return minus(v.toExponential(3));
  return minus((size >= 1000 ? GROUPED : FOUR).format(v));
}

function withUnit(v, unit) {
  return v == null || !unit ? number(v) : `${number(v)} ${unit}`;
}
