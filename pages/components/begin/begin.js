// A button that moves the code under the hand to one that the page knows; and does so by itself when that is another.

import { read } from "../lib/address.js";
import { make, setText } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { move, moved } from "../lib/moved.js";

const begun = new Map(); // run -> which code it began with; it outlives a view that Streamlit takes away

export default mounted(({ parentElement }) => new Begin(parentElement), (view, { data }) => view.update(data));

class Begin {
  constructor(parent) {
    this.root = rootOf("begin", parent);
    this.button = make("button", "", this.root);
    this.button.type = "button";
    this.button.onclick = () => move(this.data.run, this.data.code, this);
  }

  update(data) {
    this.data = data;
    const { run, code, digest, parameters } = data;
    setText(this.button, data.label);
    this.button.title = data.help;
    if (begun.has(run) ? begun.get(run) !== digest : untouched(run, parameters)) move(run, code, this);
    begun.set(run, digest);
  }

  destroy() {
    this.root.remove();
  }
}

// Whether nobody said yet where the code is: a hand that has just come begins at 0.
export function untouched(run, parameters) {
  return parameters.every(name => read(name) === null)
    && Object.values(moved(run) ?? {}).every(units => units.every(x => x === 0));
}
