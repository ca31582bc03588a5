// A code under the hand: where each dimension stands in its own units, which are locked, which move together.
//
// Dimensions of several latents are counted through, in the latents' order.

const REACH = 3; // units to either end of a slider; farther only where a code already lies farther out
const FINE = 1000; // what an address keeps of a unit: positions are multiples of 1/1000, so that a link is exact

export const fine = value => Math.round(value * FINE) / FINE;

export class Position {
  constructor(size, directions = []) {
    this.size = size;
    this.units = new Float32Array(size);
    this.reach = new Float32Array(size).fill(REACH);
    this.locked = new Set();
    this.linked = new Map(); // dimension -> 1 or -1: all in here move together
    this.directions = directions; // { name, vector (size) }
    this.amounts = new Map(); // how far the code was moved along each
  }

  // All dimensions at once, or those from one on, but the locked ones.
  set(units, from = 0, count = this.size) {
    for (let d = 0; d < count; d++) if (!this.locked.has(from + d)) this.place(from + d, units[d]);
    this.amounts.clear();
  }

  // As `set`, on the way: a slider's reach grows, and does not shrink again under the eye.
  glide(units) {
    for (let d = 0; d < this.size; d++) {
      if (this.locked.has(d)) continue;
      this.units[d] = fine(units[d]);
      this.reach[d] = Math.max(this.reach[d], Math.floor(Math.abs(units[d])) + 1);
    }
    this.amounts.clear();
  }

  // By hand: one dimension, and those that are linked with it.
  move(dimension, value) {
    const before = this.units[dimension];
    this.units[dimension] = this.within(dimension, value);
    if (!this.linked.has(dimension)) return;
    const moved = (this.units[dimension] - before) * this.linked.get(dimension);
    for (const [other, sign] of this.linked) {
      if (other === dimension || this.locked.has(other)) continue;
      this.units[other] = this.within(other, this.units[other] + sign * moved);
    }
  }

  // Along a direction, to `amount` of it from where the code was.
  along(direction, amount) {
    const by = amount - (this.amounts.get(direction.name) ?? 0);
    for (let d = 0; d < this.size; d++) {
      if (direction.vector[d] && !this.locked.has(d)) this.place(d, this.units[d] + by * direction.vector[d]);
    }
    this.amounts.set(direction.name, amount);
  }

  copy() {
    const own = { units: this.units.slice(), reach: this.reach.slice(), amounts: new Map(this.amounts) };
    return Object.assign(new Position(0), this, own);
  }

  lock(dimension, on) {
    if (on) this.locked.add(dimension);
    else this.locked.delete(dimension);
  }

  // Not linked, then moving along, then moving against the others.
  turnLink(dimension) {
    const sign = this.linked.get(dimension);
    if (sign === undefined) this.linked.set(dimension, 1);
    else if (sign === 1) this.linked.set(dimension, -1);
    else this.linked.delete(dimension);
  }

  // Whether the dimensions that are not locked stand at `units`.
  standsAt(units) {
    for (let d = 0; d < this.size; d++) {
      if (!this.locked.has(d) && Math.abs(this.units[d] - units[d]) > 1 / FINE) return false;
    }
    return true;
  }

  place(dimension, value) {
    this.units[dimension] = fine(value);
    this.reach[dimension] = Math.max(REACH, Math.floor(Math.abs(value)) + 1);
  }

  within(dimension, value) {
    const reach = this.reach[dimension];
    return fine(Math.max(-reach, Math.min(reach, value)));
  }

  // -- as an address has them

  get lockText() {
    return [...this.locked].sort((a, b) => a - b).join(",") || null;
  }

  set lockText(text) {
    this.locked = new Set(whole(text).map(Number).filter(d => d < this.size));
  }

  get linkText() {
    return [...this.linked].sort((a, b) => a[0] - b[0]).map(([d, sign]) => `${sign < 0 ? "-" : ""}${d}`).join(",")
      || null;
  }

  set linkText(text) {
    const words = (text ?? "").split(",").filter(word => /^-?\d{1,5}$/.test(word));
    this.linked = new Map(words.map(word => [Number(word.replace("-", "")), word.startsWith("-") ? -1 : 1])
      .filter(([d]) => d < this.size));
  }
}

const whole = text => (text ?? "").split(",").filter(word => /^\d{1,5}$/.test(word));
