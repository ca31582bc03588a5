"""Networks as graphs: the list of operations gives what torch gives, for every family, and says in words where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vaecore.explore.export.graph import Graph, NoGraph
from vaecore.explore.export.kept import difference, drawn
from vaecore.explore.export.networks import WHAT, What, computed, module_of, network
from vaecore.models import VAE, Family
from vaecore.training.checkpoints import load_model

GALLERY = Path(__file__).parents[2] / "trained" / "gallery"
def off(model: Family, what: What, *, half: bool = False) -> float:
    graph = network(model, what)
    inputs = drawn(graph, what, 10)
    wanted = computed(module_of(model, what), {name: torch.from_numpy(x) for name, x in inputs.items()})
    return difference(graph.halved() if half else graph, inputs, wanted)


@pytest.mark.parametrize(("run", "reason"), [
    ("lagging-basic", "SentenceVAE .* sentences"), ("pixelcnn", "PixelCNN has no code"), ("made", "MADE has no code"),
    ("predictor-mnist", "clips"), ("sv2p-variant-mnist", "clips"), ("svg-lp-characters", "SVG models clips")])
@pytest.mark.parametrize("what", WHAT)
def test_what_has_no_graph_says_why(run: str, reason: str, what: What) -> None:
    with pytest.raises(NoGraph, match=reason):
        network(load_model(GALLERY / run), what)


@pytest.mark.parametrize("run", ["jive", "mmvae-speech", "vae-conditional"])
@pytest.mark.parametrize("what", WHAT)
def test_a_graph_gives_what_torch_gives(run: str, what: What) -> None:
    """Of all others too, in a browser: `tests/browser/test_networks.py`."""
    assert off(load_model(GALLERY / run), what) < 1e-4


def test_half_precision_is_close_and_half_as_large() -> None:
    torch.manual_seed(0)
    model = VAE((1, 28, 28)).eval()
    assert 0 < off(model, "decoder", half=True) < 2e-3
    graph = network(model, "decoder")
    assert len(graph.packed(True)) < 0.6 * len(graph.packed(False))


class Scattered(nn.Module):
    """Numbers moved in ways that no single stretch or step describes."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        places = torch.tensor([5, 0, 3, 3, 1])
        chosen = x[:, places].flip(1)
        put = torch.zeros(1, 8)
        put[:, places[:2]] = chosen[:, :2]
        return {"y": torch.cat([chosen, put, x.view(1, 2, 3).transpose(1, 2).flatten(1)[:, 1:4]], 1),
                "constant": torch.arange(3.0)[None], "z": F.softmax(x.view(1, 2, 3), 1).mean(2).log() ** 2}


def test_moving_numbers_is_seen_by_where_they_go() -> None:
    graph = Graph.of(Scattered(), {"x": (6,)})
    x = np.random.default_rng(1).standard_normal(6).astype(np.float32)
    wanted = Scattered()(torch.from_numpy(x)[None])
    found = graph.run({"x": x})
    assert {name: values.shape for name, values in found.items()} == {"y": (16,), "constant": (3,), "z": (2,)}
    for name, values in found.items():
        assert values == pytest.approx(wanted[name][0].numpy(), abs=1e-6), name


def test_what_is_too_large_says_how_large() -> None:
    with pytest.raises(NoGraph, match=r"Its weights are 8\d MB, and a browser is sent at most 64 MB"):
        network(VAE((1, 64, 64), network={"kind": "mlp", "hidden": (8192, 1000)}).eval(), "decoder")
    with pytest.raises(NoGraph, match=r"It takes [\d,]+ million multiplications, and a browser is given at most 400"):
        network(VAE((3, 64, 64), network={"kind": "resconv", "channels": (64, 128), "blocks": 4}).eval(), "decoder")


def test_what_draws_or_is_unknown_says_so() -> None:
    class Drawing(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"y": x + torch.randn(1, 3)}

    class Unknown(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"y": torch.special.i0(x)}

    with pytest.raises(NoGraph, match="draws random numbers"):
        Graph.of(Drawing(), {"x": (3,)})
    with pytest.raises(NoGraph, match=r"does not know \(special_i0\)"):
        Graph.of(Unknown(), {"x": (3,)})
