// Colours and fonts of what the components draw, read from Streamlit's theme (`.streamlit/config.toml`).

// What a canvas needs of the theme; the very object `old` while nothing changed.
export function readTheme(root, old) {
  const style = getComputedStyle(root);
  const read = name => style.getPropertyValue(`--st-${name}`).trim();
  const names = ["text-color", "background-color", "border-color", "font", "chart-categorical-colors"];
  const [text, background, grid, font, colours] = names.map(read);
  const key = [text, background, grid, font, colours].join();
  if (key === old?.key) return old;
  const palette = colours.split(/,(?![^(]*\))/).map(colour => colour.trim());
  return {
    key,
    text,
    background,
    grid,
    font: font || "sans-serif",
    palette,
    strong: palette.map(colour => mix(colour, text)), // dashed lines: seen over a noisy line of their own colour
  };
}

// Where a run stands in the palette: as the server says, alike on all pages, else in the order of appearance.
export function placeOf(name, told, sticky) {
  const place = told?.[name];
  if (place !== undefined) sticky.set(name, place);
  else if (!sticky.has(name)) sticky.set(name, sticky.size);
  return sticky.get(name);
}

// The colour of a place, and how often the palette had been used up before it: from 1 on a line carries marks.
export function paintOf(place, palette, neutral) {
  return place < 0 ? neutral : palette[place % palette.length];
}
export const lapOf = (place, palette) => Math.max(0, Math.floor(place / palette.length));

function rgb(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = colour || "#fff";
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

function mix(colour, other, part = 0.45) {
  const [a, b] = [rgb(colour), rgb(other)];
  return `rgb(${[0, 1, 2].map(i => Math.round(a[i] * (1 - part) + b[i] * part)).join(" ")})`;
}
