// What a hand drew around.

// Even-odd: a place is inside if a ray from it crosses the line an odd number of times. `line` is x, y, x, y ...
export function inside(line, x, y) {
  let odd = false;
  let [ax, ay] = [line[line.length - 2], line[line.length - 1]]; // closed: from the last corner to the first
  for (let at = 0; at < line.length; at += 2) {
    const [bx, by] = [line[at], line[at + 1]];
    if (by > y !== ay > y && x < ((ax - bx) * (y - by)) / (ay - by) + bx) odd = !odd;
    [ax, ay] = [bx, by];
  }
  return odd;
}

// The points inside, ascending, of those that `counts(i)`.
export function within(line, xs, ys, counts = () => true) {
  if (line.length < 6) return [];
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let at = 0; at < line.length; at += 2) {
    [left, right] = [Math.min(left, line[at]), Math.max(right, line[at])];
    [bottom, top] = [Math.min(bottom, line[at + 1]), Math.max(top, line[at + 1])];
  }
  const found = [];
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = [xs[i], ys[i]];
    if (x >= left && x <= right && y >= bottom && y <= top && counts(i) && inside(line, x, y)) found.push(i);
  }
  return found;
}
