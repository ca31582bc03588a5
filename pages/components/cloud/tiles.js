// The plane as decoded pictures: which tiles there are at a zoom, which of them are missing, and those that are kept.

const KEPT = 3_000; // tiles, of all levels: the oldest go

// The tiles in view. A tile's side is a power of two of the map's unit, so that tiles stay where they are while the
// map is panned and are found again at the same zoom: {step, level, tiles: [{i, j, x, y}]}, the nearest to the middle
// first; x and y are the middle of a tile. `least` px, at least, is a tile wide, and less than twice that.
export function layout(camera, { width, height }, least) {
  const scale = Math.min(width, height) / camera.span;
  const level = Math.ceil(Math.log2(least / scale) - 1e-9);
  const step = 2 ** level;
  const range = (middle, pixels) => [Math.floor((middle - pixels / 2 / scale) / step),
    Math.floor((middle + pixels / 2 / scale) / step)];
  const [[left, right], [bottom, top]] = [range(camera.x, width), range(camera.y, height)];
  const tiles = [];
  for (let j = bottom; j <= top; j++) {
    for (let i = left; i <= right; i++) tiles.push({ i, j, x: (i + 0.5) * step, y: (j + 0.5) * step });
  }
  const far = ({ x, y }) => (x - camera.x) ** 2 + (y - camera.y) ** 2;
  tiles.sort((a, b) => far(a) - far(b));
  return { step, level, tiles };
}

export const keyOf = (level, { i, j }) => `${level}:${i}:${j}`;

// Tiles by key; what was asked for last is kept longest.
export class Kept {
  constructor(most = KEPT) {
    this.most = most;
    this.tiles = new Map();
  }

  get(key) {
    const tile = this.tiles.get(key);
    if (tile === undefined) return undefined;
    this.tiles.delete(key);
    this.tiles.set(key, tile);
    return tile;
  }

  set(key, tile) {
    this.tiles.delete(key);
    this.tiles.set(key, tile);
    while (this.tiles.size > this.most) this.tiles.delete(this.tiles.keys().next().value);
  }
}
