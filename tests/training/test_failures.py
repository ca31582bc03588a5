"""Numbers that are not finite, and choices that do not fit, are named; what was kept stays whole."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.training.runs import Start, read, small
from tests.training.test_resume import Patient
from vaecore.models import Evidence
from vaecore.schema import ConfigError
from vaecore.training import train
from vaecore.training.checkpoints import BrokenCheckpoint, load_model
from vaecore.training.course import TrainingFailed


@pytest.mark.parametrize(("term", "word"), [("reconstruction", "reconstruction"), ("kl", "KL")])
def test_a_nan_stops_the_run_and_names_step_and_term(start: Start, monkeypatch: pytest.MonkeyPatch, watch: Any,
                                                     term: str, word: str) -> None:
    from vaecore.models.single.vae import VAE

    true, calls = VAE.evidence, iter(range(10_000))

    def poisoned(self: Any, batch: Any, posteriors: Any, generator: Any = None) -> Evidence:
        found = true(self, batch, posteriors, generator)
        if not self.training or next(calls) != 6:
            return found
        parts = {"reconstruction": dict(found.reconstruction), "kl": dict(found.kl)}
        parts[term] = {name: value * math.nan for name, value in parts[term].items()}
        return Evidence(**parts)

    folder = start(small(), train=False)
    with monkeypatch.context() as patch:
        patch.setattr(VAE, "evidence", poisoned)
        with pytest.raises(TrainingFailed, match=rf"step 6 the {word} .*learning_rate"):
            train(folder, watch())
    for name in ("weights.safetensors", "checkpoint.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(folder / name).values())
    load_model(folder)
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 4
    assert train(folder, watch()) == "finished"  # from the good checkpoint, now that the cause is gone
    assert read(folder).steps["step"] == list(range(12))


def test_an_encoder_update_that_breaks_is_not_kept(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loss is in no log: a stop between two of them must not keep what nobody saw to be finite."""
    from vaecore.models.single.vae import VAE

    true, calls = VAE.evidence, iter(range(10_000))

    def poisoned(self: Any, batch: Any, posteriors: Any, generator: Any = None) -> Evidence:
        found = true(self, batch, posteriors, generator)
        return Evidence(found.reconstruction, {"z": found.kl["z"] * (math.nan if next(calls) == 7 else 1)})

    folder = start(small(inference={"kind": "aggressive", "most": 20, "window": 5}), control=Patient(5))
    good = (folder / "checkpoint.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(VAE, "evidence", poisoned)
        with pytest.raises(TrainingFailed, match=r"step 0 the encoder's loss .*learning_rate"):
            train(folder, Patient(9))
    assert (folder / "checkpoint.safetensors").read_bytes() == good
    assert train(folder, Patient(10_000)) == "finished"  # now that the cause is gone


@pytest.mark.parametrize("turns", [None, {}, {"aggressive": True}, "x"], ids=str)
def test_a_checkpoint_that_does_not_say_whose_turn_it_is_is_refused(start: Start, turns: Any) -> None:
    folder = start(small(inference={"kind": "aggressive"}), control=Patient(5))
    path = folder / "checkpoint.safetensors"
    with safe_open(path, "pt") as file:
        progress = json.loads(file.metadata()["vaecore"])
    save_file(load_file(path), path, {"vaecore": json.dumps({**progress, "turns": turns})})
    with pytest.raises(BrokenCheckpoint, match=r"checkpoint\.safetensors does not say whose turn"):
        train(folder, Patient(5))


def test_a_rate_too_large_fails_rather_than_keeps_nonsense(start: Start, watch: Any) -> None:
    values = small({"network": {"kind": "linear"}, "likelihood": {"kind": "gaussian", "sigma": 0.01}},
                   epochs=4000, learning_rate=10.0, evaluate_every=100)
    values["data"] = {"name": "gaussian", "size": 64, "eigenvalues": [1e30, 1e30]}
    folder = start(values, train=False)
    with pytest.raises(TrainingFailed, match="step"):
        train(folder, watch())
    for path in folder.glob("*.safetensors"):
        if path.name != "examples.safetensors":
            assert all(tensor.isfinite().all() for tensor in load_file(path).values())
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_a_batch_larger_than_the_data_is_refused(start: Start, watch: Any) -> None:
    folder = start(small(batch_size=257), train=False)
    with pytest.raises(ConfigError, match=r"training\.batch_size: 257 .* 256 .*at most 256"):
        train(folder, watch())
    assert {path.name for path in folder.iterdir()} == {"config.json", "about.json"}


@pytest.mark.parametrize(("data", "likelihood", "words"), [
    ({"name": "digits", "pixels": "binary-fixed"}, "discretised-logistic", "black and white.*bernoulli"),
    ({"name": "digits", "pixels": "binary-dynamic"}, "discretised-logistic", "black and white.*bernoulli"),
    ({"name": "gaussian"}, "bernoulli", "vectors.*gaussian"),
    ({"name": "gaussian"}, "discretised-logistic", "vectors.*gaussian")])
def test_likelihoods_that_do_not_fit_the_data_are_refused(start: Start, data: dict[str, Any], likelihood: str,
                                                          words: str) -> None:
    values = {**small({"network": {"kind": "linear"}, "likelihood": {"kind": likelihood}}), "data": data}
    with pytest.raises(ConfigError, match=rf"model\.likelihood\.kind: .*{words}"):
        start(values)


@pytest.mark.parametrize("standardise", [False, True])
def test_h02_large_values_are_named_with_their_range_and_standardise(start: Start, watch: Any, tmp_path: Path,
                                                                     standardise: bool) -> None:
    path = tmp_path / "large.csv"
    path.write_text("income,pop\n" + "\n".join(f"{-1000 * row},{1e12 * (row % 3) / 2:.0f}" for row in range(60)))
    values = small({"network": {"kind": "mlp", "hidden": [8]}, "likelihood": {"kind": "gaussian"}}, batch_size=12)
    values["data"] = {"name": "table", "path": str(path), "standardise": standardise}
    folder = start(values, train=False)
    if standardise:
        assert train(folder, watch()) == "finished"
        return
    with pytest.raises(TrainingFailed, match=r"At step 0 .* 'vector' reach from -5\.\d+e\+04 to 1e\+12: "
                                             r"set data\.standardise=true"):
        train(folder, watch())
