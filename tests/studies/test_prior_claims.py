"""Claims on priors in small, and the rules by which they are judged; whole they are C2, C3 and C17 to C21."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from vaecore.evaluate.disentanglement import mean_correlation
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.studies import c03_naive, c26_signal
from vaecore.studies.base import Result
from vaecore.studies.exhibit import Table
from vaecore.training.feed import Feed

CPU = torch.device("cpu")


def matched(trainer: Callable[..., Any], **data: Any) -> float:
    """MCC of posterior means and three linearly mixed sources, after a short training of an iVAE."""
    made, dataset = trainer({
        "data": {"name": "sources", "dimensions": 3, "segments": 12, "per_segment": 400, "mixing": "linear", **data},
        "model": {"family": "vae", "latent_size": 3, "network": {"kind": "linear"},
                  "likelihood": {"kind": "gaussian", "sigma": 0.4},
                  "prior": {"kind": "conditional", "mean": False, "encoder": False}},
        "training": {"epochs": 30, "batch_size": 100, "learning_rate": 0.02, "rate": {"kind": "cosine"}}}, run=True)
    batch = Feed(dataset, "test", CPU).first(400)
    with torch.no_grad():
        q = made.model.encode(batch)["z"]
    assert isinstance(q, DiagonalGaussian)
    factors = dataset.splits["test"].factors
    return mean_correlation(q.mean.double().numpy(), factors[:400], dataset.factors, kind="posterior means").pearson


def test_variances_by_segment_identify_the_sources(trainer: Callable[..., Any]) -> None:
    assert matched(trainer) > 0.97
    assert matched(trainer, shuffled=True) < 0.92  # u tells nothing then: any rotation will do


@pytest.mark.parametrize("size", [2, 8])
def test_the_naive_estimate_misses_what_c3_says_it_tends_to(size: int) -> None:
    found = c03_naive.row(size, 2_000)
    assert found["(13) as printed"] == pytest.approx(float(found["its limit"]), rel=0.02)
    assert float(found["its limit"]) < float(found["log p(x)"]) - 0.5 * size  # and that is far below
    assert found["(14) corrected"] == pytest.approx(float(found["log p(x)"]), abs=0.05)
    assert float(found["(14) as printed"]) > float(found["log p(x)"]) > float(found["ELBO"])


# -- rules -----------------------------------------------------------------------------------------


def naive(printed: float, corrected: float, size: int) -> dict[str, float]:
    return {"D": size, "samples": max(c03_naive.SAMPLES), "log p(x)": -10.0, "(13) as printed": -10.0 + printed,
            "(13) corrected": -10.0 + corrected, "(14) as printed": -9.0, "(14) corrected": -10.0}


@pytest.mark.parametrize(("gaps", "corrected", "holds"), [
    ((-1, -4, -9), 0.01, True), ((-1, -4, -3), 0.01, False), ((1, -4, -9), 0.01, False), ((-1, -4, -9), 0.2, False)])
def test_c3_needs_a_growing_gap_that_the_corrected_ones_have_not(gaps: tuple[float, ...], corrected: float,
                                                                 holds: bool) -> None:
    rows = [naive(gap, corrected, size) for gap, size in zip(gaps, c03_naive.SIZES, strict=True)]
    assert c03_naive.finding(rows).reproduced is holds


def signals(plain: float = -0.5, dreg: float = 0.5, *, apart: float = 3.0, rising: bool = True, spread: float = 0.02
            ) -> list[dict[str, float | int | str]]:
    """Signals that go as powers of K, a little otherwise in each seed."""
    return [{"gradient": name, "K": count, "seed": seed, "means apart": apart, "log p(x)": -10.0,
             "bound": -10 - 1 / count if rising else -11.0,
             "signal over noise": 0.3 * count**(power + spread * (seed - 2))}
            for seed in range(5) for count in c26_signal.CODES
            for name, power in (("IWAE", plain), ("IWAE, DReG", dreg))]


@pytest.mark.parametrize(("change", "holds"), [
    ({}, True), ({"plain": 0.0}, False), ({"plain": -0.31}, False), ({"dreg": -0.5}, False), ({"dreg": 0.0}, False),
    ({"apart": 8.0}, False), ({"rising": False}, False), ({"spread": 0.3}, False)])
def test_c26_needs_a_signal_that_fades_and_one_that_grows(change: dict[str, Any], holds: bool) -> None:
    found = c26_signal.finding(signals(**change))
    assert found.reproduced is holds and ("Not shown" in found.summary) is not holds


def test_c26_shows_both_signals_and_what_the_bound_lacks() -> None:
    table = signals(spread=0.0)
    result = Result("C26", "reproduced", "", table, {}, "", "", 1.0, "", "", "")
    exhibit = c26_signal.of_result(result)
    assert exhibit is not None
    signal, gap = exhibit.figures
    assert isinstance(signal, Table) and isinstance(gap, Table)
    assert [row["Gradient"] for row in signal.rows] == ["IWAE", "IWAE, DReG"]
    assert signal.rows[1]["K = 100"] == pytest.approx(3.0) and signal.rows[0]["K = 100"] == pytest.approx(0.03)
    assert gap.rows[0]["K = 1,000"] == pytest.approx(0.001)
