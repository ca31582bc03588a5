// One picture large beside its neighbours, or two of any lines and steps: one over the other under a divider that is
// drawn, or what one has more than the other.

import { button } from "../lib/controls.js";
import { make, setText } from "../lib/dom.js";
import { fixed } from "../lib/numbers.js";
import { LAST, difference, painted } from "./choose.js";

const VIEWS = {
  beside: ["Large", "The picture large, between those before and after it, and the same column of the other rows"],
  wipe: ["Wipe", "One picture over the other: draw the divider, or move it with the arrow keys"],
  difference: ["Difference", "B less A, pixel by pixel: the colour says which is brighter"],
};
const [ABOVE, BELOW] = [[222, 106, 27], [47, 134, 214]]; // --orange and --blue of component.css
const STEP = 2; // % of the width, by an arrow key

export class Inspector {
  constructor(rows) {
    Object.assign(this, { rows, view: "beside", at: 50 });
    this.panel = make("section", "inspect");
    this.panel.hidden = true;
    this.panel.setAttribute("aria-label", "Two pictures compared");
    const bar = make("div", "bar", this.panel);
    const choices = make("div", "joined", bar);
    choices.role = "radiogroup";
    choices.setAttribute("aria-label", "How to look at them");
    this.buttons = Object.entries(VIEWS).map(([name, [title, help]]) => {
      const one = button(choices, title, help, () => this.look(name));
      one.value = name;
      one.role = "radio";
      return one;
    });
    this.sides = { a: this.side(bar, "A"), b: this.side(bar, "B") };
    button(bar, "Close", "Close this view (Escape)", () => this.close()).classList.add("close");
    this.stage = make("div", "stage", this.panel);
    this.said = make("div", "said", this.panel);
    this.said.setAttribute("aria-live", "polite");
    this.panel.onkeydown = event => {
      if (event.key === "Escape") this.close();
    };
  }

  // The selects of one side: line, column, step.
  side(bar, title) {
    const box = make("div", "side", bar);
    make("strong", "", box, title);
    const select = (className, help) => {
      const one = make("select", className, box);
      Object.assign(one, { title: help, onchange: () => this.chosen(title.toLowerCase()) });
      one.setAttribute("aria-label", `${title}: ${help}`);
      return one;
    };
    return { box, line: select("line", "which row"), column: select("column", "which column, or the whole row"),
      step: select("step", "which step, or that of the slider") };
  }

  // -- what is looked at

  // `picked` is {a, b}, sides as `choose.js` has them; b may be null.
  open(view, { a, b }) {
    Object.assign(this, { view, a, b });
    this.rows.lineOf(a).row.after(this.panel); // below what was clicked, so that nothing above it moves
    this.panel.hidden = false;
    this.fill();
    this.draw();
  }

  close() {
    this.panel.hidden = true;
    this.a = this.b = null;
    this.rows.inspected();
  }

  look(view) {
    this.view = view;
    if (view !== "beside") this.b ??= this.rows.counterpart(this.a);
    this.fill();
    this.draw();
    this.rows.inspected();
  }

  // A picture that was clicked: of two it is the second, and with shift the first.
  pick(side, first) {
    if (this.panel.hidden) this.open("beside", { a: side, b: null });
    else if (this.view === "beside") this.open("beside", { a: { ...this.a, ...side }, b: null });
    else if (first) this.a = { ...this.a, ...side };
    else this.b = { ...this.b, ...side };
    this.alike(first ? "a" : "b");
    this.fill();
    this.draw();
    this.rows.inspected();
  }

  // A whole row is laid over a whole row, and a picture over a picture.
  alike(name) {
    const other = name === "a" ? "b" : "a";
    if (!this[name] || !this[other] || (this[name].column === null) === (this[other].column === null)) return;
    this[other] = { ...this[other], column: this[name].column };
  }

  chosen(name) {
    const { line, column, step } = this.sides[name];
    const [table, place] = line.value.split("|");
    this[name] = { table, line: Number(place), column: column.value === "" ? null : Number(column.value),
      step: step.value === "" ? null : step.value === LAST ? LAST : Number(step.value) };
    this.alike(name);
    this.fill();
    this.draw();
    this.rows.inspected();
  }

