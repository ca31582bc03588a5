// How numbers are written on the map.

// A number in at most four digits.
export function short(value) {
  if (!Number.isFinite(value)) return "no value";
  const rounded = Number(value.toPrecision(4));
  const size = Math.abs(rounded);
  const text = size >= 1e5 || (size !== 0 && size < 1e-3) ? rounded.toExponential(2) : String(rounded);
  return text.replaceAll("-", "−");
}
