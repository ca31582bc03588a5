// Any view as a file: PNG at a chosen scale, and SVG.
//
// A component gives its view as an object, and puts the button where it likes:
//
//   saveButton(bar, () => ({
//     name: `${run}-map`,            // of the file; whatever it holds, `fileName` makes it a name
//     width, height,                 // CSS pixels
//     background: theme.background,  // behind what is drawn; without it, nothing
//     draw(context, ratio) { ... },  // draws in CSS pixels; `context` is a canvas's, or writes SVG (svg.js)
//   }));
//
// `draw` must not use the component's own canvas or size. `ratio` is how many pixels of the file a CSS pixel has: only
// what puts whole pixels (putImageData) needs it. A view that is a picture already gives `canvas` in place of width,
// height and draw: its pixels are enlarged by whole numbers and stay crisp. A view with no `draw` has no SVG of its own
// lines, so that its SVG holds the picture. Where there is nothing to save yet, give null.

import { make } from "./dom.js";
import { SvgContext } from "./svg.js";
import { placeOf } from "./talk.js";

const SCALES = [1, 2, 4, 8];
const MOST_SIDE = 8192; // px of a file
const MOST_PIXELS = 64e6;
const AROUND = 12; // px around what is saved together
const CLEAR = "rgba(0, 0, 0, 0)"; // a background that there is none of, as browsers say it

// What a component shows as one view: parts of it, where they are seen now, and no more room than they take. A part is
// {element, draw(context, ratio)}, which draws where the element begins, {canvas}, whose pixels are taken as they are,
// {swatch}, an element of one colour, or {words}, an element whose text is written.
export function together({ name, background, parts }) {
  const seen = parts.map(part => ({ ...part, element: part.element ?? part.canvas ?? part.swatch ?? part.words }))
    .map(part => ({ ...part, place: placeOf(part.element) }))
    .filter(({ place }) => place.width > 0 && place.height > 0);
  if (seen.length === 0) return null;
  const end = (side, most) => most(...seen.map(({ place }) => place[side]));
  const [left, top] = [end("left", Math.min) - AROUND, end("top", Math.min) - AROUND];
  const [width, height] = [end("right", Math.max) + AROUND - left, end("bottom", Math.max) + AROUND - top];
  const draw = (context, ratio) => {
    for (const { element, canvas, swatch, place, draw: own } of seen) {
      const style = getComputedStyle(element);
      context.save();
      context.translate(place.left - left, place.top - top);
      if (own) own(context, ratio);
      else if (canvas) {
        context.imageSmoothingEnabled = false;
        context.drawImage(canvas, 0, 0, place.width, place.height);
      } else {
        if (style.backgroundColor !== CLEAR) { // of words too: without it they may not be seen
          context.fillStyle = style.backgroundColor;
          context.fillRect(0, 0, place.width, place.height);
        }
        if (!swatch) {
          // put together, as a browser gives no `font` of what has figures of one width
          const font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
          const [textAlign, x] = style.textAlign === "center" ? ["center", place.width / 2] : ["left", 0];
          Object.assign(context, { font, fillStyle: style.color, textBaseline: "middle", textAlign });
          context.fillText(element.textContent, x, place.height / 2, place.width);
        }
      }
      context.restore();
    }
  };
  return { name, width: Math.ceil(width), height: Math.ceil(height), background, draw };
}

// A name that any system takes, and that no page reads as markup or a path.
export function fileName(text) {
  return String(text).normalize("NFKC").replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/\.{2,}/g, ".")
    .replace(/-{2,}/g, "-").replace(/^[-.]+/, "").slice(0, 80).replace(/[-.]+$/, "") || "view";
}

// The largest scale up to the one that was asked for with which the file is not too large.
export function fitting({ canvas, width = canvas?.width, height = canvas?.height }, scale) {
  return Math.min(scale, MOST_SIDE / width, MOST_SIDE / height, Math.sqrt(MOST_PIXELS / (width * height)));
}

export function pngOf(view, scale) {
  const [width, height] = view.canvas ? [view.canvas.width, view.canvas.height] : [view.width, view.height];
  const ratio = fitting(view, scale);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  if (view.background) {
    context.fillStyle = view.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  if (view.canvas) {
    context.imageSmoothingEnabled = false;
    context.drawImage(view.canvas, 0, 0, canvas.width, canvas.height);
  } else {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    view.draw(context, ratio);
  }
  return new Promise(resolve => canvas.toBlob(resolve, "image/png"));
}

export function svgOf(view) {
  const { canvas, width = canvas.width, height = canvas.height } = view;
  const context = new SvgContext(width, height);
  if (view.background) {
    context.fillStyle = view.background;
    context.fillRect(0, 0, width, height);
  }
  if (canvas) {
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, width, height);
  } else view.draw(context, 1);
  return context.toString();
}

export async function savePng(view, scale = 2) {
  give(await pngOf(view, scale), `${fileName(view.name)}.png`);
}

export function saveSvg(view) {
  give(new Blob([svgOf(view)], { type: "image/svg+xml" }), `${fileName(view.name)}.svg`);
}

// A file to the visitor, as a download.
export function give(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // not at once: the download may not have begun
}

// A button that unfolds: at which scale, and PNG or SVG. `viewOf` is asked when something is to be saved.
export function saveButton(parent, viewOf) {
  const box = make("details", "save", parent);
  const title = make("summary", "", box, "Save");
  title.title = "Save this view as a picture";
  title.setAttribute("aria-label", "Save this view as a picture");
  const menu = make("div", "menu", box);
  const label = make("label", "", menu, "Scale ");
  const scale = make("select", "", label);
  for (const each of SCALES) make("option", "", scale, `${each}×`).value = each;
  scale.value = 2;
  label.title = "How many pixels of the PNG stand for one of the screen";
  const png = make("button", "", menu, "PNG");
  png.title = "Pixels, at the scale beside";
  const svg = make("button", "", menu, "SVG");
  svg.title = "Lines and words that stay sharp at any size; pictures are embedded";
  const close = () => { box.open = false; };
  box.ontoggle = () => { // beside the left edge of a phone there is no room to its left
    menu.style.right = "";
    const { left } = placeOf(menu);
    if (left < AROUND) menu.style.right = `${left - AROUND}px`;
  };
  png.onclick = () => {
    const view = viewOf();
    if (view) savePng(view, Number(scale.value));
    close();
  };
  svg.onclick = () => {
    const view = viewOf();
    if (view) saveSvg(view);
    close();
  };
  box.onkeydown = event => {
    if (event.key !== "Escape" || !box.open) return;
    event.stopPropagation();
    close();
    title.focus();
  };
  box.addEventListener("focusout", event => {
    if (event.relatedTarget && !box.contains(event.relatedTarget)) close();
  });
  return box;
}
