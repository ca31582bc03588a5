// Every dimension of a latent from one end to the other, a row each, decoded here: around the middle, or around the code
// under the hand, which it follows. A click on a picture puts the hand there.

import { make, setText, unpack } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { move, moved, onMove } from "../lib/moved.js";
import { Network } from "../lib/network.js";
import { readTheme } from "../lib/palette.js";
import { grid, picture, put, sizeOf } from "../lib/picture.js";
import { saveButton } from "../lib/save.js";

const REST = 250; // ms that the hand must rest: while it moves the worker is its own
const RANGES = {
  sigmas: ["−3 … 3", "From −3 to 3 standard deviations, in all rows alike"],
  prior: ["Quantiles of the prior", "Each dimension's own quantiles under the prior, with as much mass between two "
    + "columns as a Gaussian has: of N(0, 1) these are the standard deviations again"],
  aggregated: ["Quantiles of the data", "Each dimension's own quantiles under the aggregated posterior q(z): what the "
    + "codes of data really cover"],
};

export default mounted(component => new Grid(component), (view, component) => view.receive(component));

export function decode(bytes) {
  const [header, column] = unpack(bytes);
  const count = header.values.length * header.rows.length;
  return { ...header, quantiles: Object.fromEntries(header.quantiles.map(name => [name, column(count)])) };
}

// The codes of one row, in units: `base` with one dimension at each of these values.
export function rowOf(base, dimension, values) {
  const codes = new Float32Array(values.length * base.length);
  values.forEach((value, n) => {
    codes.set(base, n * base.length);
    codes[n * base.length + dimension] = value;
  });
  return codes;
}

const percent = share => (share < 0.01 || share > 0.99 ? (100 * share).toFixed(1) : (100 * share).toFixed(0));

// The share of a standard normal below x, to four digits (Abramowitz & Stegun 26.2.17).
export function below(x) {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail = ((((1.330274429 * t - 1.821255978) * t + 1.781477937) * t - 0.356563782) * t + 0.31938153) * t
    * Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  return x > 0 ? 1 - tail : tail;
}

const signed = value => {
  const text = Math.abs(value).toFixed(1);
  return text === "0.0" ? "0" : `${value < 0 ? "−" : "+"}${text}`;
};

export function headsOf(values, range) {
  return values.map(value => (range === "sigmas" ? signed(value) : `${percent(below(value))} %`));
}

class Grid {
  constructor({ parentElement }) {
    this.root = rootOf("grid", parentElement);
    this.around = "middle";
    this.range = "sigmas";
    this.token = 0;
    const bar = make("div", "bar", this.root);
    this.bases = this.choices(bar, "The other dimensions stay at", {
      middle: ["0", "Each row moves one dimension and holds all others in the middle"],
      hand: ["the hand's code", "Each row moves one dimension and holds all others where the sliders above stand; the "
        + "grid follows them"],
    }, name => {
      this.around = name;
      this.draw();
    });
    this.ranges = this.choices(bar, "Range", RANGES, name => this.chooseRange(name));
    saveButton(bar, () => this.saved());
    this.note = make("div", "note", this.root);
    this.table = make("div", "table", this.root);
    this.table.tabIndex = 0;
    this.table.role = "grid";
    this.table.setAttribute("aria-label", "Pictures by dimension and value: arrow keys move, Enter puts the hand there");
    this.table.onkeydown = event => this.keys(event);
    this.said = make("div", "said", this.root);
    this.said.setAttribute("aria-live", "polite");
  }

  choices(parent, label, options, choose) {
    const group = make("div", "choices joined", parent);
    group.role = "radiogroup";
    group.setAttribute("aria-label", label);
    make("span", "label", group, label);
    const buttons = Object.entries(options).map(([name, [text, help]]) => {
      const button = make("button", "", group, text);
      Object.assign(button, { value: name, title: help, role: "radio" });
      button.onclick = () => choose(name);
      return button;
    });
    return chosen => buttons.forEach(button => button.setAttribute("aria-checked", button.value === chosen));
  }

