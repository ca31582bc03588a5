// Talk mode, the laser pointer's spot, full screen, the list of keys and the way from a view to a scene, on every page.
// Mounted once by pages/index.py; what it makes hangs at the document and not at its own place, so that neither a rerun nor
// another page takes it away.

import { asked } from "../lib/address.js";
import { copyButton } from "../lib/controls.js";
import { make } from "../lib/dom.js";
import { KEYS, keyOf } from "../lib/keys.js";
import { partOf, sizes, talking } from "../lib/talk.js";
import { enlarge, nextTheme, own } from "./screen.js";

const ONCE = Symbol.for("latent-lab.talk");
const ROOT = 17, TEXT = 14; // px: the page's own text, and the smallest text of a component
const LARGE = 28, LEAST = 24.5; // px that they are in talk mode, in a window as wide as 1920
const REST = 250, NEAR = 0.05; // ms that a window is left in its size, and the part by which it may differ untold
const EDGE = 6, BELOW = 24; // px: from the upper edge, and beneath the head, within which the pointer rests there
const GROW = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4z'
  + 'm14 0h2v6h-6v-2h4z"/></svg>';
const KEEP = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M17 3H7a2 2 0 0 0-2 2v16l7-3 7 3V5a2 2 0 0 0-2-2m0 15-5-2'
  + '-5 2V5h10z"/></svg>';
const COLOURS = { text: "text-color", back: "background-color", border: "border-color", primary: "primary-color",
  font: "font" };

const page = document.documentElement;

export default function ({ parentElement, data, setStateValue }) {
  const host = parentElement.getRootNode().host;
  const frame = host?.closest("[data-testid=stElementContainer]");
  if (frame) frame.style.display = "none"; // it shows nothing, so it takes no room either
  window[ONCE] ??= new Talk();
  window[ONCE].hear(data, setStateValue);
  window[ONCE].coloured(host ?? parentElement);
}

class Talk {
  constructor() {
    this.wanted = new URLSearchParams(location.search).get("talk") === "1";
    this.pointer = [-1, -1];
    this.scenes = null; // the address of the page that keeps them
    this.whole = false; // whether all of the page is shown, although its address asks for parts of it
    this.hang();
    this.keepAddress();
    window.addEventListener("resize", () => this.size());
    window.addEventListener("keydown", event => this.key(event));
    window.addEventListener("pointermove", event => this.moved(event), { capture: true, passive: true });
    document.addEventListener("fullscreenchange", () => this.above());
    this.style.onload = () => this.show(); // never a frame in which the page is large and its navigation still there
  }

  hang() {
    const link = name => Object.assign(document.createElement("link"),
      { rel: "stylesheet", href: new URL(`../talk/${name}`, import.meta.url).href });
    this.style = link("page.css");
    document.head.append(this.style);
    this.alone = make("style", "", document.head);
    this.host = make("div", "latent-lab-talk", document.body);
    const root = this.host.attachShadow({ mode: "open" });
    root.append(link("over.css"));
    this.bar = make("div", "bar", root);
    this.bar.hidden = true; // until the styles are there
    copyButton(this.bar, "Copy link", "Copy the address of exactly what is seen here, for another browser", asked);
    this.talk = this.button("Talk", "Talk mode (t): large text, no navigation; rest the pointer at the upper edge to "
      + "have it back", () => this.toggle());
    this.theme = this.button("◐", "Dark or light (d)", () => nextTheme());
    this.laser = this.button("●", "The laser pointer's spot (l)", () => this.spotted(this.spot.hidden));
    this.part = this.button("Whole page", "The whole page, or the part that its address shows (w)", () => this.wide());
    this.keep = this.button("", "Keep as a scene of a talk (k)", () => this.kept());
    this.keep.innerHTML = KEEP;
    this.help = this.button("?", "The keys (?)", () => this.keys());
    this.grow = make("button", "grow", root);
    Object.assign(this.grow, { type: "button", title: "Full screen (f)", innerHTML: GROW, hidden: true,
      tabIndex: -1, onclick: () => this.full(this.grown) }); // the key f serves who has no pointer
    this.grow.setAttribute("aria-label", "Full screen");
    this.spot = make("div", "spot", root);
    Object.assign(this.spot, { popover: "manual", hidden: true });
    this.list = make("div", "keys", root);
    this.list.popover = "auto";
    this.list.setAttribute("role", "dialog");
    this.list.setAttribute("aria-label", "Keys");
    for (const { title, keys } of KEYS) {
      make("h2", "", this.list, title);
      const rows = make("dl", "", this.list);
      for (const [key, says] of keys) {
        make("kbd", "", make("dt", "", rows), key);
        make("dd", "", rows, says);
      }
    }
  }

