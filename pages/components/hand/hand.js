// The hand: sliders for a code and what it decodes to, in one. Nothing of what moves here is sent to the server.
//
// What is set stands in the page's address (`address.js`), and other components of the page follow and move the same
// code (`moved.js`). `hand/__init__.py` packs what comes.

import { joined, LONGEST, onAsked, onBack, read, split, write } from "../lib/address.js";
import { button, field, range } from "../lib/controls.js";
import { open, strength } from "../lib/density.js";
import { make, setText, unpack } from "../lib/dom.js";
import { keyOf } from "../lib/keys.js";
import { mounted, rootOf } from "../lib/mount.js";
import { move, moved, onMove } from "../lib/moved.js";
import { Network } from "../lib/network.js";
import { paneOf } from "../lib/panes.js";
import { sizeOf } from "../lib/picture.js";
import { judgedIn } from "../lib/verdict.js";
import { drawing } from "./draws.js";
import { Position } from "./position.js";
import { Slider } from "./slider.js";
import { Strip } from "./strip.js";
import { taking } from "./taking.js";
import { bankWalk, drawn, gaussianWalk } from "./walk.js";

const FIRST = 12; // sliders of a latent in sight; the rest are folded away
const MORE = 32; // that are unfolded at once
const SIDE = 440; // px of the decoded picture
const FEW = 6; // numbers of each of several vectors, all of which are to stay in sight
const REST = 150; // ms without a change after which the address is written
const ARRIVES = 1.5; // seconds of a walk until it has left where it began by all but a third
const BY_SEED = "seed"; // in place of a code that is too long for an address, where the seed says it
const STILL = 1500; // ms between the steps of a walk for who wants no motion
const FAINT = 0.45; // of a picture decoded where the model saw no data
const PLACE_HELP = "How usual this code is among the codes of data. A decoder draws something everywhere: the picture "
  + "fades where the model saw no data.";
const TAKEN = "button, input, textarea, select, summary, a, [contenteditable], [role=button], [role=tab], "
  + "[role=radio], [role=option], [role=checkbox]"; // what does something of its own at the space bar
const MOST_SEED = 2 ** 31 - 1;

export default mounted(
  ({ parentElement }) => new Hand(parentElement),
  (view, { data }) => view.update(data),
);

// u32 length | JSON | float32: codes (examples x size), bank (x size) and its centres in units, directions, originals that are no
// pixels | uint8: those that are.
export function decode(bytes) {
  const [told, column, raw] = unpack(bytes);
  const size = told.latents.reduce((sum, latent) => sum + latent.size, 0);
  let offset = 0;
  for (const latent of told.latents) {
    latent.offset = offset;
    offset += latent.size;
  }
  const codes = column(told.examples * size);
  const [bank, centres] = [0, 1].map(() => (told.bank ? column(told.bank * size) : null));
  const directions = told.directions.map(direction => ({ ...direction, vector: column(size) }));
  const originals = Object.fromEntries(told.modalities.filter(each => each.original)
    .sort((a, b) => (a.original === "float32" ? 0 : 1) - (b.original === "float32" ? 0 : 1))
    .map(({ name, shape, original }) => {
      const count = told.examples * sizeOf(shape);
      return [name, original === "float32" ? column(count) : raw(count)];
    }));
  return { ...told, size, codes, bank, centres, directions, originals };
}

export class Hand {
  constructor(parent) {
    this.root = rootOf("hand", parent);
    this.path = location.pathname;
    this.key = event => this.space(event);
    window.addEventListener("keydown", this.key);
  }

  update(data) {
    const told = decode(data);
    if (told.digest === this.told?.digest) return;
    if (this.told) this.remember(); // a judge was made, or directions came: the code stays
    this.begin(told);
  }

  begin(told) {
    this.clear();
    this.told = told;
    this.position = new Position(told.size, told.directions);
    this.restore();
    this.build();
    this.ends = [onBack(() => this.here && this.begin(told)), onAsked(() => this.remember()), onMove(told.run,
      (code, origin) => origin !== this && this.adopt(code))];
    move(told.run, this.code, this);
    this.open();
    this.survey();
    this.changed();
  }

