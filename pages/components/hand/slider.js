// One slider: a name, what it carries, its value, and a track that shows on demand what each place would decode to.

import { make, setText } from "../lib/dom.js";
import { fixed } from "../lib/numbers.js";

export const CELLS = 11; // decodings of a strip; the outer ones lie over the ends of the track
const STEP = 0.05; // units a press of an arrow key
const LEAP = 0.5; // units a press of Page Up
const SNAP = 0.01; // units: a pointer sets no finer value
const TWICE = 350; // ms between two presses that are one double press
const NEAR = 8; // px between them
const BEGUN = 4; // px that a finger moves before it drags, else it may want to scroll

const ICONS = {
  lock: "M5 7V5a3 3 0 0 1 6 0v2h1v7H4V7zm1.500 0h3V5a1.500 1.500 0 0 0-3 0z",
  link: "M6 11H5a3 3 0 0 1 0-6h1.500v1.500H5a1.500 1.500 0 0 0 0 3h1zm4-6h1a3 3 0 0 1 0 6H9.500V9.500H11"
    + "a1.500 1.500 0 0 0 0-3h-1zM5.500 7.300h5v1.400h-5z",
};

// `hand` has `moved(slider, value)`, `began(slider)`, `ended(slider)`, `pointed` and `focused` (slider or null), and
// `lock(slider)`, `link(slider)`, which are not asked of a direction, whose `dimension` is null.
export class Slider {
  constructor(parent, hand, { dimension = null, name, note = "", share = 0, help, dim = false }) {
    Object.assign(this, { hand, dimension, name, value: 0, reach: 3, moved: -Infinity });
    this.root = make("div", dim ? "slider dim" : "slider", parent);
    const head = make("div", "slider-head", this.root);
    make("span", "slider-name name", head, name);
    const carried = make("span", "slider-note", head, note);
    if (share > 0) {
      const bar = make("span", "slider-share", head);
      bar.style.setProperty("--share", share);
      carried.after(bar);
    }
    this.said = make("span", "slider-value", head);
    if (dimension !== null) {
      this.lock = iconButton(head, "lock", () => hand.lock(this));
      this.link = iconButton(head, "link", () => hand.link(this));
    }
    this.track = make("div", "track", this.root);
    make("div", "rail", this.track);
    this.fill = make("div", "rail-fill", this.track);
    this.knob = make("div", "knob", this.track);
    const { track } = this;
    track.tabIndex = 0;
    track.setAttribute("role", "slider");
    track.setAttribute("aria-label", note ? `${name}, ${note}` : name);
    track.title = `${help} Drag it, or use the arrow keys and Page Up and Down. A double press, Escape or 0 puts it `
      + "back to 0.";
    track.onpointerdown = event => this.down(event);
    track.onpointermove = event => this.drag(event);
    track.onpointerup = event => this.up(event);
    track.onpointercancel = event => this.up(event, true);
    track.onkeydown = event => this.key(event);
    this.root.onpointerenter = event => event.pointerType !== "touch" && hand.pointed(this);
    this.root.onpointerleave = event => event.pointerType !== "touch" && hand.pointed(null);
    track.onfocus = () => hand.focused(this);
    track.onblur = () => hand.focused(null);
    this.show(0, 3);
  }

  show(value, reach) {
    if (value === this.value && reach === this.reach && this.shown) return;
    Object.assign(this, { value, reach, shown: true });
    const { track } = this;
    const share = (value + reach) / (2 * reach);
    this.knob.style.setProperty("--at", share);
    this.fill.style.setProperty("--from", Math.min(share, 0.5));
    this.fill.style.setProperty("--to", Math.max(share, 0.5));
    setText(this.said, fixed(value, 2));
    track.setAttribute("aria-valuemin", -reach);
    track.setAttribute("aria-valuemax", reach);
    track.setAttribute("aria-valuenow", Math.round(value * 1000) / 1000);
    track.setAttribute("aria-valuetext", this.said.textContent);
  }

