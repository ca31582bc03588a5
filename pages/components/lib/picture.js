// Observations as pixels: what `vaecore/explore/pictures.py` makes of them, pixel by pixel.

import { INFERNO, ramp } from "./colourmap.js";

const CHEQUERS = [112, 160]; // grey levels behind what is transparent
const SQUARES = 8; // of the chequerboard along the shorter side
const MOST_STRIPES = 512; // of a vector
const GREY = Math.fround(128 / 3); // of one standard deviation; 0 is middle grey
const HEAT = ramp(INFERNO);

// One observation of shape (C, H, W) or (D,) on a canvas of as many pixels; the style enlarges them, crisp.
// `at` is its place in `values`; with `top` it is a map of amounts from 0 to `top`, as of sigma, from black to yellow.
export function paint(canvas, values, shape, { at = 0, top = 0 } = {}) {
  const one = values.subarray(at * sizeOf(shape), (at + 1) * sizeOf(shape));
  put(canvas, top > 0 ? heat(one, shape, top) : picture(one, shape));
}

export const sizeOf = shape => shape.reduce((product, side) => product * side, 1);

// What is seen of one observation: { width, height, rgba }.
export function picture(values, shape) {
  if (shape.length === 1) return stripes(Uint8ClampedArray.from(values, grey));
  const [channels, height, width] = shape;
  const bytes = Uint8ClampedArray.from(values, brightness);
  if (channels === 1 && height === 1) return stripes(bytes);
  const seen = { width, height, rgba: coloured(bytes, channels, height, width) };
  return height > 1 ? seen : tall(seen);
}

// Pictures of one size as one, in rows of `columns`, with gaps of `gap` pixels through which the page is seen.
export function grid(pictures, columns, gap = 1) {
  const [{ width, height }, across] = [pictures[0], Math.max(1, Math.min(columns, pictures.length))];
  const down = Math.ceil(pictures.length / across);
  const [wide, high] = [across * (width + gap) - gap, down * (height + gap) - gap];
  const rgba = new Uint8ClampedArray(4 * wide * high);
  pictures.forEach((one, place) => {
    const [left, top] = [(place % across) * (width + gap), Math.floor(place / across) * (height + gap)];
    for (let row = 0; row < height; row++) {
      rgba.set(one.rgba.subarray(4 * row * width, 4 * (row + 1) * width), 4 * ((top + row) * wide + left));
    }
  });
  return { width: wide, height: high, rgba };
}

export function put(canvas, { width, height, rgba }) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
}

// -- numbers to brightness, in single precision and to the even neighbour, as numpy and torch round

export function even(x) {
  const low = Math.floor(x);
  const rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

const brightness = x => even(Math.fround(x * 255));
const grey = x => even(Math.fround(Math.fround(x * GREY) + 128));

// Colours of so many channels, each from 0 to 1: evenly around the circle of hues, from magenta.
export function hues(channels) {
  return Array.from({ length: channels }, (_, channel) => {
    const turn = ((5 / 6 + channel / channels) % 1) * 6;
    const [sixth, rising] = [Math.floor(turn), turn - Math.floor(turn)];
    const falling = 1 - rising;
    const parts = [[1, rising, 0], [falling, 1, 0], [0, 1, rising], [0, falling, 1], [rising, 0, 1], [1, 0, falling]];
    return parts[sixth % 6].map(part => Math.round(part * 1e6) / 1e6);
  });
}

function coloured(bytes, channels, height, width) {
  const pixels = height * width;
  const rgba = new Uint8ClampedArray(4 * pixels).fill(255);
  if (channels === 1 || channels === 3) {
    for (let colour = 0; colour < 3; colour++) {
      const from = channels === 1 ? 0 : colour * pixels;
      for (let i = 0; i < pixels; i++) rgba[4 * i + colour] = bytes[from + i];
    }
  } else if (channels === 4) {
    const side = Math.max(1, Math.floor(Math.min(height, width) / SQUARES));
    for (let i = 0; i < pixels; i++) {
      const odd = Math.floor(Math.floor(i / width) / side) + Math.floor((i % width) / side);
      const opacity = Math.fround(bytes[3 * pixels + i] / 255);
      const behind = Math.fround(CHEQUERS[odd % 2] * Math.fround(1 - opacity));
      for (let colour = 0; colour < 3; colour++) {
        const before = Math.fround(bytes[colour * pixels + i] * opacity);
        rgba[4 * i + colour] = even(Math.fround(before + behind));
      }
    }
  } else { // each channel in a colour of its own, and the brightest counts
    const tints = hues(channels);
    for (let i = 0; i < pixels; i++) {
      for (let colour = 0; colour < 3; colour++) {
        let most = 0;
        for (let c = 0; c < channels; c++) most = Math.max(most, even(bytes[c * pixels + i] * tints[c][colour]));
        rgba[4 * i + colour] = most;
      }
    }
  }
  return rgba;
}

// A row of grey levels, of which neighbours are averaged where each would be less than a pixel.
function stripes(row) {
  const levels = row.length > MOST_STRIPES ? averaged(row, MOST_STRIPES) : row;
  const width = levels.length;
  return tall({ width, height: 1, rgba: coloured(levels, 1, 1, width) });
}

export function averaged(row, count) {
  const edge = place => Math.floor((place * row.length) / count);
  return Uint8ClampedArray.from({ length: count }, (_, place) => {
    let sum = 0;
    for (let i = edge(place); i < edge(place + 1); i++) sum += row[i];
    return even(sum / (edge(place + 1) - edge(place)));
  });
}

// A single row of pixels as stripes tall enough to see.
function tall({ width, rgba: row }) {
  const height = Math.max(1, Math.floor(width / 2));
  const rgba = new Uint8ClampedArray(row.length * height);
  for (let y = 0; y < height; y++) rgba.set(row, y * row.length);
  return { width, height, rgba };
}

// Amounts (C, H, W) or (D,), the mean over channels, as heat: one picture of the size that the observation has.
function heat(values, shape, top) {
  const [channels, height, width] = shape.length === 1 ? [1, 1, shape[0]] : shape;
  const pixels = height * width;
  const words = Uint32Array.from({ length: pixels }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += values[c * pixels + i];
    return HEAT[Math.max(0, Math.min(255, Math.round((255 * sum) / (channels * top))))];
  });
  const seen = { width, height, rgba: new Uint8ClampedArray(words.buffer) };
  return height > 1 ? seen : tall(seen);
}
