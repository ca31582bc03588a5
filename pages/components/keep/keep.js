// The way from a view to a scene of a talk: the key k on every page. The page
// Talk asks the rest, with this page's address filled in.

import { flush } from "../lib/address.js";
import { keyOf } from "../lib/keys.js";

const ONCE = Symbol.for("latent-lab.keep");

export default function ({ parentElement, data }) {
  const holder = parentElement.getRootNode().host?.closest("[data-testid=stElementContainer]");
  if (holder) holder.style.display = "none"; // it shows nothing
  const already = window[ONCE];
  if (already) return void (already.talk = data.talk);
  const keeper = window[ONCE] = { talk: data.talk };
  const keep = () => {
    flush();
    const { pathname, search } = window.location;
    window.location.assign(`${keeper.talk}?${new URLSearchParams({ keep: pathname + search })}`);
  };
  const elsewhere = () => window.location.pathname !== keeper.talk && window.top === window;
  window.addEventListener("keydown", event => {
    if (keyOf(event) === "k" && elsewhere()) keep();
  });
}
