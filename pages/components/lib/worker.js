// The worker of one network: it runs the graph, so that the pointer never waits.

import { parse, run } from "./graph.js";

let graph = null;

onmessage = ({ data: { id, bytes, inputs, batch } }) => {
  try {
    if (bytes) {
      graph = parse(bytes);
      postMessage({ id });
      return;
    }
    const outputs = run(graph, inputs, batch);
    postMessage({ id, outputs }, Object.values(outputs).map(each => each.buffer));
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};