  marks(locked, sign) {
    press(this.lock, `Lock ${this.name}`, locked, `${locked ? "Locked: a" : "Lock it: a"} draw, a reset, an image or a `
      + "walk leaves it where it is.");
    press(this.link, `Link ${this.name}`, sign !== undefined, sign === undefined
      ? "Link it: all that are linked move together." : `It moves ${sign > 0 ? "with" : "against"} the others that are `
        + `linked. Press again to ${sign > 0 ? "turn it around" : "free it"}.`);
    this.link.dataset.sign = sign === undefined ? "" : sign > 0 ? "+" : "−";
  }

  // -- the pointer

  down(event) {
    if (event.button !== 0 || (this.pointer ?? event.pointerId) !== event.pointerId) return;
    const near = Math.hypot(event.clientX - (this.at?.[0] ?? 0), event.clientY - (this.at?.[1] ?? 0)) < NEAR;
    const twice = this.at && near && event.timeStamp - this.at[2] < TWICE;
    this.at = [event.clientX, event.clientY, event.timeStamp];
    this.track.focus({ preventScroll: true });
    if (twice) {
      event.preventDefault();
      this.at = null;
      this.pointer = null;
      this.hand.moved(this, 0);
      this.hand.ended(this);
      return;
    }
    Object.assign(this, { pointer: event.pointerId, before: this.value, dragging: false });
    if (event.pointerType === "touch") {
      this.hand.pointed(this);
      return; // until it is clear that the finger does not scroll
    }
    event.preventDefault(); // no selection; so the focus is set here
    this.begin(event);
  }

  begin(event) {
    this.dragging = true;
    this.track.setPointerCapture(event.pointerId);
    this.root.classList.add("dragging");
    this.hand.began(this);
    this.follow(event);
  }

  drag(event) {
    if (event.pointerId !== this.pointer) return;
    if (this.dragging) this.follow(event);
    else if (Math.abs(event.clientX - this.at[0]) >= BEGUN) this.begin(event);
  }

  follow(event) {
    const value = this.valueAt(event.clientX);
    if (value !== this.value) this.hand.moved(this, value);
  }

  up(event, cancelled = false) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    if (cancelled && this.dragging) this.hand.moved(this, this.before); // the page scrolls: nothing was meant
    else if (!cancelled && !this.dragging) this.follow(event); // a tap
    if (this.dragging || !cancelled) this.hand.ended(this);
    this.dragging = false;
    this.root.classList.remove("dragging");
  }

  valueAt(x) {
    const { left, width } = this.track.getBoundingClientRect();
    const edge = width / CELLS / 2;
    const share = Math.max(0, Math.min(1, (x - left - edge) / (width - 2 * edge)));
    return Math.round((share * 2 - 1) * this.reach / SNAP) * SNAP;
  }

  // -- the keyboard

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { value, reach } = this;
    const step = by => Math.max(-reach, Math.min(reach, Math.round((value + by) / STEP) * STEP));
    const next = {
      ArrowRight: () => step(STEP), ArrowUp: () => step(STEP), PageUp: () => step(LEAP), End: () => reach,
      ArrowLeft: () => step(-STEP), ArrowDown: () => step(-STEP), PageDown: () => step(-LEAP), Home: () => -reach,
      Escape: () => 0, 0: () => 0,
    }[event.key];
    if (!next) return;
    event.preventDefault();
    this.hand.moved(this, next());
    this.hand.ended(this);
  }
}

function press(button, name, on, title) {
  button.setAttribute("aria-pressed", on);
  button.setAttribute("aria-label", name);
  button.title = title;
}

function iconButton(parent, icon, onclick) {
  const button = make("button", `icon ${icon}`, parent);
  button.type = "button";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[icon]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  button.append(svg);
  button.onclick = onclick;
  return button;
}
