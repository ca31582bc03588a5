// How a component lives on the page. Streamlit calls the default export of its script again at every refresh and at
// every change of theme, with the same parent: so its view is made once, and then updated in place.

import { make } from "./dom.js";

// `create` makes the view of what is mounted, and `update` brings it what has come; `view.destroy()` ends it.
//
// What a call returns ends the view only once the element is gone. Where a refresh comes while the script is still loading,
// Streamlit makes both calls, in either order, and then ends the one that is out of date: if that was made last, the view is
// brought back to what the other had.
export function mounted(create, update) {
  const views = new WeakMap();
  return component => {
    const { parentElement } = component;
    if (!views.has(parentElement)) views.set(parentElement, { view: create(component), calls: [] });
    const mine = views.get(parentElement);
    mine.calls = [...mine.calls.slice(-1), component];
    update(mine.view, component);
    return () => {
      if (views.get(parentElement) !== mine) return;
      if (!parentElement.isConnected) {
        mine.view.destroy();
        views.delete(parentElement);
        return;
      }
      const shown = mine.calls.at(-1);
      mine.calls = mine.calls.filter(call => call !== component);
      if (shown === component && mine.calls.length) update(mine.view, mine.calls[0]);
    };
  };
}

// The element around all that a view draws: unseen until the styles have loaded, and `component.css` overrules it.
export function rootOf(className, parent) {
  const root = make("div", `component ${className}`, parent);
  root.style.visibility = "hidden";
  return root;
}
