// A player: clips of equal length on one clock, and curves over the same frames.
// Playing, stepping and scrubbing stay here; the server hears only of a branch.

import { read, write } from "../lib/address.js";
import { INFERNO, pixel, ramp } from "../lib/colourmap.js";
import { make, setText } from "../lib/dom.js";
import { answered } from "../lib/keys.js";
import { mounted, rootOf } from "../lib/mount.js";
import { readTheme } from "../lib/palette.js";
import { clamp, grouped, ticks } from "../lib/plot.js";
import { saveButton, together } from "../lib/save.js";
import { pointerOn, sizes } from "../lib/talk.js";

const FRAME = "frame"; // in the address
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const EDGE = 4; // px: the border of a picture
const GAP = 16; // px between tiles
const BORDER = 28; // px around everything on the full screen
const WORDS = 54; // px: caption and strip of a tile, above and below its picture
const SMALLEST = 120; // px: narrower pictures are not seen from the back row
const LARGEST = 400; // px, on the page; the projector gets all there is
const TEXT = 14; // px
const MARGIN = { left: 54, right: 12, top: 14, bottom: 40 }; // px around a chart
const PATIENCE = 3000; // ms until a branch can be asked for again if no answer has come
const CHART = 280; // px: narrower charts are put into fewer columns
const PRESSED = "button, a, summary, [role=button]"; // these want the space bar, and no arrows
const EDITING = "input, textarea, select, [contenteditable], [role=slider], [role=combobox], [role=tab], [tabindex]";
const ICONS = {
  play: "M5 3v14l12-7z",
  pause: "M5 3h4v14H5zM11 3h4v14h-4z",
  back: "M4 3h2.5v14H4zM16.5 3v14L7.5 10z",
  forward: "M13.5 3H16v14h-2.5zM3.5 3v14l9-7z",
  loop: "M5 4h8a4 4 0 0 1 4 4v1h-2V8a2 2 0 0 0-2-2H6.5v2.5L2.5 5l4-3.5V4z"
    + "M15 16H7a4 4 0 0 1-4-4v-1h2v1a2 2 0 0 0 2 2h6.5v-2.5l4 3.5-4 3.5z",
  screen: "M3 3h5v2H5v3H3zM12 3h5v5h-2V5h-3zM3 12h2v3h3v2H3zM15 12h2v5h-5v-2h3z",
  branch: "M4 9h4.2l4.6-5H17v2h-3.3l-3.6 4 3.6 4H17v2h-4.2l-4.6-5H4z",
};
const GREYS = Uint32Array.from({ length: 256 }, (_, v) => pixel(v, v, v));
const HEAT = ramp(INFERNO); // of a spread: black where all futures agree

const players = new Set();
let latest = null; // the player used last: it has the arrow keys while nothing has the focus

export default mounted(
  ({ parentElement }) => new Player(parentElement),
  (view, { data, setTriggerValue }) => view.update(data, setTriggerValue),
);

