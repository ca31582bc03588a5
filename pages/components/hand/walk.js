// An endless, smooth walk through the prior: a function of the seed and of time alone, so that it can be shown again.

import { generator, normals } from "../lib/random.js";

const WAVES = 6; // cosines of which each dimension is a sum
const SLOW = [0.08, 0.45]; // radians a second, the slowest and the fastest of them
const STEP = 4; // seconds from one drawn code to the next, where codes come from a bank

// At every time N(0, I), `wide` times as far: each dimension is a sum of cosines of random frequency and phase, whose
// variance is 1 at all times (a Gaussian process, as the number of cosines grows).
export function gaussianWalk(seed, size) {
  const next = generator(seed ^ 0x5f3759df);
  const frequency = Float64Array.from({ length: size * WAVES }, () => SLOW[0] + (SLOW[1] - SLOW[0]) * next());
  const phase = Float64Array.from({ length: size * WAVES }, () => 2 * Math.PI * next());
  return (time, wide = 1) => Float32Array.from({ length: size }, (_, d) => {
    let sum = 0;
    for (let k = d * WAVES; k < (d + 1) * WAVES; k++) sum += Math.cos(frequency[k] * time + phase[k]);
    return wide * Math.sqrt(2 / WAVES) * sum;
  });
}

// Through drawn codes (count x size) in random order, by curves of Catmull and Rom: it passes each, and turns gently.
// `wide` times as far from the `centres` of the Gaussians that they were drawn from.
export function bankWalk(seed, bank, size, centres) {
  const count = bank.length / size;
  // the n-th on the way; a seed's own stretch of all 2^32, in whole numbers, however large both are
  const order = n => Math.floor(generator(Math.imul(seed, 2654435761) + n)() * count);
  return (time, wide = 1) => {
    const at = time / STEP;
    const [first, t] = [Math.floor(at), at - Math.floor(at)];
    const [a, b, c, d] = [0, 1, 2, 3].map(step => size * order(first + step));
    const weights = [t * (2 * t - t * t - 1), 2 - 5 * t * t + 3 * t ** 3, t * (1 + 4 * t - 3 * t * t), t * t * (t - 1)];
    return Float32Array.from({ length: size }, (_, i) =>
      [a, b, c, d].reduce((sum, code, k) => sum + weights[k] * spread(bank, centres, code + i, wide), 0) / 2);
  };
}

// The draw under a seed, `wide` times as far from its centre: `size` numbers of N(0, I), or a code of the bank.
export function drawn(seed, size, bank, centres, wide = 1) {
  if (!bank) return Float32Array.from(normals(seed, size), x => wide * x);
  const place = size * (seed % (bank.length / size));
  return Float32Array.from({ length: size }, (_, i) => spread(bank, centres, place + i, wide));
}

// One number of a code, so much farther from the mean of the Gaussian that it was drawn from.
function spread(bank, centres, at, wide) {
  return centres[at] + wide * (bank[at] - centres[at]);
}
