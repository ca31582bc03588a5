// The keys of the whole dashboard, in one list: what they are for is read by `?`, and whoever listens asks `keyOf`.

export const KEYS = [
  { title: "On every page", keys: [
    ["t", "Talk mode, and back"],
    ["f", "Full screen for the picture or chart under the pointer, and back"],
    ["l", "The laser pointer's spot"],
    ["d", "Dark or light, in talk mode"],
    ["w", "The whole page, where a scene shows a part of it, and back"],
    ["k", "Keep this view as a scene of a talk"],
    ["?", "These keys"],
    ["Esc", "Close what lies over the page"],
  ] },
  { title: "Players, over them or after their last use", keys: [
    ["Space", "Play, pause"],
    ["← →", "A step back, a step on"],
    ["Home End", "The first, the last"],
  ] },
  { title: "Sliders, tables and planes with the focus", keys: [
    ["← → ↑ ↓", "Move"],
    ["Enter", "Choose"],
  ] },
  { title: "A talk on the stage", keys: [
    ["PgDn PgUp", "The next scene, the one before; also n and p"],
  ] },
];

const TEXT = "textarea, select, [contenteditable], [role=textbox], [role=combobox], input:not([type=range], [type=radio], "
  + "[type=checkbox], [type=button], [type=submit])";

// Whether an event's key is text for a field, and not for the page. Of a frame, too, whose elements are of its own classes.
export function typed(event) {
  return Boolean(event.composedPath()[0]?.closest?.(TEXT));
}

// The key of an event that is free for the page; null where a field, a shortcut or another listener has it.
export function keyOf(event) {
  return event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typed(event) ? null : event.key;
}

// The button of the page that was pressed last, until a player has answered it.
let pressed = null;
document.addEventListener("click", event => {
  const target = event.composedPath().find(each => each instanceof Element);
  pressed = target?.closest("[data-testid^=stBaseButton]") ?? null;
}, { capture: true });

// Gives a player that a button brought what to show the focus: the space bar is then the player's, not the button's. From
// whoever went on with the keyboard meanwhile it takes nothing.
export function answered(player) {
  const now = document.activeElement;
  if (pressed && (now === pressed || (!pressed.isConnected && now === document.body))) player.focus({ preventScroll: true });
  pressed = null;
}