class Player {
  constructor(parent) {
    this.root = rootOf("player", parent);
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Clip player");
    this.root.tabIndex = -1;
    this.grid = make("div", "grid", this.root);
    this.controls = make("div", "controls", this.root);
    this.build();
    this.charts = make("div", "charts", this.root);

    this.tiles = [];
    this.figures = [];
    this.places = new Map(); // name of a line -> place in the palette, in all charts
    this.at = 0; // the frame on screen
    this.playing = false;
    this.position = 0; // in frames, with a fraction: the clock
    this.time = null; // ms, of the clock's last move
    this.selected = null; // name of the track to branch from
    this.counts = { shown: 0, dropped: 0 };
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    latest ??= this;
    players.add(this);

    this.root.addEventListener("pointerdown", () => (latest = this), true);
    this.root.addEventListener("focusin", () => (latest = this));
    // A click must not leave the focus on a button: the space bar then plays, as one expects on a stage.
    this.root.addEventListener("mousedown", event => {
      if (event.target.closest("select, input, .title, .menu")) return; // a menu closes when the focus leaves it
      event.preventDefault();
      this.root.focus({ preventScroll: true });
    });
    this.onKey = event => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.onSight = () => (this.time = null); // hidden pages draw nothing: no frame was dropped
    document.addEventListener("visibilitychange", this.onSight);
    this.onFull = () => this.fit();
    this.root.addEventListener("fullscreenchange", this.onFull);
    window.addEventListener("resize", this.onFull);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.root);
  }

  build() {
    const bar = make("div", "bar", this.controls);
    const button = (name, icon, parent, action) => {
      const made = make("button", name, parent);
      made.type = "button";
      made.append(draw(icon));
      made.onclick = action;
      return made;
    };
    const label = (element, text) => {
      element.setAttribute("aria-label", text);
      element.title = text;
    };
    const main = make("div", "main", bar);
    this.back = button("icon", "back", main, () => this.stepBy(-1));
    label(this.back, "One frame back (left arrow)");
    this.play = button("icon play", "play", main, () => this.toggle());
    this.forward = button("icon", "forward", main, () => this.stepBy(1));
    label(this.forward, "One frame forward (right arrow)");
    this.counter = make("span", "counter", main);
    this.number = make("b", "", this.counter);
    this.state = make("span", "state", this.counter);

    const more = make("div", "more", bar);
    this.branch = button("branch", "branch", more, () => this.ask());
    this.branchName = make("span", "", this.branch, "Branch here");
    this.speed = make("select", "", more);
    label(this.speed, "Speed");
    for (const speed of SPEEDS) make("option", "", this.speed, `${speed}×`).value = speed;
    this.speed.value = 1;
    this.loop = button("icon", "loop", more, () => this.loop.setAttribute("aria-pressed", !this.looping));
    this.loop.setAttribute("aria-pressed", true);
    label(this.loop, "Loop");
    saveButton(more, () => this.saved());
    this.screen = button("icon screen", "screen", more, () => this.full());
    label(this.screen, "Full screen");
    this.screen.hidden = !(document.fullscreenEnabled && this.root.requestFullscreen);

    const scrub = make("div", "scrub", this.controls);
    const words = make("div", "words", scrub);
    this.givenWord = make("span", "", words, "given");
    this.givenWord.title = "Context: the frames that the model was given";
    this.predictedWord = make("span", "", words, "predicted");
    this.predictedWord.title = "Frames that the model did not see";
    this.legend = make("span", "legend", words);
    this.legend.title = "What could not be foreseen from the frames before, in the true clip";
    this.rail = make("div", "rail", scrub);
    this.given = make("div", "given", this.rail);
    this.ticks = make("div", "ticks", scrub);
    this.range = make("input", "", scrub);
    Object.assign(this.range, { type: "range", min: 0, step: 1 });
    this.range.setAttribute("aria-label", "Frame");
    this.range.oninput = () => this.jump(Number(this.range.value));
  }

  // The frame that is seen of every clip, and the curves.
  saved() {
    const parts = this.tiles.flatMap(tile => [{ words: tile.name }, { canvas: tile.canvas }, { words: tile.strip }]);
    for (const figure of this.figures) {
      parts.push({ words: figure.name }, { words: figure.unit }, { canvas: figure.canvas }, { canvas: figure.cursor });
    }
    return together({ name: `frame-${this.number.textContent}`, background: this.theme.background, parts });
  }

  get end() {
    return this.message.frames - 1;
  }

  get looping() {
    return this.loop.getAttribute("aria-pressed") === "true";
  }

  update(bytes, setTriggerValue) {
    this.send = setTriggerValue;
    const theme = readTheme(this.root, this.theme);
    if (bytes === this.bytes && theme === this.theme) return;
    const fresh = bytes !== this.bytes;
    this.theme = theme;
    this.accent = getComputedStyle(this.given).color; // of what was given, as in player.css
    if (fresh) this.take(bytes);
    this.arrange();
    this.show();
    for (const figure of this.figures) figure.draw();
    if (fresh) answered(this.root);
  }

  take(bytes) {
    this.bytes = bytes;
    const message = decode(bytes);
    const { frames, context, width, height, tracks, charts, events } = message;
    this.message = message;
    const shape = [frames, width, height].join();
    const [first, another] = [this.shape === undefined, shape !== this.shape];
    this.shape = shape;
    this.waiting = false;
    clearTimeout(this.answer);

    this.range.max = Math.max(1, this.end);
    const still = frames < 2;
    for (const control of [this.back, this.play, this.forward, this.range, this.speed, this.loop]) {
      control.disabled = still;
    }
    const part = t => `${100 * clamp(t / Math.max(1, this.end), 0, 1)}%`;
    const split = context >= frames ? "100%" : context <= 0 ? "0%" : part(context - 0.5);
    this.root.style.setProperty("--given", split);
    this.root.style.setProperty("--digits", String(frames).length);
    this.givenWord.hidden = context <= 0;
    this.predictedWord.hidden = context >= frames;
    setText(this.legend, events.length > 0 ? `▲ ${message.eventName}` : "");
    const marks = JSON.stringify([frames, events, message.eventName]);
    if (marks !== this.marks) {
      this.marks = marks;
      this.ticks.replaceChildren(...events.map(t => {
        const tick = make("i", "tick");
        tick.style.left = part(t);
        tick.title = `${message.eventName} at frame ${t + 1}`;
        return tick;
      }));
    }

    this.branch.hidden = !message.branch;
    const can = tracks.filter(track => track.branch);
    if (!can.some(track => track.name === this.selected)) {
      this.selected = (can.find(track => track.kind === "future") ?? can[0])?.name ?? null;
    }
    while (this.tiles.length > tracks.length) this.tiles.pop().destroy();
    while (this.tiles.length < tracks.length) this.tiles.push(new Tile(this));
    this.tiles.forEach((tile, i) => tile.update(tracks[i]));

    for (const line of charts.flatMap(chart => chart.lines)) {
      if (!this.places.has(line.name)) this.places.set(line.name, this.places.size);
    }
    while (this.figures.length > charts.length) this.figures.pop().destroy();
    while (this.figures.length < charts.length) this.figures.push(new Figure(this));
    this.figures.forEach((figure, i) => figure.update(charts[i]));

    if (another) {
      this.at = 0;
      const leader = this.others().find(other => !other.led);
      const asked = first ? Number.parseInt(read(FRAME), 10) : 0;
      if (leader) this.follow(leader);
      else if (asked > 0) {
        this.at = clamp(asked - 1, 0, this.end);
        this.set(false);
      } else {
        this.set(message.playing && !this.calm.matches && !still);
        if (!first) this.keep();
      }
    }
  }

  colour(name) {
    return this.theme.palette[this.places.get(name) % this.theme.palette.length];
  }

  // ------------------------------------------------------------------------------------------------------- the clock

  toggle() {
    if (this.end < 1) return;
    if (!this.playing && this.at === this.end) this.at = 0;
    this.set(!this.playing);
    this.show();
    this.lead();
    this.keep();
  }

  set(playing) {
    this.led = null;
    this.playing = playing;
    this.position = this.at;
    this.time = null;
    if (playing) this.frame ??= requestAnimationFrame(now => this.tick(now));
  }

  jump(t) {
    this.set(false);
    this.at = clamp(t, 0, this.end);
    this.show();
    this.lead();
    this.keep();
  }

  // The frame at which it stands, in the address; a player that plays has none there, and plays where it is opened.
  keep() {
    write({ [FRAME]: this.playing ? null : this.at + 1 });
  }

  stepBy(count) {
    this.jump(this.at + count);
  }

  // The clock goes by time, not by calls: a frame that comes late is skipped and counted, and the rate is kept.
  tick(now) {
    this.frame = null;
    if (!this.playing || this.led) return;
    const { rate, frames } = this.message;
    const before = Math.floor(this.position);
    if (this.time !== null) this.position += (Math.max(0, now - this.time) / 1000) * rate * this.speed.value;
    this.time = now;
    const ended = !this.looping && this.position >= frames;
    const steps = (ended ? this.end : Math.floor(this.position)) - before;
    if (steps > 0) {
      this.counts.shown += 1;
      this.counts.dropped += steps - 1;
    }
    this.position %= frames;
    if (ended) {
      this.at = this.end;
      this.set(false);
    } else {
      this.at = Math.floor(this.position);
      this.frame = requestAnimationFrame(later => this.tick(later));
    }
    if (steps > 0 || ended) {
      this.show();
      this.lead();
    }
  }

  // All players of a page whose clocks are of one length have one clock: that which was moved last leads.
  lead() {
    for (const other of this.others()) other.follow(this);
  }

  others() {
    return [...players].filter(other => other !== this && other.message?.frames === this.message?.frames);
  }

  follow(leader) {
    this.set(false);
    this.at = leader.at;
    this.playing = leader.playing;
    this.led = leader.playing ? leader : null;
    this.show();
  }

  show() {
    const { at, message, playing } = this;
    const { frames, context } = message;
    const given = at < context;
    const number = `frame ${at + 1} / ${frames}`;
    const state = given ? "given" : "predicted";
    setText(this.number, number);
    setText(this.state, ` · ${state}`);
    this.range.value = at;
    this.range.setAttribute("aria-valuetext", `${number}, ${state}`);
    if (this.drawnPlaying !== playing) {
      this.drawnPlaying = playing;
      this.play.replaceChildren(draw(playing ? "pause" : "play"));
      this.play.title = playing ? "Pause (space)" : "Play (space)";
      this.play.setAttribute("aria-label", this.play.title);
    }
    const { dataset } = this.root;
    Object.assign(dataset, { frame: at, playing, shown: this.counts.shown, dropped: this.counts.dropped });
    for (const tile of this.tiles) tile.show(at);
    for (const figure of this.figures) figure.point(at);
    this.offer();
  }

  // Keys belong to the player while it has the focus or the mouse over it; to the one used last, while nobody does.
  key(event) {
    const target = event.composedPath()[0];
    if (!this.message || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const inside = this.root.contains(target);
    const pressed = target instanceof Element && target.closest(PRESSED);
    const free = pressed || !(target instanceof Element && target.closest(EDITING));
    const over = free && this.root.matches(":hover");
    const idle = latest === this && (pressed || target === document.body || target === document.documentElement);
    const scrolls = event.key === "Home" || event.key === "End"; // the page, unless the player is meant
    const chooses = target instanceof Element && target.closest("select");
    if (!(inside || over || (idle && !scrolls)) || chooses || this.end < 1) return;
    const tile = inside && target.closest(".tile"); // the chosen one leaves the space bar to us
    if (event.key === " " && pressed && !tile) return;
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

  // ----------------------------------------------------------------------------------------------------- the branch

  select(name) {
    this.selected = name;
    for (const tile of this.tiles) tile.mark();
    this.offer();
  }

  // Says on its button whether, and from where, a branch can be drawn.
  offer() {
    const { message, at } = this;
    if (!message.branch) return;
    const track = message.tracks.find(each => each.name === this.selected);
    const why = !track ? "There is no clip to branch from."
      : at < message.context - 1 ? "These frames are given: go to the last of them, or later."
        : at >= this.end ? "No frame comes after this one."
          : at >= track.start + track.count ? `${track.caption} has no such frame yet.`
            : "";
    const off = this.waiting || why !== "";
    const text = this.waiting ? "Branching …" : "Branch here";
    setText(this.branchName, text);
    if (this.branch.getAttribute("aria-disabled") !== String(off)) this.branch.setAttribute("aria-disabled", off);
    this.branch.title = why || `Keep ${track.caption} up to frame ${at + 1} and draw new futures from there. `
      + "Click a clip to choose another.";
  }

  ask() {
    if (this.branch.getAttribute("aria-disabled") === "true") return;
    this.set(false);
    this.lead();
    this.waiting = true;
    this.answer = setTimeout(() => {
      this.waiting = false;
      this.offer();
    }, PATIENCE);
    this.show();
    this.send("branch", { track: this.selected, frame: this.at, key: this.message.key });
  }

  // ------------------------------------------------------------------------------------------------------- the room

  full() {
    const done = this.isFull ? document.exitFullscreen() : this.root.requestFullscreen();
    done.catch(() => (this.screen.hidden = true)); // refused, as in a frame of another site
  }

  get isFull() {
    return this.root.getRootNode().fullscreenElement === this.root;
  }

  fit() {
    if (!this.message) return;
    this.arrange();
    for (const figure of this.figures) figure.fit();
  }

  // The largest pictures that are whole multiples of their pixels and leave room for the rest.
  arrange() {
    const { width, height } = this.message;
    const count = this.tiles.length;
    this.root.classList.toggle("full", this.isFull);
    const across = this.root.clientWidth - (this.isFull ? 2 * BORDER : 0);
    if (across <= 0) return;
    const charts = this.figures.length;
    const most = clamp(Math.floor((across + 24) / (CHART + 24)), 1, Math.max(1, charts));
    this.root.style.setProperty("--charts", Math.ceil(charts / Math.ceil(charts / most)) || 1);
    if (count === 0) return;
    const { density: ratio, zoom } = sizes(this.root);
    const high = innerHeight / zoom; // px of the component
    const rest = [...this.root.children].reduce((sum, part) => sum + (part === this.grid ? 0 : part.offsetHeight), 0);
    const tall = this.isFull ? Math.max(high - rest - 60, 0.35 * high) : 0.6 * high;
    const whole = css => {
      const times = (css * ratio) / width;
      return (times >= 1 ? Math.floor(times) / ratio : times / ratio) * width;
    };
    const options = Array.from({ length: count }, (_, i) => i + 1).map(columns => {
      const room = (across - (columns - 1) * GAP) / columns - 2 * EDGE;
      const rows = Math.ceil(count / columns);
      const high = ((tall - (rows - 1) * GAP) / rows - WORDS - 2 * EDGE) * (width / height);
      const widest = Math.max(1, Math.min(room, this.isFull ? Infinity : LARGEST));
      return { columns, fits: whole(Math.min(widest, Math.max(1, high))), any: whole(widest) };
    });
    let best = options.reduce((a, b) => (b.fits >= a.fits ? b : a));
    let side = best.fits;
    if (side < Math.min(SMALLEST, options[0].any)) { // too many for one screen: the page is scrolled
      best = options.findLast(option => option.any >= SMALLEST) ?? options[Math.min(1, count - 1)];
      side = best.any;
    }
    const columns = Math.ceil(count / Math.ceil(count / best.columns)); // rows of equal length
    const size = [columns, side, height / width].join();
    if (size === this.size) return;
    this.size = size;
    const { style } = this.root;
    style.setProperty("--columns", columns);
    style.setProperty("--side", `${side}px`);
    style.setProperty("--tall", `${(side * height) / width}px`);
    this.grid.classList.toggle("smooth", side * ratio < width);
  }

  destroy() {
    players.delete(this);
    const left = [...players].filter(other => other.led === this);
    left[0]?.set(true); // goes on without it, and leads the others
    for (const other of left.slice(1)) other.follow(left[0]);
    if (latest === this) latest = null;
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("visibilitychange", this.onSight);
    window.removeEventListener("resize", this.onFull);
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.answer);
    for (const figure of this.figures) figure.destroy();
    this.playing = false;
    this.root.remove();
  }
}

