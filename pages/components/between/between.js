// From one picture to another along three paths, under one scrubber. Everything is decoded here; the server is asked
// for the shortest path once for each pair of ends.

import { joined, onBack, read, write } from "../lib/address.js";
import { button } from "../lib/controls.js";
import { open, strength } from "../lib/density.js";
import { blank, make, setText, unpack } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { move, moved } from "../lib/moved.js";
import { Network } from "../lib/network.js";
import { readTheme } from "../lib/palette.js";
import { paneOf } from "../lib/panes.js";
import { grid, picture, put, sizeOf } from "../lib/picture.js";
import { saveButton } from "../lib/save.js";
import { answers, inWords, judgeOf, verdictIn } from "../lib/verdict.js";
import { PATHS, along, endOf, spherical, straight, told } from "./ways.js";
import { sizes } from "../lib/talk.js";

const STEPS = 9; // pictures in a row
const SHADES = 48; // places along a path at which it is asked whether the model saw data
const PERIOD = 8000; // ms from one end to the other and back
const FAINT = 0.45; // of a picture decoded where the model saw no data
const ASK = 250; // ms that both ends must stand before the server is asked
const HELP = {
  straight: "Along the line between both codes. It may lead through places where the model saw no data.",
  spherical: "Along the arc around 0, through codes as long as the ends', which a Gaussian prior finds likelier.",
  shortest: "Of all paths nearby the one on which the pictures change least in all, at a constant speed: a geodesic in "
    + "the decoder's metric.",
};
const TITLES = { straight: "Straight", spherical: "Spherical", shortest: "Shortest" };

export default mounted(component => new Between(component), (view, component) => view.receive(component));

export function decode(bytes) {
  const [header, column] = unpack(bytes);
  const { hand: { latents: [latent] }, ways, count } = header;
  const message = { ...header, codes: column(count * latent.size), latent };
  if (ways) {
    ways.codes = column(ways.steps * latent.size);
    ways.speed = Object.fromEntries(PATHS.map(path => [path, column(ways.speeds)]));
  }
  message.sprite = bytes.slice(bytes.length - header.png);
  return message;
}

class Between {
  constructor({ parentElement }) {
    this.root = rootOf("between", parentElement);
    this.at = 0;
    this.path = "straight";
    this.ends = { from: null, to: null };
    this.next = "from"; // the end that the next click picks
    this.playing = false;
    this.build();
    this.endBack = onBack(() => this.fromAddress());
    this.resized = new ResizeObserver(() => this.drawSpeeds());
    this.resized.observe(this.root);
  }

  build() {
    const picks = make("div", "picks", this.root);
    this.chips = Object.fromEntries(["from", "to"].map(end => [end, this.chip(picks, end)]));
    button(picks, "⇄ Swap", "Let both ends change places",
      () => this.setEnds({ from: this.ends.to, to: this.ends.from }));
    button(picks, "Use the hand's code", "Take the code under the sliders above as the marked end: drawn, uploaded or "
      + "moved there by hand.", () => this.takeMine());
    this.sheet = make("div", "sheet", this.root);
    this.sheet.role = "listbox";
    this.sheet.setAttribute("aria-label", "Pictures to go from and to. Arrow keys move, Enter picks.");
    this.sheet.onkeydown = event => this.keys(event);
    this.hint = make("div", "hint", this.root);
    const bench = make("div", "bench", this.root);
    const rows = make("div", "rows", bench);
    rows.role = "radiogroup";
    rows.setAttribute("aria-label", "Path whose picture is shown large");
    this.rows = Object.fromEntries(PATHS.map(path => [path, this.row(rows, path)]));
    const bar = make("div", "bar", rows);
    this.play = button(bar, "▶", "Play there and back, in a loop", () => this.toggle());
    this.play.className = "play";
    this.play.setAttribute("aria-label", "Play");
    this.range = make("input", "", bar);
    Object.assign(this.range, { type: "range", min: 0, max: 1, step: 0.005, value: 0, title: "Where on the way: arrow "
      + "keys move it, too" });
    this.range.setAttribute("aria-label", "Where on the way from one picture to the other");
    this.range.oninput = () => this.scrub(Number(this.range.value));
    this.said = make("span", "said", bar);
    this.large = make("div", "large", bench);
    this.title = make("div", "title", this.large);
    this.box = make("div", "", this.large);
    this.place = make("div", "place", this.large);
    this.verdict = make("div", "answer", this.large);
    const under = make("div", "under", this.large);
    button(under, "Open under the hand", "Set the sliders above to this code, and go on from there",
      () => move(this.message.hand.run, { [this.message.latent.name]: this.units(this.code()) }, this));
    saveButton(under, () => this.saved());
    this.note = make("div", "note", this.root);
  }

