"""Runs of several modalities: every family trains on data with gaps, and resumes with the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.training.runs import Start, read
from tests.training.test_resume import same
from vaecore.models import FAMILIES
from vaecore.schema import ConfigError
from vaecore.training import train
from vaecore.training.checkpoints import load_model

NETWORKS = {"image": {"kind": "mlp", "hidden": [16]}, "vector": {"kind": "mlp", "hidden": [8]}}
MODELS: dict[str, dict[str, Any]] = {
    **{kind: {"family": "multimodal-vae", "latent_size": 3, "networks": NETWORKS, "posterior": {"kind": kind}}
       for kind in ("product", "joint", "mixture", "mixture-of-products")},
    "dmvae": {"family": "dmvae", "shared_size": 3, "private_size": 2, "networks": NETWORKS},
    "separate": {"family": "separate-vaes", "latent_size": 3, "networks": NETWORKS},
    "concatenated": {"family": "concatenated-vae", "latent_size": 3, "joined": {"kind": "mlp", "hidden": [16]}},
    "cca": {"family": "cca", "latent_size": 1}, "jive": {"family": "jive", "ranks": {
        "kind": "fixed", "joint": 1, "individual": 1}}, "pls": {"family": "multiblock-pls", "latent_size": 1}}


def values(model: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"data": {"name": "planted-blocks", "samples": 400, **data}, "model": model,
            "training": {"epochs": 2, "batch_size": 40}}


def test_every_family_of_several_modalities_is_tried_here() -> None:
    assert {model["family"] for model in MODELS.values()} == {
        name for name, family in FAMILIES.items() if family.multimodal}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("missing", ["nothing", "random"])
def test_trains_is_evaluated_and_can_be_loaded(start: Start, name: str, missing: str) -> None:
    folder = start(values(MODELS[name], missing={"kind": missing}))
    evaluations = read(folder).evaluations
    assert len(evaluations) >= 1 and all(np.isfinite(line["elbo"]) for line in evaluations)
    model = load_model(folder)
    examples = load_file(folder / "examples.safetensors")
    with torch.no_grad():
        codes = model.encode({"block 2": examples["block 2"]})
        assert set(model.decode({latent: q.mean for latent, q in codes.items()})) == {"block 1", "block 2", "block 3"}


@pytest.mark.parametrize("name", ["product", "dmvae"])
def test_stopped_and_resumed_with_gaps_is_the_same_run(start: Start, watch: Any, name: str) -> None:
    """Random subsets and partners are drawn by the generator whose state is in the checkpoint."""
    chosen = values(MODELS[name], missing={"kind": "block", "missing": 0.4})
    whole = start(chosen, name="whole")
    parts = start(chosen, name="parts", control=watch(stop_at=5))
    assert train(parts, watch()) == "finished"
    same(whole, parts)


def test_examples_say_which_modalities_they_have(start: Start, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    mask = generator.random((200, 2)) > 0.4
    mask[:, 0] |= ~mask.any(1)
    np.savez(tmp_path / "mine.npz", a=generator.normal(size=(200, 3)), b=generator.normal(size=(200, 2)), mask=mask)
    folder = start({**values(MODELS["product"]), "data": {"name": "aligned", "path": str(tmp_path / "mine.npz")},
                    "training": {"epochs": 1, "batch_size": 20}})
    examples = load_file(folder / "examples.safetensors")
    assert examples["observed"].dtype == torch.bool and not examples["observed"].all()
    assert (examples["a"][~examples["observed"][:, 0]] == 0).all()
    last = read(folder).evaluations[-1]
    assert np.isfinite(last["elbo"]) and set(last["reconstruction"]) == {"a", "b"}


def test_one_modality_and_several_do_not_go_together(start: Start) -> None:
    with pytest.raises(ConfigError, match=r"model\.family: VAE models one modality, but this data set has 3: block 1"):
        start({**values({"family": "vae", "network": {"kind": "mlp", "hidden": [4]},
                         "likelihood": {"kind": "gaussian"}})})
    with pytest.raises(ConfigError, match="Multimodal VAE models several modalities, but this data set has one"):
        start({"data": {"name": "digits"}, "model": MODELS["product"], "training": {"epochs": 1}}, name="other")
