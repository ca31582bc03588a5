// Talk mode, for a room that looks at a wall: `talk=1` in the page's address, `data-talk` on the document's element.
// `components/talk/` alone sets it and takes it away. Whatever lies in a `.component` is enlarged by CSS `zoom`, text,
// strokes and room alike, so a component need not know: only a canvas must have as many pixels as it then covers.

const page = document.documentElement;

export const talking = () => page.hasAttribute("data-talk");

// How much `element` is enlarged, or components are, and how many pixels of the screen one of its px is: as many a
// canvas needs. What is drawn in px of the component, fonts and strokes too, is enlarged with it.
export function sizes(element) {
  const zoom = element?.currentCSSZoom ?? (Number(page.style.getPropertyValue("--talk-zoom")) || 1);
  return { zoom, density: devicePixelRatio * zoom };
}

// Where an element is in the window, in its own px: those that it is drawn in.
export function placeOf(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  const { zoom } = sizes(element);
  return DOMRect.fromRect({ x: left / zoom, y: top / zoom, width: width / zoom, height: height / zoom });
}

// Where the pointer is on the element that listens, in that element's px; `offsetX` is in px of the screen in Chromium.
export function pointerOn({ currentTarget, clientX, clientY }) {
  const { left, top } = placeOf(currentTarget);
  const { zoom } = sizes(currentTarget);
  return [clientX / zoom - left, clientY / zoom - top];
}

// A part of a page that an address names, as `show=opened,switch-*`: a key of Streamlit's as its class has it, or how keys
// begin. Its selector; null for what is none.
export function partOf(key) {
  if (!/^[\w-]+\*?$/.test(key)) return null;
  return key.endsWith("*") ? `[class*="st-key-${key.slice(0, -1)}"]` : `.st-key-${key}`;
}

// While something that a page shows is still on its way, `data-busy` on the document's element says so: the stage of a talk
// waits for it.
let busy = 0;
export async function waiting(promise) {
  page.dataset.busy = ++busy;
  try {
    return await promise;
  } finally {
    if (--busy) page.dataset.busy = busy;
    else delete page.dataset.busy;
  }
}
