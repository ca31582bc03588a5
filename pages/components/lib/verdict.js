// The judge's answer beside a decoded picture: its class, how sure it is, the next one, and whether the model ever saw
// such a place. The style is in `panes.css`.

import { make, setText } from "./dom.js";
import { Network } from "./network.js";

const WHAT = "What a classifier says of what is decoded. It learned from the data and never saw anything decoded: where "
  + "no data are it answers as surely, so mind how dense the place is.";

// A line for a judge { name, accuracy, classes }. `show(logits, place)` answers; `place` is { words, outside }: how
// dense the place is, in words, and whether it lies outside of what the model saw. Without logits the line is empty.
export function verdictIn(parent, judge) {
  const root = make("div", "verdict", parent);
  root.setAttribute("role", "status");
  root.setAttribute("aria-live", "off"); // it answers in every frame: read out only when asked for
  const line = make("div", "verdict-line", root);
  make("span", "verdict-who", line, "Judge");
  const best = make("span", "verdict-class name", line);
  const bar = make("span", "", make("span", "verdict-bar", line));
  const share = make("span", "verdict-share", line);
  const next = make("div", "verdict-next name", root);
  const place = make("div", "verdict-place name", root);
  place.hidden = true;
  root.title = `${WHAT} ${judgeInWords(judge)}`;
  return {
    element: root,
    show(logits, where = null) {
      root.classList.toggle("verdict-outside", Boolean(where?.outside));
      place.hidden = !where?.words;
      setText(place, where?.words ?? "");
      const [first, second] = logits ? answers(logits, judge.classes) : [];
      setText(best, first?.name ?? "");
      setText(share, first ? percent(first.chance) : "");
      bar.style.width = `${(100 * (first?.chance ?? 0)).toFixed(1)}%`;
      setText(next, second && second.chance >= 0.005 ? `then ${second.name}, ${percent(second.chance)}` : "");
      const also = where?.words ? `, ${where.words}` : "";
      root.setAttribute("aria-label", first ? `The judge says ${inWords(first)}${also}` : "The judge has not answered");
    },
    destroy: () => root.remove(),
  };
}

// The judge itself, of which `told` is a line of `pages/shared/judging.py`: `all(values, count)` resolves to the logits
// of each of so many observations, `latest(values, count, then)` gives those of the newest to `then`. Null where there is
// no judge yet, which the page offers to make, and where it does not come: the picture stands without an answer.
export async function judgeOf(told) {
  const network = told?.address ? await Network.open(told.address).catch(() => null) : null;
  if (!network) return null;
  const [input] = Object.keys(network.inputs);
  const [size] = network.outputs.logits;
  const each = ({ logits }) => Array.from({ length: logits.length / size }, (_, n) =>
    logits.subarray(n * size, (n + 1) * size));
  return {
    all: async (values, count) => each(await network.run({ [input]: values }, count)),
    latest: (values, count, then) => network.latest({ [input]: values }, count, outputs => then(each(outputs))),
  };
}

// A line with its judge: `ask(values, place)` of one decoded observation, of which the newest counts. Null without one.
export function judgedIn(parent, told) {
  if (!told?.address) return null;
  const verdict = verdictIn(parent, told);
  const opening = judgeOf(told);
  opening.then(judge => judge ?? verdict.destroy());
  return {
    ...verdict,
    async ask(values, place = null) {
      (await opening)?.latest(values, 1, ([logits]) => verdict.show(logits, place));
    },
  };
}

// The answer in one line, as "7 · 93 %".
export const inWords = ({ name, chance }) => `${name} · ${percent(chance)}`;

export function judgeInWords({ name, accuracy }) {
  return `The judge: ${name}. It is right on ${percent(accuracy)} of real test observations.`;
}

// The classes with their probabilities, the likeliest first.
export function answers(logits, classes) {
  return Array.from(softmax(logits), (chance, number) => ({ number, name: classes[number] ?? String(number), chance }))
    .sort((a, b) => b.chance - a.chance || a.number - b.number);
}

export function softmax(logits) {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, x => Math.exp(x - top));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map(weight => weight / sum);
}

// Nearly sure is not sure: 100 % is said of what rounds to it only where a tenth does too.
export function percent(share) {
  const rounded = Math.round(100 * share);
  return rounded === 100 && share < 0.9995 ? `${(Math.floor(1000 * share) / 10).toFixed(1)} %` : `${rounded} %`;
}