  receive({ data, setStateValue }) {
    this.send = setStateValue;
    this.theme = readTheme(this.root, this.theme);
    if (data === this.bytes) return;
    const before = this.message;
    this.message = decode((this.bytes = data));
    const { hand, rows, offered } = this.message;
    [this.latent] = hand.latents;
    [this.modality] = hand.modalities;
    const same = before?.hand.run === hand.run && before.rows.join() === rows.join()
      && before.hand.networks.decoder === hand.networks.decoder; // a training that goes on brings other weights
    if (!same) this.begin();
    for (const button of this.root.querySelectorAll(".choices button")) {
      button.hidden = button.value in RANGES && !offered.includes(button.value);
    }
    if (!offered.includes(this.range)) this.range = "sigmas";
    this.draw();
  }

  async begin() {
    const { hand, rows } = this.message;
    this.follow?.();
    this.follow = onMove(hand.run, () => {
      if (this.around === "hand") this.later();
    });
    setText(this.note, rows.length < this.latent.size
      ? `The ${rows.length} most informative of ${this.latent.size} dimensions.` : "");
    this.table.replaceChildren();
    this.heads = make("div", "heads", this.table);
    make("span", "", this.heads);
    this.headCells = make("div", "cells", this.heads);
    this.lines = rows.map(dimension => this.line(dimension));
    this.at = null;
    this.network = null;
    this.token++; // a drawing of what was here before ends
    try {
      const network = await Network.open(hand.networks.decoder);
      if (this.message.hand.networks.decoder !== hand.networks.decoder) return;
      this.network = network;
      if (network.reason) setText(this.note, `${this.note.textContent} ${network.reason}`.trim());
      this.draw();
    } catch (error) {
      setText(this.note, error.message);
    }
  }

  line(dimension) {
    const { latent } = this;
    const line = make("div", "line", this.table);
    line.role = "row";
    const words = make("div", "words", line);
    words.role = "rowheader";
    make("strong", "", words, `z${dimension}`);
    make("span", "carries", words, latent.kl ? `${latent.kl[dimension].toFixed(2)} nats`
      : `spread ${latent.spread[dimension].toFixed(2)}`);
    line.classList.toggle("unused", !latent.active[dimension]);
    const strip = make("div", "strip", line);
    strip.role = "gridcell";
    line.canvas = make("canvas", "", strip);
    line.canvas.setAttribute("role", "img");
    line.canvas.setAttribute("aria-label", `Dimension ${dimension} from one end to the other`);
    line.mark = make("i", "mark", strip);
    line.mark.hidden = true;
    line.dimension = dimension;
    const columnAt = event => {
      const { left, width } = line.canvas.getBoundingClientRect();
      const count = this.message.values.length;
      return Math.max(0, Math.min(count - 1, Math.floor(((event.clientX - left) / width) * count)));
    };
    strip.onpointermove = event => this.mark(this.lines.indexOf(line), columnAt(event));
    strip.onclick = event => {
      this.mark(this.lines.indexOf(line), columnAt(event));
      this.put();
    };
    strip.onpointerleave = () => this.mark(null);
    return line;
  }

  chooseRange(name) {
    this.range = name;
    if (name !== "sigmas" && !this.message.quantiles[name]) this.send("range", name);
    this.draw();
  }

  // -- where each picture lies, in units

  get base() {
    const middle = new Float32Array(this.latent.size);
    return this.around === "hand" ? moved(this.message.hand.run)?.[this.latent.name] ?? middle : middle;
  }

  valuesOf(place) {
    const { values, rows, quantiles } = this.message;
    const table = this.range === "sigmas" ? null : quantiles[this.range];
    return table ? values.map((_, n) => table[n * rows.length + place]) : values;
  }