  button(title, help, onclick) {
    const one = make("button", "", this.bar, title);
    Object.assign(one, { type: "button", title: help, onclick });
    one.setAttribute("aria-label", help.split(" (")[0]);
    return one;
  }

  coloured(element) {
    const style = getComputedStyle(element);
    for (const [name, variable] of Object.entries(COLOURS)) {
      const value = style.getPropertyValue(`--st-${variable}`).trim();
      if (value) this.host.style.setProperty(`--${name}`, value);
      if (value && (name === "back" || name === "border")) page.style.setProperty(`--page-${name}`, value);
    }
  }

  // What the page's script says, and how it is told how much is enlarged: charts are drawn there.
  hear({ scenes, zoom }, tell) {
    Object.assign(this, { scenes, toldZoom: zoom, tell });
    this.parts();
    this.say();
  }

  say() {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => {
      const { zoom } = sizes();
      if (!this.tell || Math.abs(zoom - this.toldZoom) < NEAR * zoom) return;
      this.toldZoom = zoom;
      this.tell("zoom", zoom);
    }, REST);
  }

  // ------------------------------------------------------------------------------------------------ talk mode

  toggle() {
    this.wanted = !this.wanted;
    this.show();
    history.replaceState(history.state, "", location.href); // which the parameter is put into, or taken out of
  }

  show() {
    this.bar.hidden = this.wanted;
    this.theme.hidden = this.laser.hidden = !this.wanted;
    this.talk.textContent = this.wanted ? "Leave talk mode" : "Talk";
    this.host.classList.toggle("talking", this.wanted);
    own(this.wanted);
    this.size();
    this.parts();
    if (this.wanted && !talking()) page.dataset.talk = "";
    if (!this.wanted) {
      delete page.dataset.talk;
      this.spotted(false);
    }
    window.dispatchEvent(new Event("resize")); // Streamlit's tables and charts measure themselves again
  }

  // The same part of the window, whatever its size: what is read from the last row is read from there on any wall.
  size() {
    const part = Math.max(Math.min(innerWidth / 1920, (2 * innerHeight) / 1080), ROOT / LARGE);
    const zoom = (LEAST / TEXT) * part;
    const told = { "--talk-font": `${(LARGE * part).toFixed(2)}px`, "--talk-zoom": zoom.toFixed(3),
      "--talk-room": `${Math.floor(innerHeight / zoom)}px` }; // the window's height, for what lies in a component
    for (const [name, size] of Object.entries(told)) {
      const value = this.wanted ? size : "";
      if (page.style.getPropertyValue(name) !== value) page.style.setProperty(name, value);
    }
    this.say();
  }

  // In talk mode the parts of the page that its address names, `show=opened,switch-*`, are alone on it: whatever neither is
  // one, nor lies in one, nor has one in it goes. Where the page has none of them it is shown whole.
  parts() {
    const parts = (new URLSearchParams(location.search).get("show") ?? "").split(",").map(partOf).filter(Boolean);
    const named = `:is(${parts})`;
    this.part.hidden = !parts.length || !this.wanted;
    this.part.setAttribute("aria-pressed", String(this.whole));
    this.keep.hidden = !this.keeps();
    const kept = `${named}, ${named} *, :has(${named}), .st-key-head`; // the head comes and goes by itself
    const style = parts.length && !this.whole
      ? `:root[data-talk] [data-testid=stMain] :has(${named}) > :not(${kept}) { display: none !important; }` : "";
    if (this.alone.textContent === style) return;
    this.alone.textContent = style;
    window.dispatchEvent(new Event("resize"));
  }

  wide() {
    this.whole = !this.whole;
    this.parts();
  }

  keeps() { // of a page on the stage, the talk is there already
    return this.scenes !== null && location.pathname !== this.scenes && window.top === window;
  }

  // The page Talk asks the rest, with this page's address filled in.
  kept() {
    if (!this.keeps()) return;
    const { pathname, search } = new URL(asked());
    location.assign(`${this.scenes}?${new URLSearchParams({ keep: pathname + search })}`);
  }

  // Streamlit leaves the parameters behind when it goes to another page, and writes old ones of its own.
  keepAddress() {
    for (const name of ["pushState", "replaceState"]) {
      const plain = history[name].bind(history);
      history[name] = (state, title, url) => {
        const from = location.pathname;
        plain(state, title, this.told(url ?? location.href));
        if (location.pathname !== from) this.whole = false;
        this.parts();
      };
    }
    window.addEventListener("popstate", () => history.replaceState(history.state, "", location.href));
  }

  told(url) {
    const there = new URL(url, location.href);
    if ((there.searchParams.get("talk") === "1") === this.wanted) return url;
    const words = there.search.slice(1).split("&").filter(word => word && !/^talk(=|$)/.test(word));
    if (this.wanted) words.push("talk=1");
    there.search = words.join("&");
    return there.href;
  }

  // ------------------------------------------------------------------------------------------------ pointer

  moved(event) {
    const { clientX, clientY } = event;
    this.pointer = [clientX, clientY];
    if (!this.spot.hidden) this.spot.style.translate = `calc(${clientX}px - 50%) calc(${clientY}px - 50%)`;
    this.edge(clientY);
    this.offer(event);
  }

  edge(y) {
    if (!talking()) return;
    const open = page.dataset.talk === "open";
    const head = document.querySelector(".st-key-head");
    const busy = head?.contains(document.activeElement) || head?.matches(":has([aria-expanded=true])")
      || document.querySelector("[data-testid=stHeader] [aria-expanded=true]");
    const bottom = Math.max(60, head?.getBoundingClientRect().bottom ?? 0);
    const now = y <= EDGE || (open && (busy || y < bottom + BELOW));
    if (now === open) return;
    page.dataset.talk = now ? "open" : "";
    this.bar.hidden = !now;
  }

  // The small button lies in the corner of the picture under the pointer.
  offer(event) {
    if (event.composedPath().includes(this.grow)) return;
    const found = event.pointerType === "mouse" && !document.fullscreenElement ? pictured(event.composedPath()) : null;
    this.grown = found;
    this.grow.hidden = !found;
    if (!found) return;
    const { top, right, height, width } = found.getBoundingClientRect();
    this.grow.hidden = height < 80 || width < 80;
    this.grow.style.left = `${Math.min(right, innerWidth) - 42}px`;
    this.grow.style.top = `${Math.max(top, 0) + 6}px`;
  }

  spotted(on) {
    this.spot.hidden = !on;
    this.laser.setAttribute("aria-pressed", String(on));
    this.spot.togglePopover(on);
    const [x, y] = this.pointer;
    this.spot.style.translate = `calc(${x}px - 50%) calc(${y}px - 50%)`;
  }

  above() { // what was shown first lies beneath what fills the screen now
    this.grow.hidden = true;
    if (this.spot.hidden) return;
    this.spot.hidePopover();
    this.spot.showPopover();
  }

  // ------------------------------------------------------------------------------------------------ keys

  key(event) {
    const key = keyOf(event);
    const act = {
      t: () => this.toggle(),
      f: () => this.full(document.fullscreenElement ? null : this.under()),
      l: () => this.spotted(this.spot.hidden),
      d: () => talking() && nextTheme(),
      w: () => talking() && this.wide(),
      k: () => this.kept(),
      "?": () => this.keys(),
    }[key];
    if (!act || event.repeat) return;
    event.preventDefault();
    act();
  }

  keys() {
    this.list.togglePopover();
  }

  // What the pointer is on, or what has the focus.
  under() {
    let [element, deeper] = [null, document];
    while (deeper) {
      const next = deeper.elementFromPoint(...this.pointer);
      if (!next || next === element) break;
      [element, deeper] = [next, next.shadowRoot];
    }
    return pictured(pathOf(element)) ?? pictured(pathOf(focused()));
  }

  full(element) {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (element) enlarge(element, sizes().zoom);
  }
}

const PICTURES = "[data-testid=stImage], [data-testid=stPlotlyChart], [data-testid=stVegaLiteChart], figure";

// The picture or chart in a path of elements from within: of a component the part that it marks, or all of it.
function pictured(path) {
  const elements = path.filter(each => each instanceof Element);
  const marked = elements.find(each => each.matches(PICTURES) && each.querySelector("canvas, img, svg, video"));
  if (marked) return marked;
  const root = elements.find(each => each.matches(".component"));
  return root?.querySelector("canvas, img, video") ? root : null;
}

function pathOf(element) {
  const path = [];
  for (let each = element; each; each = each.assignedSlot ?? each.parentNode ?? each.host) path.push(each);
  return path;
}

function focused() {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return element;
}
