// A network as a list of operations, run over typed arrays: what vaecore/explore/export/graph.py packs. It knows no
// page and no window, so it runs in a worker, on a page and in a file that was opened from a disk.
//
// All numbers live in one heap: constants, then the values of the steps, which share places as soon as the value that
// had one is read no more, then room to work in. Each step is made into a function once; a run calls them in order.

import { singles } from "./numbers.js";
import { matrixProduct } from "./product.js";

// u32 header length | JSON header | constants: the graph, ready to run. Throws an Error in words for what is none.
export function parse(bytes) {
  const data = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const header = headerOf(data);
  const { inputs, outputs, sizes, steps, constants } = header;
  const start = 4 + new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const graph = { ...shapesOf(header), named: { inputs, outputs }, tables: new Map() };

  const at = new Array(sizes.length).fill(-1); // where each value begins in the heap
  let end = 0;
  for (const { value, kind, count } of constants) {
    if (kind === "i32") continue;
    at[value] = end;
    end += placed(count);
  }
  end = place(header, at, end);
  const room = Math.max(0, ...steps.map(roomOf));
  const { heap } = Object.assign(graph, matrixProduct(end + room), { at, sizes, room: end });

  for (const { value, kind, at: from, count } of constants) {
    const source = data.slice(start + from, start + from + count * (kind === "f16" ? 2 : 4)).buffer;
    if (kind === "i32") graph.tables.set(value, new Int32Array(source));
    else if (kind === "f32") heap.set(new Float32Array(source), at[value]);
    else singles(new Uint16Array(source), heap, at[value]);
  }
  graph.steps = steps.map(step => found(STEPS, step.name)(graph, step));
  return graph;
}

// Outputs by name, `batch` observations after one another; inputs the same: {name: Float32Array}.
export function run(graph, given, batch = 1) {
  const { heap, at, steps, named: { inputs, outputs } } = graph;
  const read = inputs.map(([name, shape], value) => {
    const size = count(shape);
    if (given[name]?.length !== batch * size)
      throw new Error(`${name} has ${given[name]?.length ?? "no"} numbers, and ${batch * size} are read.`);
    return [given[name], size, at[value]];
  });
  const written = outputs.map(([, shape, value]) => [new Float32Array(batch * count(shape)), count(shape), at[value]]);
  for (let row = 0; row < batch; row++) {
    for (const [values, size, to] of read) heap.set(values.subarray(row * size, (row + 1) * size), to);
    for (const step of steps) step();
    for (const [values, size, from] of written) values.set(heap.subarray(from, from + size), row * size);
  }
  return Object.fromEntries(outputs.map(([name], i) => [name, written[i][0]]));
}

// What a packed graph reads and gives, {name: shape}, and the multiply-adds of a run, without unpacking it.
export const described = bytes => shapesOf(headerOf(new Uint8Array(bytes)));

export const named = pairs => Object.fromEntries(pairs.map(([name, shape]) => [name, shape]));
const shapesOf = ({ inputs, outputs, products }) => ({ inputs: named(inputs), outputs: named(outputs), products });

export const count = shape => shape.reduce((a, b) => a * b, 1);

// -- reading ---------------------------------------------------------------------------------------

function headerOf(data) {
  try {
    const length = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0, true);
    return JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + length)));
  } catch {
    throw new Error("What came is no network. Reload the page.");
  }
}

function found(table, name) {
  if (!Object.hasOwn(table, name)) throw new Error(`This network uses '${name}', which is not known here. Reload the page.`);
  return table[name];
}

// Places begin at multiples of 16 bytes; between two there are numbers that a product may write beyond its end.
const placed = size => rounded(size, 4) + 4;
const rounded = (size, to) => Math.ceil(size / to) * to;

// Gives inputs and steps their places: a place is free again after the last step that reads its value.
function place({ inputs, outputs, sizes, steps }, at, end) {
  const last = new Map();
  steps.forEach((step, i) => step.in.forEach(value => last.set(value, i)));
  for (const [, , value] of outputs) last.set(value, Infinity);
  const free = []; // [size, place]
  const take = value => {
    const size = placed(sizes[value]);
    let best = -1;
    free.forEach(([room], i) => {
      if (room >= size && (best < 0 || room < free[best][0])) best = i;
    });
    if (best < 0) {
      at[value] = end;
      end += size;
      return [size, at[value]];
    }
    const [taken] = free.splice(best, 1);
    at[value] = taken[1];
    return taken;
  };
  const held = new Map();
  inputs.forEach((_, value) => take(value)); // never given away: a batch writes them again and again
  steps.forEach((step, i) => {
    held.set(step.out, take(step.out));
    for (const value of new Set(step.in)) {
      if (last.get(value) === i && held.has(value)) {
        free.push(held.get(value));
        held.delete(value);
      }
    }
  });
  return end;
}

