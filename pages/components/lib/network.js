// A network of a run, opened by its address: in a worker where there are any, else here, else on the server.
//
//   const network = await Network.open(address);      // or { bytes }, and { bytes, worker: source } without a server
//   const { "image.mean": pixels } = await network.run({ z: new Float32Array(16) });
//   network.latest({ z }, 1, outputs => draw(outputs));  // a newer call drops an older one that has not begun
//
// All components of a page that open the same address share one worker, and each has a queue of its own.

import { count, described, named, parse, run } from "./graph.js";

const engines = new Map(); // by address, what computes

export class Network {
  static async open(what) {
    if (typeof what !== "string") return new Network(await local(what.bytes, what.worker));
    const address = new URL(what, location.href).href;
    if (!engines.has(address)) {
      const engine = fetched(address);
      engines.set(address, engine);
      engine.catch(() => engines.delete(address)); // it may be there next time
    }
    return new Network(await engines.get(address));
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

async function fetched(address) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    throw new Error("The server does not answer. Reload the page when it runs again.");
  }
  if (answer.ok) return local(new Uint8Array(await answer.arrayBuffer()));
  const said = await answer.json().catch(() => ({}));
  const reason = said.reason ?? `The server answered ${answer.status}.`;
  if (answer.status !== 409 || !said.inputs) throw new Error(reason);
  return { inputs: named(said.inputs), outputs: named(said.outputs), where: "server", reason,
    compute: (inputs, batch) => asked(address, said, inputs, batch) };
}

// -- in the page -----------------------------------------------------------------------------------

async function local(bytes, source) {
  let compute = await started(bytes, source);
  if (!compute) {
    const graph = parse(bytes);
    compute = async (inputs, batch) => run(graph, inputs, batch);
  }
  return { ...described(bytes), where: "page", reason: "", compute };
}

// A function that has the worker compute; null where no worker starts.
async function started(bytes, source) {
  let worker;
  try {
    const address = source ? URL.createObjectURL(new Blob([source], { type: "text/javascript" }))
      : new URL("./worker.js", import.meta.url);
    worker = new Worker(address, { type: "module" });
  } catch {
    return null;
  }
  const waiting = new Map();
  let last = 0;
  const ask = message => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    worker.postMessage({ id: last, ...message });
  });
  worker.onmessage = ({ data: { id, outputs, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(outputs);
  };
  const dead = new Promise(resolve => (worker.onerror = () => resolve(false)));
  const alive = await Promise.race([ask({ bytes }).then(() => true, () => false), dead]);
  if (alive) return (inputs, batch) => ask({ inputs, batch });
  worker.terminate();
  return null;
}

// -- on the server ---------------------------------------------------------------------------------

async function asked(address, { inputs: shapes, outputs }, inputs, batch) {
  const sent = shapes.map(([name]) => inputs[name]);
  const answer = await fetch(address, { method: "POST", body: new Blob(sent), headers: { "X-Batch": batch } });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).reason ?? `The server answered ${answer.status}.`);
  const numbers = new Float32Array(await answer.arrayBuffer());
  let start = 0;
  return Object.fromEntries(outputs.map(([name, shape]) => {
    const size = batch * count(shape);
    start += size;
    return [name, numbers.slice(start - size, start)];
  }));
}
