// The parameters of the page's address in which components keep what a visitor set: `read`, `write`, and `onBack`.
//
// Streamlit reads the address when a page is entered, and then holds a copy of its own. What is written here it does
// not see, and where the page writes a parameter of its own the old ones come back. So what was written here is put in
// again, as long as the page shows the same run: a page that needs it is told by the component's state.

const REST = 200; // ms until what was written stands in the address: browsers refuse more than a few changes a second
export const LONGEST = 8000; // characters of one value: servers refuse longer addresses

const written = new Map(); // name -> text, or null where it was taken out; of the page and run in `place`
const followers = new Set();
const tellers = new Set();
let place = null;
let timer = null;

export function read(name) {
  if (place === placeOf(location) && written.has(name)) return written.get(name);
  return new URLSearchParams(location.search).get(name);
}

// Names with their values; null takes one out. A value that is too long for an address is taken out as well.
export function write(values) {
  if (place !== placeOf(location)) forget();
  place = placeOf(location);
  for (const [name, value] of Object.entries(values)) {
    const text = value === null || value === undefined ? null : String(value);
    written.set(name, text === null || text.length > LONGEST ? null : text);
  }
  timer ??= setTimeout(flush, REST);
}

// Calls `tell` before the address is copied or kept, to write what has not come to rest yet. Returns what ends it.
export function onAsked(tell) {
  tellers.add(tell);
  return () => tellers.delete(tell);
}

// The address of what is seen at this moment.
export function asked() {
  for (const tell of [...tellers]) tell();
  flush();
  return location.href;
}

// Into the address at once.
function flush() {
  clearTimeout(timer);
  timer = null;
  if (place !== placeOf(location)) return;
  const there = merged(location.href);
  if (there === location.href) return;
  try {
    history.replaceState(history.state, "", there);
  } catch { // some browsers let a page that was opened from a file have no other address
  }
}

// Calls `follow` when the visitor came here by Back or Forward: the address says everything anew. Returns what ends it.
export function onBack(follow) {
  followers.add(follow);
  return () => followers.delete(follow);
}

// Numbers as an address has them: at most three decimals, a zero is nothing, and zeros at the end are cut.
export function joined(numbers) {
  return Array.from(numbers, value => String(Math.round(value * 1000) / 1000 || "")).join(",").replace(/,+$/, "");
}

export function split(text, size) {
  const words = (text ?? "").split(",");
  return Float32Array.from({ length: size }, (_, i) => {
    const value = Number(words[i] || 0);
    return Number.isFinite(value) ? Math.max(-1e4, Math.min(1e4, value)) : 0;
  });
}

function placeOf(there) {
  return `${there.pathname}?${new URLSearchParams(there.search).get("run") ?? ""}`;
}

function forget() {
  written.clear();
  clearTimeout(timer);
  timer = null;
}

function merged(url) {
  const there = new URL(url, location.href);
  for (const [name, value] of written) {
    if (value === null) there.searchParams.delete(name);
    else there.searchParams.set(name, value);
  }
  there.search = there.searchParams.toString().replaceAll("%2C", ","); // to be read by people, too
  return there.href;
}

for (const name of ["pushState", "replaceState"]) {
  const plain = history[name].bind(history);
  history[name] = (state, title, url) => {
    const same = url !== null && url !== undefined && place !== null && placeOf(new URL(url, location.href)) === place;
    plain(state, title, same ? merged(url) : url);
  };
}
window.addEventListener("popstate", () => {
  forget();
  for (const follow of [...followers]) follow();
}, { capture: true });
window.addEventListener("pagehide", flush);
