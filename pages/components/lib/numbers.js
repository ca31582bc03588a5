// How numbers are written, and how those of half precision are read.

// With a minus, which is as wide as a plus, in place of each hyphen.
export const minus = text => text.replaceAll("-", "−");

// With so many decimals; what rounds to nothing has no sign.
export const fixed = (value, digits) => minus(value.toFixed(digits)).replace(/^−(?=[0.]*$)/, "");

let table = null; // the number that each pattern of 16 bits stands for

// float16 (Uint16Array) as float32: not every browser has an array of its own for it.
export function singles(halves, into = new Float32Array(halves.length), at = 0) {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const [sign, power, part] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (power === 31) return part ? NaN : sign * Infinity;
    return sign * (power ? (1 + part / 1024) * 2 ** (power - 15) : (part / 1024) * 2 ** -14);
  });
  for (let i = 0; i < halves.length; i++) into[at + i] = table[halves[i]];
  return into;
}
