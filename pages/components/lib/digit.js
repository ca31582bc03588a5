// A drawing as a data set has it: the twin of `vaecore.explore.drawing.drawn_as`, for while the pen moves. It gives the
// same pixels: the resampling is that of Pillow, window, weights and roundings.

const INK = 32; // of 255: what is fainter is the soft edge of a stroke
const SMALLEST_INK = 1 / 8; // of the longer side: ink that reaches no further is a dot, not a digit
const ONE = 2 ** 22; // in Pillow's whole numbers

// White ink on black, Uint8Array of height x width, as the data have it: Uint8Array of the size, or null while blank.
export function drawnAs(ink, [height, width], size, { light, box }) {
  const digit = asDigit(ink, [height, width], size, box);
  return digit && light ? digit.map(value => 255 - value) : digit;
}

// Cropped, scaled with its aspect kept until it fits into `box` of the size, its centre of mass in the middle.
export function asDigit(ink, [high, wide], [height, width], box = 20 / 28) {
  let [top, bottom, left, right] = [high, 0, wide, 0];
  for (let y = 0, at = 0; y < high; y++) {
    for (let x = 0; x < wide; x++, at++) {
      if (ink[at] < INK) continue;
      top = Math.min(top, y);
      bottom = y + 1;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
    }
  }
  if (!bottom || Math.max(bottom - top, right - left) < SMALLEST_INK * Math.max(high, wide)) return null;
  const [tall, broad] = [bottom - top, right - left];
  const [down, across] = [new Float64Array(tall), new Float64Array(broad)]; // the mass of each row and column
  for (let y = 0; y < tall; y++) {
    for (let x = 0; x < broad; x++) {
      const value = ink[(top + y) * wide + left + x];
      down[y] += value;
      across[x] += value;
    }
  }
  const pixel = Math.max(tall / (box * height), broad / (box * width)); // of the result, in those of the ink
  const margin = Math.ceil(pixel * Math.max(height, width)) + 1;
  const padded = [tall + 2 * margin, broad + 2 * margin];
  const rows = windows(padded[0], margin + begin(down, pixel * height), pixel * height, height);
  const columns = windows(padded[1], margin + begin(across, pixel * width), pixel * width, width);
  const middle = new Uint8Array(tall * width); // along the rows first; above and below the ink all is black
  for (let y = 0; y < tall; y++) {
    columns.forEach(([first, weights], x) => {
      let sum = ONE / 2;
      weights.forEach((weight, i) => {
        const from = first + i - margin;
        if (from >= 0 && from < broad) sum += weight * ink[(top + y) * wide + left + from];
      });
      middle[y * width + x] = clipped(sum);
    });
  }
  const digit = new Uint8Array(height * width);
  rows.forEach(([first, weights], y) => {
    for (let x = 0; x < width; x++) {
      let sum = ONE / 2;
      weights.forEach((weight, i) => {
        const from = first + i - margin;
        if (from >= 0 && from < tall) sum += weight * middle[from * width + x];
      });
      digit[y * width + x] = clipped(sum);
    }
  });
  return digit;
}

const clipped = sum => Math.max(0, Math.min(255, Math.floor(sum / ONE)));

// Where a window of this length begins that has the centre of mass in its middle, moved so that all ink lies within.
function begin(mass, length) {
  let [sum, moment] = [0, 0];
  mass.forEach((value, i) => {
    sum += value;
    moment += value * (i + 0.5);
  });
  return Math.min(Math.max(moment / sum - length / 2, mass.length - length), 0);
}

// Of each pixel of the result where it begins to read, and its weights in whole numbers.
function windows(length, start, span, count) {
  const [low, high] = [Math.fround(start), Math.fround(start + span)]; // Pillow's boxes are of single precision
  const scale = Math.fround(high - low) / count;
  const reach = Math.max(1, scale);
  return Array.from({ length: count }, (_, place) => {
    const centre = low + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(length, Math.trunc(centre + reach + 0.5));
    const weights = Array.from({ length: last - first }, (_, i) => hamming((i + first - centre + 0.5) / reach));
    const sum = weights.reduce((a, b) => a + b, 0);
    return [first, weights.map(weight => Math.trunc(0.5 + (weight / sum) * ONE))];
  });
}

// Nowhere negative within its support.
function hamming(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= 1) return 0;
  const angle = x * Math.PI;
  return (Math.sin(angle) / angle) * (0.54 + 0.46 * Math.cos(angle));
}