  // What the address says; without a code there, that of a test observation it names, else what was under the hand.
  restore() {
    const { told, position } = this;
    const number = (name, most, usual) => {
      const value = Number(read(name) || usual);
      return Number.isFinite(value) && value >= 0 && value <= most ? value : usual;
    };
    this.seed = Math.floor(number("seed", MOST_SEED, 0));
    this.temperature = number("t", 1.5, 1);
    this.what = ["draw", "sigma"].includes(read("draw")) ? read("draw") : "mean";
    const example = Math.floor(number("example", told.examples - 1, 0));
    this.example = read("example") === null || !told.examples ? null : example;
    const named = told.latents.some(({ parameter }) => read(parameter) !== null);
    const before = this.example === null && moved(told.run);
    for (const { name, parameter, size, offset } of told.latents) {
      const own = this.example === null ? null : told.codes.subarray(example * told.size + offset);
      const text = read(parameter);
      const units = text === BY_SEED ? this.draught.subarray(offset) : named ? split(text, size) :
        own ?? before?.[name] ?? new Float32Array(size);
      for (let d = 0; d < size; d++) position.place(offset + d, units[d]);
    }
    position.lockText = read("lock");
    position.linkText = read("link");
    position.amounts = new Map(told.directions.map(({ name }) => [name, split(read(`d.${name}`), 1)[0]])
      .filter(([, amount]) => amount));
  }

  // Whether the page is still the one that this stands on: after Back it may go away in a moment.
  get here() {
    return location.pathname === this.path;
  }

  remember() {
    if (!this.here) return;
    const { told, position } = this;
    const values = { lock: position.lockText, link: position.linkText, seed: this.seed || null,
      t: this.temperature === 1 ? null : Math.round(this.temperature * 1000) / 1000,
      draw: this.what === "mean" ? null : this.what, example: this.example };
    this.long = false;
    for (const { name, parameter } of told.latents) {
      const text = joined(this.code[name]);
      this.long ||= text.length > LONGEST;
      values[parameter] = text || null;
    }
    if (this.long && !position.locked.size && position.standsAt(this.draught)) {
      for (const { parameter } of told.latents) values[parameter] = BY_SEED;
      this.long = false;
    } else if (this.long && this.example !== null && position.standsAt(this.ownCode)) {
      this.long = false; // the example says it
    }
    for (const { name } of told.directions) values[`d.${name}`] = joined([position.amounts.get(name) ?? 0]) || null;
    write(values);
  }

  // -- the view

  build() {
    const { told } = this;
    const bench = make("div", "bench", this.root);
    this.tools(make("div", "tools", bench));
    const shown = make("div", "shown", bench);
    this.sliders = [];
    const list = make("div", "lists", bench);
    for (const latent of told.latents) this.list(list, latent);
    if (told.directions.length) {
      make("div", "title", list, "Directions");
      const rows = make("div", "sliders", list);
      for (const direction of told.directions) {
        this.sliders.push(Object.assign(new Slider(rows, this, { name: direction.name, help: direction.help ?? "" }),
          { direction }));
      }
    }
    this.strip = new Strip(this);

    const box = make("div", "panes", shown);
    const vectors = told.modalities.filter(({ kind }) => kind === "vector").length;
    this.panes = told.modalities.map(modality => {
      const pane = paneOf(modality, { side: SIDE, ...(vectors > 1 && { numbers: FEW }) });
      const figure = make("figure", "", box);
      if (told.modalities.length > 1) make("figcaption", "", figure, modality.name);
      figure.append(pane.element);
      return { modality, pane, judge: judgedIn(figure, told.judges[modality.name]) };
    });
    this.pictured = told.modalities.find(({ kind }) => kind === "image") ??
      told.modalities.find(({ kind }) => kind === "vector");
    this.box = box;
    this.place = make("div", "place", shown);
    this.place.title = PLACE_HELP;
    this.note = make("div", "note", box, "Loading the decoder …");
    this.note.setAttribute("role", "status");
    const below = make("div", "below", shown);
    this.origin = make("div", "origin", below);
    this.own = make("div", "own", below);
    this.own.hidden = true;
    make("div", "own-title", this.own);
    this.owns = told.modalities.filter(({ name, kind }) => told.originals[name] && kind !== "vector")
      .map(modality => ({ modality, pane: paneOf(modality, { side: 112 }) }));
    for (const { pane } of this.owns) this.own.append(pane.element);
    this.choices(make("div", "choices", below));
    taking(make("div", "copies", below), this);
  }

