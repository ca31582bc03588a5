// The same noise and the same data through several runs: tables of pictures or words, a line a run and a column a code;
// one slider over the steps whose weights were kept. What is drawn comes from the server once for each step and line,
// so that moving the slider sends nothing.

import { onBack, read, write } from "../lib/address.js";
import { button, field, range } from "../lib/controls.js";
import { make, setText, unpack } from "../lib/dom.js";
import { keyOf } from "../lib/keys.js";
import { mounted, rootOf } from "../lib/mount.js";
import { lapOf, paintOf, readTheme } from "../lib/palette.js";
import { saveButton } from "../lib/save.js";
import { waiting } from "../lib/talk.js";
import { LAST, fitting, heard, nearest, said } from "./choose.js";
import { Inspector } from "./inspect.js";

const PACE = 450; // ms a step while it plays
const REST = 300; // ms after which a number that is typed counts
const LABEL = 190; // px beside a line
const [SHARP, GAP] = [112, 3]; // px: the least width at which a picture is drawn, and what is left between two

export default mounted(component => new Rows(component), (view, component) => view.receive(component));

class Rows {
  constructor({ parentElement }) {
    this.root = rootOf("rows", parentElement);
    Object.assign(this, { steps: [], lines: [], token: 0, position: 0 });
    const bar = make("div", "bar", this.root);
    this.along = make("div", "along", bar);
    this.player = button(this.along, "▶ Play", "Play the steps in a loop (space)", () => this.play());
    [this.slider] = range(this.along, "Step", { min: 0, max: 0, step: 1, value: 0 },
      "The weights that were kept along the training: each run shows its own nearest to this step, and not after it. "
      + "Arrow keys move, space plays.", place => this.goTo(place), place => this.wordsOf(place));
    this.slider.setAttribute("aria-label", "Step of the weights");
    this.note = make("span", "note", bar);
    this.columns = field(bar, "Columns", { min: 1, max: "", value: "" },
      "How many codes or test observations");
    this.seed = field(bar, "Seed", { min: 0, max: "", value: 0 },
      "The same seed draws the same noise and takes the same test observations; seed 0 takes the first of them");
    for (const input of [this.columns, this.seed]) {
      input.oninput = () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.typed(), REST);
      };
    }
    saveButton(bar, () => this.saved());
    this.inspector = new Inspector(this);
    this.body = make("div", "tables", this.root);
    this.root.onkeydown = event => {
      if (keyOf(event) !== " " || event.repeat || event.composedPath()[0].matches("button, summary")) return;
      event.preventDefault();
      this.play();
    };
    this.back = onBack(() => this.recall());
  }

  receive({ data }) {
    this.theme = readTheme(this.root, this.theme);
    if (data !== this.bytes) {
      [this.message] = unpack((this.bytes = data));
      const key = JSON.stringify(this.message);
      if (key !== this.key) this.build();
      this.key = key;
    }
    for (const line of this.lines) this.paint(line);
  }

  build() {
    const { tables, steps, columns, seeds } = this.message;
    this.steps = steps;
    [this.columns.max, this.seed.max] = [columns, seeds];
    this.slider.max = steps.length;
    this.along.hidden = steps.length === 0;
    setText(this.note, steps.length ? "" : "None of these runs kept weights along its training: all show those that they keep.");
    this.body.replaceChildren();
    this.lines = tables.flatMap(table => this.table(table));
    this.recall();
  }

  table(table) {
    const section = make("section", "", this.body);
    make("h3", "", section, table.title);
    const [first, ...more] = table.note.split(/(?<=\.) /);
    const words = make(more.length ? "details" : "p", "words", section, more.length ? "" : first);
    if (more.length) {
      make("summary", "", words, first).title = "More about what is shown";
      make("p", "", words, more.join(" "));
    }
    const grid = make("div", "table", section);
    Object.assign(grid, { role: "grid", tabIndex: 0 });
    grid.setAttribute("aria-label", `${table.title}: arrow keys move, Enter shows a picture large`);
    grid.onkeydown = event => this.keys(event, lines);
    const lines = table.lines.map((told, number) => {
      const row = make("div", "line", grid);
      row.role = "row";
      const label = make("button", "label", row);
      Object.assign(label, { type: "button", title: "Show the whole row" });
      const swatch = make("i", "swatch", label);
      swatch.style.visibility = told.original ? "hidden" : "";
      make("span", "name", label, told.label);
      const note = make("span", "carries", label);
      const strip = make("div", "strip", row);
      const canvas = make("canvas", "", strip);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${table.title}: ${told.label}`);
      const mark = make("i", "mark", strip);
      mark.hidden = true;
      const line = { ...told, table, number, row, head: label, told: note, strip, canvas, mark, strips: new Map() };
      label.onclick = event => this.pick(line, null, event);
      const columnAt = event => {
        const { left, width } = canvas.getBoundingClientRect();
        const count = this.stripOf(line)?.count ?? 1;
        return Math.max(0, Math.min(count - 1, Math.floor(((event.clientX - left) / width) * count)));
      };
      canvas.onpointermove = event => this.mark(line, columnAt(event));
      canvas.onpointerleave = () => this.mark(null);
      canvas.onclick = event => this.pick(line, columnAt(event), event);
      return line;
    });
    return lines;
  }

  paint(line) {
    if (line.original) return;
    const { palette, text } = this.theme;
    line.head.style.setProperty("--colour", paintOf(line.place, palette, text));
    line.head.dataset.lap = lapOf(line.place, palette);
  }

  // -- what the address says

  recall() {
    const count = Number(read("n"));
    this.own = count >= 1 && count <= this.message.columns;
    this.columns.value = this.own ? Math.floor(count) : fitting(this.body.clientWidth - LABEL, this.message.columns);
    const seed = Number(read("seed"));
    this.seed.value = Number.isInteger(seed) && seed >= 0 && seed <= this.message.seeds ? seed : 0;
    const step = read("step");
    const place = step === null || !/^\d{1,9}$/.test(step) ? this.steps.length
      : this.steps.findLastIndex(each => each <= Number(step));
    this.position = Math.max(0, place);
    this.slider.value = this.position;
    setText(this.slider.parentElement.querySelector(".said"), this.wordsOf(this.position));
    const [a, b, view] = [heard(read("a")), heard(read("b")), read("view")];
    const there = side => side && this.lineOf(side) ? side : null;
    if (there(a) && (view === "beside" || there(b))) {
      this.inspector.open(["beside", "wipe", "difference"].includes(view) ? view : "beside", { a, b: there(b) });
    } else if (!this.inspector.panel.hidden) this.inspector.close();
    this.load();
  }

  typed() {
    const within = (input, least, most) => Math.max(least, Math.min(most, Math.floor(Number(input.value) || 0)));
    this.own ||= Number(this.columns.value) !== this.count;
    const { columns, seeds } = this.message;
    const [count, seed] = [within(this.columns, 1, columns), within(this.seed, 0, seeds)];
    if (count === this.count && seed === this.drawnSeed) return;
    write({ n: this.own ? count : null, seed: seed || null });
    this.load(count, seed);
  }

  inspected() {
    const { a, b, view, panel } = this.inspector;
    const open = !panel.hidden && a;
    write({ a: open ? said(a) : null, b: open && b && view !== "beside" ? said(b) : null, view: open ? view : null });
  }

  // -- what the server draws

  // First what is to be seen now, then all other steps, a line after the other.
  async load(count = Number(this.columns.value), seed = Number(this.seed.value)) {
    Object.assign(this, { count, drawnSeed: seed });
    this.abort?.abort();
    const { signal } = (this.abort = new AbortController());
    const token = ++this.token;
    for (const line of this.lines) line.next = new Map();
    const now = this.step ?? LAST;
    await waiting(Promise.all(this.lines.map(line => this.fetch(line, [line.kept ? now : LAST], token, signal))));
    for (const line of this.lines.filter(each => each.kept)) {
      if (token !== this.token) return;
      await this.fetch(line, [...this.steps, LAST], token, signal);
      line.whole = true;
      this.draw(line);
    }
    if (token === this.token) this.root.dataset.loaded = token;
  }

  async fetch(line, steps, token, signal) {
    const address = `${line.source}&n=${this.count}&seed=${this.drawnSeed}&at=${steps.join(",")}`;
    try {
      const answer = await fetch(address, { signal });
      if (!answer.ok) {
        const told = await answer.json().catch(() => ({}));
        throw new Error(told.reason ?? `The server answered ${answer.status}.`);
      }
      const [{ strips, fault }, , raw] = unpack(new Uint8Array(await answer.arrayBuffer()));
      for (const strip of strips) {
        const png = raw(strip.bytes);
        if (strip.bytes) strip.bitmap = await createImageBitmap(new Blob([png], { type: "image/png" }));
      }
      if (token !== this.token) return;
      if (line.next) [line.strips, line.next, line.whole] = [line.next, null, false];
      line.fault = fault;
      for (const strip of strips) line.strips.set(strip.step ?? LAST, strip);
    } catch (error) {
      if (token !== this.token || error.name === "AbortError") return;
      line.fault = error.message;
      if (line.next) [line.strips, line.next, line.whole] = [new Map(), null, false]; // else what came before stays
    }
    this.draw(line);
    this.inspector.fill();
    this.inspector.draw();
  }

  // -- lines

  get step() {
    return this.position >= this.steps.length ? null : this.steps[this.position];
  }

  pictured() {
    return this.lines.filter(line => line.strips.size && !line.strips.values().next().value.words.length);
  }

  shape() {
    return this.pictured().map(line => `${line.table.key}${line.number}`).join();
  }

  lineOf({ table, line }) {
    return this.lines.find(each => each.table.key === table && each.number === line);
  }

  // What a line shows at a step, or at that of the slider; undefined where there is nothing.
  stripOf(line, step = null) {
    const wanted = step ?? this.step ?? LAST;
    if (wanted === LAST || !line.kept) return line.strips.get(LAST);
    const kept = [...line.strips.keys()].filter(each => each !== LAST).sort((a, b) => a - b);
    return line.strips.get(nearest(kept, wanted));
  }

  draw(line) {
    const strip = this.stripOf(line);
    const words = strip?.words ?? [];
    const waits = !strip && !line.fault && !(line.kept && line.whole);
    line.row.classList.toggle("waits", waits);
    const last = this.steps.length && !line.original ? "kept weights" : "";
    const missing = line.fault || (waits ? "…" : "nothing kept so early");
    const at = !strip ? missing : strip.step === null ? last : `step ${strip.step}`;
    setText(line.told, [at, line.note, strip?.note, strip && line.fault].filter(Boolean).join(" · "));
    line.canvas.hidden = !strip?.bitmap;
    if (strip?.bitmap) {
      const { bitmap, width, height, count } = strip;
      const canvas = line.canvas;
      const scale = Math.ceil(SHARP / width); // so that a gap is thin beside the pixels of small pictures
      const [wide, tall] = [scale * width, scale * height];
      const across = count * (wide + GAP) - GAP;
      if (canvas.width !== across || canvas.height !== tall) [canvas.width, canvas.height] = [across, tall];
      const context = canvas.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.clearRect(0, 0, across, tall);
      for (let n = 0; n < count; n++) {
        context.drawImage(bitmap, n * width, 0, width, height, n * (wide + GAP), 0, wide, tall);
      }
      line.strip.style.maxWidth = `${count * 150}px`;
    }
    if (line.said !== words.join("\n")) {
      line.strip.querySelector(".texts")?.remove();
      if (words.length) {
        const texts = make("div", "texts", line.strip);
        const long = Math.max(...words.map(text => text.length)) > 14;
        texts.classList.toggle("long", long);
        for (const text of words) make("span", "", texts, text || "(nothing)");
      }
      line.said = words.join("\n");
    }
  }

  // -- steps

  wordsOf(place) {
    return place >= this.steps.length ? "kept weights" : `step ${this.steps[place].toLocaleString("en")}`;
  }

  goTo(place) {
    this.position = place;
    this.slider.value = place;
    setText(this.slider.parentElement.querySelector(".said"), this.wordsOf(place));
    for (const line of this.lines) this.draw(line);
    this.inspector.fill();
    this.inspector.draw();
    write({ step: this.step });
    this.root.dataset.step = this.step ?? LAST;
  }

  play() {
    if (!this.steps.length) return;
    if (this.playing) {
      clearInterval(this.playing);
      this.playing = null;
    } else {
      const next = () => this.goTo((this.position + 1) % (this.steps.length + 1));
      next();
      this.playing = setInterval(next, PACE);
    }
    setText(this.player, this.playing ? "❚❚ Pause" : "▶ Play");
    this.player.setAttribute("aria-pressed", Boolean(this.playing));
  }

  // -- the picture under pointer or keys

  mark(line, column = 0) {
    for (const each of this.lines) each.mark.hidden = each !== line;
    this.at = line && [line, column];
    const strip = line && this.stripOf(line);
    if (!strip) return;
    line.mark.style.left = `${(100 * column) / strip.count}%`;
    line.mark.style.width = `${100 / strip.count}%`;
  }

  pick(line, column, event) {
    if (!this.stripOf(line)?.bitmap) return;
    this.inspector.pick({ table: line.table.key, line: line.number, column }, event.shiftKey);
  }

  // What a picture is laid over by itself: the data of its table, or the line above, or below the first.
  counterpart(side) {
    const lines = this.pictured().filter(line => line.table.key === side.table && line.number !== side.line);
    const other = lines.findLast(line => line.original) ?? lines.findLast(line => line.number < side.line) ?? lines[0];
    return other ? { ...side, line: other.number, step: null } : { ...side };
  }

  keys(event, lines) {
    const shown = lines.filter(line => this.stripOf(line)?.bitmap);
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (event.target !== event.currentTarget || !shown.length) return;
    const here = this.at && shown.includes(this.at[0]) ? this.at : null;
    if (event.key === "Enter" && here) this.pick(...here, event);
    else if (step) {
      const within = (value, most) => Math.max(0, Math.min(most - 1, value));
      const line = here ? shown[within(shown.indexOf(here[0]) + step[0], shown.length)] : shown[0];
      this.mark(line, here ? within(here[1] + step[1], this.stripOf(line).count) : 0);
      line.row.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  }

  // All tables as one picture, with their labels.
  saved() {
    const { theme, message } = this;
    const [left, head, gap, cell] = [LABEL + 30, 40, 6, 72];
    const shown = this.lines.map(line => [line, this.stripOf(line)]).filter(([, strip]) => strip);
    if (!shown.length) return null;
    const count = Math.max(...shown.map(([, strip]) => strip.count));
    const wide = count * cell;
    let height = 0;
    const places = shown.map(([line, strip], n) => {
      const begins = n === 0 || shown[n - 1][0].table !== line.table;
      const tall = strip.bitmap ? (cell * strip.height) / strip.width : 28;
      const top = height + (begins ? head : 0);
      height = top + tall + gap;
      return { line, strip, begins, top, tall };
    });
    return {
      name: message.name,
      width: left + wide,
      height: Math.ceil(height),
      background: theme.background,
      draw(context) {
        context.imageSmoothingEnabled = false;
        context.textBaseline = "middle";
        for (const { line, strip, begins, top, tall } of places) {
          context.fillStyle = theme.text;
          if (begins) {
            context.font = `600 16px ${theme.font}`;
            context.fillText(line.table.title, 0, top - head / 2);
          }
          context.font = `14px ${theme.font}`;
          const step = strip.step === null ? "" : ` · step ${strip.step}`;
          context.fillText(line.label + step, 0, top + tall / 2, left - 12);
          for (let i = 0; i < strip.count; i++) {
            const x = left + i * cell;
            if (strip.bitmap) {
              context.drawImage(strip.bitmap, i * strip.width, 0, strip.width, strip.height, x, top, cell - 2, tall);
            } else context.fillText(strip.words[i], x, top + tall / 2, cell - 4);
          }
        }
      },
    };
  }

  destroy() {
    this.token++;
    this.abort?.abort();
    clearInterval(this.playing);
    clearTimeout(this.typing);
    this.back();
    this.root.remove();
  }
}