  later() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.draw(), REST);
  }

  // Row by row, so that the hand's own pictures come between; a newer drawing ends this one.
  async draw() {
    clearTimeout(this.resting);
    this.bases(this.around);
    this.ranges(this.range);
    const { message: { values, quantiles }, latent, modality, network } = this;
    const waits = this.range !== "sigmas" && !quantiles[this.range];
    this.table.classList.toggle("waits", waits);
    setText(this.said, waits ? "Looking at the codes of the data…" : "");
    const heads = headsOf(values, this.range);
    if (this.headCells && this.headCells.textContent !== heads.join("")) {
      this.headCells.replaceChildren(...heads.map(text => make("span", "", null, text)));
    }
    if (!network || waits) return;
    const token = ++this.token;
    const base = this.base;
    const size = sizeOf(modality.shape);
    for (const [place, line] of this.lines.entries()) {
      const units = rowOf(base, line.dimension, this.valuesOf(place));
      const z = units.map((u, n) => latent.centre[n % latent.size] + latent.unit[n % latent.size] * u);
      const outputs = await network.run({ [latent.name]: z }, values.length)
        .catch(error => setText(this.note, error.message));
      if (!outputs || token !== this.token) return;
      const means = outputs[`${modality.name}.mean`];
      put(line.canvas, grid(values.map((_, n) => picture(means.subarray(n * size, (n + 1) * size), modality.shape)),
        values.length));
    }
    this.root.dataset.drawn = `${this.around} ${this.range} ${token}`;
  }

  // -- the picture under pointer or keys

  mark(row, column) {
    this.at = row === null ? null : [row, column];
    const count = this.message.values.length;
    this.lines.forEach((line, n) => {
      line.mark.hidden = n !== row;
      if (n !== row) return;
      line.mark.style.left = `${(100 * column) / count}%`;
      line.mark.style.width = `${100 / count}%`;
      setText(this.said, `z${line.dimension} at ${signed(this.valuesOf(n)[column])} units. Click to put the hand there.`);
    });
    if (row === null) setText(this.said, "");
  }

  put() {
    const [row, column] = this.at;
    const units = Float32Array.from(this.base);
    units[this.lines[row].dimension] = this.valuesOf(row)[column];
    move(this.message.hand.run, { [this.latent.name]: units }, this);
    if (this.around === "hand") this.later();
  }

  keys(event) {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      if (this.at) this.put();
    } else if (step) {
      const [row, column] = this.at ?? [0, Math.floor(this.message.values.length / 2)];
      const within = (value, most) => Math.max(0, Math.min(most - 1, value));
      const next = this.at ? [row + step[0], column + step[1]] : [row, column];
      this.mark(within(next[0], this.lines.length), within(next[1], this.message.values.length));
      this.lines[this.at[0]].scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  }

  // One picture with its labels.
  saved() {
    const { lines, message, theme, latent } = this;
    if (!lines?.length || !this.root.dataset.drawn) return null;
    const { width, height } = lines[0].canvas;
    const scale = Math.max(1, Math.round(900 / width));
    const [wide, high, left, top, gap] = [width * scale, height * scale, 130, 28, 6];
    const heads = headsOf(message.values, this.range);
    return {
      name: `${message.hand.run}-traversal`,
      width: left + wide,
      height: top + lines.length * (high + gap),
      background: theme.background,
      draw(context) {
        context.imageSmoothingEnabled = false;
        context.fillStyle = theme.text;
        context.font = `15px ${theme.font}`;
        context.textBaseline = "middle";
        context.textAlign = "center";
        heads.forEach((text, n) => context.fillText(text, left + ((n + 0.5) * wide) / heads.length, top / 2));
        context.textAlign = "left";
        lines.forEach((line, n) => {
          const y = top + n * (high + gap);
          const carries = latent.kl ? `${latent.kl[line.dimension].toFixed(2)} nats` : "";
          context.fillText(`z${line.dimension}  ${carries}`, 0, y + high / 2);
          context.drawImage(line.canvas, left, y, wide, high);
        });
      },
    };
  }

  destroy() {
    this.token++;
    clearTimeout(this.resting);
    this.follow?.();
    this.root.remove();
  }
}
