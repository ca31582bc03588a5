// A picture from outside as a model reads it: encoded and decoded here, while the pen moves or where one is given.

import { button } from "../lib/controls.js";
import { drawnAs } from "../lib/digit.js";
import { make, setText, unpack } from "../lib/dom.js";
import { mounted, rootOf } from "../lib/mount.js";
import { move } from "../lib/moved.js";
import { Network } from "../lib/network.js";
import { singles } from "../lib/numbers.js";
import { paint, sizeOf } from "../lib/picture.js";
import { judgeOf, verdictIn } from "../lib/verdict.js";
import { Pad, painted } from "../pad/pad.js";

const ROWS = 16; // dimensions in sight
const NEAREST = 8; // neighbours in sight
const REST = 120; // ms: thumbnails of a whole split are fetched only when nothing changes any more

const shownClass = new Map(); // run -> the class that was chosen

export default mounted(
  ({ data, parentElement }) => new Reading(parentElement, decode(data)),
  (view, { data }) => view.update(decode(data)),
);

// What `pages/components/reading/__init__.py` packs: the header, and errors, codes, thumbnails and the given picture.
export function decode(bytes) {
  const [header, column] = unpack(bytes);
  const [latent] = header.latents;
  const [modality] = header.modalities;
  const errors = column(header.errors);
  const codes = column(header.neighbours * latent.size);
  const size = sizeOf(modality.shape);
  const pixels = new Uint8Array(codes.buffer, codes.byteOffset + codes.byteLength);
  return { ...header, latent, modality, errors, codes, thumbnails: pixels.subarray(0, header.neighbours * size),
    picture: header.given ? pixels.subarray(header.neighbours * size, (header.neighbours + 1) * size) : null };
}

class Reading {
  constructor(parent, facts) {
    this.root = rootOf("reading", parent);
    this.pad = facts.given ? null : new Pad(this.root, { key: facts.key, held: true }, strokes => this.draw(strokes));
    const beside = make("div", "beside", this.root);
    const pictures = make("div", "pictures", beside);
    if (facts.given) this.source = this.shown(pictures);
    this.before = this.figure(pictures, "As the model reads it");
    this.after = this.figure(pictures, "Reconstructed");
    this.said = make("div", "said", beside);
    this.said.setAttribute("role", "status");
    this.said.setAttribute("aria-live", "off"); // it changes with every frame
    this.judged = make("div", "judged", beside);
    this.choice = make("label", "choice", beside, "The class that the model reads beside it ");
    this.classes = make("select", "", this.choice);
    this.classes.onchange = () => {
      shownClass.set(this.facts.run, this.classes.selectedIndex);
      this.again();
    };
    const bar = make("div", "bar", beside);
    button(bar, "Send to the sliders", "Move the sliders above to this picture's code, the mean of q(z|x).",
      () => this.send());
    const following = make("label", "following", bar);
    this.follow = make("input", "", following);
    this.follow.type = "checkbox";
    following.append("while it changes");
    following.title = "The sliders follow at every change.";
    this.follow.onchange = () => this.follow.checked && this.send();
    this.told = make("div", "told", this.root);
    this.nearest = make("div", "nearest", this.root);
    this.why = make("div", "note", this.root);
  }

  // An upload as its file has it.
  shown(parent) {
    const figure = make("figure", "", parent);
    const image = make("img", "", figure);
    image.alt = "The picture as its file has it";
    make("figcaption", "", figure, "As the file has it");
    return image;
  }

  figure(parent, words) {
    const figure = make("figure", "", parent);
    const canvas = make("canvas", "", figure);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", words);
    const note = make("figcaption", "", figure, words);
    return { canvas, note };
  }