  fill() {
    for (const one of this.buttons) one.setAttribute("aria-checked", one.value === this.view);
    this.sides.b.box.hidden = this.view === "beside";
    for (const name of ["a", "b"]) {
      const [side, selects] = [this[name], this.sides[name]];
      if (!side) continue;
      const lines = this.rows.pictured();
      const named = lines.map(line => [`${line.table.key}|${line.number}`, `${line.table.title}: ${line.label}`]);
      options(selects.line, named, `${side.table}|${side.line}`);
      const found = this.rows.lineOf(side);
      const count = found ? this.rows.stripOf(found, side.step)?.count ?? 0 : 0;
      options(selects.column, [["", "whole row"], ...Array.from({ length: count }, (_, n) => [n, `column ${n + 1}`])],
        side.column ?? "");
      const steps = found?.kept ? this.rows.steps : [];
      options(selects.step, [["", "step of the slider"], ...steps.map(step => [step, `step ${step}`]),
        [LAST, "kept weights"]], side.step ?? "");
      selects.step.hidden = steps.length === 0;
    }
  }

  // -- pictures

  // What a side shows: its pixels on a canvas of their own, and its name; null while it is not there.
  shown(side) {
    const line = side && this.rows.lineOf(side);
    const strip = line && this.rows.stripOf(line, side.step);
    if (!strip?.bitmap) return null;
    const [first, count] = side.column === null ? [0, strip.count] : [Math.min(side.column, strip.count - 1), 1];
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [count * strip.width, strip.height];
    canvas.getContext("2d").drawImage(strip.bitmap, first * strip.width, 0, canvas.width, canvas.height,
      0, 0, canvas.width, canvas.height);
    const step = strip.step === null ? "" : `, step ${strip.step}`;
    return { canvas, name: `${line.label}${side.column === null ? "" : `, column ${first + 1}`}${step}` };
  }

  draw() {
    if (this.panel.hidden) return;
    const [a, b] = [this.shown(this.a), this.view === "beside" ? null : this.shown(this.b)];
    this.panel.dataset.view = this.view;
    if (!a || (this.view !== "beside" && !b)) {
      this.stage.replaceChildren();
      return setText(this.said, "Nothing is drawn of it at this step.");
    }
    const { width, height } = a.canvas;
    const shape = `${this.view} ${width} ${height} ${this.view === "beside" ? this.rows.shape() : ""}`;
    if (this.stage.dataset.shape !== shape) this.stage.replaceChildren(); // else drawn in place, without a flicker
    this.stage.dataset.shape = shape;
    this[this.view](a, b);
    this.panel.dataset.drawn = Number(this.panel.dataset.drawn ?? 0) + 1;
  }

  beside(a) {
    const { a: side, rows } = this;
    const line = rows.lineOf(side);
    const last = rows.stripOf(line, side.step).count - 1;
    const column = side.column ?? 0;
    const figures = side.column === null ? [[side, "main", a]] : [
      [column > 0 && { ...side, column: column - 1 }, "near"], [side, "main", a],
      [column < last && { ...side, column: column + 1 }, "near"],
      ...rows.pictured().filter(each => each.table === line.table && each !== line)
        .map(each => [{ ...side, line: each.number, step: each.kept ? side.step : null }, "other"])];
    figures.forEach(([which, kind, shown = this.shown(which)], place) => {
      const figure = this.stage.children[place] ?? make("figure", kind, this.stage);
      figure.canvas ??= make("canvas", "", figure);
      figure.words ??= make("figcaption", "", figure);
      figure.style.visibility = shown ? "" : "hidden";
      figure.onclick = which ? () => this.pick(which, true) : null;
      if (!shown) return;
      copied(shown.canvas, figure.canvas);
      figure.canvas.setAttribute("role", "img");
      figure.canvas.setAttribute("aria-label", shown.name);
      setText(figure.words, kind === "other" ? shown.name.replace(/, column \d+/, "") : shown.name);
    });
    setText(this.said, "Click another picture, here or above; Wipe and Difference lay two over one another.");
  }

