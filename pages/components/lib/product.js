// The product of two matrices: nearly all the time of a convolution goes here.

// A heap of so many numbers, and product(m, n, k, a, b, c, wideB, wideC) over it: C = A B of matrices that begin at
// a (m x k), b and c, whose rows begin `wideB` and `wideC` numbers apart. Of C rows are written up to a multiple of 4,
// and columns up to one of 8.
export function matrixProduct(size) {
  const heap = new Float32Array(size);
  return { heap, product: (...what) => plain(heap, ...what) };
}

// Four rows by four columns at once are in registers.
export function plain(heap, m, n, k, a, b, c, wideB, wideC) {
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
