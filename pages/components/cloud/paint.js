// The colours of points, and the points themselves as pixels.

import { pixel, ramp, VIRIDIS } from "../lib/colourmap.js";
import { clamp } from "../lib/plot.js";

export const COLOURS = ramp(VIRIDIS);
export const UNKNOWN = pixel(128, 134, 150); // of a point that has no class or no number
const FAINT = 42; // of 255
const SMALL = 2.2; // px, radius of a disc
export const NONE = 0xffff; // of a category: a point that has none

export function pixelOf(colour) {
  return pixel(...[1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16)));
}

export function shade(value, [low, high]) {
  if (!Number.isFinite(value)) return UNKNOWN;
  return COLOURS[Math.round(255 * clamp((value - low) / (high - low), 0, 1))];
}

// The line of the legend that a point belongs to: the place of its class; 0 for any number; -1 without either.
export function lineOf({ range }, value) {
  return range ? (Number.isFinite(value) ? 0 : -1) : value === NONE ? -1 : value;
}

// Of every point its pixel; 0 where the legend has its line hidden. A colour {values, range} is of a number, and one
// without a range of classes, whose pixels are `classes`, again and again.
export function painted(colour, classes, hidden) {
  return Uint32Array.from(colour.values, value => {
    const line = lineOf(colour, value);
    if (hidden.has(line)) return 0;
    return line < 0 ? UNKNOWN : colour.range ? shade(value, colour.range) : classes[line % classes.length];
  });
}

// How many points a line of the legend stands for: Map of line -> count.
export function counted(colour) {
  const counts = new Map();
  for (const value of colour.values) {
    const line = lineOf(colour, value);
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return counts;
}

// The same pixels, faint over whatever lies below.
export function faint(inks) {
  return inks.map(ink => (ink === 0 ? 0 : ((ink & 0xffffff) | (FAINT << 24)) >>> 0));
}

// A disc of pixels: where it covers them, from the middle, and how much of each (0 to 255). A small one, as where there
// are very many, has no soft edge: mixing takes most of the time, and nobody sees it.
export function disc(radius) {
  const reach = Math.ceil(radius);
  const cells = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const part = clamp(radius + 0.5 - Math.hypot(dx, dy), 0, 1);
      const covered = Math.round(255 * (radius < SMALL ? Math.round(part) : part));
      if (covered > 0) cells.push([dx, dy, covered]);
    }
  }
  return { reach, cells };
}

// How large points are, px: smaller the more there are, larger the closer one looks.
export function radiusOf(count, closer) {
  const alone = clamp(14 / count ** 0.19, 1.6, 5);
  return clamp(alone * clamp(closer, 0.5, 1000) ** 0.3, 1.2, 7);
}

// Draws every point of `ink` (its pixel, 0 for none) into `pixels`, of `width` x `height`, about the middle
// (x, y) of the map with `scale` pixels a unit. A circle's edge is soft: one pixel mixed with what lies below.
// How many were drawn comes back.
export function splat(pixels, width, height, { xs, ys, ink, only }, { x, y, scale, radius }) {
  const { reach, cells } = disc(radius);
  const full = Int32Array.from(cells.filter(c => c[2] === 255), ([dx, dy]) => dy * width + dx);
  const part = cells.filter(c => c[2] < 255);
  const edge = Int32Array.from(part, ([dx, dy]) => dy * width + dx);
  const cover = Uint8Array.from(part, c => c[2]);
  const [left, top] = [width / 2 - x * scale, height / 2 + y * scale]; // where the map's (0, 0) lies
  let drawn = 0;
  for (let i = 0; i < xs.length; i++) {
    const colour = ink[i];
    if (colour === 0 || (only && !only[i])) continue;
    const px = Math.round(left + xs[i] * scale);
    const py = Math.round(top - ys[i] * scale);
    if (!(px >= -reach && py >= -reach && px < width + reach && py < height + reach)) continue; // nan fails too
    drawn++;
    if (px < reach || py < reach || px >= width - reach || py >= height - reach) {
      for (const [dx, dy, covered] of cells) { // cut by the edge
        const [across, down] = [px + dx, py + dy];
        const within = across >= 0 && down >= 0 && across < width && down < height;
        if (covered > 127 && within) pixels[down * width + across] = colour;
      }
      continue;
    }
    const at = py * width + px;
    for (let k = 0; k < full.length; k++) pixels[at + full[k]] = colour;
    for (let k = 0; k < edge.length; k++) {
      const place = at + edge[k];
      const below = pixels[place];
      const c = cover[k];
      const own = (c * (colour >>> 24)) >> 8;
      if (below === 0) {
        pixels[place] = ((colour & 0xffffff) | (own << 24)) >>> 0;
        continue;
      }
      const alpha = Math.max(below >>> 24, own);
      const red = (below & 255) + ((((colour & 255) - (below & 255)) * c) >> 8);
      const green = ((below >>> 8) & 255) + (((((colour >>> 8) & 255) - ((below >>> 8) & 255)) * c) >> 8);
      const blue = ((below >>> 16) & 255) + (((((colour >>> 16) & 255) - ((below >>> 16) & 255)) * c) >> 8);
      pixels[place] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    }
  }
  return drawn;
}