  wipe(a, b) {
    if (!this.stage.firstChild) {
      const over = make("div", "over", this.stage);
      this.under = make("canvas", "", over);
      this.upper = make("canvas", "upper", over);
      this.divider = make("div", "divider", over);
      Object.assign(this.divider, { role: "slider", tabIndex: 0, title: "Left of it A, right of it B" });
      this.divider.setAttribute("aria-valuemin", 0);
      this.divider.setAttribute("aria-valuemax", 100);
      over.onpointerdown = event => {
        if (event.button) return;
        over.setPointerCapture(event.pointerId);
        this.divider.focus({ preventScroll: true });
        this.drag(event, over);
      };
      over.onpointermove = event => {
        if (over.hasPointerCapture(event.pointerId)) this.drag(event, over);
      };
      this.divider.onkeydown = event => {
        const to = { ArrowLeft: this.at - STEP, ArrowRight: this.at + STEP, Home: 0, End: 100 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        this.divide(to);
      };
    }
    copied(a.canvas, this.upper);
    copied(b.canvas, this.under);
    this.stage.firstChild.classList.toggle("wide", a.canvas.width > 3 * a.canvas.height);
    this.stage.firstChild.style.aspectRatio = `${a.canvas.width} / ${a.canvas.height}`;
    this.divider.setAttribute("aria-label", `Left ${a.name}, right ${b.name}`);
    this.divide(this.at);
    setText(this.said, `Left A: ${a.name}. Right B: ${b.name}.`);
  }

  drag(event, over) {
    const { left, width } = over.getBoundingClientRect();
    this.divide((100 * (event.clientX - left)) / width);
  }

  divide(to) {
    this.at = Math.max(0, Math.min(100, to));
    this.upper.style.clipPath = `inset(0 ${100 - this.at}% 0 0)`;
    this.divider.style.left = `${this.at}%`;
    this.divider.setAttribute("aria-valuenow", Math.round(this.at));
  }

  difference(a, b) {
    const canvas = this.stage.firstChild ?? make("canvas", "over", this.stage);
    if (a.canvas.width !== b.canvas.width || a.canvas.height !== b.canvas.height) {
      this.stage.replaceChildren();
      return setText(this.said, `No difference: A has ${a.canvas.width} × ${a.canvas.height} pixels, B `
        + `${b.canvas.width} × ${b.canvas.height}. Choose pictures of one size.`);
    }
    const pixels = one => one.canvas.getContext("2d").getImageData(0, 0, one.canvas.width, one.canvas.height).data;
    const { values, largest, mean } = difference(pixels(a), pixels(b));
    [canvas.width, canvas.height] = [a.canvas.width, a.canvas.height];
    canvas.classList.toggle("wide", canvas.width > 3 * canvas.height);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${b.name} less ${a.name}`);
    const image = new ImageData(painted(values, largest, ABOVE, BELOW), canvas.width, canvas.height);
    canvas.getContext("2d").putImageData(image, 0, 0);
    const told = largest ? `B less A, the mean over channels. Orange: B is brighter, full at +${fixed(largest, 2)} of `
      + `the whole brightness; blue: A is brighter, full at ${fixed(-largest, 2)}. Mean without sign ${fixed(mean, 3)}.`
      : "No pixel differs.";
    setText(this.said, `${told} A: ${a.name}. B: ${b.name}.`);
  }
}

function copied(from, to) {
  if (to.width !== from.width || to.height !== from.height) [to.width, to.height] = [from.width, from.height];
  const context = to.getContext("2d");
  context.clearRect(0, 0, to.width, to.height);
  context.drawImage(from, 0, 0);
}

function options(select, wanted, chosen) {
  const key = JSON.stringify(wanted);
  if (select.key !== key) {
    select.replaceChildren(...wanted.map(([value, title]) => {
      const one = make("option", "", null, title);
      one.value = value;
      return one;
    }));
    select.key = key;
  }
  select.value = String(chosen);
}
