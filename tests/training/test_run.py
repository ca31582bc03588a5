"""A whole run: its lines, the weights it keeps, and when it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.runs import Start, read, small
from vaecore.schedules.kl_cost import Capacity, FreeBits, Plain
from vaecore.store import STEP_COLUMNS, Run
from vaecore.training import session, train, validation
from vaecore.training.checkpoints import load_model


def test_metrics_have_one_whole_line_a_step(start: Start) -> None:
    folder = start(small(epochs=30))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(120))
    assert all(set(line) == {"kind", *STEP_COLUMNS} for line in steps)
    evaluations = [line for line in lines if line["kind"] == "evaluation"]
    assert [line["step"] for line in evaluations] == list(range(0, 121, 4))
    assert [line["epoch"] for line in evaluations] == list(range(31))
    assert all(len(line["kl"]["z"]) == 4 and line["observations"] == 250 for line in evaluations)
    assert evaluations[-1]["elbo"] > evaluations[0]["elbo"] + 5  # it learns
    for line in evaluations:
        assert line["elbo"] == pytest.approx(line["reconstruction"]["image"] - sum(line["kl"]["z"]), rel=1e-6)
    assert Run(folder).summary()["test"]["observations"] == 250


def scoring(found: validation.Evaluation, elbo: float) -> validation.Evaluation:
    """The same evaluation with this ELBO, all of it reconstruction."""
    return replace(found, elbo=elbo, reconstruction={"image": elbo}, kl={})


def test_the_best_is_judged_at_the_final_beta() -> None:
    found = validation.Evaluation(-70.0, {"a": -20.0, "b": -40.0}, {"z": [7.0, 3.0]}, {}, {}, {}, 1, {}, {})
    plain = Plain().at(10, 10)
    assert [found.objective(beta, plain) for beta in (0.0, 1.0, 4.0)] == [-60.0, found.elbo, -100.0]
    bits = FreeBits(nats=5.0).at(10, 10)
    assert found.objective(2.0, bits) == -60.0 - 2 * (7 + 5)
    assert found.objective(2.0, Capacity(nats=12.5).at(10, 10)) == -60.0 - 2 * 2.5
    without = replace(found, elbo=-60.0, kl={})
    assert without.objective(2.0, bits) == -60.0


def test_keep_best_keeps_the_best(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted = iter([-50.0, -40.0, -30.0, -35.0, -45.0])
    true, kept = validation.evaluate, {}

    def fake(model: Any, feed: Any, seed: int) -> Any:
        found = true(model, feed, seed)
        elbo = next(scripted, None)
        if elbo is None:
            return found
        kept[elbo] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        return scoring(found, elbo)

    monkeypatch.setattr(session, "evaluate", fake)
    folder = start(small(epochs=4, keep="best"))
    weights = load_file(folder / "weights.safetensors")
    assert all(torch.equal(weights[name], tensor) for name, tensor in kept[-30.0].items())
    last = load_file(folder / "checkpoint.safetensors")
    assert all(torch.equal(last[f"model.{name}"], tensor) for name, tensor in kept[-45.0].items())


def test_keep_last_keeps_the_last(start: Start) -> None:
    folder = start(small(keep="last"))
    weights, last = load_file(folder / "weights.safetensors"), load_file(folder / "checkpoint.safetensors")
    assert all(torch.equal(tensor, last[f"model.{name}"]) for name, tensor in weights.items())


def test_patience_counts_only_once_beta_has_arrived(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first evaluation is the best: with a ramp over half of 20 epochs, the first three from its end on end
    the run."""
    true, count = validation.evaluate, iter(range(10_000))
    monkeypatch.setattr(session, "evaluate", lambda *arguments: scoring(true(*arguments), -100.0 - next(count)))
    ramp = {"kind": "linear", "start": 0.03, "end": 0.3, "fraction": 0.5}
    folder = start(small(epochs=20, patience=3, beta=ramp), name="ramp")
    assert read(folder).evaluations[-1]["epoch"] == 12  # of 10, 11 and 12
    assert read(start(small(epochs=20, patience=3, beta={"kind": "constant"}), name="constant")
                ).evaluations[-1]["epoch"] == 3
    assert read(start(small(epochs=6, patience=0), name="never")).evaluations[-1]["epoch"] == 6
    before = (folder / "metrics.jsonl").read_bytes()
    assert train(folder, type("Never", (), {"stop_requested": lambda _: False, "progress": print})()) == "finished"
    assert (folder / "metrics.jsonl").read_bytes() == before  # resuming it trains no further


def test_pca_needs_no_step(start: Start, watch: Any) -> None:
    control = watch()
    folder = start({"data": {"name": "digits"}, "model": {"family": "pca", "latent_size": 5}}, control=control)
    assert control.told == []
    summary = Run(folder).summary()
    assert summary["total_steps"] == 0
    assert summary["vaecore"] and summary["peak_memory_bytes"] > 50_000_000, "torch alone takes more"
    assert 0 < summary["test"]["mse"]["image"] < 0.05
    [evaluation] = read(folder).evaluations
    assert evaluation["elbo"] == pytest.approx(summary["validation"]["elbo"])
    components = load_model(folder).state_dict()["components"]
    torch.testing.assert_close(components @ components.T, torch.eye(5), atol=1e-5, rtol=0)
    assert train(folder, control) == "finished"