// One clip: its caption, its picture, and a strip that says what the frame is.
class Tile {
  constructor(player) {
    this.player = player;
    this.element = make("div", "tile", player.grid);
    this.caption = make("div", "caption", this.element);
    this.radio = make("i", "radio", this.caption);
    this.name = make("span", "name", this.caption);
    const frame = make("div", "frame", this.element);
    this.canvas = make("canvas", "", frame);
    this.canvas.setAttribute("role", "img");
    this.strip = make("div", "strip", frame);
    this.sprite = document.createElement("canvas"); // all frames beside each other: one costs a drawImage
    this.element.onclick = () => this.track.branch && player.select(this.track.name);
    this.element.onkeydown = event => {
      const chosen = player.selected === this.track.name;
      if (!this.track.branch || chosen || (event.key !== "Enter" && event.key !== " ")) return; // chosen: space plays
      event.preventDefault();
      player.select(this.track.name);
    };
  }

  update(track) {
    const { key, width, height } = this.player.message;
    this.track = track;
    setText(this.name, track.caption);
    this.caption.title = track.help || track.caption;
    this.radio.hidden = !track.branch;
    if (track.branch) Object.assign(this.element, { tabIndex: 0, role: "button" });
    else for (const name of ["tabindex", "role", "aria-pressed"]) this.element.removeAttribute(name);
    this.element.classList.toggle("choice", track.branch);
    this.canvas.setAttribute("aria-label", `${track.caption}, clip of ${track.count} frames`);
    this.mark();
    const content = [key, track.digest, track.kind, track.channels, track.count, width, height].join();
    if (content === this.content) return;
    this.content = content;
    this.shownPlace = null;
    this.paint();
  }

