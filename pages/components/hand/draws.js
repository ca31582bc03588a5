// A draw of p(x|z) from the decoder's mean and sigma, by the law of the likelihood.
//
// The random numbers depend on the seed alone, so that the draw follows the code smoothly, and nothing flickers.

import { normals, uniforms } from "../lib/random.js";

const clipped = x => Math.max(0, Math.min(1, x)); // pixels are shares of full brightness

export const LAWS = {
  bernoulli: { noise: uniforms, draw: (mean, _, u) => mean.map((p, i) => (u[i] < p ? 1 : 0)) },
  gaussian: { noise: normals, draw: (mean, sigma, n) => mean.map((x, i) => x + sigma[i] * n[i]) },
  laplace: {
    noise: uniforms,
    draw: (mean, sigma, u) => mean.map((x, i) => {
      const half = u[i] - 0.5;
      return x - (sigma[i] / Math.SQRT2) * Math.sign(half) * Math.log(1 - 2 * Math.abs(half));
    }),
  },
  logistic: { // of 256 levels of brightness
    noise: uniforms,
    draw: (mean, sigma, u) => mean.map((x, i) => {
      const drawn = x + ((sigma[i] * Math.sqrt(3)) / Math.PI) * Math.log(u[i] / (1 - u[i]));
      return Math.round(clipped(drawn) * 255) / 255;
    }),
  },
  categorical: { // one class, by the first number alone
    noise: uniforms,
    draw: (mean, _, u) => {
      let left = u[0];
      const found = mean.findIndex(p => (left -= p) < 0);
      return mean.map((_, i) => (i === (found < 0 ? mean.length - 1 : found) ? 1 : 0));
    },
  },
};

// The draw under a seed: a function of (mean, sigma); null for a law that is not drawn here.
export function drawing(law, seed, pixels) {
  if (!LAWS[law]) return null;
  let noise = null;
  return (mean, sigma) => {
    noise ??= LAWS[law].noise(seed, mean.length);
    const found = LAWS[law].draw(mean, sigma, noise);
    return pixels ? found.map(clipped) : found;
  };
}
