// Colours and fonts of what the components draw, read from Streamlit's theme.

// Colours after Okabe and Ito: told apart with red-green blindness, at least 3:1 on the page's background. The same
// place has the same hue in both themes, so that a run stays recognisable when the theme is switched.
const LIGHT = ["#0072B2", "#D55E00", "#0B6B55", "#D6338A", "#6B5200", "#5F6B76", "#4B1FD0"];
const DARK = ["#42A5F5", "#E8743B", "#8BEAC3", "#E0409F", "#F2C94C", "#A9B4BF", "#7A4DFF"];
// Of classes, so that no class is taken for a run: at least 3:1 on white and on black. As in cross_modal/scores_figure.py.
const CLASSES = ["#CC5566", "#6F60D6", "#A38A1E", "#2E8B57", "#3C93BA", "#B84488", "#35978A", "#7F8B2E", "#A0683C", "#888888"];
const STREAMLITS_OWN = ["#0068c9", "#83c9ff"]; // first colours of its default palettes: not safe, so not used

// What a canvas needs of the theme; the very object `old` while nothing changed.
export function readTheme(root, old) {
  const style = getComputedStyle(root);
  const read = name => style.getPropertyValue(`--st-${name}`).trim();
  const names = ["text-color", "background-color", "border-color", "font", "chart-categorical-colors"];
  const [text, background, grid, font, colours] = names.map(read);
  const key = [text, background, grid, font, colours].join();
  if (key === old?.key) return old;
  const themed = colours.split(/,(?![^(]*\))/).map(c => c.trim());
  const own = isDark(background) ? DARK : LIGHT;
  const chosen = themed.length > 1 && !STREAMLITS_OWN.includes(themed[0].toLowerCase());
  const palette = chosen ? themed : own;
  return {
    key,
    text,
    background,
    grid,
    font: font || "sans-serif",
    palette,
    classes: CLASSES,
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

function isDark(colour) {
  const [r, g, b] = rgb(colour);
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

function mix(colour, other, part = 0.45) {
  const [a, b] = [rgb(colour), rgb(other)];
  return `rgb(${[0, 1, 2].map(i => Math.round(a[i] * (1 - part) + b[i] * part)).join(" ")})`;
}
