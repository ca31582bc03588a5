// The code of a run under the visitor's hand, one for all components of the page: whoever moves it, all others follow.

const codes = new Map(); // run -> {latent: units}; it outlives a view that Streamlit takes away and mounts anew
const followers = new Map(); // run -> functions

// A new code: by latent its position in units of each dimension, all of them. What is not named stays. `origin` is
// whoever moved it, an object or a word, so that it need not follow itself.
export function move(run, code, origin) {
  const now = { ...codes.get(run) };
  for (const [latent, units] of Object.entries(code)) now[latent] = Float32Array.from(units);
  codes.set(run, now);
  for (const follow of [...(followers.get(run) ?? [])]) follow(now, origin);
}

// Calls `follow(code, origin)` at every move. Returns what ends it.
export function onMove(run, follow) {
  if (!followers.has(run)) followers.set(run, new Set());
  followers.get(run).add(follow);
  return () => followers.get(run).delete(follow);
}

// The code now, {latent: units}; null while nobody has moved it.
export function moved(run) {
  return codes.get(run) ?? null;
}
