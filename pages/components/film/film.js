// What runs drew of themselves while they learned: the same test observations, noise and walk at every step, one slider
// over the steps. Pictures that are there stay; only what is new is fetched, so that nothing blinks while a run trains.

import { onBack, read, write } from "../lib/address.js";
import { button, range } from "../lib/controls.js";
import { make, setText, unpack } from "../lib/dom.js";
import { keyOf } from "../lib/keys.js";
import { mounted, rootOf } from "../lib/mount.js";
import { readTheme } from "../lib/palette.js";
import { saveButton, together } from "../lib/save.js";
import { waiting } from "../lib/talk.js";

const PACE = 220; // ms a step while it plays
const LARGE = 96; // px of a picture, at most
const GAP = 2; // px between two
const TITLES = {
  given: ["Test data", "Fixed observations of the test set"],
  reconstructions: ["Reconstructions", "The same observations, encoded and decoded again at the mean of the posterior"],
  samples: ["Samples", "Drawn from the model, with the same noise at every step"],
  traversal: ["Walk along", "One number of the code, among those that vary most, goes 2.5 standard deviations to "
    + "either side of its mean; the others are those of the first observation"],
  interpolation: ["Interpolation", "Codes on the straight line from the first observation's to the second's, decoded"],
  future: ["Future", "Frames that are given, then those that the model draws, with the same noise at every step"],
};

export default mounted(component => new Film(component), (view, component) => view.receive(component));

class Film {
  constructor({ parentElement }) {
    this.root = rootOf("film", parentElement);
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Pictures while it learns: arrow keys step, space plays");
    Object.assign(this, { runs: new Map(), steps: [], step: null });
    const bar = make("div", "bar", this.root);
    this.player = button(bar, "▶ Play", "Play the steps (space)", () => this.play());
    [this.slider, this.told] = range(bar, "Step", { min: 0, max: 0, step: 1, value: 0 },
      "The step whose pictures are shown. Arrow keys step, Home and End go to the ends, space plays. At its right end "
      + "it follows the training.", place => this.goTo(place), () => this.words());
    this.slider.setAttribute("aria-label", "Step of the pictures");
    const saves = make("span", "saves", bar);
    this.link = make("a", "", saves, "Film");
    Object.assign(this.link, { title: "Save what the first of these runs drew as a GIF that loops", download: "" });
    saveButton(saves, () => this.saved());
    this.body = make("div", "runs", this.root);
    this.onKey = event => this.keys(event);
    document.addEventListener("keydown", this.onKey);
    this.back = onBack(() => this.recall());
    this.recall();
  }

  recall() {
    const asked = read("step");
    this.step = /^\d{1,12}$/.test(asked ?? "") ? Number(asked) : null;
    this.draw();
  }

  receive({ data }) {
    this.theme = readTheme(this.root, this.theme);
    if (data === this.bytes) return;
    const [{ runs }] = unpack((this.bytes = data));
    const ids = new Set(runs.map(run => run.id));
    for (const [id, run] of this.runs) {
      if (ids.has(id)) continue;
      run.element.remove();
      this.runs.delete(id);
    }
    for (const told of runs) {
      if (!this.runs.has(told.id)) this.runs.set(told.id, this.begin());
      const run = Object.assign(this.runs.get(told.id), told);
      setText(run.title, runs.length > 1 ? told.label : "");
      this.fetch(run);
    }
    this.link.href = runs[0]?.film ?? "";
    this.draw();
  }

  begin() {
    const element = make("div", "run", this.body);
    const title = make("div", "title", element);
    const said = make("div", "said-of", element);
    return { element, title, said, rows: [], given: [], pages: [], end: 0, fault: "" };
  }

  // What a run drew since the last time; all of it where it was cut back.
  async fetch(run) {
    if (run.busy || run.size === run.end || run.size === 0) return;
    run.busy = true;
    const wanted = run.size;
    if (run.size < run.end) Object.assign(run, { given: [], pages: [], end: 0 });
    try {
      const answer = await waiting(fetch(`${run.source}?from=${run.end}`));
      if (!answer.ok) {
        const told = await answer.json().catch(() => ({}));
        throw new Error(told.reason ?? `The server answered ${answer.status}.`);
      }
      const [{ start, end, given, pages }, , raw] = unpack(new Uint8Array(await answer.arrayBuffer()));
      for (const row of [...(given ?? []), ...pages.flatMap(page => page.rows)]) {
        if (row.bytes) row.bitmap = await createImageBitmap(new Blob([raw(row.bytes)], { type: "image/png" }));
      }
      if (given) run.given = given;
      run.pages = start ? [...run.pages, ...pages] : pages;
      Object.assign(run, { end, fault: "" });
    } catch (error) {
      run.fault = error.message;
    }
    run.busy = false;
    this.root.dataset.pages = [...this.runs.values()].reduce((sum, each) => sum + each.pages.length, 0);
    this.draw();
    if (!run.fault && run.size > wanted) this.fetch(run);
  }

  // -- which step