  update(facts) {
    const { encoder, decoder } = facts.networks;
    const first = !this.facts || this.facts.run !== facts.run || this.facts.networks.encoder !== encoder
      || this.facts.networks.decoder !== decoder; // a training that goes on brings other weights
    this.facts = facts;
    const { latent, modality, covariate, size: [height, width] } = facts;
    this.root.style.setProperty("--wide", Math.min(1, width / height));
    this.root.style.setProperty("--ratio", width / height);
    this.root.toggleAttribute("data-given", Boolean(facts.given));
    this.choice.hidden = !covariate?.classes;
    if (first) {
      this.classes.replaceChildren(...(covariate?.classes ?? []).map(name => new Option(name)));
      this.classes.selectedIndex = Math.min(shownClass.get(facts.run) ?? 0, this.classes.length - 1);
      this.table = tableIn(this.told, latent);
      this.cards = neighboursIn(this.nearest, Math.min(NEAREST, facts.neighbours), number => this.sendCode(number));
      setText(this.why, "The networks are on their way …");
      this.sheet = {}; // what other networks still compute is not of these
      this.networks = Promise.all([Network.open(encoder), Network.open(decoder)]);
      this.networks.then(opened => {
        const away = opened.find(network => network.where !== "page");
        setText(this.why, away ? `Computed by the server: ${away.reason}` : "");
      }, error => setText(this.why, String(error.message ?? error)));
    }
    this.judge(facts.judges[modality.name]);
    if (!facts.search || facts.search.codes !== this.among?.key) this.among = keptOf(facts);
    if (facts.search) this.search(facts.search);
    if (facts.given && this.source.src !== facts.given) this.source.src = facts.given;
    if (facts.given) this.look(asShares(facts.picture));
    else {
      this.pad.update({ label: "Your drawing", height: facts.height, side: facts.side, aspect: width / height },
        () => {});
      if (first) this.draw(this.pad.drawing.strokes);
    }
  }

  draw(strokes) {
    if (!this.facts) return;
    const { side, size, ink } = this.facts;
    const digit = strokes.length ? drawnAs(painted(strokes, side), [side, side], size, ink) : null;
    if (digit) this.look(asShares(digit));
    else this.clear();
  }

  again() {
    if (this.observation) this.look(this.observation);
  }

  // The newest picture goes through both networks; those that came while they were busy are dropped.
  async look(observation) {
    this.observation = observation;
    const { latent, modality } = this.facts;
    paint(this.before.canvas, observation, modality.shape);
    this.root.dataset.state = "reading";
    const sheet = this.sheet;
    const networks = await this.networks.catch(() => null); // it is told why
    if (!networks || observation !== this.observation) return;
    const [encoder, decoder] = networks;
    const failed = error => setText(this.why, error.message);
    encoder.latest(this.inputs(encoder, observation), 1, code => {
      const mean = code[`${latent.name}.mean`];
      decoder.latest({ [latent.name]: mean }, 1, made => {
        if (sheet !== this.sheet) return;
        this.show(observation, mean, code[`${latent.name}.sigma`], made[`${modality.name}.mean`]);
      }, failed);
    }, failed);
  }

  // What the judge of the data says of the picture, and of its reconstruction; it may have been made meanwhile.
  async judge(told) {
    if (!told?.address || told.address === this.judgeAddress) return;
    this.judgeAddress = told.address;
    const judge = await judgeOf(told);
    if (!judge) return; // then nobody says a class
    this.judged.replaceChildren();
    const lines = ["The picture", "Reconstructed"].map(words => {
      const line = make("div", "answer", this.judged);
      make("span", "whose", line, words);
      return verdictIn(line, told);
    });
    this.judgement = { judge, lines };
    this.again();
  }

  // From now on the nearest are looked for in a whole split, if the page says so and its codes are there.
  async search(told) {
    const population = told.codes === this.among.key ? this.among : await populationOf(told);
    if (!population || told.codes !== this.facts.search?.codes) return;
    if (population === this.among) return;
    this.among = population;
    this.again();
  }

  inputs(encoder, observation) {
    const { modality, covariate } = this.facts;
    const inputs = { [modality.name]: observation };
    if ("covariate" in encoder.inputs) {
      inputs.covariate = covariate.numbers ? Float32Array.from(covariate.numbers) :
        Float32Array.from(covariate.classes, (_, n) => Number(n === this.classes.selectedIndex));
    }
    return inputs;
  }

