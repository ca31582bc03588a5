// A checkpoint in one file: the components that a page has, without a server, as `vaecore/explore/export/html.py`
// makes it.
//
// What a component would fetch lies in the page itself, under addresses that begin with "asset:"; `fetch` is replaced
// for the modules of this file alone. Nothing is asked of any network, which the page's own policy forbids anyway.

import cloud from "../cloud/cloud.js";
import curves from "../curves/curves.js";
import hand from "../hand/hand.js";
import { make } from "../lib/dom.js";

const MOUNTS = { hand, curves, cloud };

const given = JSON.parse(document.getElementById("given").textContent);
for (const { component, title, help, style, data } of given.parts) {
  const section = make("section", "", document.querySelector("main"));
  if (title) make("h2", "", section, title);
  if (help) make("p", "", section, help);
  const parentElement = make("div", "", section).attachShadow({ mode: "open" });
  make("style", "", parentElement, style);
  const bytes = bytesOf(data);
  const mount = () => MOUNTS[component]({ parentElement, data: bytes, setStateValue() {}, setTriggerValue() {} });
  mount();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", mount); // as after a change of theme
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
}
