"""ONNX by onnxruntime against PyTorch, for every family that has a network to write down."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.runs import SMALL, Start, small
from vaecore.explore import Checkpoint
from vaecore.explore.export.graph import NoGraph
from vaecore.explore.export.networks import WHAT, What, computed, module_of
from vaecore.explore.export.onnx_model import onnx_model
from vaecore.schema import ConfigError
from vaecore.store import Run
from vaecore.training.checkpoints import load_model

GALLERY = Path(__file__).parents[3] / "trained" / "gallery"


def checked(run: Run, what: What) -> Any:
    """The session, held to PyTorch for one observation and for several."""
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(onnx_model(run, what), providers=["CPUExecutionProvider"])
    network = module_of(load_model(run.path), what)
    assert [each.name for each in session.get_inputs()] == list(network.inputs)
    for count in (1, 7):
        generator = torch.Generator().manual_seed(count)
        draw = torch.randn if what == "decoder" else torch.rand
        given = {name: draw(count, *shape, generator=generator) for name, shape in network.inputs.items()}
        found = session.run(None, {name: x.numpy() for name, x in given.items()})
        wanted = computed(network, given)
        assert [each.name for each in session.get_outputs()] == list(wanted)
        for name, values in zip(wanted, found, strict=True):
            np.testing.assert_allclose(values, wanted[name].numpy(), atol=1e-5, rtol=1e-5, err_msg=name)
    return session


@pytest.mark.parametrize("model", [
    {"network": {"kind": "conv", "channels": [4, 8]}}, {"prior": {"kind": "mixture", "components": 3}},
    *(pytest.param(model, marks=pytest.mark.slow) for model in (
        {}, {"likelihood": {"kind": "gaussian-per-pixel"}}, {"family": "ae"}, {"family": "pca", "network": None}))],
    ids=lambda model: json.dumps(model)[:40])
def test_networks_of_one_modality(start: Start, model: dict[str, Any]) -> None:
    values = small(model, epochs=1)
    values["model"] = {name: value for name, value in values["model"].items() if value is not None}
    run = Run(start(values))
    for what in WHAT:
        checked(run, what)


@pytest.mark.parametrize("name", [
    "dmvae", "jive", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ica", "ivae", "mmvae-speech", "rbm"))])
def test_networks_of_every_family_that_is_shipped(name: str) -> None:
    run = Run(GALLERY / name)
    for what in WHAT if name != "jive" else WHAT[:1]:  # its encoder solves equations, for one observation at a time
        checked(run, what)


def test_the_file_says_whose_it_is_and_nothing_of_the_machine(start: Start) -> None:
    onnx = pytest.importorskip("onnx")
    run = Run(start(small(epochs=1)))
    data = onnx_model(run)
    model = onnx.load_from_string(data)
    told = {each.key: each.value for each in model.metadata_props}
    centre, unit = Checkpoint.load(run).scale()
    assert told["run"] == run.id and told["network"] == "decoder" and len(told["weights.sha256"]) == 64
    assert json.loads(told["units.z"]) == {"centre": centre.tolist(), "unit": unit.tolist()}
    assert [each.version for each in model.opset_import if each.domain == ""] == [20]
    assert b"site-packages" not in data and b".py" not in data
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "any number of observations"


def test_what_has_no_network_says_why(start: Start) -> None:
    run = Run(start({**SMALL, "model": {"family": "made", "hidden": [16]}, "training": {"epochs": 1}}))
    with pytest.raises(NoGraph, match="no code"):
        onnx_model(run)


def test_without_the_extra_the_remedy_is_said(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(start(small(epochs=1)))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"vaecore\[onnx\]"):
        onnx_model(run)
