"""Claims on priors in small, and the rules by which they are judged; whole they are C2, C3 and C17 to C21."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pages.shared.power_figure import power_figure
from vaecore.evaluate.disentanglement import mean_correlation
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.studies import Bench, c03_naive, c24_fitted_prior, c26_signal
from vaecore.studies.base import Result
from vaecore.studies.exhibit import Powers
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


@pytest.mark.slow
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
    ({}, True), ({"plain": 0.0}, False), ({"plain": -0.31}, False), ({"plain": -1.0}, False), ({"dreg": -0.5}, False),
    ({"dreg": 0.0}, False), ({"dreg": 1.0}, False),
    ({"apart": 8.0}, False), ({"rising": False}, False), ({"spread": 0.3}, False)])
def test_c26_needs_a_signal_that_fades_and_one_that_grows(change: dict[str, Any], holds: bool) -> None:
    found = c26_signal.finding(signals(**change))
    assert found.reproduced is holds and ("Not shown" in found.summary) is not holds


def test_c26_shows_both_signals() -> None:
    result = Result("C26", "reproduced", "", signals(spread=0.0), {}, "", "", 1.0, "", "", "")
    exhibit = c26_signal.of_result(result)
    assert exhibit is not None
    [figure] = exhibit.figures
    assert isinstance(figure, Powers) and list(figure.lines) == ["IWAE", "IWAE, DReG"]
    assert [count for count, _ in figure.lines["IWAE"]] == [1, 10, 100, 1_000]
    assert figure.lines["IWAE, DReG"][2][1] == pytest.approx(3.0) and figure.lines["IWAE"][2][1] == pytest.approx(0.03)
    assert power_figure(figure).layout.xaxis.type == power_figure(figure).layout.yaxis.type == "log"
    for broken in ([], [{"gradient": "IWAE"}], [{**signals()[0], "signal over noise": 0.0}]):
        assert c26_signal.of_result(Result(**{**vars(result), "table": broken})) is None


# -- C24 -------------------------------------------------------------------------------------------


def fitted(ae: float = 20.0, wae: float = 20.0, vae: float = 45.0, spread: float = 0.5, count: int = 3
           ) -> list[dict[str, Any]]:
    """Before it is 50 for all of them; the values are those under the mixture, and move by seed."""
    after = {"AE": ae, "WAE": wae, "VAE": vae}
    return [{"model": name, "prior": prior, "seed": seed, c24_fitted_prior.QUALITY: value}
            for name in after for seed in range(count) for prior, value in (
                (c24_fitted_prior.BEFORE[name], 50.0), (c24_fitted_prior.MIXTURE, after[name] + spread * (seed - 1)))]


def test_c24_holds_where_every_half_does() -> None:
    found = c24_fitted_prior.finding(fitted())
    assert found.reproduced
    assert "AE 50.0 ± 0.0 under one Gaussian, 20.0 ± 1.2 under the mixture, 40% ± 2% of it" in found.summary


@pytest.mark.parametrize(("table", "says"), [
    (fitted(ae=26.0), "the distance of the AE is not halved"),
    (fitted(wae=25.0), "the distance of the WAE is not halved"),
    (fitted(ae=51.0), "samples of the AE are not better"), (fitted(vae=50.1), "samples of the VAE are not better"),
    (fitted(vae=48.0, spread=3.0), "samples of the VAE are not better"),
    (fitted(vae=22.0, ae=22.0), "the VAE does not gain less than the AE"),
    (fitted(vae=15.0), "the VAE does not gain less than the WAE"),
    (fitted(count=1), "samples of the WAE are not better")])
def test_c24_refuses_each_half(table: list[dict[str, Any]], says: str) -> None:
    found = c24_fitted_prior.finding(table)
    assert not found.reproduced and says in found.summary.partition("What fails")[2]


def test_the_rows_of_c24_are_of_one_model_under_each_prior(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
                                                           ) -> None:
    class Pixels:
        """A judge whose features are the pixels."""

        def features(self, images: torch.Tensor) -> Any:
            return images.flatten(1).double().numpy()[:, ::8]

    monkeypatch.setattr(c24_fitted_prior, "classifier", lambda *_, **__: Pixels())
    small = {"data": {"name": "digits", "train_limit": 400}, "training": {"epochs": 5, "batch_size": 40}}
    for name, family in (("AE", "ae"), ("VAE", "vae")):
        model = {"family": family, "latent_size": 2, "network": {"kind": "mlp", "hidden": [16]}}
        done = start({**small, "model": model}, name=family)
        bench = Bench(done.parents[1])
        found = c24_fitted_prior.rows(bench, name, bench.store.find(family), 0, drawn=100)
        assert [row["prior"] for row in found] == [*(["N(0, I)"] if name == "VAE" else []), "one Gaussian",
                                                   "mixture of 10"]
        assert len({row[c24_fitted_prior.QUALITY] for row in found}) == len(found)
        assert len({row[c24_fitted_prior.DENSITY] for row in found[-2:]}) == 2
