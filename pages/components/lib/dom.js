// What every component does with elements, and with the message that Python packs.

import { sizes } from "./talk.js";

export const STILL = 5; // px: a hand that moved less has clicked

export function make(tag, className, parent, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  parent?.append(element);
  return element;
}

// Writing an equal text would still replace the node.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The context of a canvas, blank and with as many pixels as the screen has where it lies; null where it has no room, as on
// a hidden tab.
export function blank(canvas) {
  const { density } = sizes(canvas);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map(side => Math.round(side * density));
  if (!width || !height) return null;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// u32 header length | JSON header | float32 columns | bytes: the header, a function that takes the next n numbers, and
// one that takes the next n bytes.
export function unpack(bytes) {
  const buffer = bytes.slice().buffer; // a copy: within its message the value seldom starts at a multiple of 4
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const column = n => {
    const values = new Float32Array(buffer, at, n);
    at += 4 * n;
    return values;
  };
  const raw = n => {
    at += n;
    return new Uint8Array(buffer, at - n, n);
  };
  return [header, column, raw];
}
