// The products of matrices in which nearly all the time of a network goes: by WebAssembly four numbers at once where
// the browser has that, else in plain JavaScript. Both do the same over one heap of numbers.
//
//   product(m, n, k, a, b, c, wideB, wideC)   C = A B: A (m x k) begins at place a, B (k x n) at b with rows `wideB`
//                                             numbers apart, C at c with rows `wideC` apart. Of C rows are written up
//                                             to a multiple of 4 and columns up to one of 8, and as many are read.
//   rows(m, k, w, x, y)                       y = W x of a matrix W (m x k): numbers are written, and rows read, up to
//                                             a multiple of 4.

export function matrixProduct(size) {
  if (!compiled) return plain(new Float32Array(size));
  const memory = new WebAssembly.Memory({ initial: Math.ceil(size / 16384) }); // pages of 64 KB
  const { product, rows } = new WebAssembly.Instance(compiled, { heap: { memory } }).exports;
  return {
    heap: new Float32Array(memory.buffer),
    product: (m, n, k, a, b, c, wideB, wideC) => product(m, n, k, 4 * a, 4 * b, 4 * c, 4 * wideB, 4 * wideC),
    rows: (m, k, w, x, y) => rows(m, k, 4 * w, 4 * x, 4 * y),
  };
}

// -- in plain JavaScript ---------------------------------------------------------------------------

export function plain(heap) {
  return { heap, product, rows };

  function product(m, n, k, a, b, c, wideB, wideC) { // four rows by four columns at once are in registers
    for (let i = 0; i < m; i += 4) {
      const r0 = a + i * k;
      const r1 = r0 + k;
      const r2 = r1 + k;
      const r3 = r2 + k;
      for (let j = 0; j < n; j += 4) {
        let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0];
        let [c0, c1, c2, c3, d0, d1, d2, d3] = [0, 0, 0, 0, 0, 0, 0, 0];
        for (let l = 0, at = b + j; l < k; l++, at += wideB) {
          const [w, x, y, z] = [heap[at], heap[at + 1], heap[at + 2], heap[at + 3]];
          let v = heap[r0 + l];
          a0 += v * w; a1 += v * x; a2 += v * y; a3 += v * z;
          v = heap[r1 + l];
          b0 += v * w; b1 += v * x; b2 += v * y; b3 += v * z;
          v = heap[r2 + l];
          c0 += v * w; c1 += v * x; c2 += v * y; c3 += v * z;
          v = heap[r3 + l];
          d0 += v * w; d1 += v * x; d2 += v * y; d3 += v * z;
        }
        let to = c + i * wideC + j;
        heap[to] = a0; heap[to + 1] = a1; heap[to + 2] = a2; heap[to + 3] = a3;
        to += wideC;
        heap[to] = b0; heap[to + 1] = b1; heap[to + 2] = b2; heap[to + 3] = b3;
        to += wideC;
        heap[to] = c0; heap[to + 1] = c1; heap[to + 2] = c2; heap[to + 3] = c3;
        to += wideC;
        heap[to] = d0; heap[to + 1] = d1; heap[to + 2] = d2; heap[to + 3] = d3;
      }
    }
  }

  function rows(m, k, w, x, y) { // four rows at once: x is read a fourth as often
    for (let j = 0; j < m; j += 4, w += 4 * k) {
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let i = 0, p = w, q = w + k, r = w + 2 * k, s = w + 3 * k; i < k; i++) {
        const v = heap[x + i];
        a += v * heap[p + i];
        b += v * heap[q + i];
        c += v * heap[r + i];
        d += v * heap[s + i];
      }
      heap[y + j] = a; heap[y + j + 1] = b; heap[y + j + 2] = c; heap[y + j + 3] = d;
    }
  }
}

// -- in WebAssembly --------------------------------------------------------------------------------

// The instructions are written here as lists of bytes, an operand before its operation; all places are in bytes.
const unsigned = value => (value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]);
const get = local => [0x20, local];
const set = (local, ...value) => [...value, 0x21, local];
const number = value => [0x41, value]; // of -64 to 63
const plus = (a, b) => [...a, ...b, 0x6a];
const times = (a, b) => [...a, ...b, 0x6c];
const shifted = (a, bits) => [...a, ...number(bits), 0x74];
const moved = (local, by) => set(local, ...plus(get(local), by));
const vector = (...operation) => [0xfd, ...operation];
const load = (place, offset = 0) => [...place, ...vector(0x00), 2, offset];
const spread = (place, offset = 0) => [...place, ...vector(0x09), 2, offset]; // one number, four times
const store = (place, value, offset = 0) => [...place, ...value, ...vector(0x0b), 2, offset];
const zero = vector(0x0c, ...new Array(16).fill(0));
const added = (a, b) => [...a, ...b, ...vector(0xe4, 0x01)];
const multiplied = (a, b) => [...a, ...b, ...vector(0xe6, 0x01)];
const lane = (a, which) => [...a, ...vector(0x1f, which)];
// Does what is inside once at least, and again while `local`, which grows by `step`, is below `end`.
const repeat = (local, end, step, inside) => [...set(local, ...number(0)), 0x03, 0x40, ...inside,
  ...moved(local, number(step)), ...get(local), ...end, 0x49, 0x0d, 0, 0x0b];

const INT = 0x7f;
const FOUR = 0x7b;