  tools(bar) {
    const { told } = this;
    const few = make("div", "group", bar);
    button(few, "Reset", "All sliders to the middle: the prior's mean, or the mean code of the data without a prior.",
      () => this.set(new Float32Array(told.size), null));
    if (told.examples) {
      this.exampleField = field(few, `Test ${told.noun}`, { min: 0, max: told.examples - 1, value: this.example ?? 0 },
        `Which of the ${told.examples} test ${told.noun}s that travel with this run to encode.`);
      button(few, "Start from it", `Encode this test ${told.noun} and set the sliders to its code${told.prior
        ? ", the mean of q(z|x)" : ""}.`, () => this.start(whole(this.exampleField.value, told.examples - 1)));
    }
    const draw = make("div", "group", bar);
    this.seedField = field(draw, "Seed", { min: 0, max: MOST_SEED, value: this.seed },
      "The same seed draws the same code, in every browser.");
    this.seedField.onchange = () => this.sow(whole(this.seedField.value, MOST_SEED));
    button(draw, told.prior ? "Draw from the prior" : "Draw a code", `${told.drawn} Pressed again, the next seed.`,
      () => this.draw());
    if (told.tempered) {
      [this.warmth, this.warmthSaid] = range(draw, "Temperature", { min: 0, max: 1.5, step: 0.05,
        value: this.temperature }, "Multiplies the spread of the Gaussian that a code is drawn from, of a mixture of "
        + "the one that the seed chose: at 0 the code is its mean, at 1 it follows the "
        + `${told.prior ? "prior" : "codes of the data"}, above 1 it leaves ${told.prior ? "it" : "them"}.`,
      value => this.warm(value));
    }
    const walk = make("div", "group", bar);
    this.player = button(walk, "Walk", `An endless, smooth walk through ${this.told.prior
      ? "the prior" : "codes as the data have them"}, the same for the same seed. The `
      + "space bar starts and stops it; locked dimensions stay.", () => this.play(!this.walking));
    this.player.classList.add("player");
    this.player.setAttribute("aria-pressed", "false");
    this.player.setAttribute("aria-keyshortcuts", "Space");
    this.speed = 1;
    range(walk, "Speed", { min: 0.25, max: 4, step: 0.25, value: 1 }, "How fast the walk goes.",
      value => { this.speed = value; }, value => `${value}×`);
  }

  list(parent, latent) {
    const several = this.told.latents.length > 1;
    if (several) make("div", "title", parent, latent.name);
    const used = latent.order.filter(d => latent.active[d]);
    const unused = latent.order.filter(d => !latent.active[d]);
    const rows = make("div", "sliders", parent);
    for (const d of used.slice(0, FIRST)) this.row(rows, latent, d);
    const rest = used.slice(FIRST);
    if (rest.length) this.fold(parent, latent, rest, `${counted(rest.length, "more dimension")}`, false);
    if (unused.length) {
      const alone = !used.length; // then unfolded, else there would be no slider at all
      const title = counted(unused.length, "unused dimension");
      const box = this.fold(parent, latent, unused, title, true, alone ? FIRST : MORE);
      box.open = alone;
    }
  }

  row(parent, latent, d, dim = false) {
    const { kl, spread } = latent;
    const largest = Math.max(...(kl ?? spread), 1e-9);
    const slider = new Slider(parent, this, {
      dimension: latent.offset + d, name: `z${d}`, dim, share: (kl ?? spread)[d] / largest,
      note: kl ? `${kl[d].toFixed(2)} nats` : `spread ${spread[d].toFixed(2)}`,
      help: `Latent dimension ${d}, in standard deviations of the ${this.told.prior ? "prior" : "data's codes"}. ${kl
        ? "KL: what it costs on average over the data, in nats."
        : "Spread: the standard deviation of the codes of data."}`,
    });
    this.sliders.push(slider);
    this.mark(slider);
    return slider;
  }