  show(observation, mean, sigma, made) {
    const { modality, latent, errors, source, priors, covariate } = this.facts;
    this.code = mean;
    paint(this.after.canvas, made, modality.shape);
    const error = squared(observation, made);
    const better = percentile(errors, error);
    setText(this.said, `Mean squared error ${error.toPrecision(3)}: ${Math.round(better)} % of ${source} are `
      + "reconstructed better.");
    const prior = priors[covariate?.classes ? this.classes.selectedIndex : 0];
    this.table(unitsOf(mean, latent), prior && sigma ? klOf(mean, sigma, prior) : null);
    this.cards(nearest(this.among.codes, mean, latent.unit, NEAREST), this.among);
    Object.assign(this.root.dataset, { state: observation === this.observation ? "read" : "reading", error,
      percentile: better, code: Array.from(mean, value => value.toFixed(4)).join() });
    if (this.follow.checked) this.send();
    if (!this.judgement) return;
    const { judge, lines } = this.judgement;
    const both = new Float32Array(2 * made.length);
    both.set(observation);
    both.set(made, made.length);
    const sheet = this.sheet;
    judge.latest(both, 2, logits => {
      if (sheet === this.sheet) lines.forEach((line, n) => line.show(logits[n]));
    });
  }

  clear() {
    this.observation = this.code = null;
    this.sheet = {}; // what is still being computed is of another
    for (const { canvas } of [this.before, this.after]) canvas.width += 0; // which makes it blank
    setText(this.said, "");
    this.judgement?.lines.forEach(line => line.show(null));
    this.table(null, null);
    this.cards([], this.among);
    this.root.dataset.state = "blank";
  }

  send() {
    const { run, latent } = this.facts;
    if (this.code) move(run, { [latent.name]: unitsOf(this.code, latent) }, "picture");
  }

  sendCode(number) {
    const { run, latent } = this.facts;
    const code = this.among.codes.subarray(number * latent.size, (number + 1) * latent.size);
    move(run, { [latent.name]: unitsOf(code, latent) }, "picture");
  }

  destroy() {
    this.pad?.destroy();
    this.root.remove();
  }
}

// -- numbers

const asShares = bytes => Float32Array.from(bytes, value => value / 255);

export function squared(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum / a.length;
}

// The share of ascending numbers below a value, in per cent.
export function percentile(ascending, value) {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < value) low = middle + 1;
    else high = middle;
  }
  return (100 * low) / ascending.length;
}

// KL(q || p) of each dimension in nats, of two Gaussians.
export function klOf(mean, sigma, prior) {
  return Float64Array.from(mean, (value, d) => {
    const ratio = sigma[d] / prior.std[d];
    return 0.5 * (ratio ** 2 + ((value - prior.mean[d]) / prior.std[d]) ** 2 - 1) - Math.log(ratio);
  });
}

const unitsOf = (code, { centre, unit }) => Float32Array.from(code, (value, d) => (value - centre[d]) / unit[d]);

// The rows of `codes` that lie nearest to a code, in units of each dimension: [number, distance], nearest first.
export function nearest(codes, code, unit, count) {
  const size = code.length;
  const found = [];
  for (let number = 0, at = 0; at < codes.length; number++) {
    let sum = 0;
    for (let d = 0; d < size; d++, at++) sum += ((codes[at] - code[d]) / unit[d]) ** 2;
    if (found.length === count && sum >= found[count - 1][1]) continue;
    const place = found.findIndex(([, other]) => other > sum);
    found.splice(place < 0 ? found.length : place, 0, [number, sum]);
    found.length = Math.min(found.length, count);
  }
  return found.map(([number, sum]) => [number, Math.sqrt(sum)]);
}

// -- among whom the nearest are ----------------------------------------------------------------------

// The observations that travel with the run.
function keptOf({ codes, thumbnails, modality, labels, classes, neighbours }) {
  const size = sizeOf(modality.shape);
  return { codes, key: "kept", words: `the ${neighbours} test observations that travel with the run`, rest: 0,
    name: number => nameOf(labels, classes, number),
    paint: (canvas, number) => paint(canvas, asShares(thumbnails.subarray(number * size, (number + 1) * size)),
      modality.shape) };
}

// A whole split, as the latent map has it: its codes at once, its thumbnails by pages; null where it is not there.
async function populationOf({ codes: address, words, labels, classes, page, cell: [width, height], columns, count }) {
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok) return null;
  const pages = new Map();
  const sheet = number => {
    if (!pages.has(number)) pages.set(number, Object.assign(new Image(), { src: page.replace("{page}", number) }));
    return pages.get(number);
  };
  return { codes: singles(new Uint16Array(await answer.arrayBuffer())), key: address, words, rest: REST,
    name: number => nameOf(labels, classes, number),
    paint: (canvas, number) => {
      const [image, place] = [sheet(Math.floor(number / count)), number % count];
      const [x, y] = [(place % columns) * width, Math.floor(place / columns) * height];
      image.decode().then(() => true, () => false).then(there => {
        if (canvas.parentElement.dataset.number !== String(number)) return; // another one is shown meanwhile
        Object.assign(canvas, { width, height }); // which makes it blank
        if (there) canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, width, height);
        else pages.delete(Math.floor(number / count)); // once more with the next one
      });
    } };
}

