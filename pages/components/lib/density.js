// Where a model saw data: the aggregated posterior as a mixture of Gaussians, as `vaecore/explore/seen.py` packs it.

import { unpack } from "./dom.js";

// What the server has of a run at this address (`pages/components/seen.py`); throws its reason in words.
export async function open(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).reason ?? `The server answered ${answer.status}.`);
  return parse(new Uint8Array(await answer.arrayBuffer()));
}

// What the server sent, with what can be asked of a code z (r numbers): `unusual`, `word` and `classes`.
export function parse(bytes) {
  const [header, column] = unpack(bytes);
  const { n, r, classes, words } = header;
  const [mean, logvar, levels] = [column(n * r), column(n * r), column(header.levels)];
  const labels = header.labelled ? column(n) : null;
  const logs = new Float64Array(n);
  const offset = new Float64Array(n); // what does not depend on z
  const precision = new Float32Array(n * r);
  for (let i = 0; i < n; i++) {
    let sum = -Math.log(n);
    for (let d = i * r; d < (i + 1) * r; d++) {
      sum -= 0.5 * (logvar[d] + Math.log(2 * Math.PI));
      precision[d] = 0.5 * Math.exp(-logvar[d]);
    }
    offset[i] = sum;
  }

  // log q(z) in nats; leaves the logarithm of each observation's part of it in `logs`.
  function logDensity(z) {
    let most = -Infinity;
    for (let i = 0; i < n; i++) {
      let sum = offset[i];
      for (let d = 0, at = i * r; d < r; d++, at++) {
        const apart = z[d] - mean[at];
        sum -= precision[at] * apart * apart;
      }
      logs[i] = sum;
      if (sum > most) most = sum;
    }
    let total = 0;
    for (let i = 0; i < n; i++) total += Math.exp(logs[i] - most);
    return most + Math.log(total);
  }

  // The share of codes of data at a higher density, in [0, 1].
  function unusual(z) {
    const density = logDensity(z);
    let [low, high] = [0, levels.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (levels[middle] < density) low = middle + 1;
      else high = middle;
    }
    return 1 - low / levels.length;
  }

  // The share that each class has of q(z) at z.
  function shares(z) {
    const found = new Float64Array(classes.length);
    if (!labels || !classes.length) return found;
    logDensity(z);
    const most = logs.reduce((a, b, i) => (labels[i] >= 0 && b > a ? b : a), -Infinity);
    let total = 0;
    for (let i = 0; i < n; i++) {
      if (labels[i] < 0) continue;
      const part = Math.exp(logs[i] - most);
      found[labels[i]] += part;
      total += part;
    }
    return found.map(value => value / total);
  }

  const word = share => (words.find(([most]) => share <= most) ?? words.at(-1))[1];
  return { ...header, mean, logvar, labels, logDensity, unusual, classes: shares, names: classes, word };
}

// How strongly what lies at a place is drawn: wholly where codes of data are, hardly where the model saw none.
export const strength = unusual => (unusual <= 0.9 ? 1 : unusual >= 1 ? 0.18 : 1 - 0.82 * ((unusual - 0.9) / 0.1));
