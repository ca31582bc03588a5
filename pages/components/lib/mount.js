// How a component lives on the page. Streamlit calls the default export of its script again at every refresh and at
// every change of theme, with the same parent: so its view is made once, and then updated in place.

import { make } from "./dom.js";

// `create` makes the view of what is mounted, and `update` brings it what has come; `view.destroy()` ends it.
export function mounted(create, update) {
  const views = new WeakMap();
  return component => {
    const { parentElement } = component;
    if (!views.has(parentElement)) views.set(parentElement, create(component));
    const view = views.get(parentElement);
    update(view, component);
    return () => {
      view.destroy();
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
