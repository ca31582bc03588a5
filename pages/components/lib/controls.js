// Buttons and fields, each with a help that is read on hover.

import { make, setText } from "./dom.js";

export function button(parent, title, help, onclick) {
  const one = make("button", "", parent, title);
  Object.assign(one, { type: "button", title: help, onclick });
  return one;
}

export function field(parent, title, { min, max, value }, help) {
  const label = make("label", "field", parent, title);
  label.title = help;
  const input = make("input", "", label);
  Object.assign(input, { type: "number", min, max, step: 1, value });
  return input;
}

export function range(parent, title, { min, max, step, value }, help, then, said = x => x.toFixed(2)) {
  const label = make("label", "field", parent, title);
  label.title = help;
  const input = make("input", "", label);
  Object.assign(input, { type: "range", min, max, step, value });
  const output = make("span", "said", label, said(value));
  input.oninput = () => {
    setText(output, said(Number(input.value)));
    then(Number(input.value));
  };
  return [input, output];
}

// A button that copies a text, and says so in its own place.
export function copyButton(parent, title, help, text) {
  const one = button(parent, title, help, async () => {
    const done = await copied(text());
    setText(one, done ? "Copied" : "Not allowed");
    clearTimeout(one.timer);
    one.timer = setTimeout(() => setText(one, title), 1500);
  });
  one.classList.add("copy");
  one.style.setProperty("--letters", Math.max(title.length, 7));
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // not in a page of plain HTTP from another machine
    const area = make("textarea", "", document.body);
    area.value = text;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