  mark() {
    if (!this.track.branch) return;
    const chosen = this.player.selected === this.track.name;
    this.element.setAttribute("aria-pressed", chosen);
    this.element.setAttribute("aria-label", `${this.track.caption}: branch from this clip`);
  }

  paint() {
    const { pixels, count, channels, kind } = this.track;
    const { width, height } = this.player.message;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    if (count === 0) return;
    this.columns = Math.ceil(Math.sqrt(count * (height / width)));
    const rows = Math.ceil(count / this.columns);
    const wide = this.columns * width;
    Object.assign(this.sprite, { width: wide, height: rows * height });
    const context = this.sprite.getContext("2d");
    const image = context.createImageData(wide, rows * height);
    const target = new Uint32Array(image.data.buffer);
    const colours = kind === "spread" ? HEAT : GREYS;
    let from = 0;
    for (let t = 0; t < count; t++) {
      const corner = Math.floor(t / this.columns) * height * wide + (t % this.columns) * width;
      for (let y = 0; y < height; y++) {
        let to = corner + y * wide;
        for (let x = 0; x < width; x++, to++, from += channels) {
          target[to] = channels === 1 ? colours[pixels[from]] : pixel(pixels[from], pixels[from + 1], pixels[from + 2]);
        }
      }
    }
    context.putImageData(image, 0, 0);
  }

