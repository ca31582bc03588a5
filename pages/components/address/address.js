// One entry of the browser's history a page, with the page's own state in it. Streamlit adds an entry whenever a page
// writes its query parameters; so Back would lead to the same page, which writes them again: a press is swallowed.
// Here what changes the parameters alone replaces the entry, and only another page adds one.

import { closing } from "./menu.js";

const ONCE = Symbol.for("latent-lab.address");

export default function ({ parentElement }) {
  const frame = parentElement.getRootNode().host?.closest("[data-testid=stElementContainer]");
  if (frame) frame.style.display = "none"; // it shows nothing, so it takes no room either
  if (window[ONCE]) return;
  window[ONCE] = true;
  const push = window.history.pushState.bind(window.history);
  window.history.pushState = (state, title, url) => {
    const there = new URL(url ?? window.location.href, window.location.href);
    if (there.pathname === window.location.pathname) window.history.replaceState(state, title, url);
    else push(state, title, url);
  };
  mend();
  closing();
}

// The first page of a visit wrote its parameters before this file had loaded, into an entry of their own. The one before
// it, the page without them, cannot be taken away; so whoever comes to it by Back goes on to what was there before.
function mend() {
  const [first] = performance.getEntriesByType("navigation");
  const begun = first && new URL(first.name, window.location.href);
  if (!begun || begun.pathname !== window.location.pathname || begun.search === window.location.search) return;
  const onward = event => {
    if (window.location.href !== begun.href) return;
    event.stopImmediatePropagation(); // or Streamlit would run the page once more
    window.history.back();
  };
  window.addEventListener("popstate", onward, { capture: true });
}
