// Seeded random numbers, alike in every browser: mulberry32 for uniform ones, and of these normal ones by the method of
// Box and Muller, a pair of uniform numbers for a pair of normal ones.

export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32; // in (0, 1), never an end
  };
}

export function uniforms(seed, count) {
  const next = generator(seed);
  return Float64Array.from({ length: count }, next);
}

export function normals(seed, count) {
  const next = generator(seed);
  const found = new Float64Array(count + (count % 2));
  for (let i = 0; i < count; i += 2) {
    const [radius, angle] = [Math.sqrt(-2 * Math.log(next())), 2 * Math.PI * next()];
    found[i] = radius * Math.cos(angle);
    found[i + 1] = radius * Math.sin(angle);
  }
  return found.subarray(0, count);
}
