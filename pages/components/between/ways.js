// Paths of codes: the straight and the spherical one as `vaecore/explore/codes.py` has them, the shortest as it came.

export const PATHS = ["straight", "spherical", "shortest"];

export function straight(a, b, t) {
  return a.map((x, d) => (1 - t) * x + t * b[d]);
}

// Along the arc between both; where there is no angle between them it is the straight line.
export function spherical(a, b, t) {
  const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
  const angle = Math.acos(Math.max(-1, Math.min(1, ab / Math.max(1e-12, Math.sqrt(aa * bb)))));
  if (Math.sin(angle) < 1e-4) return straight(a, b, t);
  const [from, to] = [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
  return a.map((x, d) => from * x + to * b[d]);
}

// A path of `steps` codes, one after another in `codes`, at t from 0 to 1: straight from each to the next.
export function along(codes, steps, t) {
  const size = codes.length / steps;
  const at = Math.max(0, Math.min(1, t)) * (steps - 1);
  const before = Math.min(steps - 2, Math.floor(at));
  const [a, b] = [0, 1].map(k => codes.subarray((before + k) * size, (before + k + 1) * size));
  return straight(a, b, at - before);
}

const dot = (a, b) => a.reduce((sum, x, d) => sum + x * b[d], 0);

// What is told of a path beside the others, with lengths by path: "12.3 · 18 % shorter than straight".
export function told(path, lengths) {
  const length = lengths[path];
  const digits = length >= 100 ? 0 : length >= 10 ? 1 : length >= 1 ? 2 : 3;
  const words = `length ${length.toFixed(digits)}`;
  if (path === "straight" || !(lengths.straight > 0)) return words;
  const share = length / lengths.straight - 1;
  const percent = Math.abs(100 * share);
  if (percent < 0.05) return `${words} · as long as the straight one`;
  return `${words} · ${percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0)} % ${share < 0 ? "shorter" : "longer"}`;
}

// An end of a path as the address has it: the number of an example, or "z" with a code in units; null for neither.
export function endOf(text, { count, codes, centre, unit }) {
  const size = centre.length;
  if (/^\d{1,6}$/.test(text ?? "") && Number(text) < count) {
    const example = Number(text);
    return { text: String(example), example, code: codes.slice(example * size, (example + 1) * size) };
  }
  if (!/^z[-\d.,e]*$/.test(text ?? "")) return null;
  const words = text.slice(1).split(",");
  const code = Float32Array.from(centre, (middle, d) => {
    const value = Number(words[d] || 0);
    return middle + unit[d] * (Number.isFinite(value) ? Math.max(-1e4, Math.min(1e4, value)) : 0);
  });
  return { text, example: null, code };
}
