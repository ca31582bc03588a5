// What the decoder draws at a place of the map: the code there, and its picture.
//
// In a plane of the latent space the code at a place is known. Elsewhere, as in a UMAP, no code belongs to a place:
// then it is the mean of the nearest observations' codes, each weighted by the inverse of its squared distance.

import { joined, read, split } from "../lib/address.js";
import { open, strength } from "../lib/density.js";
import { moved } from "../lib/moved.js";
import { singles } from "../lib/numbers.js";
import { weightedCode } from "./near.js";

const NEIGHBOURS = 8;
const OUTSIDE = 0.99; // share of codes of data that lie where they are denser

export class Pointing {
  // `find(x, y, count)` are the nearest observations; `map` is one of the message.
  constructor(map, find) {
    Object.assign(this, { map, find, latents: map.hand.latents });
    this.modality = map.hand.modalities.find(m => m.kind === "image") ?? map.hand.modalities[0];
    // the codes are those of all latents one after the other, or of one among several, where the others stay
    const named = this.latents.filter(latent => latent.name === map.latent);
    this.own = named.length ? named : this.latents;
    const size = this.own.reduce((sum, latent) => sum + latent.size, 0);
    if (size !== map.size) this.own = [this.latents.find(latent => latent.size === map.size) ?? this.latents[0]];
  }

  // Loads the network, and the codes where the plane needs them. Raises what a visitor is told.
  async open() {
    const [{ Network }, { judgeOf }] = await Promise.all([import("../lib/network.js"), import("../lib/verdict.js")]);
    const { map } = this;
    if (!map.plane && !map.codes) throw new Error("There are too many points to bring their codes here.");
    const needed = [Network.open(map.hand.networks.decoder)];
    if (!map.plane) needed.push(this.fetchCodes());
    [this.network] = await Promise.all(needed);
    this.shape = this.network.outputs[`${this.modality.name}.mean`];
    // what answers beside the picture may be missing
    this.verdict = map.hand.judges?.[this.modality.name];
    [this.judge, this.seen] = await Promise.all([judgeOf(this.verdict),
      map.hand.seen ? open(map.hand.seen).catch(() => null) : null]);
  }

  // How dense the codes of data are at a code: {words, outside, strength}; null where it is not known.
  density(code) {
    if (!this.seen) return null;
    const unusual = this.seen.unusual(code);
    return { words: this.seen.word(unusual), outside: unusual >= OUTSIDE, strength: strength(unusual) };
  }

  fetchCodes() {
    this.fetching ??= this.map.codes ? fetch(this.map.codes).then(async answer => {
      if (!answer.ok) throw new Error("The codes of the points could not be fetched.");
      this.codes = singles(new Uint16Array(await answer.arrayBuffer()));
    }).catch(error => {
      this.fetching = null; // it may be there next time
      throw error;
    }) : Promise.resolve();
    return this.fetching;
  }

  // How the code at a place is found, in words.
  get words() {
    if (!this.map.plane) return `weighted mean of the ${NEIGHBOURS} nearest codes: the map has no code of its own here`;
    if (this.map.method !== "dims") return "on the plane of the map";
    if (this.map.size === 2) return "the exact code of this place";
    return this.held() ? "other dimensions as the code in hand" : "other dimensions at their mean";
  }

  // The code at a place (r,), in the plane's own units; null where no point is near enough to say.
  codeAt(x, y, reach = Infinity) {
    const { plane, size } = this.map;
    if (plane) {
      const rest = this.map.method === "dims" ? this.held() : null;
      return Float32Array.from({ length: size }, (_, d) => {
        const free = plane.across[d] !== 0 || plane.up[d] !== 0;
        const origin = rest && !free ? rest[d] : plane.origin[d];
        return origin + x * plane.across[d] + y * plane.up[d];
      });
    }
    const near = this.find(x, y, NEIGHBOURS);
    if (!this.codes || near.length === 0 || near[0].distance > reach) return null;
    return weightedCode(this.codes, size, near);
  }

  // The code of an observation itself; null while it has not come.
  codeOf(i) {
    return this.codes ? this.codes.slice(i * this.map.size, (i + 1) * this.map.size) : null;
  }

  get centre() {
    return this.own.flatMap(({ centre }) => centre);
  }

  // The code under the visitor's hand, as the page or its address has it; null where it was not moved.
  held() {
    const now = moved(this.map.hand.run);
    if (!now && !this.own.some(({ parameter }) => read(parameter))) return null;
    const units = this.own.map(({ name, parameter, size }) => now?.[name] ?? split(read(parameter), size));
    if (!units.some(part => part.some(u => u !== 0))) return null; // where the means are, too
    return Float32Array.from(this.own.flatMap(({ centre, unit }, at) =>
      Array.from(units[at], (u, d) => centre[d] + u * unit[d])));
  }

  // Where the code in hand lies on the plane, or the foot of its perpendicular; null where there is none, or no plane.
  placeOfHand() {
    const { plane } = this.map;
    const code = plane && this.held();
    if (!code) return null;
    const dot = (a, b) => a.reduce((sum, v, d) => sum + v * b[d], 0);
    const apart = code.map((v, d) => v - plane.origin[d]);
    const along = axis => dot(axis, apart) / dot(axis, axis);
    return [along(plane.across), along(plane.up)];
  }

  // A code as {latent: units}, as all components have it.
  units(code) {
    let at = 0;
    return Object.fromEntries(this.own.map(({ name, size, centre, unit }) => {
      const part = Float32Array.from({ length: size }, (_, d) => (code[at + d] - centre[d]) / unit[d]);
      at += size;
      return [name, part];
    }));
  }

  // The address of Traverse at this code.
  link(code) {
    const units = this.units(code);
    const parts = this.own.map(({ name, parameter }) => `${encodeURIComponent(parameter)}=${joined(units[name])}`);
    const { traverse } = this.map;
    return `${traverse}${traverse.includes("?") ? "&" : "?"}${parts.join("&")}`;
  }

  // Codes, one after the other, as the network's inputs.
  inputs(codes) {
    const { size } = this.map;
    const batch = codes.length / size;
    let at = 0;
    const inputs = {};
    for (const latent of this.latents) {
      const values = new Float32Array(batch * latent.size);
      const given = this.own.includes(latent);
      for (let b = 0; b < batch; b++) {
        values.set(given ? codes.subarray(b * size + at, b * size + at + latent.size) : latent.centre, b * latent.size);
      }
      if (given) at += latent.size;
      inputs[latent.name] = values;
    }
    return inputs;
  }

  // The picture of a code: `then(values)`, or `failed(error)`; an older code that has not been begun is dropped.
  decode(code, then, failed) {
    this.network.latest(this.inputs(code), 1, outputs => {
      const { name } = this.modality;
      then({ mean: outputs[`${name}.mean`], sigma: outputs[`${name}.sigma`] });
    }, failed);
  }

  // The judge's logits of a picture: `then(logits)`.
  judged(mean, then) {
    this.judge?.latest(mean, 1, ([logits]) => then(logits));
  }

  // The pictures of several codes.
  async pictures(codes) {
    const outputs = await this.network.run(this.inputs(codes), codes.length / this.map.size);
    return outputs[`${this.modality.name}.mean`];
  }
}
