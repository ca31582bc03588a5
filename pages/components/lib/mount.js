// How a component lives on the page. Streamlit calls the default export of its script again at every refresh and at
// every change of theme, with the same parent: so its view is made once, and then updated in place.

import { make } from "./dom.js";

// `create` makes the view of what is mounted, and `update` brings it what has come; `view.destroy()` ends it.
//
// What a call returns ends the view only if no other call came meanwhile: where a refresh comes while the script is still
// loading, Streamlit makes both calls and then ends the first.
export function mounted(create, update) {
  const views = new WeakMap();
  return component => {
    const { parentElement } = component;
    if (!views.has(parentElement)) views.set(parentElement, { view: create(component) });
    const mine = views.get(parentElement);
    const call = mine.call = Symbol("call");
    update(mine.view, component);
    return () => {
      if (mine.call !== call || views.get(parentElement) !== mine) return;
      mine.view.destroy();
      views.delete(parentElement);
    };
  };
}

// The element around all that a view draws: unseen until the styles have loaded, and `component.css` overrules it.
export function rootOf(className, parent) {
  const root = make("div", `component ${className}`, parent);
  root.style.visibility = "hidden";
  return root;
}
