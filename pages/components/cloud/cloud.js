// The latent map: codes of a split as points in a plane, one map or two of the same observations. Pan, zoom, hover,
// filter, search and decoding all happen here; the points within a lasso are sent once, when it is let go.

import * as address from "../lib/address.js";
import { drawRamp, VIRIDIS } from "../lib/colourmap.js";
import { button } from "../lib/controls.js";
import { make, setText } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { move, onMove } from "../lib/moved.js";
import { readTheme } from "../lib/palette.js";
import { grouped } from "../lib/plot.js";
import { saveButton, together } from "../lib/save.js";
import { read, written } from "./camera.js";
import { Card } from "./card.js";
import { within } from "./lasso.js";
import { decode, received, sent } from "./message.js";
import { COLOURS, counted, faint, painted, pixelOf, UNKNOWN } from "./paint.js";
import { Sheet } from "./sheet.js";
import { short } from "./words.js";

const DWELL = 120; // ms on a point until its card comes; the ring comes at once
const GRACE = 200; // ms that ring and card stay when the pointer has left
const LINES = 40; // of the legend; the rarest classes share the last one
const TRIP = 1600; // ms from one map to the other
const AT_FIRST = "decoding,points"; // of what can be shown
const HELP = "Drag to move, wheel or pinch to zoom, Shift and drag to draw a lasso. Keys: arrows, + and −, 0 for all,"
  + " Enter takes the code in the middle, Escape lets the lassos go.";

export default mounted(
  ({ parentElement }) => new Cloud(parentElement),
  (view, { data, setStateValue }) => view.receive(data, setStateValue),
);