  show(t) {
    const { track, canvas } = this;
    const { width, height } = this.player.message;
    const place = t - track.start;
    const there = place >= 0 && place < track.count;
    const state = !there ? "none"
      : track.kind === "reconstruction" ? "reconstructed"
        : track.kind === "given" || t < track.given ? "given"
          : track.kind === "truth" ? "true" : "predicted";
    if (this.element.dataset.state !== state || !there) {
      this.element.dataset.state = state;
      const ended = place < 0 || ["truth", "given", "reconstruction"].includes(track.kind); // the others may still grow
      setText(this.strip, there ? state : ended ? "no frame" : "not yet");
    }
    const drawn = there ? place : -1;
    if (drawn === this.shownPlace) return;
    this.shownPlace = drawn;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    if (!there) return;
    const [x, y] = [(place % this.columns) * width, Math.floor(place / this.columns) * height];
    context.drawImage(this.sprite, x, y, width, height, 0, 0, width, height);
  }

  destroy() {
    this.element.remove();
  }
}

// One chart: its title, its lines with their values at the clock, and a cursor there. Dragging moves the clock.
class Figure {
  constructor(player) {
    this.player = player;
    this.element = make("figure", "", player.charts);
    this.title = make("div", "title", this.element);
    this.name = make("span", "name", this.title);
    this.unit = make("span", "unit", this.title);
    this.legend = make("div", "lines", this.element);
    this.box = make("div", "plot", this.element);
    this.canvas = make("canvas", "", this.box); // axes and lines
    this.canvas.setAttribute("role", "img");
    this.cursor = make("canvas", "cursor", this.box); // drawn anew at every frame
    const move = event => {
      if (!this.area) return;
      const t = Math.round(((pointerOn(event)[0] - MARGIN.left) / this.area.across) * player.end);
      player.jump(t);
    };
    this.cursor.onpointerdown = event => {
      if (event.button !== 0) return;
      this.cursor.setPointerCapture(event.pointerId);
      move(event);
    };
    this.cursor.onpointermove = event => this.cursor.hasPointerCapture(event.pointerId) && move(event);
  }

