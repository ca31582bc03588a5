"""Networks in the browser against torch: every shipped checkpoint and every preset's model, by random codes."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page
from torch import nn
from torch.nn import functional as F

from pages.components import serve
from vaecore.config import RunConfig, preset
from vaecore.data import Modality
from vaecore.explore.export.graph import EACH, MEANING, PAIRS, Floats, Graph, NoGraph
from vaecore.explore.export.kept import CODES, drawn
from vaecore.explore.export.networks import WHAT, What, computed, module_of, network
from vaecore.models import MVAE, VAE, Family
from vaecore.named import presets
from vaecore.schema import ConfigError
from vaecore.training.checkpoints import load_model

LIB = Path(serve.__file__).parent / "lib"
GALLERY = Path(__file__).parents[2] / "trained" / "gallery"
COMPARED = """async ([name, batch]) => {
  const { parse, run } = await import("/graph.js");
  const read = async what => new Uint8Array(await (await fetch(`/made/${name}/${what}`)).arrayBuffer());
  const graph = parse(await read("graph"));
  const numbers = new Float32Array((await read("numbers")).buffer);
  let at = 0;
  const take = shape => numbers.subarray(at, at += batch * shape.reduce((a, b) => a * b, 1));
  const inputs = Object.fromEntries(Object.entries(graph.inputs).map(([name, shape]) => [name, take(shape)]));
  const found = run(graph, inputs, batch);
  return Object.entries(graph.outputs).map(([name, shape]) => {
    let worst = 0;
    take(shape).forEach((wanted, i) => {
      const off = Math.abs(found[name][i] - wanted) / Math.max(1, Math.abs(wanted));
      if (!(off <= worst)) worst = off;
    });
    return [name, Number.isNaN(worst) ? 1e9 : worst];
  });
}"""
Off = Callable[..., dict[str, float]]


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return {}


@pytest.fixture(scope="module")
def page(browser: Browser, made: dict[str, bytes]) -> Iterator[Page]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path in made:
                self.answer(409 if path.startswith("/refused/") else 200, made[path])
            else:
                super().do_GET()

        def do_POST(self) -> None:
            """What a server says that sums the inputs of each observation."""
            numbers = np.frombuffer(self.rfile.read(int(self.headers["Content-Length"])), "<f4")
            sums = numbers.reshape(int(self.headers["X-Batch"]), -1).sum(1)
            self.answer(200, sums.astype("<f4").tobytes())

        def answer(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(LIB)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_address[1]}/dom.js")
    yield page
    page.close()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def compared(page: Page, made: dict[str, bytes]) -> Off:
    """The largest difference of each output from that wanted, of numbers above 1 as a share of them."""

    def compare(graph: Graph, inputs: Mapping[str, Floats], wanted: Mapping[str, torch.Tensor], half: bool = False
                ) -> dict[str, float]:
        numbers = [*inputs.values(), *(wanted[name].numpy() for name in graph.outputs)]
        made["/made/it/graph"] = graph.packed(half)
        made["/made/it/numbers"] = b"".join(x.astype("<f4").tobytes() for x in numbers)
        found = dict(page.evaluate(COMPARED, ["it", len(next(iter(inputs.values())))]))
        assert found.keys() == wanted.keys()
        return found

    return compare


@pytest.fixture(scope="module")
def off(compared: Off) -> Off:
    """The same of a network of a model, from what torch computes."""

    def measure(model: Family, what: What, *, half: bool = False, graph: Graph | None = None, codes: int = CODES
                ) -> dict[str, float]:
        graph = network(model, what) if graph is None else graph
        inputs = drawn(graph, what, codes)
        wanted = computed(module_of(model, what), {name: torch.from_numpy(x) for name, x in inputs.items()})
        return compared(graph, inputs, wanted, half)

    return measure


@pytest.mark.parametrize("run", sorted(path.name for path in GALLERY.iterdir()))
def test_a_shipped_checkpoint_gives_the_same_in_the_browser(off: Off, run: str) -> None:
    model = load_model(GALLERY / run)
    for what in WHAT:
        try:
            graph = network(model, what)
        except NoGraph as reason:
            assert any(word in str(reason) for word in ("sentences", "no code", "clips"))
            continue
        assert max(off(model, what, graph=graph).values()) <= 1e-4
        if what == "decoder":
            assert max(off(model, what, graph=graph, half=True).values()) <= 5e-3


def small(config: RunConfig) -> Family:
    """The model of a configuration for small observations, its numbers random ones."""
    choice, label = config.model, Modality("label", (3,))
    named = {name: {} for name in ("weights", "likelihoods", "private_sizes") if name in type(choice).model_fields}
    choice = choice.model_copy(update=named)  # by the names of the preset's own data
    blocks = {"a": Modality("vector", (32,)), "b": Modality("vector", (33,))}
    kinds = [{"picture": Modality("image", (1, 12, 10)), "numbers": Modality("vector", (5,)), "kind": label}, blocks]
    if not choice.multimodal:
        kinds = [{kind: Modality(kind, shape)} for kind, shape in (
            ("image", (1, 12, 10)), ("vector", (32,)), ("video", (6, 1, 16, 16)), ("trajectory", (8, 4)))]
    kinds += [{"text": Modality("text", (7,), ("<pad>", "<s>", "</s>", "<unk>", "a", "b"))}]
    for modalities in kinds:
        if all(isinstance(each, choice.reads) for each in modalities.values()):
            try:
                model = choice.build(modalities, label).eval()
            except ConfigError:
                continue
            with torch.no_grad():
                for values in model.state_dict().values():
                    if values.is_floating_point():
                        values.normal_(0, 0.2)
            return model
    raise AssertionError(f"nothing fits {choice.family}")


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_presets_model_gives_the_same_in_the_browser(off: Off, name: str) -> None:
    torch.manual_seed(0)
    model = small(preset(name))
    for what in WHAT:
        try:
            graph = network(model, what)
        except NoGraph as reason:
            assert any(word in str(reason) for word in ("sentences", "no code", "clips")), reason
            continue
        assert max(off(model, what, graph=graph).values()) <= 1e-4


@pytest.mark.parametrize("fields", [
    {"network": {"kind": "resconv", "channels": (4, 6), "activation": act}} for act in ("relu", "gelu", "tanh", "elu")]
    + [{"likelihood": {"kind": kind}} for kind in ("bernoulli", "gaussian", "gaussian-learned", "gaussian-optimal",
                                                   "gaussian-per-pixel", "discretised-logistic")])
def test_networks_and_likelihoods_of_colour_images_of_odd_sides(off: Off, fields: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = VAE((3, 13, 9), **fields).eval()
    decoded = off(model, "decoder")
    assert max(decoded.values()) <= 1e-4 and max(off(model, "encoder").values()) <= 1e-4
    assert ("image.sigma" in decoded) == (fields.get("likelihood", {}).get("kind", "bernoulli") != "bernoulli")


class Every(nn.Module):
    """Every operation that a graph can have and no network above has."""

    def __init__(self) -> None:
        super().__init__()
        self.normal, self.scaled, self.linear = nn.LayerNorm(6), nn.BatchNorm2d(3), nn.Linear(3, 5)
        self.places = torch.randperm(4 * 7 * 9)
        self.grouped = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)
        self.grown = nn.ConvTranspose2d(6, 4, (2, 3), stride=(1, 2), padding=(0, 1), output_padding=(0, 1), groups=2,
                                        bias=False)
        for values in (self.scaled.running_mean, self.scaled.running_var):
            assert values is not None
            values.uniform_(0.5, 2)

    def forward(self, x: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
        positive = x.exp()
        found = {name: function(positive if name in ("log", "sqrt", "rsqrt", "reciprocal", "log1p") else x)
                 for name, function in EACH.items() if name not in ("elu", "leaky_relu", "softplus", "clamp")}
        found |= {"elu": F.elu(x, 0.7), "leaky_relu": F.leaky_relu(x, 0.3), "softplus": F.softplus(x, 2, 1),
                  "selu": F.selu(x), "clamp": x.clamp(-0.5, 0.8), "hardtanh": F.hardtanh(x), "relu6": F.relu6(3 * x),
                  "log_sigmoid": F.logsigmoid(x)}
        found |= {f"pair {name}": function(positive, positive.flip(1)) for name, function in PAIRS.items()}
        table = x.view(1, 2, 3)
        found |= {"across": table - table.amax(2, keepdim=True) * table.sum(1, keepdim=True), "rsub": 1 - x,
                  "mean": table.mean((1, 2))[:, None], "softmax": table.softmax(1), "log_softmax": x.log_softmax(-1),
                  "normal": self.normal(x), "rows": self.linear(table),
                  "joined": torch.cat([x, positive], 1), "scattered": image.flatten(1)[:, self.places],
                  "products": (table[0].T @ table[0])[None], "square": x.square()}
        grouped = self.grouped(image)
        return found | {"grouped": grouped, "grown": self.grown(grouped), "scaled": self.scaled(image[:, 1:]),
                        "average": F.avg_pool2d(image, 2, ceil_mode=True), "whole": F.avg_pool2d(image, (3, 2))}


def test_every_operation_is_what_torch_says(compared: Off) -> None:
    torch.manual_seed(0)
    module = Every().eval()
    graph = Graph.of(module, {"x": (6,), "image": (4, 7, 9)})
    x, image = torch.randn(8, 6), torch.randn(8, 4, 7, 9)
    with torch.no_grad():
        rows = [module(x[i:i + 1], image[i:i + 1]) for i in range(8)]
    wanted = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    worst = compared(graph, {"x": x.numpy(), "image": image.numpy()}, wanted)
    assert {name: off for name, off in worst.items() if off > 2e-5} == {}
    assert {step.name for step in graph.steps} == MEANING.keys()


def test_a_convolution_of_a_large_image_is_made_line_by_line(off: Off) -> None:
    torch.manual_seed(0)
    model = VAE((3, 64, 62), network={"kind": "resconv", "channels": (32,)}).eval()
    assert max(off(model, "decoder", codes=3).values()) <= 1e-4 and max(off(model, "encoder", codes=3).values()) <= 1e-4


def test_pictures_beside_sentences_are_decoded_and_sentences_are_not(off: Off) -> None:
    words = Modality("text", (7,), ("<pad>", "<s>", "</s>", "<unk>", "a", "b"))
    model = MVAE({"picture": Modality("image", (1, 8, 8)), "words": words}).eval()
    decoded = off(model, "decoder")
    assert decoded.keys() == {"picture.mean"} and decoded["picture.mean"] <= 1e-4
    with pytest.raises(NoGraph, match="MVAE reads sentences"):
        network(model, "encoder")


PRODUCTS = """async ([m, n, k]) => {
  const { compiled, matrixProduct, plain } = await import("/product.js");
  const numbers = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i * i + m));
  const results = [matrixProduct(8000), plain(new Float32Array(8000))].map(({ heap, product, rows }) => {
    heap.set(numbers);
    product(m, n, k, 0, 1000, 4000, n + 3, 80);
    rows(m, k, 8, 500, 7900);
    const found = [];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) found.push(heap[4000 + 80 * i + j]);
      found.push(heap[7900 + i]);
    }
    return found;
  });
  const exact = [];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j <= n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++)
        sum += j < n ? numbers[i * k + l] * numbers[1000 + l * (n + 3) + j] : numbers[8 + i * k + l] * numbers[500 + l];
      exact.push(sum);
    }
  }
  const off = found => Math.max(...found.map((v, i) => Math.abs(v - exact[i])));
  return [compiled !== null, ...results.map(off)];
}"""


@pytest.mark.parametrize("sizes", [(1, 1, 1), (4, 8, 4), (5, 9, 7), (18, 70, 3), (3, 17, 10), (31, 8, 26)])
def test_both_products_are_the_product(page: Page, sizes: tuple[int, int, int]) -> None:
    """In WebAssembly and in plain JavaScript, of sides that are no multiples of the four or eight done at once."""
    vectors, fast, slow = page.evaluate(PRODUCTS, list(sizes))
    assert vectors and fast < 1e-5 and slow < 1e-5


def test_what_is_no_network_says_so(page: Page) -> None:
    said = page.evaluate("""async () => {
      const { parse, run } = await import("/graph.js");
      const packed = header => {
        const text = new TextEncoder().encode(JSON.stringify(header));
        const bytes = new Uint8Array(4 + text.length);
        new DataView(bytes.buffer).setUint32(0, text.length, true);
        bytes.set(text, 4);
        return bytes;
      };
      const shape = { inputs: [["z", [2]]], outputs: [["y", [2], 1]], sizes: [2, 2], constants: [] };
      const step = { name: "each", in: [0], out: 1, function: "neg" };
      const good = parse(packed({ ...shape, steps: [step] }));
      return [
        () => parse(new Uint8Array(3)), () => parse(packed({ ...shape, steps: [{ ...step, name: "valueOf" }] })),
        () => parse(packed({ ...shape, steps: [{ ...step, function: "magic" }] })), () => run(good, {}),
        () => run(good, { z: new Float32Array(3) }), () => Array.from(run(good, { z: Float32Array.of(1, 2) }).y).join(),
      ].map(f => { try { return f(); } catch (error) { return error.message; } });
    }""")
    assert said == ["What came is no network. Reload the page.",
                    "This network uses 'valueOf', which is not known here. Reload the page.",
                    "This network uses 'magic', which is not known here. Reload the page.",
                    "z has no numbers, and 2 are read.", "z has 3 numbers, and 2 are read.", "-1,-2"]


@pytest.fixture(scope="module")
def large(made: dict[str, bytes]) -> Family:
    """A model whose decoder, at `/made/large`, takes long enough to be run in a worker."""
    torch.manual_seed(0)
    model = VAE((1, 28, 28), latent_size=2, network={"kind": "mlp", "hidden": (4000,)}).eval()
    made["/made/large"] = network(model, "decoder").packed(False)
    made["/made/small"] = network(VAE((1, 8, 8), latent_size=2).eval(), "decoder").packed(False)
    return model


def test_a_network_is_shared_and_the_newest_call_wins(page: Page, large: Family) -> None:
    found, called, shared, where = page.evaluate("""async () => {
      const { Network } = await import("/network.js");
      const [one, other] = await Promise.all([Network.open("/made/large"), Network.open("/made/large")]);
      const called = [];
      await new Promise(done => {
        for (let i = 0; i < 20; i++) one.latest({ z: Float32Array.of(i, 0) }, 1, () => {
          called.push(i);
          if (i === 19) done();
        });
      });
      const outputs = await other.run({ z: Float32Array.of(0.5, -1, 2, 3) }, 2);
      return [Array.from(outputs["image.mean"]), called, one !== other && one.engine === other.engine, one.where];
    }""")
    z = torch.tensor([[0.5, -1], [2, 3]])
    assert np.reshape(found, (2, 1, 28, 28)) == pytest.approx(large.decode({"z": z})["image"].mean.detach().numpy(),
                                                              abs=1e-5)
    assert called == [0, 19] and shared and where == "page"


@pytest.mark.usefixtures("large")
def test_workers_are_few_and_only_for_what_takes_long(page: Page) -> None:
    before = len(page.workers)
    said = page.evaluate("""async () => {
      const { Network } = await import("/network.js");
      const z = { z: Float32Array.of(1, 2) };
      const small = await Network.open("/made/small");
      await small.run(z);
      const many = [];
      for (let i = 0; i < 9; i++) many.push(await Network.open(`/made/large?${i}`));
      const sums = await Promise.all(many.map(async each => (await each.run(z))["image.mean"].reduce((a, b) => a + b)));
      const again = (await many[0].run(z))["image.mean"].reduce((a, b) => a + b);
      return [sums.every(sum => sum === again), small.outputs];
    }""")
    page.wait_for_function("() => true")
    assert said == [True, {"image.mean": [1, 8, 8]}]
    assert before <= len(page.workers) <= 6 + 2  # one or two are ending


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("worker", ["undefined", """class {
  constructor() { setTimeout(() => this.onerror()); }
  postMessage() {}
  terminate() {}
}"""])
def test_without_a_worker_the_page_computes(page: Page, worker: str) -> None:
    assert page.evaluate(f"""async () => {{
      const {{ Network }} = await import("/network.js");
      const kept = window.Worker;
      window.Worker = {worker};
      try {{
        const bytes = new Uint8Array(await (await fetch("/made/large")).arrayBuffer());
        const network = await Network.open({{ bytes }});
        return [(await network.run({{ z: new Float32Array(2) }}))["image.mean"].length, network.where];
      }} finally {{
        window.Worker = kept;
      }}
    }}""") == [784, "page"]


def test_what_no_browser_can_run_the_server_computes(page: Page, made: dict[str, bytes]) -> None:
    made["/refused/it"] = (b'{"reason": "It is too large.", "inputs": [["b", [2]], ["a", [1]]], '
                           b'"outputs": [["sum", [1]]]}')
    made["/refused/never"] = b'{"reason": "It has no code."}'
    assert page.evaluate("""async () => {
      const { Network } = await import("/network.js");
      const network = await Network.open("/refused/it");
      const { sum } = await network.run({ a: Float32Array.of(3), b: Float32Array.of(1, 2) });
      const reasons = [];
      for (const address of ["/refused/never", "/made/nothing"])
        await Network.open(address).catch(error => reasons.push(error.message));
      return [network.where, network.reason, network.inputs, network.outputs, Array.from(sum), reasons];
    }""") == ["server", "It is too large.", {"b": [2], "a": [1]}, {"sum": [1]}, [6],
              ["It has no code.", "The server answered 404."]]