class Cloud {
  constructor(parent) {
    this.root = rootOf("cloud", parent);
    this.sheets = [];
    this.inks = []; // of each map the pixel of every point
    this.fetched = new Map(); // address -> values of a number
    this.lassos = { A: { map: 0, points: [] }, B: { map: 0, points: [] } };
    this.lasso = null; // which one a drag draws; null: it moves the map
    this.used = null; // the sheet that had the focus or the wheel last
    this.held = this.shown = -1; // the point that has the ring, and the one whose card is seen
    this.part = 0; // of the way from the first map to the second
    this.build();
    this.endBack = address.onBack(() => this.cameBack());
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  build() {
    this.root.onkeydown = event => {
      if (event.key === "Escape") this.clear(); // wherever the focus is
    };
    const bar = make("div", "bar", this.root);
    const group = label => {
      const box = make("div", "group", bar);
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", label);
      return box;
    };
    const tools = group("What a drag does");
    this.tools = new Map([
      [null, button(tools, "Move", "A drag moves the map", () => this.take(null))],
      ["A", button(tools, "Lasso A", "A drag draws lasso A; so does Shift and drag at any time", () => this.take("A"))],
      ["B", button(tools, "Lasso B", "A drag draws a second lasso, kept beside A: their difference is a direction",
        () => this.take("B"))],
    ]);
    button(tools, "All in sight", "Put the points that are in sight into the lasso, without drawing; of two maps those of "
      + "the one that was used last", () => this.lassoSight());
    const shows = group("What is shown");
    this.toggles = {
      decoding: button(shows, "Decode", "A picture beside the pointer: what the decoder draws at that place",
        () => this.toggle("decoding")),
      tiles: button(shows, "Tiles", "The plane itself as decoded pictures, finer the closer you look",
        () => this.toggle("tiles")),
      points: button(shows, "Points", "The observations as points", () => this.toggle("points")),
    };
    const zoom = group("Zoom");
    button(zoom, "−", "Farther away (−)", () => this.zoom(1 / 1.5)).setAttribute("aria-label", "Zoom out");
    button(zoom, "All", "All points in view (0)", () => this.sheets.forEach(sheet => sheet.all()));
    button(zoom, "+", "Closer (+)", () => this.zoom(1.5)).setAttribute("aria-label", "Zoom in");
    const colour = make("label", "", bar, "Colour ");
    this.colours = make("select", "", colour);
    this.colours.onchange = () => this.colourBy(this.colours.value);
    const search = make("label", "", bar, "Find ");
    this.search = make("input", "", search);
    Object.assign(this.search, { type: "text", inputMode: "numeric", size: 7, placeholder: "number" });
    this.search.onkeydown = event => {
      if (event.key === "Enter") this.find(this.search.value);
    };
    saveButton(bar, () => this.saved());
    this.trip = make("div", "trip", this.root);
    this.together = button(this.trip, "", "Both maps, or one whose points move from the first to the second",
      () => this.arrange(!this.moves));
    this.play = button(this.trip, "Play", "Move the points from one map to the other", () => this.travel());
    this.range = make("input", "", this.trip);
    Object.assign(this.range, { type: "range", min: 0, max: 1, step: "any", value: 0 });
    this.range.setAttribute("aria-label", "From the first map to the second");
    this.range.oninput = () => {
      cancelAnimationFrame(this.travelling);
      this.go(Number(this.range.value));
    };
    const body = make("div", "body", this.root);
    this.grid = make("div", "sheets", body);
    this.legend = make("div", "legend", body);
    this.pinned = make("div", "pinned", this.root);
    this.pinned.hidden = true;
    this.status = make("div", "status", this.root);
    this.chips = make("span", "chips", this.status);
    this.said = make("span", "said", this.status);
    this.said.setAttribute("role", "status");
  }

  // The maps as they are seen, with their legend.
  saved() {
    if (!this.message) return null;
    const parts = this.sheets.filter(sheet => sheet.camera).flatMap(sheet => [{ words: sheet.title },
      { element: sheet.box, draw: (c, ratio) => sheet.drawFile(c, ratio) }, { words: sheet.note }]);
    for (const words of this.legend.querySelectorAll(".heading, .name, .count, .ends > *")) parts.push({ words });
    for (const swatch of this.legend.querySelectorAll(".swatch")) parts.push({ swatch });
    const ramp = this.legend.querySelector(".ramp");
    if (ramp) parts.push({ element: ramp, draw: c => drawRamp(c, COLOURS, ramp.clientWidth, ramp.clientHeight) });
    const name = `${this.message.maps.map(({ run }) => run).join("-")}-map`;
    return together({ name, background: this.theme.background, parts });
  }

  receive(bytes, send) {
    this.send = send;
    const theme = readTheme(this.root, this.theme);
    if (bytes === this.bytes && theme === this.theme) return;
    this.theme = theme;
    if (bytes !== this.bytes) this.takeIn(bytes);
    this.recolour();
  }

  takeIn(bytes) {
    const first = !this.message;
    const message = decode((this.bytes = bytes));
    const fresh = message.key !== this.message?.key;
    this.message = message;
    this.root.style.setProperty("--height", `${message.height}px`);
    this.row = message.columns.row;
    this.places = null; // of the numbers, made when one is searched
    while (this.sheets.length > message.maps.length) this.sheets.pop().destroy();
    while (this.sheets.length < message.maps.length) this.sheets.push(new Sheet(this, this.grid));
    for (const [number, map] of message.maps.entries()) this.sheets[number].receive(map, number, message, fresh);
    if (fresh) {
      this.inks = []; // those of other points
      const offered = new Set(message.maps.flatMap(({ numbers }) => numbers.map(number => number.address)));
      for (const from of this.fetched.keys()) if (!offered.has(from)) this.fetched.delete(from);
      this.hidden = new Set();
      this.unpin();
      this.held = this.shown = -1;
      this.part = 0;
      for (const [name, text] of [["A", message.chosen], ["B", message.against]]) this.lassos[name] = received(text);
      this.gather();
      if (first) this.lookAsWritten();
      else {
        this.by = null;
        address.write({ zoom: null });
      }
      this.endMoves?.forEach(end => end());
      this.endMoves = message.maps.map((map, number) => onMove(map.run, (code, origin) => {
        if (origin === this) return;
        this.sheets[number].codeMoved();
      }));
      this.card = new Card(message);
      this.tell("");
    }
    this.offerColours();
    if (fresh && !first) this.noteShown();
    this.arrange(this.moves && message.maps.length > 1);
    if (this.tiles) this.sheets.forEach(sheet => this.bring(sheet));
    const possible = message.maps.some(map => map.hand);
    for (const name of ["decoding", "tiles"]) this.toggles[name].hidden = !possible;
    this.press();
  }

  // ------------------------------------------------------------------------------------------------ the bar

  take(lasso) {
    this.lasso = lasso;
    this.press();
  }

  toggle(name) {
    this[name] = !this[name];
    this.noteShown();
    this.press();
    for (const sheet of this.sheets) {
      if (sheet.refused) Object.assign(sheet, { opening: null, refused: false }); // it may be there now
      if (name !== "points" && this[name]) this.bring(sheet);
      sheet.pointAgain();
      sheet.tiling.moved();
      sheet.redraw();
    }
  }

  // The decoder of a sheet, once.
  async bring(sheet) {
    if (sheet.opening || !sheet.map.hand) return;
    this.tell("Fetching the decoder …");
    const pointing = await sheet.open();
    if (!pointing) return; // it has told why
    this.tell(pointing.network.reason ?? "");
    sheet.pointAgain();
  }

  press() {
    for (const [lasso, button] of this.tools) button.setAttribute("aria-pressed", lasso === this.lasso);
    for (const [name, button] of Object.entries(this.toggles)) button.setAttribute("aria-pressed", this[name]);
    this.grid.classList.toggle("drawing", this.lasso !== null);
    for (const sheet of this.sheets) sheet.redraw();
  }

  zoom(factor) {
    for (const sheet of this.seen) sheet.zoom(factor);
  }

  // The maps that are on the page: while one moves into the other, the other has no room, and is looked at from nowhere.
  get seen() {
    return this.sheets.filter(sheet => !sheet.root.hidden);
  }

  // The point with that number, in the middle of every map.
  find(text) {
    const number = Number(text.replaceAll(/[\s,]/g, ""));
    this.places ??= new Map(Array.from(this.row, (row, i) => [row, i]));
    const i = text.trim() === "" ? undefined : this.places.get(number);
    if (i === undefined) {
      this.tell(text.trim() === "" ? "" : `No ${this.message.noun} ${text.trim()} on this map.`);
      return;
    }
    this.tell("");
    for (const sheet of this.seen) sheet.goTo(i);
    this.hovered(i, this.sheets[0], true);
  }

  tell(text) {
    setText(this.said, text);
  }

  // ------------------------------------------------------------------------------------------------ the address

  looked() {
    clearTimeout(this.noting);
    this.noting = setTimeout(() => {
      for (const sheet of this.sheets) sheet.settle();
      const cameras = this.sheets.map(sheet => sheet.looking);
      const text = cameras.map(camera => (camera ? written(camera) : "")).join(";");
      address.write({ zoom: cameras.some(Boolean) ? text : null });
    }, 150);
  }

  // What is shown and how it is coloured, where that is not as at first.
  noteShown() {
    const shown = Object.keys(this.toggles).filter(name => this[name]).join();
    address.write({ shown: shown === AT_FIRST ? null : shown || "nothing",
      colour: this.by === this.message.colour ? null : this.by });
  }

  lookAsWritten() {
    const shown = (address.read("shown") ?? AT_FIRST).split(",");
    for (const name of Object.keys(this.toggles)) this[name] = shown.includes(name);
    this.by = address.read("colour");
    const texts = (address.read("zoom") ?? "").split(";");
    this.sheets.forEach((sheet, number) => sheet.lookAt(read(texts[number])));
  }

  cameBack() {
    this.lookAsWritten();
    this.offerColours();
    this.hidden = new Set();
    if (this.tiles) this.sheets.forEach(sheet => this.bring(sheet));
    this.press();
    this.recolour();
  }

  // ------------------------------------------------------------------------------------------------ colours

  offerColours() {
    const { categories, maps } = this.message;
    const numbers = maps.flatMap(map => map.numbers);
    const offered = [...categories, ...numbers.filter((a, at) => numbers.findIndex(b => b.name === a.name) === at)];
    this.colours.replaceChildren(...offered.map(({ name, title, help }) => {
      const option = make("option", "", null, title);
      Object.assign(option, { value: name, title: help ?? "" });
      return option;
    }));
    this.colours.parentElement.hidden = offered.length === 0;
    const kept = offered.some(({ name }) => name === this.by);
    this.colours.value = kept ? this.by : this.message.colour;
    this.by = this.colours.value;
  }

  colourBy(name) {
    this.by = name;
    this.noteShown();
    this.hidden = new Set();
    this.recolour();
  }

  // The values by which points are coloured, of one map; null while they are on their way.
  colourOf(map) {
    const { columns, categories, maps } = this.message;
    const category = categories.find(({ name }) => name === this.by);
    if (category) return { ...category, values: columns[`category.${category.name}`], range: null };
    const both = maps.map(({ numbers }) => numbers.find(({ name }) => name === this.by));
    const number = both[map];
    const known = both.filter(Boolean);
    if (known.length === 0) return { title: "", names: [], values: new Float32Array(this.row.length), range: null };
    // one scale for both maps, or their colours would not compare
    const range = [Math.min(...known.map(each => each.low)), Math.max(...known.map(each => each.high))];
    if (range[0] === range[1]) range[1] = range[0] + 1;
    if (!number) return { ...known[0], values: new Float32Array(this.row.length).fill(NaN), range };
    const values = this.fetched.get(number.address);
    if (values === undefined) this.fetchNumber(number.address);
    return values ? { ...number, values, range } : null;
  }

  async fetchNumber(from) {
    this.fetched.set(from, null);
    try {
      const answer = await fetch(from);
      if (!answer.ok) throw new Error(answer.status);
      this.fetched.set(from, new Float32Array(await answer.arrayBuffer()));
      this.recolour();
    } catch {
      this.fetched.delete(from);
      this.tell("These numbers could not be fetched. Reload the page.");
    }
  }

  recolour() {
    const classes = this.message.classes.map(pixelOf);
    const colours = this.message.maps.map((_, number) => this.colourOf(number));
    colours.forEach((colour, number) => {
      if (!colour) return; // the old colours stay until the new ones are here
      this.inks[number] = painted(colour, classes, this.hidden);
    });
    // until the first numbers come, all points are grey
    this.message.maps.forEach((_, number) => (this.inks[number] ??= new Uint32Array(this.row.length).fill(UNKNOWN)));
    this.pales = [];
    this.colour = colours[0];
    this.explain(colours);
    for (const sheet of this.sheets) sheet.redraw();
    this.summarise();
  }

  // The same colours, faint: of points that no lasso holds.
  pale(number) {
    this.pales[number] ??= faint(this.inks[number]);
    return this.pales[number];
  }

  // ------------------------------------------------------------------------------------------------ the legend

  explain([colour]) {
    this.legend.replaceChildren();
    if (!colour) {
      make("div", "note", this.legend, "Fetching the numbers …");
      return;
    }
    const heading = make("div", "heading", this.legend, colour.unit ? `${colour.title}, ${colour.unit}` : colour.title);
    heading.title = colour.help ?? "";
    if (colour.range) {
      const ramp = make("div", "ramp", this.legend);
      ramp.style.background = `linear-gradient(to right, ${VIRIDIS})`;
      const ends = make("div", "ends", this.legend);
      const [low, high] = colour.range;
      for (const value of [low, (low + high) / 2, high]) make("span", "", ends, short(value));
      make("div", "note", this.legend, "Beyond either end the colour is that of the end.");
    }
    const counts = counted(colour);
    const lines = [...counts.keys()].sort((a, b) => (a < 0 ? 1 : b < 0 ? -1 : a - b));
    const often = new Set([...lines].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, LINES));
    for (const line of lines) {
      if (!often.has(line) || (colour.range && line >= 0 && lines.length === 1)) continue;
      this.legendLine(colour, line, counts.get(line), lines);
    }
    if (lines.length > LINES) make("div", "note", this.legend, `and ${lines.length - LINES} rarer ones`);
    if (this.hidden.size > 0) {
      button(this.legend, "Show all", "Show the points of every line again", () => this.filter(new Set()));
    }
  }

