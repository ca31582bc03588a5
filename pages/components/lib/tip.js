// The tip beside the pointer or a point: what `component.css` makes of `.tip`.

import { make } from "./dom.js";

export function tipOf(parent) {
  const tip = make("div", "tip", parent);
  tip.hidden = true;
  return tip;
}

// Beside and below a point of `box`, or on its other side where there is no room; always within.
export function placeTip(tip, box, [x, y], { apart = 14, bottom = box.clientHeight } = {}) {
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = x + apart + width > box.clientWidth ? x - apart - width : x + apart;
  const top = y + apart + height > bottom ? y - apart - height : y + apart;
  tip.style.left = `${Math.max(0, Math.min(box.clientWidth - width, left))}px`;
  tip.style.top = `${Math.max(0, Math.min(box.clientHeight - height, top))}px`;
}
