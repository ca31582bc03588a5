"""Claims on priors in small, and the rules by which they are judged; whole they are C2, C3 and C17 to C21."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from vaecore.claims import (
    c03_naive,
    c18_implicit,
    c20_ivae,
)
from vaecore.distributions import DiagonalGaussian
from vaecore.evaluate.disentanglement import mean_correlation
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


def test_c18_counts_log_z() -> None:
    def table(implicit: float, log_z: float) -> list[dict[str, Any]]:
        return [{"prior": "standard", "-log p(x)": 95.0, "log Z": 0.0, "-log p(x) without log Z": 95.0},
                {"prior": "implicit", "-log p(x)": implicit, "log Z": log_z,
                 "-log p(x) without log Z": implicit - log_z}]

    assert c18_implicit.finding(table(93.5, 2.0)).reproduced
    found = c18_implicit.finding(table(94.5, 2.0))  # with log Z left out it would have gained 2.5
    assert not found.reproduced and "gains 0.50 nats" in found.summary and "2.50 if it is left out" in found.summary


@pytest.mark.parametrize(("ours", "theirs", "holds"), [(0.95, 0.7, True), (0.85, 0.6, False), (0.95, 0.8, False)])
def test_c20_needs_a_good_match_and_a_poor_one(ours: float, theirs: float, holds: bool) -> None:
    rows = [{"model": name, "sources": size, "seed": 0, "MCC": value} for size in (2, 5)
            for name, value in (("iVAE", ours), ("VAE", theirs))]
    assert c20_ivae.finding(rows).reproduced is holds
