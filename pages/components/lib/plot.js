// One plane on a canvas: axes, ticks, points, lines, words, and the tip under the pointer.

import { make, setText } from "./dom.js";
import { minus } from "./numbers.js";
import { placeTip, tipOf } from "./tip.js";
import { pointerOn, sizes } from "./talk.js";

export const TEXT = 14; // px: readable from the back row
export const MARGIN = { left: 64, right: 10, top: 10, bottom: 50 }; // px around a plane, for its ticks and labels
export const NEAR = 14; // px: how close the pointer must come to a point

export class Plot {
  constructor(parent, draw) {
    this.box = make("div", "plot", parent);
    this.canvas = make("canvas", "", this.box);
    this.canvas.setAttribute("role", "img");
    this.context = this.canvas.getContext("2d");
    this.empty = make("div", "empty", this.box);
    this.tip = tipOf(this.box);
    this.canvas.onpointermove = this.canvas.onpointerdown = event => {
      this.pointer = pointerOn(event);
      draw();
    };
    this.canvas.onpointerleave = () => {
      this.pointer = null;
      draw();
    };
    this.observer = new ResizeObserver(() => draw());
    this.observer.observe(this.box);
  }

  say(text) {
    setText(this.empty, text);
  }

  describe(text) {
    if (this.canvas.getAttribute("aria-label") !== text) this.canvas.setAttribute("aria-label", text);
  }

  // Clears the canvas and draws the axes. False while there is no room, as on a hidden tab.
  begin({ theme, x, y, xLabel, yLabel, square = false }) {
    const { context: c, canvas, box: { clientWidth: width, clientHeight: height } } = this;
    if (!(theme && width > MARGIN.left + MARGIN.right && height > MARGIN.top + MARGIN.bottom)) return false;
    if (c.canvas === canvas) {
      const ratio = sizes(canvas).density;
      const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      c.clearRect(0, 0, width, height);
    }
    const { left, top } = MARGIN;
    const room = [width - left - MARGIN.right, height - top - MARGIN.bottom];
    const [across, down] = square ? [Math.min(...room), Math.min(...room)] : room;
    Object.assign(this, { theme, x, y, left, top, across, down });
    c.font = `${TEXT}px ${theme.font}`;
    c.lineJoin = c.lineCap = "round";

    c.fillStyle = theme.text;
    c.textBaseline = "middle";
    for (const v of ticks(...x, across / (square ? 60 : 80))) {
      const [px] = this.place(v, y[0]);
      this.line(theme.grid, 1, [[v, y[0]], [v, y[1]]], 1);
      c.textAlign = "center";
      c.fillText(grouped(v), px, top + down + 14);
    }
    for (const v of ticks(...y, down / 60)) {
      const [, py] = this.place(x[0], v);
      this.line(theme.grid, 1, [[x[0], v], [x[1], v]], 1);
      c.textAlign = "right";
      c.fillText(grouped(v), left - 8, py);
    }
    c.strokeStyle = theme.grid;
    c.strokeRect(left, top, across, down);
    c.textAlign = "center";
    c.fillText(xLabel, left + across / 2, top + down + 38, across);
    c.save();
    c.translate(10, top + down / 2);
    c.rotate(-Math.PI / 2);
    c.fillText(yLabel, 0, 0, down);
    c.restore();
    return true;
  }

  place(x, y) {
    const part = (v, [low, high]) => (v - low) / (high - low);
    return [this.left + part(x, this.x) * this.across, this.top + (1 - part(y, this.y)) * this.down];
  }

  contains(x, y) {
    return x >= this.x[0] && x <= this.x[1] && y >= this.y[0] && y <= this.y[1];
  }

  clip(draw) {
    const { context: c } = this;
    c.save();
    c.beginPath();
    c.rect(this.left, this.top, this.across, this.down);
    c.clip();
    draw();
    c.restore();
  }

  line(colour, alpha, points, width, dash = []) {
    const { context: c } = this;
    if (points.some(([x, y]) => Number.isNaN(x + y))) return; // a gap
    c.save();
    Object.assign(c, { strokeStyle: colour, globalAlpha: alpha, lineWidth: width });
    c.setLineDash(dash);
    c.beginPath();
    for (const point of points) c.lineTo(...this.place(...point));
    c.stroke();
    c.restore();
  }

  // Words at a point, turned by an angle and moved by (along, across).
  write(text, point, angle, align, moved) {
    const { context: c } = this;
    c.save();
    c.translate(...this.place(...point));
    c.rotate(angle);
    Object.assign(c, { fillStyle: this.theme.text, globalAlpha: 0.7, textAlign: align });
    c.textBaseline = moved[1] < 0 ? "bottom" : "middle";
    c.fillText(text, ...moved);
    c.restore();
  }

  dot([px, py], radius, fill, stroke) {
    const { context: c } = this;
    if (Number.isNaN(px)) return;
    c.beginPath();
    c.arc(px, py, radius, 0, 7);
    c.fillStyle = fill;
    c.fill();
    if (!stroke) return;
    Object.assign(c, { strokeStyle: stroke, lineWidth: 2 });
    c.stroke();
  }

  // Where the line from outside enters the plane, an arrow head that points along it.
  arrow([ax, ay], [bx, by], colour) {
    const { context: c, left, top, across, down } = this;
    const crossing = (a, b, low, high) => (a < low ? (low - a) / (b - a) : a > high ? (high - a) / (b - a) : 0);
    const t = Math.max(crossing(ax, bx, left, left + across), crossing(ay, by, top, top + down));
    c.save();
    c.translate(ax + t * (bx - ax), ay + t * (by - ay));
    c.rotate(Math.atan2(by - ay, bx - ax));
    c.beginPath();
    c.moveTo(20, 0);
    c.lineTo(2, -6);
    c.lineTo(2, 6);
    c.closePath();
    c.fillStyle = colour;
    c.fill();
    c.restore();
  }

  // Draws once more, on another context, for a file.
  on(context, draw) {
    const { context: own, pointer } = this;
    Object.assign(this, { context, pointer: null });
    draw();
    Object.assign(this, { context: own, pointer });
  }

  // The place of the point under the pointer, or -1.
  nearest(placed) {
    if (!this.pointer) return -1;
    const [px, py] = this.pointer;
    let best = -1;
    let least = NEAR;
    placed.forEach(([x, y], i) => {
      const distance = Math.hypot(x - px, y - py); // nan is never less
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  showTip(rows, at) {
    this.tip.hidden = rows.length === 0;
    if (this.tip.hidden) return;
    const text = rows.map(([name, value]) => {
      const row = make("div", "row");
      make(value ? "span" : "b", "", row, name);
      if (value) make("b", "", row, value);
      return row;
    });
    this.tip.replaceChildren(...text);
    const { context: c, box } = this;
    c.beginPath();
    c.arc(...at, 7, 0, 7);
    Object.assign(c, { strokeStyle: this.theme.text, lineWidth: 2 });
    c.stroke();
    placeTip(this.tip, box, at);
  }

  destroy() {
    this.observer.disconnect();
    this.box.remove();
  }
}

// About `count` round values from low to high.
export function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find(m => m * power >= rough * 0.999) * power;
  const first = Math.ceil(low / step - 1e-6);
  const last = Math.floor(high / step + 1e-6);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 4 });
export const grouped = v => minus(GROUPED.format(v === 0 ? 0 : v)); // no "−0"
export const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
