// Which of a line's pictures are shown, how many fit, and how two of them differ: functions without a page.

export const LAST = "last"; // the weights that a run ended with, beside steps that are numbers

// The step of those that are kept, ascending, that is nearest to `step` and not after it; null where all are later.
export function nearest(kept, step) {
  let found = null;
  for (const each of kept) if (each <= step) found = each;
  return found;
}

// How many pictures fit across, each about this wide: 4 to `most`.
export const fitting = (width, most, each = 92) => Math.max(4, Math.min(most, Math.floor(width / each)));

// b - a of pixels as ImageData has them, the mean over red, green and blue, in shares of the full brightness; with the
// largest of these without its sign, and the mean of them without theirs.
export function difference(a, b) {
  const values = new Float32Array(a.length / 4);
  let [largest, sum] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const at = 4 * i;
    values[i] = (b[at] + b[at + 1] + b[at + 2] - a[at] - a[at + 1] - a[at + 2]) / 765;
    const size = Math.abs(values[i]);
    if (size > largest) largest = size;
    sum += size;
  }
  return { values, largest, mean: sum / values.length };
}

// Signed values as pixels: nothing where there is none, `above` or `below` the fuller the larger, alike to both sides.
export function painted(values, largest, above, below) {
  const pixels = new Uint8ClampedArray(4 * values.length);
  for (let i = 0; i < values.length; i++) {
    pixels.set(values[i] > 0 ? above : below, 4 * i);
    pixels[4 * i + 3] = largest ? Math.round((255 * Math.abs(values[i])) / largest) : 0;
  }
  return pixels;
}

// A side of a comparison in the address: table.line.column.step. Without a column it is the whole line, without a step it
// follows the slider.
export function said({ table, line, column, step }) {
  return [table, line, column ?? "", step ?? ""].join(".");
}

export function heard(text) {
  const found = /^(.{1,120})\.(\d{1,3})\.(\d{0,2})\.(\d{0,9}|last)$/.exec(text ?? "");
  if (!found) return null;
  const [, table, line, column, step] = found;
  return { table, line: Number(line), column: column === "" ? null : Number(column),
    step: step === "" ? null : step === LAST ? LAST : Number(step) };
}
