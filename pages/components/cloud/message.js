// What Python sends the map, and what comes back of it.
//
// There: `u32 header length | JSON header | float32 columns`, little-endian, as all our components are sent. The header:
//   key         the widget's: what a visitor chose here (zoom is in the address) is kept by it while the page lives
//   height      px of the plane
//   count       N, points of every map; the same N observations in the same order in each of `maps`
//   stamp       a word that is another one whenever the observations or their order are: lassos go with it
//   what        what one of them is called: "test image"
//   maps        one or two: {
//     run, name   the checkpoint, and its name for people
//     plane       a word that is another one whenever the axes are: zoom and lassos of another plane are not kept
//     x, y        {label, help?}; of two latent dimensions as they are also {latent, dimension}: then the plane is exact
//     model       what `pages/shared/hand.described` says: addresses of networks, latents, modalities; null: no decoding
//     codes       address of all codes: float32 little-endian, (N, r), the latents one after the other; null: none
//     density?    {width, height, x: [low, high], y: [low, high], help}: log-density, rows from the bottom up
//   }
//   colours     what points can be coloured by: {name, help?, unit?, kind: "class", classes: [names]} whose values are
//               places among the classes, or {..., kind: "number"}; nan is grey, and its own line of the legend
//   colour      place among `colours` to begin with
//   palette     colours of classes, {light: [...], dark: [...]}
//   sprites     {address with {page} in it, width, height, columns, per}: pictures of `width` x `height` px, `columns`
//               in a row, `per` on a page; null where the data are no pictures
//   texts?      address of what the card says: JSON, {"names": [...], "rows": [[...], ...]} of `{from}` to `{to}`; null
// The columns, in this order: of each map x (N), then y (N), then its density (height x width) where there is one; the
// observations' numbers (N), by which people search; of each colour its values (N).
//
// Back: the state `lasso`, once a release, {A, B, last, of}: the points of both lassos as bits, base64, the first point
// the lowest bit of the first byte; "" where there is none; `last` is the name of the lasso that changed; `of` is the
// header's `stamp`.

import { unpack } from "../lib/dom.js";

export function decode(bytes) {
  const [header, column] = unpack(bytes);
  const { count: n } = header;
  for (const map of header.maps) {
    map.xs = column(n);
    map.ys = column(n);
    if (map.density) map.density.values = column(map.density.width * map.density.height);
  }
  header.numbers = column(n);
  for (const colour of header.colours) colour.values = column(n);
  return header;
}

// Points as bits in base64, for the way back.
export function bitsOf(chosen, count) {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (const i of chosen) bits[i >> 3] |= 1 << (i & 7);
  let text = "";
  for (let at = 0; at < bits.length; at += 0x8000) text += String.fromCharCode(...bits.subarray(at, at + 0x8000));
  return btoa(text);
}