  legendLine(colour, line, count, lines) {
    const name = line < 0 ? "no value" : colour.range ? "with a value" : colour.names[line];
    const entry = make("button", "chip", this.legend);
    entry.type = "button";
    entry.dataset.line = line;
    entry.title = `${name}: click to hide or show, double-click (or Shift and Enter) for only this`;
    entry.setAttribute("aria-pressed", !this.hidden.has(line));
    const classes = this.message.classes;
    const paint = line < 0 || colour.range ? "#808696" : classes[line % classes.length];
    make("i", "swatch", entry).style.setProperty("--colour", paint);
    make("span", "name", entry, name);
    make("span", "count", entry, grouped(count));
    const others = () => new Set(lines.filter(other => other !== line));
    entry.onclick = event => {
      if (event.shiftKey || event.detail > 1) this.filter(others());
      else {
        const hidden = new Set(this.hidden);
        if (!hidden.delete(line)) hidden.add(line);
        this.filter(hidden);
      }
    };
  }

  filter(hidden) {
    const focused = this.root.getRootNode().activeElement?.dataset?.line;
    this.hidden = hidden;
    this.recolour();
    if (focused !== undefined) this.legend.querySelector(`[data-line="${focused}"]`)?.focus();
  }

  // ------------------------------------------------------------------------------------------------ hover

