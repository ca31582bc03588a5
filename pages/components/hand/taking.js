// What a visitor takes away: the code as JSON or as Python, the numbers as CSV, the picture as a file.

import { button, copyButton } from "../lib/controls.js";
import { fileName, give, saveButton } from "../lib/save.js";

const DIGITS = 7; // of single precision

export function taking(bar, hand) {
  const { told } = hand;
  const codes = () => hand.inputs(hand.position);
  copyButton(bar, "JSON", "Copy the code as JSON.", () => asJson(told, codes()));
  copyButton(bar, "Python", "Copy lines of Python that decode this code.", () => asPython(told, codes()));
  const table = told.modalities.find(({ kind }) => kind === "vector");
  if (table && told.modalities.length === 1) {
    button(bar, "CSV", "Save the decoded numbers as a CSV file, in the file's units.", () => {
      if (!hand.outputs) return;
      const text = asCsv(table, hand.outputs[`${table.name}.mean`]);
      give(new Blob([text], { type: "text/csv" }), `${fileName(`${told.run}-code`)}.csv`);
    });
  }
  saveButton(bar, () => {
    const canvas = hand.root.querySelector(".panes canvas");
    return canvas && { name: `${told.run}-code`, canvas };
  });
}

const tidy = values => Array.from(values, x => Number(x.toPrecision(DIGITS)));

function asJson({ run }, codes) {
  const code = Object.fromEntries(Object.entries(codes).map(([name, values]) => [name, tidy(values)]));
  return JSON.stringify({ run, code }, null, 1);
}

function asPython({ run, modalities: [first] }, codes) {
  const lines = Object.entries(codes).map(([name, values]) =>
    `    ${JSON.stringify(name)}: torch.tensor([[${tidy(values).join(", ")}]]),`);
  return ["import torch", "import vaecore", "", `model = vaecore.load(${JSON.stringify(run)}).model`,
    "with torch.inference_mode():", "  decoded = model.decode({", ...lines, "  })",
    `print(decoded[${JSON.stringify(first.name)}].mean)`, ""].join("\n");
}

// A line of names and a line of numbers in the file's units. A name that a spreadsheet would run has ' before it, as
// `vaecore/explore/exported.py` writes it.
export function asCsv({ names, centre, scale }, values) {
  const quoted = text => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const inert = text => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
  const inUnits = tidy(Array.from(values, (x, d) => (scale.length ? x * scale[d] + centre[d] : x)));
  return `${names.map(name => quoted(inert(name))).join(",")}\n${inUnits.join(",")}\n`;
}
