// What Python sends the map, and what goes back: `__init__.py` says the form.

const TYPES = { f4: Float32Array, u4: Uint32Array, u2: Uint16Array };

// The header, in which `columns` are typed arrays by name.
export function decode(bytes) {
  const { buffer } = bytes.slice(); // a copy: within its message the value seldom starts at a multiple of 4
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  for (const [name, { type, offset, count }] of Object.entries(header.columns)) {
    header.columns[name] = new TYPES[type](buffer, 4 + length + offset, count);
  }
  return header;
}

// A lasso as it is sent: the map it was drawn on and its points, ascending, in whichever form is shorter; "" for none.
export function sent(map, points, count) {
  if (points.length === 0) return "";
  const rows = points.length * 32 < count;
  return `${map}:${rows ? "rows" : "bits"}:${base64(rows ? new Uint8Array(Uint32Array.from(points).buffer)
    : bitsOf(points, count))}`;
}

// The same back: {map, points}; of "" none.
export function received(text) {
  const [map, form, body] = (text ?? "").split(":");
  if (!body) return { map: 0, points: [] };
  const bytes = Uint8Array.from(atob(body), c => c.charCodeAt(0));
  if (form === "rows") return { map: Number(map), points: Array.from(new Uint32Array(bytes.buffer)) };
  const points = [];
  bytes.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) points.push(8 * at + bit);
  });
  return { map: Number(map), points };
}

function bitsOf(points, count) {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (const i of points) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
