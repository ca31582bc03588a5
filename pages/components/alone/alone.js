// Runs in one file: the components that a page has, tables and pictures, without a server, as
// `vaecore/explore/export/one_file.py` makes it.
//
// What a component would fetch lies in the page itself, under addresses that begin with "asset:"; `fetch` is replaced
// for the modules of this file alone. Nothing is asked of any network, which the page's own policy forbids anyway.

import cloud from "../cloud/cloud.js";
import curves from "../curves/curves.js";
import hand from "../hand/hand.js";
import { make } from "../lib/dom.js";
import plane from "../plane/plane.js";

const MOUNTS = { hand, curves, cloud, plane };
const PARTS = { component, table, pictures, words() {} };

const given = JSON.parse(document.getElementById("given").textContent);
for (const part of given.parts) {
  const section = make("section", "", document.querySelector("main"));
  if (part.title) make("h2", "", section, part.title);
  if (part.help) make("p", "", section, part.help);
  PARTS[part.kind](section, part);
  for (const note of part.notes ?? []) make("p", "note", section, note);
}

function component(section, { component: name, style, data }) {
  const parentElement = make("div", "", section).attachShadow({ mode: "open" });
  make("style", "", parentElement, style);
  const bytes = bytesOf(data);
  const mount = () => MOUNTS[name]({ parentElement, data: bytes, setStateValue() {}, setTriggerValue() {} });
  mount();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", mount); // as after a change of theme
}

function table(section, { title, heads, rows }) {
  const box = make("div", "table", section);
  box.tabIndex = 0; // what is wider than the page is scrolled by keys, too
  box.role = "region";
  box.setAttribute("aria-label", title);
  const table = make("table", "", box);
  const top = make("tr", "", make("thead", "", table));
  for (const { text, help } of heads) {
    const cell = make("th", "", top, text);
    cell.scope = "col";
    if (help) cell.title = help;
  }
  const body = make("tbody", "", table);
  for (const row of rows) {
    const line = make("tr", "", body);
    row.forEach((text, i) => make(i ? "td" : "th", "", line, text));
  }
}

function pictures(section, { lines }) {
  const grid = make("div", "pictures", section);
  for (const { name, note, words, picture } of lines) {
    const label = make("div", "label", grid);
    make("b", "", label, name);
    if (note) make("small", "", label, note);
    if (picture) Object.assign(make("img", "", grid), { src: picture, alt: [name, note].filter(Boolean).join(", ") });
    else {
      const list = make("ol", "", grid);
      for (const each of words) make("li", "", list, each);
    }
  }
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
}
