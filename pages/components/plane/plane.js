// Planes drawn on canvas: points that move over training under one scrubber, and paths of rate against distortion.
// Nothing is sent to the server.

import { make, setText, unpack } from "../lib/dom.js";
import { answered } from "../lib/keys.js";
import { mounted, rootOf } from "../lib/mount.js";
import { fixed, minus } from "../lib/numbers.js";
import { lapOf, paintOf, placeOf, readTheme } from "../lib/palette.js";
import { clamp, grouped, Plot, ticks } from "../lib/plot.js";
import { saveButton, together } from "../lib/save.js";

const TRAIL = 5; // snapshots
const FADED = 0.15; // opacity of the others while one run is raised
const SPEEDS = [0.5, 1, 2, 4];
const PRESSED = "button, a, summary";
const EDITING = "input, textarea, select, button, a, summary, [contenteditable], [role=slider], [role=combobox], [role=tab]";

const KINDS = {
  tracks: parent => new Trajectories(parent), paths: parent => new Paths(parent), spectra: parent => new Spectra(parent),
};

export default mounted(
  ({ data, parentElement }) => KINDS[decode(data).kind](parentElement),
  (view, { data }) => view.receive(data),
);

class View {
  constructor(parent, className) {
    this.root = rootOf(className, parent);
    this.places = new Map(); // run -> place in the palette: sticky, so a run keeps its colour when others leave
  }

  receive(bytes) {
    if (bytes !== this.bytes) this.message = decode((this.bytes = bytes)); // the same bytes: only the theme changed
    this.theme = readTheme(this.root, this.theme);
    this.root.style.setProperty("--height", `${this.message.height}px`);
    this.update();
  }

  colour(run) {
    return paintOf(placeOf(run, this.message?.places, this.places), this.theme.palette, this.theme.text);
  }

  lap(run) {
    return lapOf(placeOf(run, this.message?.places, this.places), this.theme.palette);
  }

  paint(label) {
    return this.message.classes[label % this.message.classes.length]; // never those of runs
  }

  destroy() {
    this.root.remove();
  }
}

// ---------------------------------------------------------------------------------------------- points over training

