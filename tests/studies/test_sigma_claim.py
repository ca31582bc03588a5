"""C25 in small, and the rule by which it is judged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.studies.test_rules import Table, refused, rows
from tests.training.runs import Start
from vaecore.store import Run
from vaecore.studies import CLAIMS, Bench, c25_optimal_sigma

OWN = "-ELBO, each image by its own sigma"
LOSS, QUALITY = c25_optimal_sigma.LOSS, c25_optimal_sigma.QUALITY


def judged(loss: dict[str, float] | None = None, quality: float = 60.0, spread: float = 0.001, count: int = 3) -> Table:
    losses = {"1": 740.0, "0.3": 100.0, "0.1": -590.0, "0.03": 200.0, "learned": -400.0, "optimal": -600.0}
    losses |= loss or {}
    return rows(list(losses), "sigma", {name: {LOSS: value, QUALITY: quality if name == "1" else 30.0,
                                               "sigma at the end": 0.11, OWN: value - 50}
                                        for name, value in losses.items()}, spread, count)


def test_c25_holds_where_every_half_does() -> None:
    found = c25_optimal_sigma.finding(judged())
    assert found.reproduced
    assert "by 1340 ± 0 nats than with σ = 1" in found.summary and "the best fixed one, 0.1" in found.summary
    assert "gain 50 ± 0 nats, which bound nothing" in found.note
    assert c25_optimal_sigma.finding(judged({"learned": -610.0})).reproduced  # that one is only told


@pytest.mark.parametrize(("table", "says"), [
    (judged({"1": -601.0}), "better than with σ = 1"), (judged({"0.3": -601.0}), "better than with σ = 0.3"),
    (judged({"0.1": -601.0}), "better than with σ = 0.1"), (judged({"0.03": -601.0}), "better than with σ = 0.03"),
    (judged(quality=29.0), "that samples are better"), (judged(spread=30.0), "that samples are better"),
    (judged(count=1), "better than with σ = 1")])
def test_c25_refuses_each_half(table: Table, says: str) -> None:
    refused(c25_optimal_sigma.finding(table), says)


def test_c25_in_small(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of each kind of sigma after three epochs; pixels stand for the features, which take a classifier."""
    pixels = SimpleNamespace(features=lambda x: x.flatten(1)[:, ::20].double().numpy())
    monkeypatch.setattr(c25_optimal_sigma, "classifier", lambda *_, **__: pixels)
    found: dict[str, Any] = {}
    for name in ("1", "optimal"):
        config = c25_optimal_sigma.configuration(c25_optimal_sigma.LIKELIHOODS[name], epochs=3)
        run = Run(start(config.model_dump(mode="json"), name=f"sigma-{name}"))
        found[name] = c25_optimal_sigma.row(Bench(run.path.parent), name, run)
    one, best = found["1"], found["optimal"]
    assert one["sigma at the end"] == pytest.approx(1) and best[LOSS] < one[LOSS] - 500
    assert best["sigma at the end"] == pytest.approx(best["root mean squared error"], rel=0.2)
    assert best[OWN] < best[LOSS]  # what a sigma of each image claims beyond the bound
    assert set(one) >= {LOSS, QUALITY, "KL", "active"}
    assert "seed" in CLAIMS["C25"].rule