  update(chart) {
    this.chart = chart;
    setText(this.name, chart.title);
    setText(this.unit, chart.unit ? `in ${chart.unit}` : "");
    if (chart.help) {
      this.title.dataset.help = chart.help;
      this.title.tabIndex = 0;
    } else {
      delete this.title.dataset.help;
      this.title.removeAttribute("tabindex");
    }
    const names = chart.lines.map(line => line.name);
    if (!this.canvas.ariaLabel || String(names) !== String(this.names)) { // its values are said when the clip stands
      this.canvas.setAttribute("aria-label", `${chart.title} over frames: ${names.join(", ")}`);
    }
    if (String(names) !== String(this.names)) {
      this.names = names;
      this.rows = names.map(name => {
        const row = make("span", "line", null);
        const swatch = make("i", "swatch", row);
        const label = make("span", "", row, names.length === 1 && name === chart.title ? "" : name);
        return { row, swatch, label, value: make("b", "", row) };
      });
      this.legend.replaceChildren(...this.rows.map(({ row }) => row));
    }
    const all = chart.lines.flatMap(line => [line.values, line.low ?? [], line.high ?? []]).flat();
    this.range = reach(all.filter(v => v !== null));
  }

  fit() {
    const size = `${this.box.clientWidth} ${this.box.clientHeight} ${sizes(this.box).density}`;
    if (size !== this.drawnSize) this.draw();
  }

