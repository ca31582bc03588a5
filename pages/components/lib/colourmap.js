// Colour maps: 256 colours as pixels, between stops at equal distances.

// Viridis: even steps of lightness, seen with every kind of colour vision. Inferno: the same, from black.
export const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
  "#fde725"];
export const INFERNO = ["#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06",
  "#f7d13d", "#fcffa4"];

// One pixel as ImageData holds it: little-endian, as every browser's machine.
export function pixel(red, green, blue, alpha = 255) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

export function ramp(stops) {
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const at = (value / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    const channel = (place, hex) => parseInt(hex.slice(1 + 2 * place, 3 + 2 * place), 16);
    return pixel(...[0, 1, 2].map(c =>
      Math.round(channel(c, stops[low]) * (low + 1 - at) + channel(c, stops[low + 1]) * (at - low))));
  });
}

// Colours from left to right, on any context.
export function drawRamp(context, colours, width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [colours.length, 1];
  const own = canvas.getContext("2d");
  const image = own.createImageData(colours.length, 1);
  new Uint32Array(image.data.buffer).set(colours);
  own.putImageData(image, 0, 0);
  context.drawImage(canvas, 0, 0, width, height);
}