  chip(parent, end) {
    const button = make("button", "end", parent);
    make("span", "", button, end === "from" ? "From" : "To");
    button.canvas = make("canvas", "", button);
    button.who = make("b", "", button);
    button.title = `The next click in the sheet chooses where to ${end === "from" ? "begin" : "end"}`;
    button.onclick = () => this.mark(end);
    return button;
  }

  row(parent, path) {
    const row = make("div", "row", parent);
    row.role = "radio";
    row.title = HELP[path];
    const head = make("div", "head", row);
    make("span", "name", head, TITLES[path]);
    row.said = make("span", "length", head);
    const strip = make("div", "strip", row);
    row.canvas = make("canvas", "pictures", strip);
    row.canvas.setAttribute("role", "img");
    row.canvas.setAttribute("aria-label", `${STEPS} pictures on the ${path} path`);
    row.wait = make("div", "wait", strip);
    row.wait.hidden = true;
    row.line = make("i", "at", strip);
    row.live = make("canvas", "live", row);
    row.live.setAttribute("aria-hidden", "true");
    row.answers = make("div", "answers", row);
    row.answers.title = "What the judge calls each picture; pale where it is not sure";
    row.speed = make("canvas", "speed", row);
    row.speed.setAttribute("role", "img");
    row.speed.setAttribute("aria-label", `How fast the picture changes along the ${path} path`);
    row.speed.title = "How fast the picture changes along the way: level where it is steady. Shaded where the model saw "
      + "no data.";
    row.onclick = () => this.choose(path);
    row.onkeydown = event => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Enter" || event.key === " ") this.choose(path);
      else if (step) {
        const other = PATHS[(PATHS.indexOf(path) + step + PATHS.length) % PATHS.length];
        this.choose(other);
        this.rows[other].focus();
      } else return;
      event.preventDefault();
    };
    const to = event => {
      const { left, width } = row.canvas.getBoundingClientRect();
      this.choose(path);
      this.scrub(Math.max(0, Math.min(1, ((event.clientX - left) / width * STEPS - 0.5) / (STEPS - 1))));
    };
    strip.onpointerdown = event => {
      if (event.button > 0) return;
      strip.setPointerCapture(event.pointerId);
      strip.onpointermove = to;
      to(event);
    };
    strip.onpointerup = strip.onpointercancel = () => { strip.onpointermove = null; };
    return row;
  }

  // -- what comes

  receive({ data, setStateValue }) {
    this.send = setStateValue;
    this.theme = readTheme(this.root, this.theme);
    if (data !== this.bytes) {
      const before = this.message;
      this.message = decode((this.bytes = data));
      const { hand, codes, latent, count } = this.message;
      this.facts = { count, codes, centre: Float32Array.from(latent.centre), unit: Float32Array.from(latent.unit) };
      setText(this.note, this.message.note);
      if (!this.message.ways && !this.message.reason) this.askedFor = null; // a server that was asked nothing yet
      const same = before?.hand.run === hand.run && before.png === this.message.png
        && before.hand.networks.decoder === hand.networks.decoder; // a training that goes on brings other weights
      if (!same) this.begin();
      else {
        this.cameWays();
        this.openJudge(hand.networks.decoder); // it may have been made meanwhile
      }
    }
    this.drawSpeeds();
  }

  // Another run, or other weights of it: its examples, its networks, and the ends that the address names.
  async begin() {
    const { hand, noun } = this.message;
    this.network = this.seen = this.stripped = null;
    this.judge?.line.destroy();
    this.judge = null;
    for (const row of Object.values(this.rows)) row.answers.replaceChildren();
    this.stop();
    this.fillSheet();
    this.pane?.destroy();
    [this.modality] = hand.modalities;
    this.pane = paneOf(this.modality, { side: 300 });
    this.box.append(this.pane.element);
    this.invitation = `Click the ${noun} to go from, then the one to go to.`;
    setText(this.hint, this.invitation);
    this.fromAddress();
    const wanted = hand.networks.decoder;
    try {
      const network = await Network.open(wanted);
      if (this.message.hand.networks.decoder !== wanted) return;
      this.network = network;
      if (network.reason) setText(this.note, `${this.message.note} ${network.reason}`);
      this.strips();
      this.draw();
      await Promise.all([this.openJudge(wanted), this.survey(wanted)]);
    } catch (error) {
      if (this.message.hand.networks.decoder === wanted) setText(this.hint, error.message);
    }
  }

  // Where the model saw data; without an answer nothing is said of it.
  async survey(wanted) {
    const { seen: address } = this.message.hand;
    const seen = address ? await open(address).catch(() => null) : null;
    if (this.message.hand.networks.decoder !== wanted) return;
    this.seen = seen;
    this.draw();
    this.drawSpeeds();
  }

  whereabouts() {
    const unusual = this.seen ? this.seen.unusual(this.code()) : 0;
    const words = this.seen ? this.seen.word(unusual) : "";
    setText(this.place, words && words[0].toUpperCase() + words.slice(1));
    this.box.style.opacity = FAINT + (1 - FAINT) * strength(unusual);
  }

  // Who says what class each picture is of, where there is one.
  async openJudge(wanted) {
    const told = this.message.hand.judges?.[this.modality.name];
    const judge = this.judge ? null : await judgeOf(told);
    if (!judge || this.judge || this.message.hand.networks.decoder !== wanted) return;
    this.judge = { ...judge, classes: told.classes, line: verdictIn(this.verdict, told) };
    this.stripped = null;
    this.strips();
    this.draw();
  }

  fillSheet() {
    const { count, cell: [height, width], labels, noun, sprite } = this.message;
    this.sheet.replaceChildren();
    this.sheet.style.setProperty("--wide", width / height);
    this.cells = Array.from({ length: count }, (_, n) => {
      const cell = make("button", "cell", this.sheet);
      cell.role = "option";
      cell.tabIndex = n ? -1 : 0;
      cell.said = labels[n] === undefined ? `${noun} ${n}` : `${noun} ${n}: ${labels[n]}`;
      cell.title = `Test ${cell.said}`;
      cell.setAttribute("aria-label", cell.title);
      cell.canvas = make("canvas", "", cell);
      Object.assign(cell.canvas, { width, height });
      cell.onclick = () => this.pick(n);
      return cell;
    });
    for (const row of Object.values(this.rows)) { // as large as what will be drawn, so that nothing jumps
      Object.assign(row.canvas, { width: STEPS * (width + 1) - 1, height });
      Object.assign(row.live, { width, height });
    }
    const { cells } = this;
    createImageBitmap(new Blob([sprite], { type: "image/png" })).then(image => {
      cells.forEach((cell, n) => cell.canvas.getContext("2d").drawImage(image, n * width, 0, width, height, 0, 0, width,
        height));
      this.chipsNow();
    }).catch(() => setText(this.hint, "The pictures to choose from could not be read. Reload the page."));
  }

  fromAddress() {
    const { from, to } = this.message;
    this.path = PATHS.includes(read("path")) ? read("path") : "shortest";
    const at = Number(read("at"));
    this.at = at >= 0 && at <= 1 ? at : 0;
    const end = (name, other) => endOf(read(name), this.facts) ?? endOf(other, this.facts) ?? endOf("0", this.facts);
    this.setEnds({ from: end("from", from), to: end("to", to) }, false);
    this.choose(this.path, false);
  }

  // -- both ends

  mark(end) {
    this.next = end;
    this.chipsNow();
  }

  pick(example) {
    const ends = { ...this.ends, [this.next]: endOf(String(example), this.facts) };
    this.next = this.next === "from" ? "to" : "from";
    this.setEnds(ends);
  }

  takeMine() {
    const { hand: { run }, latent } = this.message;
    const mine = moved(run)?.[latent.name] ?? new Float32Array(latent.size);
    this.setEnds({ ...this.ends, [this.next]: endOf(`z${joined(mine)}`, this.facts) });
    this.next = this.next === "from" ? "to" : "from";
    this.chipsNow();
  }

  setEnds(ends, told = true) {
    this.ends = ends;
    if (told) write({ from: ends.from.text, to: ends.to.text });
    this.chipsNow();
    this.cameWays();
  }

  chipsNow() {
    for (const [end, chip] of Object.entries(this.chips)) {
      chip.setAttribute("aria-pressed", this.next === end);
      const { example } = this.ends[end] ?? {};
      setText(chip.who, example === null ? "the hand's code" : this.cells?.[example]?.said ?? "");
      const source = example === null ? this.endPictures?.[end] : this.cells?.[example]?.canvas;
      chip.canvas.hidden = !source;
      if (!source) continue;
      Object.assign(chip.canvas, { width: source.width, height: source.height });
      chip.canvas.getContext("2d").drawImage(source, 0, 0);
    }
    this.cells?.forEach((cell, n) => {
      const which = ["from", "to"].filter(end => this.ends[end]?.example === n);
      cell.dataset.end = which.join(" ");
      cell.setAttribute("aria-selected", which.length > 0);
    });
  }

  keys(event) {
    const now = this.cells.indexOf(event.target);
    const across = Math.max(1, this.cells.filter(cell => cell.offsetTop === this.cells[0].offsetTop).length);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across,
      Home: -now, End: this.cells.length - 1 - now }[event.key];
    if (now < 0 || step === undefined) return;
    event.preventDefault();
    const next = this.cells[now + step];
    if (!next) return;
    this.cells[now].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  // -- the shortest path, asked for and answered

  get ways() {
    const { ways, from, to } = this.message;
    return ways && from === this.ends.from.text && to === this.ends.to.text ? ways : null;
  }

  cameWays() {
    const { ways, message: { reason, from, to } } = this;
    const asked = from === this.ends.from.text && to === this.ends.to.text;
    const shortest = this.rows.shortest;
    for (const path of PATHS) {
      setText(this.rows[path].said, ways ? told(path, ways.lengths) : "");
    }
    const none = asked && reason;
    shortest.classList.toggle("waiting-for-it", !ways && !none);
    setText(shortest.wait, ways ? "" : none ? reason : "Looking for the shortest path…");
    shortest.wait.hidden = Boolean(ways);
    clearTimeout(this.asking);
    if (!ways && !none) this.asking = setTimeout(() => this.ask(), ASK);
    if (ways && !ways.settled) setText(shortest.said, `${shortest.said.textContent} · still growing shorter`);
    this.strips();
    this.draw();
    this.drawSpeeds();
  }

  // Once for each pair: an answer to an earlier question may come meanwhile.
  ask() {
    const ends = { from: this.ends.from.text, to: this.ends.to.text };
    const pair = `${ends.from} ${ends.to}`;
    if (pair === this.askedFor) return;
    this.askedFor = pair;
    this.send("ends", ends);
  }

  // -- along the way

  code(path = this.path, t = this.at) {
    const { from: { code: a }, to: { code: b } } = this.ends;
    if (path === "spherical") return spherical(a, b, t);
    const { ways } = this;
    return path === "shortest" && ways ? along(ways.codes, ways.steps, t) : straight(a, b, t);
  }

  units(code) {
    return code.map((x, d) => (x - this.facts.centre[d]) / this.facts.unit[d]);
  }

  get shown() {
    return PATHS.filter(path => path !== "shortest" || this.ways);
  }

  batch(codes) {
    const { latent } = this.message;
    const z = new Float32Array(codes.length * latent.size);
    codes.forEach((code, n) => z.set(code, n * latent.size));
    return { [latent.name]: z };
  }

  // The rows, all in one batch; only the newest pair's are drawn.
  async strips() {
    if (!this.network || !this.ends.from) return;
    const { network, shown, modality } = this;
    const key = `${this.ends.from.text} ${this.ends.to.text} ${shown}`;
    if (key === this.stripped) return;
    this.stripped = key;
    const codes = shown.flatMap(path => Array.from({ length: STEPS }, (_, n) => this.code(path, n / (STEPS - 1))));
    const outputs = await network.run(this.batch(codes), codes.length).catch(error => this.failed(error));
    if (!outputs || this.stripped !== key || this.network !== network) return;
    setText(this.hint, this.invitation);
    const means = outputs[`${modality.name}.mean`];
    const size = sizeOf(modality.shape);
    const pictures = codes.map((_, n) => picture(means.subarray(n * size, (n + 1) * size), modality.shape));
    shown.forEach((path, n) => put(this.rows[path].canvas, grid(pictures.slice(n * STEPS, (n + 1) * STEPS), STEPS)));
    const canvasOf = one => {
      const canvas = document.createElement("canvas");
      put(canvas, one);
      return canvas;
    };
    this.endPictures = { from: canvasOf(pictures[0]), to: canvasOf(pictures[STEPS - 1]) };
    this.chipsNow();
    this.root.dataset.strips = key;
    this.drawSpeeds();
    await this.judged(key, means);
  }

  failed(error) {
    this.stripped = null; // with the next pair once more
    setText(this.hint, error.message);
  }

  // What the judge calls each picture of the rows.
  async judged(key, means) {
    const { judge } = this;
    const logits = await judge?.all(means, this.shown.length * STEPS).catch(() => null); // they stand without it
    if (!logits || this.stripped !== key || this.judge !== judge) return;
    this.shown.forEach((path, place) => this.rows[path].answers.replaceChildren(
      ...Array.from({ length: STEPS }, (_, n) => {
        const [best] = answers(logits[place * STEPS + n], judge.classes);
        const word = make("span", "", null, best.name);
        word.title = inWords(best);
        word.style.opacity = 0.3 + 0.7 * best.chance;
        return word;
      })));
  }

  choose(path, told = true) {
    this.path = path;
    for (const [name, row] of Object.entries(this.rows)) {
      row.setAttribute("aria-checked", name === path);
      row.tabIndex = name === path ? 0 : -1;
    }
    if (told) write({ path });
    this.draw();
  }

  scrub(at) {
    this.stop();
    this.at = Math.round(1000 * at) / 1000; // as the address has it, so that a link shows the very picture
    write({ at: this.at });
    this.draw();
  }

  // The picture of each path at the scrubber's place, and the chosen one large.
  draw() {
    if (!this.ends.from) return;
    const share = `${Math.round(100 * this.at)} %`;
    if (Number(this.range.value) !== this.at) this.range.value = this.at;
    this.range.setAttribute("aria-valuetext", `${share} of the way`);
    setText(this.said, share);
    setText(this.title, `${TITLES[this.path]}, ${share} of the way`);
    for (const row of Object.values(this.rows)) {
      row.line.style.left = `${(100 * (this.at * (STEPS - 1) + 0.5)) / STEPS}%`;
    }
    this.whereabouts();
    if (!this.network) return;
    const { network, shown, path, at, modality } = this;
    const paths = shown.includes(path) ? shown : [...shown, path];
    network.latest(this.batch(paths.map(each => this.code(each))), paths.length, outputs => {
      if (this.network !== network) return; // another run came meanwhile
      const size = sizeOf(modality.shape);
      const of = (name, n) => outputs[`${modality.name}.${name}`]?.subarray(n * size, (n + 1) * size);
      shown.forEach((each, n) => put(this.rows[each].live, picture(of("mean", n), modality.shape)));
      const n = paths.indexOf(path);
      this.pane.show({ mean: of("mean", n), sigma: of("sigma", n) });
      const { judge } = this;
      judge?.latest(of("mean", n).slice(), 1, ([logits]) => judge.line.show(logits));
      this.root.dataset.drawn = `${path} ${at}`;
    }, error => this.failed(error));
  }

  drawSpeeds() {
    const ways = this.message && this.ends.from && this.ways;
    const most = ways ? Math.max(...PATHS.map(path => Math.max(...ways.speed[path]))) : 0;
    for (const path of PATHS) {
      const canvas = this.rows[path].speed;
      const c = blank(canvas);
      if (!c) continue;
      const { width, height } = canvas;
      const inset = width / STEPS / 2; // from the middle of the first picture to that of the last
      if (this.seen && this.ends?.from && (path !== "shortest" || ways)) this.shade(c, path, inset, width, height);
      if (!(most > 0)) continue;
      const speed = ways.speed[path];
      c.beginPath();
      speed.forEach((value, n) => {
        const x = inset + ((n + 0.5) / speed.length) * (width - 2 * inset);
        const y = height - 2 - (value / most) * (height - 4);
        if (n) c.lineTo(x, y);
        else c.moveTo(x, y);
      });
      c.strokeStyle = this.theme.palette[0] || this.theme.text;
      c.lineWidth = 1.5 * sizes(c.canvas).density;
      c.stroke();
    }
  }

  // Darker where the model saw less.
  shade(c, path, inset, width, height) {
    const wide = (width - 2 * inset) / SHADES;
    c.fillStyle = this.theme.text;
    for (let n = 0; n < SHADES; n++) {
      const unseen = 1 - strength(this.seen.unusual(this.code(path, (n + 0.5) / SHADES)));
      if (unseen <= 0) continue;
      c.globalAlpha = 0.25 * unseen;
      c.fillRect(inset + n * wide, 0, wide, height);
    }
    c.globalAlpha = 1;
  }

  // -- the loop

  toggle() {
    if (this.playing) {
      this.scrub(this.at);
      return;
    }
    this.playing = true;
    this.root.dataset.playing = true;
    setText(this.play, "⏸");
    this.play.setAttribute("aria-label", "Pause");
    const begun = performance.now() - (PERIOD / 2) * this.at;
    const frame = now => {
      const turn = ((now - begun) % PERIOD) / PERIOD;
      this.at = turn < 0.5 ? 2 * turn : 2 - 2 * turn;
      this.draw();
      this.frame = requestAnimationFrame(frame);
    };
    this.frame = requestAnimationFrame(frame);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.playing = false;
    delete this.root.dataset.playing;
    setText(this.play, "▶");
    this.play.setAttribute("aria-label", "Play");
  }

  // The rows with their names, as a picture.
  saved() {
    const rows = this.shown.map(path => [path, this.rows[path].canvas]).filter(([, canvas]) => canvas.width > 1);
    if (!rows.length) return null;
    const [{ width, height }] = [rows[0][1]];
    const scale = Math.max(1, Math.round(900 / width));
    const [wide, high, text] = [width * scale, height * scale, 26];
    const { theme, ways } = this;
    return {
      name: `${this.message.hand.run}-${this.ends.from.example ?? "hand"}-${this.ends.to.example ?? "hand"}`,
      width: wide,
      height: rows.length * (high + text + 8),
      background: theme.background,
      draw(context) {
        context.imageSmoothingEnabled = false;
        context.font = `16px ${theme.font}`;
        context.textBaseline = "middle";
        rows.forEach(([path, canvas], n) => {
          const top = n * (high + text + 8);
          context.fillStyle = theme.text;
          context.fillText(`${TITLES[path]}${ways ? `, ${told(path, ways.lengths)}` : ""}`, 0, top + text / 2);
          context.drawImage(canvas, 0, top + text, wide, high);
        });
      },
    };
  }

  destroy() {
    this.stop();
    clearTimeout(this.asking);
    this.endBack();
    this.resized.disconnect();
    this.pane?.destroy();
    this.root.remove();
  }
}