// -- steps -----------------------------------------------------------------------------------------

const BAND = 65_536; // numbers that are laid out as columns at once: what fits into a core's own cache

// Where a convolution works, some lines at a time: pixels as columns, and the product, whose rows and columns are
// rounded up.
function matricesOf({ transposed, channels, units, sides, large, kernel, groups }) {
  const taps = kernel[0] * kernel[1];
  const [m, k] = transposed ? [(units / groups) * taps, channels / groups] : [units / groups, (channels / groups) * taps];
  const lines = transposed ? sides[0] : Math.max(1, Math.min(large[0], Math.floor(BAND / (k * large[1]))));
  return { taps, m, k, lines, wide: rounded(lines * (transposed ? sides[1] : large[1]), 8), tall: rounded(m, 4) };
}

function roomOf(step) {
  if (step.name === "linear") return 4 * step.size; // rows that are read beyond the last
  if (step.name !== "convolution") return 0;
  const { k, wide, tall } = matricesOf(step);
  return (step.transposed ? 0 : k * wide) + tall * wide + 4 * k + 8;
}

const STEPS = {
  linear: ({ heap, at, rows: multiply }, { in: [x, weight, bias], out, rows, size, units }) => () => {
    for (let row = 0, to = at[out]; row < rows; row++, to += units) {
      multiply(units, size, at[weight], at[x] + row * size, to);
      if (bias !== undefined) for (let j = 0; j < units; j++) heap[to + j] += heap[at[bias] + j];
    }
  },

  product: ({ heap, at }, { in: [a, b], out, m, k, n }) => () => {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += heap[at[a] + i * k + l] * heap[at[b] + l * n + j];
        heap[at[out] + i * n + j] = sum;
      }
    }
  },

  convolution: (graph, step) => (step.transposed ? grown(graph, step) : convolved(graph, step)),

  normalise: ({ heap, at }, { in: [x, weight, bias], out, groups, size, weights, inner, eps }) => () => {
    for (let group = 0; group < groups; group++) {
      const from = at[x] + group * size;
      let mean = 0;
      for (let i = 0; i < size; i++) mean += heap[from + i];
      mean /= size;
      let square = 0;
      for (let i = 0; i < size; i++) square += (heap[from + i] - mean) ** 2;
      const scale = 1 / Math.sqrt(square / size + eps);
      for (let i = 0; i < size; ) { // a weight serves `inner` numbers
        const which = Math.floor((group * size + i) / inner) % weights;
        const [w, b] = [scale * heap[at[weight] + which], heap[at[bias] + which]];
        for (let end = Math.min(size, i + inner); i < end; i++)
          heap[at[out] + group * size + i] = (heap[from + i] - mean) * w + b;
      }
    }
  },

  softmax: ({ heap, at, sizes }, { in: [x], out, function: name, size, inner }) => () => {
    for (let begin = 0; begin < sizes[x]; begin += size * inner) {
      for (let j = 0; j < inner; j++) {
        const place = i => begin + i * inner + j;
        let [most, sum] = [-Infinity, 0];
        for (let i = 0; i < size; i++) most = Math.max(most, heap[at[x] + place(i)]);
        for (let i = 0; i < size; i++) sum += Math.exp(heap[at[x] + place(i)] - most);
        for (let i = 0; i < size; i++) {
          const v = heap[at[x] + place(i)] - most;
          heap[at[out] + place(i)] = name === "softmax" ? Math.exp(v) / sum : v - Math.log(sum);
        }
      }
    }
  },

  reduce: ({ heap, at, sizes }, { in: [x], out, function: name, size }) => () => {
    for (let row = 0; row < sizes[out]; row++) {
      let found = name === "max" ? -Infinity : 0;
      for (let i = 0; i < size; i++) {
        const v = heap[at[x] + row * size + i];
        found = name === "max" ? Math.max(found, v) : found + v;
      }
      heap[at[out] + row] = name === "mean" ? found / size : found;
    }
  },

  average: ({ heap, at, sizes }, { in: [x], out, sides: [h, w], large: [H, W], kernel: [kh, kw] }) => () => {
    for (let plane = 0; plane < sizes[out] / (H * W); plane++) {
      for (let y = 0; y < H; y++) {
        for (let x0 = 0; x0 < W; x0++) {
          let [sum, seen] = [0, 0];
          for (let i = y * kh; i < Math.min(h, (y + 1) * kh); i++) {
            for (let j = x0 * kw; j < Math.min(w, (x0 + 1) * kw); j++, seen++) sum += heap[at[x] + (plane * h + i) * w + j];
          }
          heap[at[out] + (plane * H + y) * W + x0] = sum / seen;
        }
      }
    }
  },

  each: ({ heap, at, sizes }, step) => {
    const [from, to, size] = [at[step.in[0]], at[step.out], sizes[step.out]];
    if (LOOPS[step.function]) return () => LOOPS[step.function](heap, from, to, size, step);
    const f = found(EACH, step.function);
    return () => {
      for (let i = 0; i < size; i++) heap[to + i] = f(heap[from + i], step);
    };
  },

  pair: ({ heap, at, sizes }, { in: [a, b], out, function: name, shape, strides }) => {
    const f = found(PAIRS, name);
    const { shape: sides, strides: [left, right] } = folded(shape, strides);
    const inner = sides.length - 1;
    return () => eachRow(sides, [left, right], (to, p, q) => {
      const [s, t] = [left[inner], right[inner]];
      for (let i = 0; i < sides[inner]; i++) heap[at[out] + to + i] = f(heap[at[a] + p + i * s], heap[at[b] + q + i * t]);
    });
  },

  strided: ({ heap, at }, { in: [x], out, offset, shape, strides }) => {
    const { shape: sides, strides: [steps] } = folded(shape, [strides]);
    const inner = sides.length - 1;
    return () => eachRow(sides, [steps], (to, from) => {
      const s = steps[inner];
      const begin = at[x] + offset + from;
      for (let i = 0; i < sides[inner]; i++) heap[at[out] + to + i] = heap[begin + i * s];
    });
  },

  take: ({ heap, at, tables }, { in: [x, table], out }) => () => {
    const places = tables.get(table);
    for (let i = 0; i < places.length; i++) heap[at[out] + i] = heap[at[x] + places[i]];
  },

  join: ({ heap, at }, { in: parts, out, runs }) => () => {
    for (const [of, from, to, size] of runs) {
      const begin = at[parts[of]] + from;
      heap.copyWithin(at[out] + to, begin, begin + size);
    }
  },
};