  // The pointer is at point i of a sheet, or at none.
  hovered(i, sheet, atOnce = false) {
    if (i >= 0) this.sheetOfTip = sheet;
    if (i === this.held) {
      clearTimeout(this.leaving);
      this.leaving = null;
      if (atOnce && i >= 0) this.showCard(i);
      return;
    }
    if (i < 0) {
      if (atOnce) this.hold(-1);
      else this.leaving ??= setTimeout(() => this.hold(-1), GRACE);
      return;
    }
    this.hold(i);
    clearTimeout(this.dwelling);
    if (atOnce || this.shown >= 0) this.showCard(i);
    else this.dwelling = setTimeout(() => this.showCard(i), DWELL);
  }

  hold(i) {
    clearTimeout(this.leaving);
    this.leaving = null;
    this.held = i;
    if (i < 0) {
      clearTimeout(this.dwelling);
      this.shown = -1;
    }
    this.root.dataset.point = i < 0 ? "" : this.row[i];
    for (const sheet of this.sheets) sheet.redraw("over");
  }

  showCard(i) {
    this.shown = i;
    const sheet = this.sheetOfTip ?? this.sheets[0];
    const colour = this.colourOf(sheet.number);
    this.card.show(sheet.card, i, colour);
    sheet.redraw("over");
    sheet.describe(`${this.about(sheet)} ${this.card.words(i, colour)}.`);
  }

