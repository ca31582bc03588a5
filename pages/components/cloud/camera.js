// Where a map is looked at from: {x, y, span}, the middle in the map's units, and how many of them the shorter side of
// the plane shows. So a link opens the same place in a window of another size. Both axes have the same scale.

import { clamp } from "../lib/plot.js";

const ROOM = 1.08; // of a view of all points, so that none lies on the edge
const DEEPEST = 20_000; // times the view of all
const WIDEST = 8;

export const scaleOf = (camera, { width, height }) => Math.min(width, height) / camera.span; // px per unit

export function placed(camera, size, x, y) {
  const scale = scaleOf(camera, size);
  return [size.width / 2 + (x - camera.x) * scale, size.height / 2 - (y - camera.y) * scale];
}

export function unplaced(camera, size, [px, py]) {
  const scale = scaleOf(camera, size);
  return [camera.x + (px - size.width / 2) / scale, camera.y - (py - size.height / 2) / scale];
}

// All of an extent {x: [low, high], y: [low, high]} in view.
export function fitted({ x, y }, { width, height }) {
  const across = x[1] - x[0] || 1;
  const down = y[1] - y[0] || 1;
  const scale = Math.min(width / across, height / down) / ROOM;
  return { x: (x[0] + x[1]) / 2, y: (y[0] + y[1]) / 2, span: Math.min(width, height) / scale };
}

// `factor` times closer, with the unit under the pixel staying there.
export function zoomed(camera, size, factor, pixel, whole) {
  const span = clamp(camera.span / factor, whole.span / DEEPEST, whole.span * WIDEST);
  const [x, y] = unplaced(camera, size, pixel);
  const part = span / camera.span;
  return { x: x + (camera.x - x) * part, y: y + (camera.y - y) * part, span };
}

export function panned(camera, size, dx, dy) {
  const scale = scaleOf(camera, size);
  return { ...camera, x: camera.x - dx / scale, y: camera.y + dy / scale };
}

// As it stands in the address: in three decimals, and in more the closer it is. And back; null for what is no camera.
export function written({ x, y, span }) {
  const digits = clamp(3 - Math.floor(Math.log10(span)), 3, 12);
  return [x, y, span].map(v => Number(v.toFixed(digits))).join();
}

export function read(text) {
  const [x, y, span, ...more] = (text ?? "").split(",").map(Number);
  return span > 0 && Number.isFinite(x + y + span) && more.length === 0 ? { x, y, span } : null;
}

// Of the points that have a place; unit squares around nothing and around a single point.
export function extentOf(...columns) {
  const reach = pick => {
    let [low, high] = [Infinity, -Infinity];
    for (const column of columns) {
      for (const v of pick(column)) {
        if (v < low) low = v;
        if (v > high) high = v;
      }
    }
    return low < high ? [low, high] : low === high ? [low - 0.5, high + 0.5] : [-0.5, 0.5];
  };
  return { x: reach(c => c.xs), y: reach(c => c.ys) };
}
