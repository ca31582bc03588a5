// Tells the server the code of a run once it has come to rest: nothing while a pointer is down, nothing while it walks.

import { joined, split } from "../lib/address.js";
import { mounted } from "../lib/mount.js";
import { moved, onMove } from "../lib/moved.js";

const REST = 250; // ms without a move
const SAME = 1e-3; // units, below which nothing has changed

export default mounted(
  ({ parentElement }) => new Listener(parentElement),
  (view, { data, setStateValue }) => view.update(data, setStateValue),
);

class Listener {
  constructor(parent) {
    const frame = parent.getRootNode().host?.closest("[data-testid=stElementContainer]");
    if (frame) frame.style.display = "none"; // it takes no room
    this.pressed = event => {
      this.held = event.type === "pointerdown";
      if (!this.held) this.wait();
    };
    for (const type of ["pointerdown", "pointerup", "pointercancel"]) {
      window.addEventListener(type, this.pressed, { capture: true });
    }
  }

  update({ run, parameters, known }, send) {
    Object.assign(this, { parameters, known, send });
    if (run !== this.run) {
      this.end?.();
      this.run = run;
      this.end = onMove(run, () => this.wait());
    }
    this.wait();
  }

  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), REST);
  }

  tell() {
    const code = moved(this.run);
    const whole = code && Object.keys(this.parameters).every(latent => code[latent]); // before a hand has come it is not
    if (!whole || this.held) return;
    const news = Object.entries(this.parameters).some(([latent, parameter]) => {
      const known = split(this.known[parameter], code[latent].length);
      return code[latent].some((value, d) => Math.abs(value - known[d]) > SAME);
    });
    if (!news) return;
    const told = Object.fromEntries(Object.entries(this.parameters).map(([latent, parameter]) =>
      [parameter, joined(code[latent])]));
    this.known = told;
    this.send("code", told);
  }

  destroy() {
    clearTimeout(this.timer);
    this.end?.();
    for (const type of ["pointerdown", "pointerup", "pointercancel"]) {
      window.removeEventListener(type, this.pressed, { capture: true });
    }
  }
}