  // The hand is over a place of a sheet, or over none.
  pointed(sheet, place) {
    if (place) this.sheetOfTip = sheet;
    if (!(place && this.decoding) || sheet.away) return;
    if (sheet.pointing) sheet.decode(place);
    else this.bring(sheet);
  }

  // ------------------------------------------------------------------------------------------------ a click

  // The code at a place becomes the one in hand: of the point that is there, else of the place itself.
  async clicked(sheet, place) {
    if (!sheet.map.hand || sheet.away) return;
    const click = (this.click = {});
    const i = this.held;
    const [panes, verdicts] = [import("../lib/panes.js"), import("../lib/verdict.js")];
    await this.bring(sheet);
    const pointing = await sheet.open();
    if (!pointing) return;
    if (i >= 0) await pointing.fetchCodes().catch(() => {});
    const [{ paneOf }, { answers, inWords }] = await Promise.all([panes, verdicts]);
    if (click !== this.click) return; // another click came meanwhile, or another map
    const own = i >= 0 ? pointing.codeOf(i) : null;
    const code = own ?? pointing.codeAt(place[0], place[1] / sheet.stretch);
    if (!code) return;
    const where = own ? `The code of ${this.message.noun} ${this.row[i]}`
      : `The code at ${place.map((v, axis) => short(axis ? v / sheet.stretch : v)).join(", ")}: ${pointing.words}`;
    this.pin = { sheet, place: own ? [sheet.x[i], sheet.y[i]] : place };
    this.pinned.replaceChildren();
    this.pinned.hidden = false;
    const pane = paneOf(pointing.modality, { side: 72 });
    this.pinned.append(pane.element);
    const words = make("span", "", this.pinned, `${where}. It is now the code in hand. `);
    const judged = make("span", "judged", words);
    const link = make("a", "", words, "Open in Traverse");
    Object.assign(link, { href: pointing.link(code), target: "_self", title: "The sliders of Traverse, at this code" });
    button(this.pinned, "Let go", "Back to the code that was in hand before", () => this.letGo());
    pointing.pictures(code).then(mean => {
      pane.show({ mean });
      pointing.judged(mean, logits => setText(judged, `${inWords(answers(logits, pointing.verdict.classes)[0])}. `));
    }).catch(sheet.failed);
    const { run } = sheet.map;
    if (!this.back.has(run)) this.back.set(run, pointing.units(pointing.held() ?? pointing.centre));
    move(sheet.map.run, pointing.units(code), this);
    sheet.codeMoved();
    sheet.redraw("over");
  }

  // The code in hand, of both maps, is the one it was before.
  letGo() {
    for (const [run, units] of this.back) move(run, units, this);
    this.unpin();
    for (const sheet of this.sheets) sheet.codeMoved();
  }

  unpin() {
    this.click = null;
    this.back = new Map(); // run -> the code that was in hand before the first click
    this.pin = null;
    this.pinned.hidden = true;
    this.pinned.replaceChildren();
    for (const sheet of this.sheets) sheet.redraw("over");
  }