class Trajectories extends View {
  constructor(parent) {
    super(parent, "planes");
    this.root.tabIndex = -1;
    const bar = make("div", "bar", this.root);
    this.play = make("button", "play", bar);
    make("i", "", this.play);
    this.playName = make("span", "", this.play, "Play");
    this.play.onclick = () => this.toggle();
    this.range = make("input", "", bar);
    Object.assign(this.range, { type: "range", min: 0, step: "any" });
    this.range.setAttribute("aria-label", "Step of training");
    this.range.oninput = () => this.jump(Math.round(this.range.value));
    this.label = make("span", "step", bar);
    this.speed = make("select", "", bar);
    this.speed.setAttribute("aria-label", "Speed");
    for (const speed of SPEEDS) make("option", "", this.speed, `${speed}×`).value = speed;
    this.speed.value = 1;
    saveButton(bar, () => this.saved());
    this.legend = make("div", "legend", this.root);
    this.legend.setAttribute("aria-label", "Classes");
    this.legend.role = "list";
    this.grid = make("div", "grid", this.root);

    this.figures = [];
    this.steps = []; // of all tracks together
    this.at = 0; // place among the steps; between two of them while moving
    this.goal = 0; // where a single step leads to
    this.playing = false;
    this.onKey = event => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  update() {
    const { tracks } = this.message;
    const before = this.steps;
    const atEnd = this.goal === before.length - 1 || before.length === 0;
    this.steps = [...new Set(tracks.flatMap(track => [...track.steps]))].sort((a, b) => a - b);
    const find = place => Math.max(0, this.steps.findLastIndex(step => step <= before[place]));
    if (before.length === 0) {
      this.at = this.end;
      answered(this.root);
    } else if (String(before) !== String(this.steps)) this.at = find(Math.floor(this.at));
    if (this.playing) this.goal = this.end;
    else this.goal = atEnd ? this.end : find(this.goal);
    if (Math.abs(this.goal - this.at) > 1 && !this.playing) this.at = this.goal;

    const count = Math.max(1, tracks.length);
    this.root.style.setProperty("--tracks", count);
    while (this.figures.length > count) this.figures.pop().destroy();
    while (this.figures.length < count) this.figures.push(new Figure(this));
    const longest = grouped(this.steps.at(-1) ?? 0).length;
    this.root.style.setProperty("--widest", `${2 * longest + 9}ch`);
    this.range.max = Math.max(1, this.end);
    for (const control of [this.play, this.range, this.speed]) control.disabled = this.steps.length < 2;
    this.figures.forEach((figure, i) => figure.update(tracks[i]));
    this.explain(tracks);
    this.move();
  }

  // The colours of the classes that occur, once for all tracks.
  explain(tracks) {
    const named = legendOf(tracks, this.message.classes.length);
    this.legend.hidden = named.length === 0;
    this.legend.replaceChildren();
    for (const [label, name] of named) {
      const entry = make("span", "class", this.legend);
      entry.role = "listitem";
      make("i", "swatch", entry).style.setProperty("--colour", this.paint(label));
      make("span", "name", entry, name).title = name;
    }
  }

  // All planes as they stand now, with the legend of their classes.
  saved() {
    const parts = [...this.legend.children].flatMap(one => [{ swatch: one.firstChild }, { words: one.lastChild }]);
    for (const figure of this.figures.filter(({ track }) => track)) {
      parts.push({ swatch: figure.swatch }, { words: figure.name }, { words: figure.when }, { words: figure.numbers },
        { element: figure.plot.canvas, draw: c => figure.plot.on(c, () => figure.draw()) });
    }
    const name = `${this.message.tracks[0]?.run}-points`;
    return together({ name, background: this.theme.background, parts });
  }

  get end() {
    return Math.max(0, this.steps.length - 1);
  }

  get moving() {
    return this.playing || this.at !== this.goal;
  }

  toggle() {
    if (this.steps.length < 2) return;
    this.playing = !this.playing;
    if (this.playing && this.at >= this.end) this.at = 0;
    this.goal = this.playing ? this.end : Math.round(this.at);
    this.move();
  }

  jump(place) {
    this.playing = false;
    this.at = this.goal = clamp(place, 0, this.end);
    this.move();
  }

  stepBy(count) {
    const from = this.playing ? Math.round(this.at) : this.goal;
    this.playing = false;
    this.goal = clamp(from + count, 0, this.end);
    if (Math.abs(this.goal - this.at) > 1.5) this.at = this.goal - count; // a held key: no lag
    this.move();
  }

  // Keys belong to the component while it has focus, or while the mouse is over it and nothing else wants them.
  key(event) {
    const target = event.composedPath()[0];
    const inside = this.root.contains(target);
    const has = elements => target instanceof Element && target.closest(elements) !== null;
    const free = this.root.matches(":hover") && !has(EDITING);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || this.steps.length < 2) return;
    if (!(inside || free) || has("select") || (event.key === " " && has(PRESSED))) return;
    const action = {
      ArrowLeft: () => this.stepBy(-1),
      ArrowRight: () => this.stepBy(1),
      Home: () => this.jump(0),
      End: () => this.jump(this.end),
      " ": () => event.repeat || this.toggle(),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  // Shows where we are, and goes on until we are where we want to be.
  move() {
    if (this.calm.matches && !this.playing) this.at = this.goal;
    this.show();
    if (!this.moving || this.frame) return;
    let last = performance.now();
    const advance = now => {
      const seconds = clamp((now - last) / 1000, 0, 0.1);
      last = now;
      const pace = Math.max(4, this.end / 10) * this.speed.value; // snapshots a second: at most 10 s for all
      if (this.playing) this.at = Math.min(this.end, this.at + seconds * pace);
      else this.at += (this.goal - this.at) * (1 - Math.exp(-18 * seconds));
      if (Math.abs(this.goal - this.at) < 0.01) {
        this.at = this.goal;
        this.playing = false;
      }
      this.frame = this.moving ? requestAnimationFrame(advance) : null;
      this.show();
    };
    this.frame = requestAnimationFrame(advance);
  }

  // The place that is drawn: without motion, whole snapshots only.
  get shown() {
    return this.calm.matches ? Math.floor(this.at) : this.at;
  }

  show() {
    const step = this.steps[Math.floor(this.shown)];
    const text = step === undefined ? "no step yet" : `step ${grouped(step)} of ${grouped(this.steps.at(-1))}`;
    setText(this.label, text);
    setText(this.playName, this.playing ? "Pause" : "Play");
    this.range.value = this.shown;
    this.range.setAttribute("aria-valuetext", text);
    this.root.dataset.playing = this.playing;
    this.root.dataset.step = step ?? "";
    for (const figure of this.figures) figure.draw();
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    cancelAnimationFrame(this.frame);
    for (const figure of this.figures) figure.destroy();
    super.destroy();
  }
}

// One track: its title, its plane and its numbers.
class Figure {
  constructor(view) {
    this.view = view;
    this.element = make("figure", "", view.grid);
    const title = make("div", "title", this.element);
    this.swatch = make("i", "swatch", title);
    this.name = make("span", "name", title);
    this.when = make("span", "when", title);
    this.plot = new Plot(this.element, () => this.draw());
    this.plot.box.style.aspectRatio = "1";
    this.numbers = make("figcaption", "", this.element);
    this.numbers.title = "sd: standard deviation of the points along each axis. r: their correlation.";
  }

  update(track) {
    this.track = track;
    const { view } = this;
    this.swatch.hidden = !track;
    setText(this.name, track?.label ?? "");
    this.name.title = track?.label ?? "";
    this.plot.say(track?.snapshots > 0 ? "" : "No snapshot yet. The points appear at the first evaluation.");
    if (!track) return;
    this.colour = view.colour(track.run);
    this.swatch.style.setProperty("--colour", this.colour);
    this.groups = new Map(); // colour -> the points that have it
    for (let i = 0; i < track.points; i++) {
      const colour = track.colours.length > 0 ? view.paint(track.colours[i]) : this.colour;
      if (!this.groups.has(colour)) this.groups.set(colour, []);
      this.groups.get(colour).push(i);
    }
  }

  // The last snapshot at or before each of two neighbouring steps, and the points on the way between them.
  locate() {
    const { track, view } = this;
    const at = view.shown;
    const last = place => track.steps.findLastIndex(step => step <= view.steps[place]);
    const [from, to] = [last(Math.floor(at)), last(Math.ceil(at))];
    if (from < 0) return { from, x: [], y: [] };
    const part = to > from ? at - Math.floor(at) : 0;
    const between = values => {
      const [a, b] = [from, to].map(k => values.subarray(k * track.points, (k + 1) * track.points));
      return part === 0 ? a : a.map((v, i) => v + part * (b[i] - v));
    };
    return { from, x: between(track.x), y: between(track.y) };
  }

  draw() {
    const { plot, track, view } = this;
    const { limit, xLabel, yLabel } = view.message;
    const range = [-limit, limit];
    if (!plot.begin({ theme: view.theme, x: range, y: range, xLabel, yLabel, square: true })) return;
    const { context: c } = plot;
    plot.clip(() => {
      plot.line(view.theme.text, 0.35, [[-limit, 0], [limit, 0]], 1);
      plot.line(view.theme.text, 0.35, [[0, -limit], [0, limit]], 1);
      plot.line(view.theme.text, 0.45, [[-limit, -limit], [limit, limit]], 1.5, [6, 6]);
      plot.write("the two agree", [limit, limit], -Math.PI / 4, "right", [-36, 14]);
    });
    const { from, x, y } = track ? this.locate() : { from: -1, x: [], y: [] };
    setText(this.when, from < 0 ? "" : `step ${grouped(track.steps[from])}`);
    const begins = track?.snapshots > 0 ? `begins at step ${grouped(track.steps[0])}` : "";
    setText(this.numbers, from < 0 ? begins : this.summary(x, y).text);
    if (!view.moving) plot.describe(this.describe(from, x, y));
    if (from < 0) return plot.showTip([]);

    const radius = track.points > 200 ? 3 : 4;
    const before = (values, k, i) => values[k * track.points + i];
    plot.clip(() => {
      c.lineWidth = 1.2;
      for (let j = 0; j < Math.min(TRAIL, from + 1); j++) {
        c.globalAlpha = 0.45 * (1 - j / TRAIL);
        const k = from - j;
        for (const [colour, points] of this.groups) {
          c.beginPath();
          for (const i of points) {
            const start = j === 0 ? [x[i], y[i]] : [before(track.x, k + 1, i), before(track.y, k + 1, i)];
            const end = [before(track.x, k, i), before(track.y, k, i)];
            if (Number.isNaN(start[0] + end[0])) continue;
            c.moveTo(...plot.place(...start));
            c.lineTo(...plot.place(...end));
          }
          c.strokeStyle = colour;
          c.stroke();
        }
      }
    });
    const placed = Array.from(x, (_, i) => plot.place(clamp(x[i], ...range), clamp(y[i], ...range)));
    for (const [colour, points] of this.groups) {
      const dots = beyond => {
        c.beginPath();
        for (const i of points) {
          const [px, py] = placed[i];
          if (Number.isNaN(px) || Math.max(Math.abs(x[i]), Math.abs(y[i])) > limit !== beyond) continue;
          c.moveTo(px + radius, py);
          c.arc(px, py, radius, 0, 7);
        }
      };
      c.fillStyle = c.strokeStyle = colour;
      c.globalAlpha = 0.75;
      dots(false);
      c.fill();
      dots(true); // at the edge and hollow: further out than the plane reaches
      c.stroke();
    }
    c.globalAlpha = 1;
    const hit = plot.nearest(placed);
    plot.showTip(hit < 0 ? [] : [
      [`point ${hit * track.every}`, track.names[track.colours[hit]] ?? ""],
      [xLabel, x[hit].toFixed(3)],
      [yLabel, y[hit].toFixed(3)],
    ], hit < 0 ? null : placed[hit]);
  }

  // Spreads (standard deviations) and correlation of the points as drawn.
  summary(x, y) {
    const rows = Array.from(x, (v, i) => [v, y[i]]).filter(([a, b]) => !Number.isNaN(a + b));
    const mean = f => rows.reduce((sum, row) => sum + f(row), 0) / rows.length;
    const [mx, my] = [mean(row => row[0]), mean(row => row[1])];
    const sdX = Math.sqrt(mean(row => (row[0] - mx) ** 2));
    const sdY = Math.sqrt(mean(row => (row[1] - my) ** 2));
    const r = mean(row => (row[0] - mx) * (row[1] - my)) / (sdX * sdY);
    const text = rows.length === 0
      ? "no finite point"
      : `sd model ${fixed(sdX, 2)} · sd inference ${fixed(sdY, 2)} · r ${Number.isFinite(r) ? fixed(r, 2) : "–"}`;
    return { sdX, sdY, r, text };
  }

  // What a screen reader says of the canvas.
  describe(from, x, y) {
    if (from < 0) return `${this.track?.label ?? ""}: no point yet`;
    const { sdX, sdY, r, text } = this.summary(x, y);
    let seen = "the points are a cloud off the diagonal";
    if (Number.isNaN(sdX)) seen = "nothing to see";
    else if (Math.max(sdX, sdY) < 0.05) seen = "all points lie near the origin";
    else if (sdY < 0.1 * sdX) seen = "the points lie flat along the horizontal axis";
    else if (r >= 0.9) seen = "the points lie along the diagonal";
    return `${this.track.label}, step ${grouped(this.track.steps[from])}: ${seen}; ${text}`;
  }

  destroy() {
    this.plot.destroy();
    this.element.remove();
  }
}

// ------------------------------------------------------------------------------------------ rate against distortion

class Paths extends View {
  constructor(parent) {
    super(parent, "paths");
    this.legend = make("div", "bar", this.root);
    this.plot = new Plot(this.root, () => this.draw());
    this.plot.box.style.height = "var(--side)";
    saveButton(make("div", "bar", this.root), () => this.saved());
    this.note = make("div", "note", this.root);
    this.chips = new Map(); // run -> its button
    this.hidden = new Set(); // runs switched off in the legend
    this.raised = null; // the run under the pointer in the legend
  }

  // One run stands out, and the others fade; null: all as they are.
  raise(run) {
    if (this.raised === run || (run !== null && (this.chips.size < 2 || this.hidden.has(run)))) return;
    this.raised = run;
    this.draw();
  }

  strength(run) {
    return this.raised === null || this.raised === run ? 1 : FADED;
  }

  update() {
    const { paths } = this.message;
    for (const [run, chip] of this.chips) {
      if (paths.some(path => path.run === run)) continue;
      chip.remove();
      this.chips.delete(run);
    }
    for (const { run, label } of paths) {
      if (!this.chips.has(run)) {
        const chip = make("button", "chip", this.legend);
        make("i", "swatch", chip);
        make("span", "name", chip);
        chip.setAttribute("aria-pressed", !this.hidden.has(run));
        chip.onclick = () => {
          if (!this.hidden.delete(run)) this.hidden.add(run);
          chip.setAttribute("aria-pressed", !this.hidden.has(run));
          this.raised = null;
          this.draw();
        };
        chip.onpointerenter = chip.onfocus = () => this.raise(run);
        chip.onpointerleave = chip.onblur = () => this.raise(null);
        this.chips.set(run, chip);
      }
      const chip = this.chips.get(run);
      setText(chip.lastChild, label);
      chip.title = `Show or hide ${label}`;
      chip.style.setProperty("--colour", this.colour(run));
      chip.dataset.lap = this.lap(run);
    }
    this.plot.say(paths.some(path => path.points > 0) ? "" : this.nothing());
    this.draw();
  }

  nothing() {
    return "No evaluation yet. A path starts at the first one.";
  }

  draw() {
    const { plot, theme } = this;
    const { xRange, yRange, xLabel, yLabel, paths } = this.message;
    if (!plot.begin({ theme, x: xRange, y: yRange, xLabel, yLabel })) return;
    const shown = paths.filter(path => !this.hidden.has(path.run) && path.points > 0);
    plot.clip(() => {
      if (shown.length > 0) this.drawBounds(xRange, yRange);
    });
    const placed = []; // of every drawn evaluation, to be found by the pointer
    const rows = [];
    const outside = [];
    for (const path of shown) {
      plot.context.globalAlpha = this.strength(path.run);
      const colour = this.colour(path.run);
      const at = i => plot.place(path.x[i], path.y[i]);
      const finite = [...path.x.keys()].filter(i => !Number.isNaN(path.x[i]));
      const inside = i => plot.contains(path.x[i], path.y[i]);
      if (finite.length === 0) continue;
      plot.clip(() => {
        for (let i = 1; i < path.points; i++) {
          const part = 0.25 + (0.75 * i) / (path.points - 1);
          plot.line(faded(colour, part, theme), this.strength(path.run), [i - 1, i].map(j => [path.x[j], path.y[j]]), 1.5 + 1.5 * part);
          if (path.points <= 40) plot.dot(at(i), 2.5, faded(colour, part, theme));
          if (this.lap(path.run) > 0 && i % Math.ceil(path.points / 12) === 0) plot.dot(at(i), 4, theme.background, colour);
        }
      });
      const [first, last] = [finite[0], finite.at(-1)];
      const enters = finite.find(inside);
      if (inside(first)) plot.dot(at(first), 6, theme.background, colour);
      else {
        outside.push(`${path.label} begins outside, at step ${grouped(path.steps[first])}: `
          + `${pair(path.x[first], path.y[first])}.`);
        if (enters !== undefined) plot.arrow(at(finite[finite.indexOf(enters) - 1]), at(enters), colour);
      }
      if (inside(last)) this.point(at(last), path.run, 6);
      for (const i of finite.filter(inside)) {
        placed.push(at(i));
        rows.push([
          [path.label, ""],
          ["step", grouped(path.steps[i])],
          [xLabel, decimals(path.x[i])],
          [yLabel, decimals(path.y[i])],
        ]);
      }
    }
    plot.context.globalAlpha = 1;
    const many = `${outside.length} paths begin outside the plane, at the arrows.`;
    setText(this.note, outside.length > 1 ? many : outside[0] ?? "");
    const ends = shown.map(({ label, steps, x, y }) => {
      const last = x.findLastIndex(v => !Number.isNaN(v));
      if (last < 0) return `${label} has no value`;
      return `${label} ends at step ${grouped(steps[last])}, ${pair(x[last], y[last])}`;
    });
    plot.describe(`${yLabel} against ${xLabel}. ${ends.join("; ") || "No path yet"}`);
    const hit = plot.nearest(placed);
    plot.showTip(rows[hit] ?? [], placed[hit]);
  }

  // A point of a run: a ring with its middle where another run has the same colour.
  point(at, run, radius) {
    const { plot, theme } = this;
    if (this.lap(run) === 0) return plot.dot(at, radius, this.colour(run), theme.background);
    plot.dot(at, radius, theme.background, this.colour(run));
    plot.dot(at, radius / 3, this.colour(run));
  }

  saved() {
    const parts = [...this.chips.values()].flatMap(chip => [{ swatch: chip.firstChild }, { words: chip.lastChild }]);
    parts.push({ element: this.plot.canvas, draw: c => this.plot.on(c, () => this.draw()) }, { words: this.note });
    return together({ name: this.message.kind === "spectra" ? "kl-spectrum" : "rate-distortion", background: this.theme.background, parts });
  }

  // Lines of equal rate + distortion, the negative ELBO.
  drawBounds([xLow, xHigh], [yLow, yHigh]) {
    const { plot, theme } = this;
    for (const sum of ticks(xLow + yLow, xHigh + yHigh, clamp(plot.across / 70, 4, 10))) {
      const ends = [[Math.max(xLow, sum - yHigh), 0], [Math.min(xHigh, sum - yLow), 0]];
      for (const end of ends) end[1] = sum - end[0];
      plot.line(theme.text, 0.3, ends, 1, [3, 4]);
      const [[ax, ay], [bx, by]] = ends.map(end => plot.place(...end));
      const text = `−ELBO ${grouped(sum)}`;
      if (Math.hypot(bx - ax, by - ay) < 150) continue; // a corner: no room for words
      plot.write(text, ends[1], Math.atan2(by - ay, bx - ax), "right", [-20, -4]);
    }
  }

  destroy() {
    this.plot.destroy();
    super.destroy();
  }
}

// ------------------------------------------------------------------------------------------------ KL by dimension

// The KL of each run by dimension, falling.
class Spectra extends Paths {
  nothing() {
    return "None of these runs has a KL by dimension.";
  }

  draw() {
    const { plot, theme } = this;
    const { xRange, yRange, xLabel, yLabel, paths } = this.message;
    if (!plot.begin({ theme, x: xRange, y: yRange, xLabel, yLabel })) return;
    const placed = [];
    const rows = [];
    const said = [];
    const cut = [];
    for (const path of paths.filter(each => !this.hidden.has(each.run) && each.points > 0)) {
      const strength = this.strength(path.run);
      const points = Array.from(path.y, (value, i) => [i + 1, value]);
      plot.clip(() => {
        for (let i = 1; i < points.length; i++) plot.line(this.colour(path.run), strength, [points[i - 1], points[i]], 2);
      });
      plot.context.globalAlpha = strength;
      points.forEach(([rank, value], i) => {
        const at = plot.place(rank, value);
        if (path.points <= 64) this.point(at, path.run, 4);
        placed.push(at);
        const of = path.size > 1 ? `${grouped(rank)} of ${grouped(path.size)}` : grouped(rank);
        rows.push([[path.label, ""], ["rank", of], ["dimension", path.names[i]], ["KL", `${decimals(value)} nats`]]);
      });
      plot.context.globalAlpha = 1;
      const active = path.active === null ? "" : `, ${path.active} of ${path.size} active`;
      said.push(`${path.label}: ${decimals(path.y.reduce((sum, value) => sum + value, 0))} nats in all${active}`);
      if (path.size > path.points) cut.push(`${path.label}: the ${path.points} largest of ${path.size}.`);
    }
    setText(this.note, cut.join(" "));
    plot.describe(`${yLabel} against ${xLabel}. ${said.join("; ") || "No run yet"}`);
    const hit = plot.nearest(placed);
    plot.showTip(rows[hit] ?? [], placed[hit]);
  }
}

// What the legend lists: [class, names]. Classes of one colour stand together, as do the names that tracks of other data
// have for the same class.
export function legendOf(tracks, colours) {
  const named = new Map();
  for (const { names } of tracks) {
    for (const [label, name] of Object.entries(names)) {
      const place = label % colours;
      if (!named.has(place)) named.set(place, new Set());
      named.get(place).add(name);
    }
  }
  return [...named].sort(([a], [b]) => a - b).map(([place, names]) => [place, [...names].join(", ")]);
}

// u32 header length | JSON header | float32 columns, as plane/__init__.py packs it.
export function decode(bytes) {
  const [message, column] = unpack(bytes);
  for (const track of message.tracks ?? []) {
    track.steps = column(track.snapshots);
    track.x = column(track.snapshots * track.points);
    track.y = column(track.snapshots * track.points);
  }
  for (const path of message.paths ?? []) {
    if (message.kind === "paths") {
      path.steps = column(path.points);
      path.x = column(path.points);
    }
    path.y = column(path.points);
  }
  return message;
}

// A colour on its way from the background: early is faint, late is full.
function faded(colour, part, { background }) {
  return `color-mix(in srgb, ${colour} ${Math.round(100 * part)}%, ${background})`;
}

const DECIMALS = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const decimals = v => minus(DECIMALS.format(v));
const pair = (x, y) => `rate ${decimals(x)}, distortion ${decimals(y)}`;
