// How numbers are written on the map.

import { minus } from "../lib/numbers.js";

// A number in at most four digits.
export function short(value) {
  if (!Number.isFinite(value)) return "no value";
  const size = Math.abs(value);
  const plain = size === 0 || (size >= 1e-3 && size < 1e5);
  return minus(plain ? String(Number(value.toPrecision(4))) : value.toExponential(2));
}