  draw() {
    const { player, chart, canvas, cursor } = this;
    const { theme, message } = player;
    const { clientWidth: width, clientHeight: height } = this.box;
    const ratio = sizes(this.box).density;
    this.drawnSize = `${width} ${height} ${ratio}`;
    const [across, down] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
    if (across < 20 || down < 20) return;
    this.area = { across, down };
    for (const each of [canvas, cursor]) {
      const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (each.width !== w || each.height !== h) Object.assign(each, { width: w, height: h });
    }
    const c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = `${TEXT}px ${theme.font}`;
    c.lineJoin = c.lineCap = "round";
    const bottom = MARGIN.top + down;
    const last = player.end;

    if (message.context > 0) { // the part that was given
      const edge = message.context > last ? MARGIN.left + across : this.x(message.context - 0.5);
      c.globalAlpha = 0.16;
      c.fillStyle = player.accent;
      c.fillRect(MARGIN.left, MARGIN.top, edge - MARGIN.left, down);
      c.globalAlpha = 1;
    }
    c.fillStyle = theme.text;
    c.strokeStyle = theme.grid;
    c.lineWidth = 1;
    c.textBaseline = "middle";
    c.textAlign = "right";
    for (const v of ticks(...this.range, down / 32)) {
      const y = this.y(v);
      segment(c, [[MARGIN.left, y], [MARGIN.left + across, y]]);
      c.fillText(grouped(v), MARGIN.left - 8, y);
    }
    c.textAlign = "center";
    for (const v of ticks(1, Math.max(2, last + 1), across / 60).filter(Number.isInteger)) {
      if (v > last + 1) continue;
      c.fillRect(Math.round(this.x(v - 1)), bottom, 1, 4);
      c.fillText(grouped(v), this.x(v - 1), bottom + 14);
    }
    c.fillText("frame", MARGIN.left + across / 2, bottom + 31);
    c.strokeRect(MARGIN.left, MARGIN.top, across, down);

    for (const t of message.events) { // true events: a line, and the same arrow head as on the clock
      const x = this.x(t);
      c.save();
      c.globalAlpha = 0.6;
      c.strokeStyle = theme.text;
      c.setLineDash([3, 4]);
      segment(c, [[x, MARGIN.top], [x, bottom]]);
      c.restore();
      c.beginPath();
      c.moveTo(x - 5, MARGIN.top - 10);
      c.lineTo(x + 5, MARGIN.top - 10);
      c.lineTo(x, MARGIN.top - 2);
      c.fill();
    }

    chart.lines.forEach((line, i) => {
      const colour = player.colour(line.name);
      this.rows[i].swatch.style.background = colour;
      c.fillStyle = c.strokeStyle = colour;
      if (line.low) {
        c.globalAlpha = 0.22;
        for (const run of runs(line.low, line.high)) {
          c.beginPath();
          for (const t of run) c.lineTo(this.x(t), this.y(line.high[t]));
          for (const t of run.toReversed()) c.lineTo(this.x(t), this.y(line.low[t]));
          c.fill();
        }
        c.globalAlpha = 1;
      }
      c.lineWidth = 2.5;
      for (const run of runs(line.values)) {
        if (run.length > 1) segment(c, run.map(t => [this.x(t), this.y(line.values[t])]));
        else dot(c, this.x(run[0]), this.y(line.values[run[0]]), 3);
      }
    });
    this.at = null;
    this.point(player.at);
  }