// Axes that are walked alike by all become one; at least one stays.
function folded(shape, strides) {
  const sides = [];
  const kept = strides.map(() => []);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    const joins = sides.length && strides.every((s, i) => s[axis] === kept[i][0] * sides[0]);
    if (joins) {
      sides[0] *= shape[axis];
    } else {
      sides.unshift(shape[axis]);
      strides.forEach((s, i) => kept[i].unshift(s[axis]));
    }
  }
  return sides.length ? { shape: sides, strides: kept } : { shape: [1], strides: strides.map(() => [1]) };
}

// Calls visit(place in the output, place in each input) for every row along the last axis.
function eachRow(sides, strides, visit) {
  const outer = sides.length - 1;
  const index = new Array(outer).fill(0);
  const places = strides.map(() => 0);
  for (let to = 0; ; to += sides[outer]) {
    visit(to, ...places);
    let axis = outer - 1;
    for (; axis >= 0; axis--) {
      strides.forEach((s, i) => (places[i] += s[axis]));
      if (++index[axis] < sides[axis]) break;
      strides.forEach((s, i) => (places[i] -= s[axis] * sides[axis]));
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

// A convolution as a matrix product: the pixels that each output reads are laid out as a column.
function convolved({ heap, product, at, room }, step) {
  const { in: [x, weight, bias], out, channels, sides: [h, w], large: [H, W], kernel: [kh, kw], stride, padding,
    dilation, groups } = step;
  const { m, k, lines, wide } = matricesOf(step);
  const made = room + k * wide;
  return () => {
    for (let group = 0; group < groups; group++) {
      const planes = at[x] + group * (channels / groups) * h * w;
      for (let top = 0; top < H; top += lines) {
        const bottom = Math.min(H, top + lines);
        let row = room;
        for (let plane = planes; plane < planes + (channels / groups) * h * w; plane += h * w) {
          for (let i = 0; i < kh; i++) {
            for (let j = 0; j < kw; j++, row += wide) {
              const shift = j * dilation[1] - padding[1];
              const first = Math.min(W, Math.max(0, Math.ceil(-shift / stride[1]))); // outputs that read in the image
              const last = Math.max(first, Math.min(W, Math.floor((w - 1 - shift) / stride[1]) + 1));
              for (let y = top, to = row; y < bottom; y++, to += W) {
                const from = y * stride[0] + i * dilation[0] - padding[0];
                if (from < 0 || from >= h) {
                  heap.fill(0, to, to + W);
                  continue;
                }
                for (let p = 0; p < first; p++) heap[to + p] = 0;
                for (let p = first, q = plane + from * w + first * stride[1] + shift; p < last; p++, q += stride[1])
                  heap[to + p] = heap[q];
                for (let p = last; p < W; p++) heap[to + p] = 0;
              }
            }
          }
        }
        product(m, wide, k, at[weight] + group * m * k, room, made, wide, wide);
        for (let u = 0; u < m; u++) {
          const unit = group * m + u;
          const add = bias === undefined ? 0 : heap[at[bias] + unit];
          const size = (bottom - top) * W;
          for (let i = 0, to = at[out] + (unit * H + top) * W, from = made + u * wide; i < size; i++)
            heap[to + i] = heap[from + i] + add;
        }
      }
    }
  };
}

// A transposed one: the product says what each pixel adds to those around it, and then it is added.
function grown({ heap, product, at, room }, step) {
  const { in: [x, weight, bias], out, units, channels, sides: [h, w], large: [H, W], kernel: [kh, kw], stride, padding,
    dilation, groups } = step;
  const { taps, m, k, wide } = matricesOf(step);
  const places = h * w;
  return () => {
    for (let unit = 0; unit < units; unit++) {
      const to = at[out] + unit * H * W;
      heap.fill(bias === undefined ? 0 : heap[at[bias] + unit], to, to + H * W);
    }
    for (let group = 0; group < groups; group++) {
      product(m, wide, k, at[weight] + group * m * k, at[x] + group * (channels / groups) * places, room, places, wide);
      for (let u = 0, from = room; u < m; u += taps) {
        const plane = at[out] + (group * (units / groups) + u / taps) * H * W;
        for (let i = 0; i < kh; i++) {
          for (let j = 0; j < kw; j++, from += wide) {
            const shift = j * dilation[1] - padding[1];
            const first = Math.min(w, Math.max(0, Math.ceil(-shift / stride[1]))); // pixels that fall into the output
            const last = Math.max(first, Math.min(w, Math.floor((W - 1 - shift) / stride[1]) + 1));
            for (let y = 0; y < h; y++) {
              const row = y * stride[0] + i * dilation[0] - padding[0];
              if (row < 0 || row >= H) continue;
              for (let p = first, q = plane + row * W + first * stride[1] + shift; p < last; p++, q += stride[1])
                heap[q] += heap[from + y * w + p];
            }
          }
        }
      }
    }
  };
}

// -- functions of a number, and of two -------------------------------------------------------------

// The three that most networks have, with a loop of their own: a function that differs from call to call is not inlined.
const LOOPS = {
  relu: (heap, from, to, size) => {
    for (let i = 0; i < size; i++) heap[to + i] = heap[from + i] > 0 ? heap[from + i] : 0;
  },
  elu: (heap, from, to, size, { alpha, scale, input_scale: slope }) => {
    for (let i = 0; i < size; i++) {
      const v = heap[from + i];
      heap[to + i] = scale * (v > 0 ? v : alpha * (Math.exp(slope * v) - 1));
    }
  },
  sigmoid: (heap, from, to, size) => {
    for (let i = 0; i < size; i++) heap[to + i] = 1 / (1 + Math.exp(-heap[from + i]));
  },
};

const sigmoid = v => 1 / (1 + Math.exp(-v));

// Abramowitz and Stegun 7.1.26: off by 1.5e-7 at most.
function erf(v) {
  const t = 1 / (1 + 0.3275911 * Math.abs(v));
  const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(v) * (1 - tail * Math.exp(-v * v));
}

const EACH = {
  tanh: Math.tanh,
  exp: Math.exp,
  log: Math.log,
  neg: v => -v,
  sqrt: Math.sqrt,
  rsqrt: v => 1 / Math.sqrt(v),
  abs: Math.abs,
  reciprocal: v => 1 / v,
  expm1: Math.expm1,
  log1p: Math.log1p,
  silu: v => v * sigmoid(v),
  erf,
  sin: Math.sin,
  cos: Math.cos,
  gelu: v => 0.5 * v * (1 + erf(v * Math.SQRT1_2)),
  gelu_tanh: v => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  leaky_relu: (v, step) => (v > 0 ? v : step.slope * v),
  softplus: (v, { beta, threshold }) => (v * beta > threshold ? v : Math.log1p(Math.exp(v * beta)) / beta),
  clamp: (v, { low, high }) => Math.min(high, Math.max(low, v)),
};

const PAIRS = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: Math.pow,
  maximum: Math.max,
  minimum: Math.min,
};