  // ------------------------------------------------------------------------------------------------ lassos

  lassoed(sheet, line) {
    const ink = this.inks[sheet.number];
    const seen = this.points ? i => ink[i] !== 0 : () => false;
    this.choose(this.lasso ?? "A", sheet.number, within(line, sheet.x, sheet.y, seen), sheet.away ? null : line);
  }

  lassoSight() {
    const { seen, used } = this;
    const sheet = seen.includes(used) ? used : seen[0];
    const line = sheet.sight();
    if (line) this.lassoed(sheet, line);
  }

  choose(name, map, points, line = null) {
    const before = this.lassos[name].points.length;
    this.lassos[name] = { map, points, line: points.length ? line : null };
    this.gather();
    if (points.length === 0) this.tell(before ? `Lasso ${name} holds no point.` : "There is no point inside.");
    else this.tell("");
    if (before || points.length) this.send(name === "A" ? "chosen" : "against", sent(map, points, this.row.length));
  }

  clear() {
    for (const [name, { map, points }] of Object.entries(this.lassos)) if (points.length) this.choose(name, map, []);
    this.tell("");
  }

  // Which points the lassos hold, together.
  gather() {
    const { A, B } = this.lassos;
    const n = this.row.length;
    this.chosen = this.others = null;
    if (A.points.length + B.points.length > 0) {
      this.chosen = new Uint8Array(n);
      for (const i of A.points) this.chosen[i] = 1;
      for (const i of B.points) this.chosen[i] = 1;
      this.others = this.chosen.map(v => 1 - v);
    }
    this.summarise();
    for (const sheet of this.sheets) sheet.redraw();
  }

  summarise() {
    this.chips.replaceChildren();
    for (const [name, { map, points }] of Object.entries(this.lassos)) {
      this.root.dataset[`lasso${name}`] = points.length;
      if (points.length === 0) continue;
      button(this.chips, `${name} holds ${grouped(points.length)} ×`, `Let lasso ${name} go`,
        () => this.choose(name, map, [])).className = "chip";
    }
    for (const sheet of this.sheets) sheet.describe(this.about(sheet));
  }

  about(sheet) {
    const { map } = sheet;
    const { A, B } = this.lassos;
    const lassos = [["A", A], ["B", B]].filter(([, { points }]) => points.length)
      .map(([name, { points }]) => ` Lasso ${name} holds ${points.length}.`).join("");
    return `Map of ${grouped(this.row.length)} points, ${map.title}: ${map.across.title} across, ${map.up.title} up.`
      + `${lassos} ${HELP}`;
  }

  // ------------------------------------------------------------------------------------------------ two maps

  // Both maps side by side, or one whose points move.
  arrange(moves) {
    this.moves = moves;
    const two = this.message.maps.length > 1;
    this.trip.hidden = !two;
    setText(this.together, moves ? "Side by side" : "One, moving");
    this.play.hidden = this.range.hidden = !moves;
    if (two) this.sheets[1].root.hidden = moves;
    this.grid.style.setProperty("--sheets", two && !moves ? 2 : 1);
    this.sheets[0].share(moves ? this.sheets[1] : null);
    this.go(moves ? this.part : 0);
  }

  go(part) {
    this.part = part;
    this.range.value = part;
    const [first, second] = this.sheets;
    if (!second) return;
    first.mix(second, part);
    first.name(part === 0 ? first.map.title : part === 1 ? second.map.title
      : `${first.map.title} → ${second.map.title}`);
  }

  travel() {
    cancelAnimationFrame(this.travelling);
    const [from, to] = [this.part, this.part < 0.5 ? 1 : 0];
    if (this.calm.matches) {
      this.go(to);
      return;
    }
    const begun = performance.now();
    const step = now => {
      const t = Math.min(1, Math.max(0, (now - begun) / TRIP));
      this.go(from + (to - from) * t * t * (3 - 2 * t)); // slow at both ends
      if (t < 1) this.travelling = requestAnimationFrame(step);
    };
    this.travelling = requestAnimationFrame(step);
  }

  destroy() {
    for (const timer of [this.leaving, this.dwelling, this.noting]) clearTimeout(timer);
    cancelAnimationFrame(this.travelling);
    this.endBack();
    this.endMoves?.forEach(end => end());
    for (const sheet of this.sheets) sheet.destroy();
    this.root.remove();
  }
}
