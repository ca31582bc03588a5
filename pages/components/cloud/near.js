// Which points are near: a grid of cells over the plane, each with its points, made once a map (70,000 in some 10 ms).

import { clamp } from "../lib/plot.js";

const FILL = 3; // points a cell, were they spread evenly
const TAIL = 0.01; // of the points beyond either end are in the outermost cells: outliers would empty all others

export class Near {
  constructor(xs, ys) {
    Object.assign(this, { xs, ys });
    const { length: n } = xs;
    const side = Math.max(1, Math.ceil(Math.sqrt(n / FILL)));
    const axis = values => {
      const sorted = values.filter(Number.isFinite).sort();
      const low = sorted[Math.floor(TAIL * sorted.length)] ?? 0;
      const high = sorted[Math.ceil((1 - TAIL) * sorted.length) - 1] ?? 0;
      return [low, high];
    };
    const [[left, right], [bottom, top]] = [axis(xs), axis(ys)];
    // square cells, so that rings of cells are rings of distance
    this.cell = Math.max(right - left, top - bottom, 1e-30) / side;
    this.across = Math.max(1, Math.ceil((right - left) / this.cell));
    this.down = Math.max(1, Math.ceil((top - bottom) / this.cell));
    Object.assign(this, { left, bottom });
    // counting sort: the points of cell c are order[starts[c]] ... order[starts[c + 1] - 1]
    const cells = new Int32Array(n);
    this.starts = new Uint32Array(this.across * this.down + 1);
    for (let i = 0; i < n; i++) {
      cells[i] = Number.isFinite(xs[i] + ys[i]) ? this.row(ys[i]) * this.across + this.column(xs[i]) : -1;
      if (cells[i] >= 0) this.starts[cells[i] + 1]++;
    }
    for (let c = 0; c < this.across * this.down; c++) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    this.order = new Uint32Array(this.starts.at(-1));
    for (let i = 0; i < n; i++) if (cells[i] >= 0) this.order[next[cells[i]]++] = i;
  }

  column(x) {
    return clamp(Math.floor((x - this.left) / this.cell), 0, this.across - 1);
  }

  row(y) {
    return clamp(Math.floor((y - this.bottom) / this.cell), 0, this.down - 1);
  }

  // The `count` nearest points within `radius`, nearest first, of those that `counts(i)`: [{i, distance}].
  find(x, y, count, radius = Infinity, counts = () => true) {
    const [column, row] = [this.column(x), this.row(y)];
    const found = [];
    let reach = radius * radius;
    const rings = Math.max(this.across, this.down);
    for (let ring = 0; ring < rings; ring++) {
      // what lies beyond this ring of cells is at least so far away
      const apart = Math.max(0, ring - 1) * this.cell;
      if (apart * apart > reach) break;
      for (let r = Math.max(0, row - ring); r <= Math.min(this.down - 1, row + ring); r++) {
        const whole = r === row - ring || r === row + ring;
        const step = whole || ring === 0 ? 1 : 2 * ring;
        for (let c = column - ring; c <= column + ring; c += step) {
          if (c < 0 || c >= this.across) continue;
          const cell = r * this.across + c;
          for (let at = this.starts[cell]; at < this.starts[cell + 1]; at++) {
            const i = this.order[at];
            const square = (this.xs[i] - x) ** 2 + (this.ys[i] - y) ** 2;
            if (square > reach || !counts(i)) continue;
            let place = found.length;
            while (place > 0 && found[place - 1].square > square) place--;
            found.splice(place, 0, { i, square });
            if (found.length > count) found.pop();
            if (found.length === count) reach = Math.min(reach, found.at(-1).square);
          }
        }
      }
    }
    return found.map(({ i, square }) => ({ i, distance: Math.sqrt(square) }));
  }
}

// The code between neighbours: each counts by the inverse of its squared distance, so that at a point it is its own.
export function weightedCode(codes, size, neighbours) {
  const code = new Float32Array(size);
  const here = neighbours.filter(n => n.distance === 0);
  const weights = here.length ? here.map(() => 1) : neighbours.map(n => (neighbours[0].distance / n.distance) ** 2);
  const total = weights.reduce((sum, w) => sum + w, 0);
  (here.length ? here : neighbours).forEach(({ i }, place) => {
    for (let d = 0; d < size; d++) code[d] += (weights[place] / total) * codes[i * size + d];
  });
  return code;
}