  // The cursor, and the values below it.
  point(t) {
    const { area, chart, cursor, player } = this;
    chart.lines.forEach((line, i) => setText(this.rows[i].value, short(line.values[t])));
    if (!player.playing) {
      const words = chart.lines.map(({ name, values }) => `${name} ${short(values[t])}`).join(", ");
      this.canvas.setAttribute("aria-label", `${chart.title} at frame ${t + 1}: ${words}`);
    }
    if (!area) return;
    const c = cursor.getContext("2d");
    const ratio = sizes(cursor).density;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, cursor.width, cursor.height);
    const x = this.x(t);
    c.strokeStyle = player.theme.text;
    c.lineWidth = 2;
    segment(c, [[x, MARGIN.top], [x, MARGIN.top + area.down]]);
    for (const { name, values } of chart.lines) {
      if (values[t] === null) continue;
      c.fillStyle = player.colour(name);
      c.strokeStyle = player.theme.background;
      dot(c, x, this.y(values[t]), 5.5);
      c.stroke();
    }
  }

  x(t) {
    const { end } = this.player;
    return MARGIN.left + (end > 0 ? t / end : 0.5) * this.area.across;
  }

  y(v) {
    const [low, high] = this.range;
    return MARGIN.top + (1 - (v - low) / (high - low)) * this.area.down;
  }

  destroy() {
    this.element.remove();
  }
}

// u32 header length | JSON header | uint8 frames, as player/__init__.py packs it.
export function decode(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const message = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  for (const track of message.tracks) {
    const size = track.count * track.channels * message.width * message.height;
    track.pixels = bytes.subarray(at, at + size);
    at += size;
  }
  return message;
}

function draw(icon) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[icon]);
  svg.append(path);
  return svg;
}

function segment(c, points) {
  c.beginPath();
  for (const point of points) c.lineTo(...point);
  c.stroke();
}

function dot(c, x, y, radius) {
  c.beginPath();
  c.arc(x, y, radius, 0, 7);
  c.fill();
}

// Stretches of frames without a gap in any of the columns.
export function runs(...columns) {
  const found = [[]];
  columns[0].forEach((_, t) => {
    if (columns.every(column => column[t] !== null)) found.at(-1).push(t);
    else if (found.at(-1).length > 0) found.push([]);
  });
  return found.filter(run => run.length > 0);
}

// Ends of the y axis: from 0 where that is near; with room at the edges; never empty.
export function reach(values) {
  if (values.length === 0) return [0, 1];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (low >= 0 && low < 0.5 * high) low = 0;
  if (high === low) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const margin = 0.08 * (high - low);
  return [low === 0 ? 0 : low - margin, high + margin];
}

const THREE = new Intl.NumberFormat("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });

export function short(v) {
  if (v == null) return "–";
  if (v === 0) return "0";
  return Math.abs(v) >= 1e6 || Math.abs(v) < 1e-3 ? v.toExponential(1) : THREE.format(v);
}
