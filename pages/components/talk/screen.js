// What fills the screen, and in which theme.

const DARK = "(prefers-color-scheme: dark)";
const KEPT = "latent-lab.talk-theme"; // of this tab and of the frames in it, as a stage's
const AROUND = 24; // px around what fills the screen

// Fills the screen with an element: enlarged as a whole until it meets two edges, text and strokes with it.
export async function enlarge(element, before) {
  const { width, height } = element.getBoundingClientRect();
  const root = element.getRootNode();
  const old = element.getAttribute("style");
  await element.requestFullscreen();
  if (!element.matches(".player")) { // which lays itself out anew
    const part = Math.min((innerWidth - 2 * AROUND) / width, (innerHeight - 2 * AROUND) / height);
    const zoomed = element.currentCSSZoom ?? before;
    const inner = { zoom: zoomed * Math.max(part, 0.5), width: `${width / zoomed}px`, height: `${height / zoomed}px` };
    Object.assign(element.style, { ...inner, boxSizing: "content-box", margin: "auto", overflow: "auto",
      background: "var(--st-background-color, var(--page-back))" });
    const [across, down] = [innerWidth / inner.zoom, innerHeight / inner.zoom];
    element.style.padding = `${Math.max(0, (down - height / zoomed) / 2)}px ${Math.max(0, (across - width / zoomed) / 2)}px`;
  }
  window.dispatchEvent(new Event("resize"));
  const ended = () => {
    if (document.fullscreenElement && (root.fullscreenElement === element)) return;
    document.removeEventListener("fullscreenchange", ended);
    if (old === null) element.removeAttribute("style");
    else element.setAttribute("style", old);
    window.dispatchEvent(new Event("resize"));
  };
  document.addEventListener("fullscreenchange", ended);
}

// Streamlit asks the browser which theme the system has, and asks again when something has been printed. In talk mode
// it hears here what the speaker wants; outside of it, what the system says.
const asked = window.matchMedia.bind(window);
let here = false;
window.matchMedia = query => {
  const list = asked(query);
  const wanted = here && query === DARK ? sessionStorage.getItem(KEPT) : null;
  return wanted === null ? list : new Proxy(list, {
    get: (_, name) => {
      if (name === "matches") return wanted === "dark";
      const value = list[name];
      return typeof value === "function" ? value.bind(list) : value;
    },
  });
};
const again = () => window.dispatchEvent(new Event("afterprint"));
window.addEventListener("storage", event => event.key === KEPT && here && again());

// Whether the choice counts: while one talks.
export function own(talking) {
  if (here === talking) return;
  here = talking;
  if (sessionStorage.getItem(KEPT) !== null) again();
}

export function nextTheme() {
  sessionStorage.setItem(KEPT, window.matchMedia(DARK).matches ? "light" : "dark");
  again();
}
