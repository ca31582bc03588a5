// A network of a run, opened by its address. What takes longer than a blink is computed in a worker, so that the pointer
// never waits; the rest here, as the way to a worker and back is longer; what no browser can run, on the server.
//
//   const network = await Network.open(address);      // or { bytes }, and { bytes, worker: source } without a server
//   const { "image.mean": pixels } = await network.run({ z: new Float32Array(16) });
//   network.latest({ z }, 1, outputs => draw(outputs));  // a newer call drops an older one that has not begun
//
// All components of a page that open the same address share one worker, and each has a queue of its own.

import { count, described, named, parse, run } from "./graph.js";
import { waiting } from "./talk.js";

const MOST_ADDRESSES = 32; // whose networks are remembered; who has opened one keeps it all the same
const engines = new Map(); // by address, what computes

export class Network {
  static async open(what) {
    if (typeof what !== "string") return new Network(await ready(new Local(what.bytes, what.worker)));
    const address = new URL(what, location.href).href;
    if (!engines.has(address)) {
      const engine = fetched(address);
      engines.set(address, engine);
      if (engines.size > MOST_ADDRESSES) engines.delete(engines.keys().next().value);
      engine.catch(() => engines.delete(address)); // it may be there next time
    }
    return new Network(await waiting(engines.get(address)));
  }

  constructor(engine) {
    Object.assign(this, { engine, inputs: engine.inputs, outputs: engine.outputs, where: engine.where,
      reason: engine.reason });
    this.busy = false;
    this.next = null;
  }

  run(inputs, batch = 1) {
    return this.engine.compute(inputs, batch);
  }

  // Calls then(outputs) for the newest inputs; those that came meanwhile are dropped, and their `then` is not called.
  latest(inputs, batch, then, failed = error => console.error(error)) {
    this.next = { inputs, batch, then, failed };
    if (!this.busy) this.work();
  }

  async work() {
    this.busy = true;
    while (this.next) {
      const { inputs, batch, then, failed } = this.next;
      this.next = null;
      try {
        then(await this.run(inputs, batch));
      } catch (error) {
        failed(error);
      }
    }
    this.busy = false;
  }
}

// The first question is answered at once.
async function ready(engine) {
  if (engine.products <= BLINK) engine.graph = parse(engine.bytes);
  else await (engine.worker = engine.start());
  return engine;
}

async function reached(address, how) {
  try {
    return await fetch(address, how);
  } catch {
    throw new Error("The server does not answer. Reload the page when it runs again.");
  }
}

async function fetched(address) {
  const answer = await reached(address);
  if (answer.ok) return ready(new Local(new Uint8Array(await answer.arrayBuffer())));
  const said = await answer.json().catch(() => ({}));
  const reason = said.reason ?? `The server answered ${answer.status}.`;
  if (answer.status !== 409 || !said.inputs) throw new Error(reason);
  return { inputs: named(said.inputs), outputs: named(said.outputs), where: "server", reason,
    compute: (inputs, batch) => asked(address, said, inputs, batch) };
}

// -- in the page -----------------------------------------------------------------------------------

const BLINK = 3e6; // multiply-adds: half a millisecond, of every shipped decoder of images
const MOST_WORKERS = 6; // the one that was asked longest ago ends when there are more; asked again, it starts again
const working = new Set();

class Local {
  where = "page";
  reason = "";
  asked = 0; // when it was asked last
  busy = 0; // questions that are not answered
  last = 0; // number of the last message to the worker
  waiting = new Map(); // by number, who waits for the answer to a message

  constructor(bytes, source) {
    Object.assign(this, { ...described(bytes), bytes, source });
  }

  async compute(inputs, batch) {
    if (batch * this.products <= BLINK) return this.here(inputs, batch);
    this.asked = performance.now();
    this.busy++;
    try {
      const worker = await (this.worker ??= this.start());
      return worker ? await this.ask(worker, { inputs, batch }) : this.here(inputs, batch);
    } finally {
      this.busy--;
    }
  }

  here(inputs, batch) {
    this.graph ??= parse(this.bytes);
    return run(this.graph, inputs, batch);
  }

  ask(worker, message) {
    return new Promise((resolve, reject) => {
      this.waiting.set(++this.last, { resolve, reject });
      worker.postMessage({ id: this.last, ...message });
    });
  }

  // The worker with the graph in it; null where none starts.
  async start() {
    const worker = this.made();
    if (!worker) return null;
    worker.onmessage = ({ data: { id, outputs, error } }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(outputs);
    };
    const dead = new Promise(resolve => (worker.onerror = () => resolve(false)));
    if (!(await Promise.race([this.ask(worker, { bytes: this.bytes }).then(() => true, () => false), dead]))) {
      worker.terminate();
      this.waiting.clear();
      return null;
    }
    working.add(this);
    const idle = [...working].filter(each => each !== this && each.busy === 0);
    if (working.size > MOST_WORKERS && idle.length) idle.reduce((a, b) => (a.asked < b.asked ? a : b)).rest();
    return worker;
  }

  made() {
    try {
      const address = this.source ? URL.createObjectURL(new Blob([this.source], { type: "text/javascript" }))
        : new URL("./worker.js", import.meta.url);
      return new Worker(address, { type: "module" });
    } catch {
      return null;
    }
  }

  async rest() {
    const { worker } = this;
    this.worker = null;
    working.delete(this);
    (await worker).terminate();
  }
}

// -- on the server ---------------------------------------------------------------------------------

async function asked(address, { inputs: shapes, outputs }, inputs, batch) {
  const sent = shapes.map(([name]) => inputs[name]);
  const answer = await reached(address, { method: "POST", body: new Blob(sent), headers: { "X-Batch": batch } });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).reason ?? `The server answered ${answer.status}.`);
  const numbers = new Float32Array(await answer.arrayBuffer());
  let start = 0;
  return Object.fromEntries(outputs.map(([name, shape]) => {
    const size = batch * count(shape);
    start += size;
    return [name, numbers.slice(start - size, start)];
  }));
}
