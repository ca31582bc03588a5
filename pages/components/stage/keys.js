// The keys of the stage: a clicker sends the first two.

export const KEYS = [["PageDown, n", "next"], ["PageUp, p", "before"], ["s", "speaker's window"], ["o", "notes over the scene"],
  ["e", "title and equation on or off"]];

// How many scenes a key goes on: 1, -1, or 0 where it is none that steps.
export function stepOf(key) {
  return { PageDown: 1, n: 1, PageUp: -1, p: -1 }[key] ?? 0;
}
