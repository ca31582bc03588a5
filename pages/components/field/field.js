// The latent plane of a two-dimensional VAE: tiles of what it draws everywhere, and the digit under the pointer.
// What the model never saw is drawn faintly: a decoder draws something at every place.

import { open, strength } from "../lib/density.js";
import { STILL, blank, make, setText } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { Network } from "../lib/network.js";
import { fixed } from "../lib/numbers.js";
import { readTheme } from "../lib/palette.js";
import { paint } from "../lib/picture.js";
import { saveButton, together } from "../lib/save.js";
import { sizes } from "../lib/talk.js";

const TILES = 21; // a side
const ROWS_AT_ONCE = 3; // of tiles that are decoded together: the pointer waits for no more
const STEP = 0.1; // of an arrow key; ten times that with Shift
const LEAST = 3; // standard deviations of the prior that the plane reaches at least
const FIRST = [-0.3, 0.6]; // where it begins, in shares of that
const CLASS_HELP = "The classes of the images whose codes lie here, by their share of the aggregated posterior q(z).";
const KL_HELP = "How far the code of the picture that is drawn, encoded again, lies from the prior N(0, I).";

export default mounted(
  ({ data, parentElement }) => new Field(parentElement, data),
  (view, { data }) => view.update(data),
);

class Field {
  constructor(parent, data) {
    this.root = rootOf("field", parent);
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "The latent plane: move the pointer, and the picture changes");
    const plane = make("div", "plane", this.root);
    this.tiles = make("canvas", "", plane);
    this.hand = make("canvas", "hand", plane);
    this.hand.tabIndex = 0;
    this.hand.setAttribute("role", "application");
    this.hand.setAttribute("aria-label", "Plane of two latent dimensions. Arrow keys move, Enter opens the point.");
    this.waiting = make("div", "waiting", plane, "The decoder is on its way …");
    this.digit = make("canvas", "", make("div", "digit", this.root));
    this.digit.setAttribute("aria-label", "What the model draws: nothing yet");
    this.digit.setAttribute("role", "img");
    const words = make("div", "words", this.root);
    this.named = make("div", "class", words);
    this.named.title = CLASS_HELP;
    this.shares = make("div", "shares", words);
    const list = make("dl", "", words);
    const row = (name, help) => {
      const term = make("dt", "", list, name);
      if (help) term.title = help;
      return make("dd", "", list);
    };
    this.code = row("Code z", "The two numbers that the digit is drawn from.");
    this.kl = row("KL, nats", KL_HELP);
    this.place = row("Here is", "How usual this place is among the codes of data.");
    const acts = make("div", "acts", words);
    this.link = make("a", "", acts, "Open this point in Traverse");
    this.link.onclick = event => this.follow(event);
    saveButton(acts, () => this.saved());
    this.hand.onpointermove = event => this.point(event);
    this.hand.onpointerdown = event => {
      this.pressed = [event.clientX, event.clientY];
      this.hand.setPointerCapture(event.pointerId);
      this.point(event);
    };
    this.hand.onclick = event => { // which also ends a drag: that only moves the point
      const [x, y] = this.pressed ?? [];
      const still = Math.hypot(event.clientX - x, event.clientY - y) < STILL;
      if (still && event.pointerType !== "touch") this.follow(event);
    };
    this.hand.onkeydown = event => this.key(event);
    this.observer = new ResizeObserver(() => this.mark());
    this.observer.observe(plane);
    this.failed = error => {
      this.waiting.hidden = false;
      setText(this.waiting, error.message);
    };
    this.load(data).catch(this.failed);
  }

  update(data) {
    this.data = data;
    if (this.reach) this.move(this.z);
  }

  async load(data) {
    this.data = data;
    [this.seen, this.decoder] = await Promise.all([open(data.seen), Network.open(data.decoder)]);
    [[this.latent]] = [Object.keys(this.decoder.inputs)];
    this.output = Object.keys(this.decoder.outputs).find(name => name.endsWith(".mean"));
    this.shape = this.decoder.outputs[this.output];
    this.reach = reach(this.seen.mean);
    this.waiting.hidden = true;
    this.move(FIRST.map(share => share * this.reach));
    await this.tile();
    this.encoder = await Network.open(data.encoder);
    this.again();
  }

  // All the plane, row by row, each tile in the colour of the class whose codes lie there.
  async tile() {
    const [, height, width] = this.shape;
    Object.assign(this.tiles, { width: TILES * width, height: TILES * height });
    const context = this.tiles.getContext("2d");
    for (let top = 0; top < TILES && !this.ended; top += ROWS_AT_ONCE) {
      const codes = places(this.reach, top, Math.min(TILES, top + ROWS_AT_ONCE));
      const drawn = await this.decoder.run({ [this.latent]: codes }, codes.length / 2);
      for (let i = 0; i < codes.length / 2; i++) {
        const z = codes.subarray(2 * i, 2 * i + 2);
        const share = this.seen.classes(z);
        const label = share.indexOf(Math.max(...share)); // -1 of data without classes
        const ink = label < 0 ? [255, 255, 255] : lit(this.data.colours[label % this.data.colours.length]);
        const fade = strength(this.seen.unusual(z));
        const tile = context.createImageData(width, height);
        for (let at = 0; at < width * height; at++) {
          const value = drawn[this.output][i * width * height + at] * fade;
          for (let c = 0; c < 3; c++) tile.data[4 * at + c] = ink[c] * value;
          tile.data[4 * at + 3] = 255;
        }
        context.putImageData(tile, (i % TILES) * width, (top + Math.floor(i / TILES)) * height);
      }
    }
    this.root.dataset.tiled = true;
  }

  point(event) {
    if (!this.reach) return;
    const box = this.hand.getBoundingClientRect();
    const part = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    this.move([(2 * part[0] - 1) * this.reach, (1 - 2 * part[1]) * this.reach]);
  }

  key(event) {
    const [across, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (event.key === "Enter") this.follow(event);
    if (across === undefined || !this.reach) return;
    event.preventDefault(); // the page stays where it is
    const step = STEP * (event.shiftKey ? 10 : 1);
    this.move([this.z[0] + across * step, this.z[1] + up * step]);
  }

  move(z) {
    this.z = z.map(value => Math.max(-this.reach, Math.min(this.reach, value)));
    this.mark();
    const unusual = this.seen.unusual(this.z);
    const share = [...this.seen.classes(this.z)].map((value, label) => [value, label]).sort((a, b) => b[0] - a[0]);
    const [first] = share;
    setText(this.code, `(${this.z.map(value => fixed(value, 2)).join(", ")})`);
    setText(this.place, this.seen.word(unusual));
    setText(this.named, first ? `${unusual > 0.99 ? "nearest: " : ""}${this.seen.names[first[1]]}` : "");
    this.bars(share.slice(0, 3));
    const point = this.z.map(value => Number(value.toFixed(3))).join(",");
    this.link.href = `${this.data.open}?run=${encodeURIComponent(this.data.run)}&z=${point}`;
    this.digit.setAttribute("aria-label", `What the model draws at z = ${this.code.textContent}`);
    this.again();
  }

  again() {
    if (!this.decoder) return;
    this.decoder.latest({ [this.latent]: Float32Array.from(this.z) }, 1, outputs => {
      paint(this.digit, outputs[this.output], this.shape);
      this.root.dataset.drawn = this.z.join();
      this.encode(outputs[this.output]);
    }, this.failed);
  }

  encode(picture) {
    if (!this.encoder) return;
    const [name] = Object.keys(this.encoder.inputs);
    this.encoder.latest({ [name]: picture.slice() }, 1, outputs => {
      setText(this.kl, nats(outputs[`${this.latent}.mean`], outputs[`${this.latent}.sigma`]).toFixed(2));
    });
  }

  bars(share) {
    while (this.shares.children.length < share.length) {
      const row = make("div", "share", this.shares);
      for (const tag of ["span", "i", "span"]) make(tag, "", row);
    }
    share.forEach(([value, label], i) => {
      const row = this.shares.children[i];
      row.style.setProperty("--colour", this.data.colours[label % this.data.colours.length]);
      row.style.setProperty("--part", `${100 * value}%`);
      setText(row.children[0], this.seen.names[label]);
      setText(row.children[2], `${Math.round(100 * value)} %`);
    });
  }

  // Where the point is, on a canvas of its own: the tiles are never drawn again.
  mark() {
    const { clientWidth: side } = this.hand;
    const context = this.reach && blank(this.hand);
    if (!context) return;
    const { density } = sizes(this.hand);
    context.scale(density, density);
    this.ring(context, side);
  }

  ring(context, side) {
    const [x, y] = [(this.z[0] / this.reach + 1) * 0.5 * side, (1 - this.z[1] / this.reach) * 0.5 * side];
    for (const [colour, width] of [["#000", 5], ["#fff", 2.5]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: width });
      context.beginPath();
      context.arc(x, y, 11, 0, 7);
      context.stroke();
    }
  }

  // The plane with the point, its picture, and what is said of it.
  saved() {
    if (!this.root.dataset.drawn) return null;
    const point = { element: this.hand, draw: context => this.ring(context, this.hand.clientWidth) };
    const parts = [{ canvas: this.tiles }, point, { canvas: this.digit }, { words: this.named }];
    for (const { children: [name, bar, share] } of this.shares.children) {
      parts.push({ words: name }, { swatch: bar }, { words: share });
    }
    for (const words of this.root.querySelectorAll("dt, dd")) parts.push({ words });
    const { background } = readTheme(this.root);
    return together({ name: `${this.data.run}-plane`, background, parts });
  }

  // To Traverse within the page, as Streamlit's own links go: it follows the address when that has changed.
  follow(event) {
    if (!this.reach || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    window.history.pushState({}, "", this.link.href);
    window.dispatchEvent(new PopStateEvent("popstate"));
  }

  destroy() {
    this.ended = true;
    this.observer.disconnect();
    this.root.remove();
  }
}

// How far the plane goes on each side, so that all codes (n, 2) lie on it but for the farthest of a hundred.
export function reach(codes) {
  const far = Float32Array.from(codes, Math.abs).sort();
  return Math.max(LEAST, far[Math.floor(0.99 * (far.length - 1))]);
}

// Codes at the middle of the tiles of rows [top, bottom), from the top left.
export function places(reach, top, bottom) {
  const codes = new Float32Array(2 * TILES * (bottom - top));
  for (let row = top, at = 0; row < bottom; row++) {
    for (let column = 0; column < TILES; column++) {
      codes[at++] = ((2 * column + 1) / TILES - 1) * reach;
      codes[at++] = (1 - (2 * row + 1) / TILES) * reach;
    }
  }
  return codes;
}

// KL(N(mean, sigma^2) || N(0, I)) in nats: equation (16) with r, not p.
export function nats(mean, sigma) {
  return mean.reduce((sum, m, d) => sum + 0.5 * (m * m + sigma[d] * sigma[d] - 2 * Math.log(sigma[d]) - 1), 0);
}

// A class's colour on black: half way to white.
function lit(colour) {
  return [1, 3, 5].map(at => (parseInt(colour.slice(at, at + 2), 16) + 255) / 2);
}