// C = A B: 4 rows by 8 columns are summed at once in eight vectors.
function productCode() {
  const [m, n, k, a, b, c, wideB, wideC] = [0, 1, 2, 3, 4, 5, 6, 7]; // what it is given
  const [i, j, l, right, to, left] = [8, 9, 10, 11, 12, 13]; // and what it counts with: `left` has four
  const [low, high, one, sum] = [17, 18, 19, 20]; // vectors: `sum` has eight
  const each = [0, 1, 2, 3];
  return [[6 + 3, INT, 3 + 8, FOUR], [
    ...repeat(i, get(m), 4, [
      ...repeat(j, get(n), 8, [
        ...each.flatMap(row => set(left + row, ...plus(get(a),
          shifted(times(plus(get(i), number(row)), get(k)), 2)))),
        ...set(right, ...plus(get(b), shifted(get(j), 2))),
        ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap(s => set(sum + s, ...zero)),
        ...repeat(l, get(k), 1, [
          ...set(low, ...load(get(right))),
          ...set(high, ...load(get(right), 16)),
          ...each.flatMap(row => [
            ...set(one, ...spread(get(left + row))),
            ...set(sum + 2 * row, ...added(get(sum + 2 * row), multiplied(get(one), get(low)))),
            ...set(sum + 2 * row + 1, ...added(get(sum + 2 * row + 1), multiplied(get(one), get(high)))),
            ...moved(left + row, number(4)),
          ]),
          ...moved(right, get(wideB)),
        ]),
        ...set(to, ...plus(plus(get(c), times(get(i), get(wideC))), shifted(get(j), 2))),
        ...each.flatMap(row => [
          ...store(get(to), get(sum + 2 * row)),
          ...store(get(to), get(sum + 2 * row + 1), 16),
          ...moved(to, get(wideC)),
        ]),
      ]),
    ]),
  ]];
}

// y = W x: the sums of 4 rows are each in four parts, which are added at the end, and the last k % 4 numbers too.
function rowsCode() {
  const [m, k, w, x, y] = [0, 1, 2, 3, 4];
  const [j, l, right, whole, left] = [5, 6, 7, 8, 9]; // `left` has four
  const [sum] = [13]; // four vectors, then four numbers `single`
  const single = 17;
  const each = [0, 1, 2, 3];
  const REAL = 0x7d;
  const plain = place => [...place, 0x2a, 2, 0];
  const plus32 = (p, q) => [...p, ...q, 0x92];
  const when = (condition, inside) => [...condition, 0x04, 0x40, ...inside, 0x0b];
  const less = (p, q) => [...p, ...q, 0x49];
  return [[4 + 4, INT, 4, FOUR, 4, REAL], [
    ...set(whole, ...get(k), ...number(-4 & 0x7f), 0x71), // k rounded down to a multiple of 4
    ...repeat(j, get(m), 4, [
      ...each.flatMap(row => set(left + row, ...plus(get(w), shifted(times(plus(get(j), number(row)), get(k)), 2)))),
      ...set(right, ...get(x)),
      ...each.flatMap(row => set(sum + row, ...zero)),
      ...when(less(number(0), get(whole)), repeat(l, get(whole), 4, [
        ...each.flatMap(row => [
          ...set(sum + row, ...added(get(sum + row), multiplied(load(get(left + row)), load(get(right))))),
          ...moved(left + row, number(16)),
        ]),
        ...moved(right, number(16)),
      ])),
      ...each.flatMap(row => set(single + row, ...plus32(plus32(lane(get(sum + row), 0), lane(get(sum + row), 1)),
        plus32(lane(get(sum + row), 2), lane(get(sum + row), 3))))),
      ...when(less(get(whole), get(k)), [ // what is left over
        ...set(l, ...get(whole)), 0x03, 0x40,
        ...each.flatMap(row => [
          ...set(single + row, ...plus32(get(single + row), [...plain(get(left + row)), ...plain(get(right)), 0x94])),
          ...moved(left + row, number(4)),
        ]),
        ...moved(right, number(4)), ...moved(l, number(1)), ...less(get(l), get(k)), 0x0d, 0, 0x0b,
      ]),
      ...each.flatMap(row => [...plus(get(y), shifted(get(j), 2)), ...get(single + row), 0x38, 2, 4 * row]),
    ]),
  ]];
}

function assembled() {
  const section = (id, ...content) => [id, ...unsigned(content.length), ...content];
  const text = word => [word.length, ...new TextEncoder().encode(word)];
  const body = ([locals, code]) => {
    const whole = [locals.length / 2, ...locals, ...code, 0x0b];
    return [...unsigned(whole.length), ...whole];
  };
  const bodies = [productCode(), rowsCode()].map(body);
  return Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, 2, 0x60, 8, ...new Array(8).fill(INT), 0, 0x60, 5, ...new Array(5).fill(INT), 0), // their arguments
    ...section(2, 1, ...text("heap"), ...text("memory"), 2, 0, 1), // a memory of one page at least
    ...section(3, 2, 0, 1),
    ...section(7, 2, ...text("product"), 0, 0, ...text("rows"), 0, 1),
    ...section(10, 2, ...bodies[0], ...bodies[1])]);
}

// Null where the browser has no WebAssembly, or none with vectors.
export const compiled = (() => {
  try {
    const bytes = assembled();
    return WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
  } catch {
    return null;
  }
})();