const nameOf = (labels, classes, number) =>
  labels && labels[number] >= 0 ? classes[labels[number]] ?? String(labels[number]) : `#${number}`;

// -- what is seen

// Rows of the most informative dimensions: the code in units, and the KL of the picture over that of the data.
function tableIn(parent, { order, kl: usual, size }) {
  parent.replaceChildren();
  const title = make("div", "title", parent);
  const rows = order.slice(0, ROWS).map(dimension => {
    const row = make("div", "row", parent);
    make("span", "dimension", row, `z${dimension}`);
    const code = make("span", "number", row);
    const bars = make("span", "bars", row);
    const own = make("span", "own", bars);
    const data = make("span", "data", bars);
    const said = make("span", "number", row);
    row.setAttribute("role", "img");
    return { dimension, row, code, own, data, bars, said };
  });
  const more = size > ROWS ? `The ${ROWS} most informative of ${size} dimensions. ` : "";
  const note = make("div", "note", parent);
  return (units, kl) => {
    parent.hidden = !units;
    if (!units) return;
    const sum = values => values.reduce((a, b) => a + b, 0);
    const top = kl ? Math.max(1, ...kl, ...(usual ?? [])) : 4;
    setText(title, kl ? `Code and KL: ${sum(kl).toFixed(1)} nats${usual ?
      `, and ${sum(usual).toFixed(1)} for an observation of the data on average` : ""}` : "Code");
    setText(note, more + (kl ? "Above the KL of this picture, below that of the data on average, in nats. A dimension "
      + "that tells far more than it does of the data is one that the picture strains." :
      "This model has no KL by dimension: bars show how far from the middle the code lies, in units of the sliders."));
    for (const { dimension, row, code, own, data, bars, said } of rows) {
      const place = units[dimension];
      const mine = kl ? kl[dimension] : Math.abs(place);
      setText(code, signed(place));
      own.style.width = `${Math.min(100, (100 * mine) / top)}%`;
      data.style.width = kl && usual ? `${Math.min(100, (100 * usual[dimension]) / top)}%` : "0";
      data.hidden = !(kl && usual);
      bars.classList.toggle("alone", data.hidden);
      setText(said, kl ? mine.toFixed(2) + (usual ? ` / ${usual[dimension].toFixed(2)}` : "") : "");
      row.setAttribute("aria-label", `z${dimension}: ${signed(place)}${kl ? `, ${mine.toFixed(2)} nats` : ""}`);
    }
  };
}

const signed = value => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

// The nearest observations: each with its picture, its class and how far it lies.
function neighboursIn(parent, count, chosen) {
  parent.replaceChildren();
  const title = make("div", "title", parent);
  const strip = make("div", "strip", parent);
  const cards = Array.from({ length: count }, () => {
    const card = make("button", "card", strip);
    card.type = "button";
    const canvas = make("canvas", "", card);
    const words = make("span", "", card);
    card.title = "Move the sliders to the code of this one.";
    card.onclick = () => chosen(Number(card.dataset.number));
    return { card, canvas, words };
  });
  const due = new Set(); // cards whose picture is another one's
  let timer = null;
  return (found, among) => {
    parent.hidden = !found.length;
    setText(title, `Nearest by code, of ${among.words}`);
    found.forEach(([number, distance], place) => {
      const { card, words } = cards[place];
      if (card.dataset.key !== among.key || card.dataset.number !== String(number)) due.add(cards[place]);
      Object.assign(card.dataset, { key: among.key, number });
      setText(words, `${among.name(number)} · ${distance.toFixed(1)}`);
      card.setAttribute("aria-label",
        `Observation ${number}, ${among.name(number)}, at a distance of ${distance.toFixed(1)}`);
    });
    const draw = () => {
      for (const { card, canvas } of due) among.paint(canvas, Number(card.dataset.number));
      due.clear();
    };
    clearTimeout(timer);
    if (among.rest) timer = setTimeout(draw, among.rest);
    else draw();
  };
}