  draw() {
    const runs = [...this.runs.values()];
    this.steps = [...new Set(runs.flatMap(run => run.pages.map(page => page.step)))].sort((a, b) => a - b);
    const last = Math.max(0, this.steps.length - 1);
    if (this.slider.max !== String(last)) this.slider.max = last;
    const place = this.place();
    if (this.slider.value !== String(place)) this.slider.value = place;
    this.slider.disabled = this.player.disabled = this.steps.length < 2;
    this.link.hidden = !runs[0]?.pages.length;
    setText(this.told, this.words());
    for (const run of runs) this.show(run);
  }

  // Where the slider stands; without a step it is at the end, and follows.
  place() {
    const last = Math.max(0, this.steps.length - 1);
    if (this.step === null) return last;
    return Math.max(0, this.steps.findLastIndex(step => step <= this.step));
  }

  words() {
    return this.steps.length ? this.steps[this.place()].toLocaleString("en") : "–";
  }

  goTo(place) {
    const last = this.steps.length - 1;
    this.step = place >= last ? null : this.steps[Math.max(0, place)];
    write({ step: this.step });
    this.draw();
  }

  play() {
    if (this.playing) return this.pause();
    if (this.steps.length < 2) return;
    if (this.place() === this.steps.length - 1) this.goTo(0);
    setText(this.player, "⏸ Pause");
    this.playing = setInterval(() => {
      this.goTo(this.place() + 1);
      if (this.step === null) this.pause();
    }, PACE);
  }

  pause() {
    clearInterval(this.playing);
    this.playing = null;
    setText(this.player, "▶ Play");
  }

  keys(event) {
    const [key, within] = [keyOf(event), event.composedPath()[0]];
    const has = elements => within instanceof Element && within.closest(elements) !== null;
    if (key === null || !(this.root.contains(within) || this.root.matches(":hover"))) return;
    if (key === " ") {
      if (event.repeat || has("button, a, select, summary, [role=option]")) return;
      this.play();
    } else {
      const to = { ArrowRight: this.place() + 1, ArrowLeft: this.place() - 1, Home: 0, End: this.steps.length - 1 };
      if (!Object.hasOwn(to, key) || has("input, select, [role=slider], [role=radio], [role=tab]")) return;
      if (!this.steps.length) return;
      this.pause();
      this.goTo(to[key]);
    }
    event.preventDefault();
  }

  // -- what is shown

  show(run) {
    const step = this.steps[this.place()];
    const page = run.pages.findLast(each => each.step <= step);
    setText(run.said, run.fault || (page || run.size ? "" : "The first pictures come with its first step."));
    run.said.hidden = !run.said.textContent;
    const shown = page ? [...run.given, ...page.rows] : [];
    while (run.rows.length > shown.length) run.rows.pop().element.remove();
    const several = new Set(shown.map(row => row.modality)).size > 1;
    shown.forEach((row, n) => {
      run.rows[n] ??= this.row(run.element);
      this.fill(run.rows[n], row, several);
    });
  }

  row(parent) {
    const element = make("div", "row", parent);
    return { element, told: make("div", "told", element), canvas: make("canvas", "", element),
      list: make("ol", "", element) };
  }

  fill(place, row, several) {
    if (place.row === row) return;
    place.row = row;
    const [title, help] = TITLES[row.kind] ?? [row.kind, ""];
    setText(place.told, [[title, row.note].filter(Boolean).join(["traversal", "interpolation"].includes(row.kind) ? " " : ": "),
      several ? row.modality : ""].filter(Boolean).join(" · "));
    place.told.title = help;
    place.canvas.hidden = !row.bitmap;
    place.list.hidden = row.words.length === 0;
    while (place.list.children.length > row.words.length) place.list.lastChild.remove();
    row.words.forEach((text, n) => {
      const line = place.list.children[n] ?? make("li", "", place.list);
      setText(line, text || "(nothing)");
      line.title = text;
    });
    if (!row.bitmap) return;
    const { canvas } = place;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${place.told.textContent}: ${row.count} picture${row.count === 1 ? "" : "s"}`);
    const scale = Math.max(1, Math.floor(LARGE / row.width));
    const [wide, tall] = [scale * row.width, scale * row.height];
    const across = row.count * (wide + GAP) - GAP;
    if (canvas.width !== across || canvas.height !== tall) Object.assign(canvas, { width: across, height: tall });
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, across, tall);
    for (let n = 0; n < row.count; n++) {
      context.drawImage(row.bitmap, n * row.width, 0, row.width, row.height, n * (wide + GAP), 0, wide, tall);
    }
  }

  saved() {
    const rows = [...this.runs.values()].flatMap(run => run.rows);
    const parts = rows.flatMap(({ told, canvas, list }) => [{ words: told }, ...(canvas.hidden ? [] : [{ canvas }]),
      ...Array.from(list.children, words => ({ words }))]);
    return together({ name: `${[...this.runs.keys()][0]}-step-${this.words()}`, background: this.theme.background, parts });
  }

  destroy() {
    this.pause();
    document.removeEventListener("keydown", this.onKey);
    this.back();
    this.root.remove();
  }
}