  // Sliders that are made when they are unfolded: of thousands of dimensions only those in sight exist.
  fold(parent, latent, dimensions, title, dim, first = MORE) {
    const box = make("details", "fold", parent);
    make("summary", "", box, title);
    if (dim) {
      make("div", "hint", box, "Their code hardly varies from one observation to the next, so they tell the decoder next "
        + "to nothing.");
    }
    const rows = make("div", "sliders", box);
    const left = [...dimensions];
    const more = button(box, "", "Show further sliders.", () => unfold());
    const unfold = (count = MORE) => {
      for (const d of left.splice(0, count)) this.row(rows, latent, d, dim);
      more.hidden = !left.length;
      setText(more, `${Math.min(MORE, left.length)} more`);
      this.changed();
    };
    box.ontoggle = () => {
      if (box.open && !rows.children.length) unfold(first);
    };
    return box;
  }

  // What of p(x|z) is shown; only what there is is offered, once the decoder is there.
  choices(bar) {
    bar.setAttribute("role", "radiogroup");
    bar.setAttribute("aria-label", "What of p(x|z) is shown");
    const helps = {
      mean: "The mean of p(x|z).",
      draw: "A draw of p(x|z), under the seed: the same noise while the code moves.",
      sigma: "The standard deviation of p(x|z): black is none, yellow is the largest here.",
    };
    this.kinds = Object.entries({ mean: "Mean", draw: "Draw", sigma: "σ" }).map(([what, title]) => {
      const one = button(bar, title, helps[what], () => this.choose(what));
      one.setAttribute("role", "radio");
      return Object.assign(one, { what });
    });
    bar.onkeydown = event => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const there = this.kinds.filter(one => !one.hidden);
      if (!by || there.length < 2) return;
      const next = there.at((there.findIndex(one => one.what === this.what) + by) % there.length);
      this.choose(next.what);
      next.focus();
    };
    this.range = make("span", "range", bar);
    this.choose(this.what);
  }

  choose(what) {
    this.what = what;
    for (const one of this.kinds) {
      one.setAttribute("aria-checked", one.what === what);
      one.tabIndex = one.what === what ? 0 : -1;
    }
    this.paint();
    this.rest();
  }

  // -- the code

  // By latent its position in units.
  get code() {
    return Object.fromEntries(this.told.latents.map(({ name, offset, size }) =>
      [name, this.position.units.subarray(offset, offset + size)]));
  }

  // Codes as the decoder reads them, of positions that stand one after another.
  inputs(...positions) {
    return Object.fromEntries(this.told.latents.map(({ name, offset, size, centre, unit }) => {
      const z = new Float32Array(positions.length * size);
      positions.forEach(({ units }, row) => {
        for (let d = 0; d < size; d++) {
          z[row * size + d] = Math.fround(centre[d] + Math.fround(unit[d] * units[offset + d]));
        }
      });
      return [name, z];
    }));
  }

  set(units, example) {
    this.play(false);
    this.position.set(units);
    this.example = example;
    this.changed();
  }

  start(example) {
    const { size, codes } = this.told;
    this.set(codes.subarray(example * size, (example + 1) * size), example);
    this.exampleField.value = example;
  }

  // The code that belongs to the seed and the temperature.
  get draught() {
    const { size, bank, centres } = this.told;
    return drawn(this.seed, size, bank, centres, this.temperature);
  }

  // The code of the test observation that was started from; null without one.
  get ownCode() {
    const { example, told: { size, codes } } = this;
    return example === null ? null : codes.subarray(example * size, (example + 1) * size);
  }

  draw() {
    if (this.position.standsAt(this.draught)) this.seed = (this.seed + 1) % MOST_SEED;
    this.seedField.value = this.seed;
    this.set(this.draught, null);
  }

  sow(seed) {
    const follows = this.position.standsAt(this.draught);
    this.seed = seed;
    if (this.walking) this.play(true);
    else if (follows) this.set(this.draught, null);
    this.paint();
    this.rest();
  }

  warm(temperature) {
    const follows = this.position.standsAt(this.draught);
    this.temperature = temperature;
    if (follows && !this.walking) this.set(this.draught, null);
    this.rest();
  }

  // Another component moved the code; what is locked stays, and then all are told the code that it became.
  adopt(code) {
    this.play(false);
    const { position, told } = this;
    for (const { name, offset, size } of told.latents) if (code[name]) position.set(code[name], offset, size);
    this.changed(position.locked.size > 0);
  }

  changed(tell = true) {
    const { decoder } = this;
    decoder?.latest(this.inputs(this.position), 1, outputs => decoder === this.decoder && this.arrived(outputs),
      error => decoder === this.decoder && this.say(error));
    this.news ||= tell;
    this.due ??= requestAnimationFrame(() => {
      this.due = null;
      for (const slider of this.sliders) this.align(slider);
      if (this.news) move(this.told.run, this.code, this);
      this.news = false;
    });
    if (!this.walking) this.rest();
  }

  align(slider) {
    if (slider.direction) slider.show(this.position.amounts.get(slider.direction.name) ?? 0, 3);
    else slider.show(this.position.units[slider.dimension], this.position.reach[slider.dimension]);
  }

  rest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.remember();
      this.tell();
      if (!this.held) this.strip.follow(true);
    }, REST);
  }

  // Where the code came from, in words.
  tell() {
    const { position, example, ownCode: own, told: { size, noun } } = this;
    const apart = position.locked.size ? ", but what is locked" : "";
    const long = this.long ? ". It is too long for an address: take it with you as JSON" : "";
    setText(this.origin, this.walking ? `Walking, seed ${this.seed}` :
      own ? `Test ${noun} ${example}, ${position.standsAt(own) ? `encoded and decoded${apart}` : `then moved${long}`}` :
      position.standsAt(new Float32Array(size)) ? `All sliders at 0${apart}` :
      (position.standsAt(this.draught) ? `Random draw, seed ${this.seed}${apart}` : "Sliders moved") + long);
    this.own.hidden = !own || !this.owns.length;
    if (!own) return;
    setText(this.own.firstChild, `Test ${noun} ${example} itself`);
    for (const { modality, pane } of this.owns) pane.show({ mean: this.original(modality, example) });
  }

  original({ name, shape, original }, example) {
    const count = sizeOf(shape);
    const values = this.told.originals[name]?.subarray(example * count, (example + 1) * count);
    return values && (original === "float32" ? values : Float32Array.from(values, byte => byte / 255));
  }

  // -- what it decodes to

  async open() {
    const { told } = this;
    const wanted = told.networks.decoder;
    try {
      const decoder = await Network.open(wanted);
      if (this.told !== told) return;
      this.decoder = decoder;
    } catch (error) {
      if (this.told === told) this.say(error);
      return;
    }
    const { outputs, where, reason } = this.decoder;
    this.root.dataset.where = where;
    this.about = where === "page" ? "" : `Decoded by the server. ${reason}`;
    setText(this.note, this.about);
    const has = { mean: true, draw: false, sigma: false };
    for (const { name, law } of told.modalities) {
      has.sigma ||= `${name}.sigma` in outputs;
      has.draw ||= Boolean(law) && (["bernoulli", "categorical"].includes(law) || `${name}.sigma` in outputs);
    }
    for (const one of this.kinds) one.hidden = !has[one.what];
    if (!has[this.what]) this.choose("mean");
    this.changed();
  }

  // Where the model saw data; without an answer nothing is said of it.
  async survey() {
    const { told } = this;
    this.seen = null;
    const seen = told.seen && await open(told.seen).catch(() => null);
    if (this.told !== told) return;
    this.seen = seen;
    this.whereabouts();
  }

  whereabouts() {
    if (!this.seen) return;
    const [{ centre, unit }] = this.told.latents;
    const unusual = this.seen.unusual(centre.map((value, d) => value + unit[d] * this.position.units[d]));
    const words = this.seen.word(unusual);
    setText(this.place, words[0].toUpperCase() + words.slice(1));
    this.box.style.setProperty("--strength", FAINT + (1 - FAINT) * strength(unusual));
  }

  say(error) {
    setText(this.note, error.message);
  }

  arrived(outputs) {
    this.outputs = outputs;
    setText(this.note, this.about); // an earlier failure is over
    this.paint();
  }

  paint() {
    const { outputs, example } = this;
    if (!outputs) return;
    let widest = null;
    for (const { modality, pane, judge } of this.panes) {
      const { name, law, kind } = modality;
      const [mean, sigma] = [outputs[`${name}.mean`], outputs[`${name}.sigma`]];
      if (!mean) continue;
      const drawer = this.what === "draw" && drawing(law, this.seed, kind === "image");
      const seen = drawer ? drawer(mean, sigma) : mean;
      judge?.ask(seen);
      pane.show({ mean: seen, sigma }, {
        what: this.what === "sigma" ? "sigma" : "mean",
        beside: example === null || kind !== "vector" ? undefined : this.original(modality, example),
      });
      if (this.what === "sigma" && sigma) widest ??= sigma;
    }
    setText(this.range, widest ? between(widest) : "");
    this.whereabouts();
    this.root.dataset.drawn = Number(this.root.dataset.drawn ?? 0) + 1; // so that a test, or a benchmark, sees each
  }

  // -- sliders call these

  moved(slider, value) {
    this.play(false);
    if (slider.direction) this.position.along(slider.direction, value);
    else this.position.move(slider.dimension, value);
    this.align(slider); // at once: the next press of a key goes on from here, though no frame has come between
    this.changed();
  }

  began(slider) {
    this.held = slider;
  }

  ended() {
    this.held = null;
  }

  pointed(slider) {
    this.hovered = slider;
    this.strip.follow();
  }

  focused(slider) {
    this.focus = slider;
    this.strip.follow();
  }

  lock(slider) {
    const { position } = this;
    position.lock(slider.dimension, !position.locked.has(slider.dimension));
    this.mark(slider);
    this.rest();
  }

  link(slider) {
    this.position.turnLink(slider.dimension);
    this.mark(slider);
    this.rest();
  }

  mark(slider) {
    slider.marks(this.position.locked.has(slider.dimension), this.position.linked.get(slider.dimension));
  }

  // -- the walk

  play(on) {
    if (!on && !this.walking) return;
    cancelAnimationFrame(this.walking?.frame);
    this.walking = null;
    this.player.setAttribute("aria-pressed", on);
    setText(this.player, on ? "Pause" : "Walk");
    if (!on) {
      this.rest();
      return;
    }
    const { size, bank, centres } = this.told;
    const path = bank ? bankWalk(this.seed, bank, size, centres) : gaussianWalk(this.seed, size);
    const begun = path(0, this.temperature);
    const away = this.position.units.map((x, d) => x - begun[d]); // it leaves from where the code is, without a jump
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const walk = { time: 0, last: performance.now() };
    this.walking = walk;
    this.example = null;
    this.strip.follow(true);
    this.tell();
    const step = now => {
      if (this.walking !== walk) return;
      walk.frame = requestAnimationFrame(step);
      const passed = now - walk.last;
      if (passed <= 0 || (calm && passed < STILL)) return;
      walk.time += (this.speed * Math.min(passed, calm ? STILL : 100)) / 1000; // a hidden page stood still
      walk.last = now;
      const fading = Math.exp(-walk.time / ARRIVES);
      this.position.glide(path(walk.time, this.temperature).map((x, d) => x + away[d] * fading));
      this.changed();
    };
    walk.frame = requestAnimationFrame(step);
  }

  // The space bar, unless something that takes it itself has the focus.
  space(event) {
    if (keyOf(event) !== " " || event.repeat || !this.player) return;
    const [target] = event.composedPath();
    if (!target.closest || target.closest(TAKEN) || !this.root.clientHeight) return;
    event.preventDefault();
    this.play(!this.walking);
  }

  clear() {
    clearTimeout(this.resting);
    this.strip?.clear();
    cancelAnimationFrame(this.due);
    cancelAnimationFrame(this.walking?.frame);
    for (const end of this.ends ?? []) end();
    for (const { pane } of [...(this.panes ?? []), ...(this.owns ?? [])]) pane.destroy();
    Object.assign(this, { due: null, walking: null, decoder: null, outputs: null, hovered: null, focus: null,
      held: null });
    this.root.replaceChildren();
  }

  destroy() {
    this.clear();
    this.told = null;
    window.removeEventListener("keydown", this.key);
    this.root.remove();
  }
}

function counted(count, what) {
  return `${count.toLocaleString("en")} ${what}${count > 1 ? "s" : ""}`;
}

function whole(text, most) {
  const value = Math.floor(Number(text));
  return Number.isFinite(value) ? Math.max(0, Math.min(most, value)) : 0;
}

// The smallest and the largest of some amounts, in words.
function between(values) {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const said = x => x.toPrecision(2);
  return said(low) === said(high) ? `σ = ${said(low)} everywhere` : `σ from ${said(low)} to ${said(high)}`;
}
