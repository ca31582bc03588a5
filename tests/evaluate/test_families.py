"""The four approaches side by side: what evaluations say of each, by data set."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vaecore.config import changed, preset
from vaecore.data import COVARIATE, Modality
from vaecore.evaluate.cost import cost
from vaecore.evaluate.families import APPROACHES, approach_of, groups, measured, newest, ordered
from vaecore.evaluate.kept import keep
from vaecore.evaluate.settings import Settings
from vaecore.models import FAMILIES, AEConfig, PixelCNNConfig, VAEConfig
from vaecore.nets import MLPConfig
from vaecore.probability.priors import ConditionalConfig
from vaecore.schema import parse
from vaecore.store import Run, Store
from vaecore.studies.c21_chains import autocorrelation_time

FEW = ["data.name=digits", "data.pixels=binary-fixed"]


def run(root: Path, name: str, base: str, *settings: str) -> Run:
    return Store(root).create(changed(preset(base), [*FEW, *settings]), name)


def result(value: float, *, parts: tuple[str, ...] = ("likelihood", "cost"), step: int = 5, **more: Any
           ) -> dict[str, Any]:
    """An evaluation as it is kept."""
    settings = parse(Settings, {"parts": parts, "seed": more.pop("seed", 0), "split": more.pop("split", "test")})
    facts = {"settings": settings.model_dump(mode="json"), "date": "2026-01-01", "evidence": {"elbo": value},
             "exact": False, "likelihood_name": "bernoulli", "step": step, "partial": False, "missing": {},
             "not_applicable": {}, "data": "some digits", **more}
    if "likelihood" in parts:
        facts["likelihood"] = {"log_likelihood": value, "standard_error": 0.5,
                               "samples": 0 if facts["exact"] else 500}
    if "cost" in parts:
        facts["cost"] = {"inference_passes": 1, "inference_seconds": 1e-4, "sampling_passes": 7,
                         "sampling_seconds": 2e-3, "first_sample_seconds": 0.5, "parameters": 99}
    return facts


def test_every_approach_of_the_slide_has_a_family() -> None:
    assert {family.approach for family in FAMILIES.values()} - {None} == set(APPROACHES)


def test_runs_are_grouped_by_their_data_and_by_nothing_else(tmp_path: Path) -> None:
    run(tmp_path, "rbm", "rbm-mnist")
    run(tmp_path, "vae", "vae-mnist", "model.latent_size=3")
    run(tmp_path, "other", "made-mnist", "data.binarisation_seed=1")
    run(tmp_path, "pca", "pca-mnist")  # not one of the four
    found = [{r.id for r in runs} for runs in groups(Store(tmp_path).runs()).values()]
    assert found == [{"rbm", "vae"}, {"other"}]


def test_a_run_from_before_the_word_is_placed_by_its_configuration(tmp_path: Path) -> None:
    made = run(tmp_path, "rbm", "rbm-mnist")
    about = json.loads((made.path / "about.json").read_text())
    assert about.pop("approach") == "energy-based"
    (made.path / "about.json").write_text(json.dumps(about))
    assert approach_of(made) == "energy-based"
    (made.path / "about.json").write_text(json.dumps({"approach": "<b>energy</b>"}))
    assert approach_of(made) == ""


def test_the_newest_of_each_part_counts_and_only_of_the_same_weights() -> None:
    old, new = result(-90.0), result(-80.0, parts=("cost",), seed=1)
    new["cost"]["sampling_passes"] = 8
    both = newest([old, new])
    assert both["likelihood"]["log_likelihood"] == -90.0 and both["cost"]["sampling_passes"] == 8
    assert "likelihood" not in newest([old, result(0.0, parts=("cost",), step=6)])  # trained on since
    assert newest([result(-70.0, split="train")]) == {}
    cancelled = result(-1.0, seed=3, partial=True, missing={"likelihood": "900 of 1,000 observations"})
    assert newest([old, cancelled])["likelihood"]["log_likelihood"] == -90.0


@pytest.mark.parametrize(("facts", "kind"), [
    (result(-90.0), "importance"), (result(-90.0, exact=True), "exact"),
    (result(-90.0, exact=True, log_z={"value": 3.0, "standard_error": 0.0}), "exact"),
    (result(-90.0, exact=True, log_z={"value": 3.0, "standard_error": 0.2}), "annealed"),
    (result(-90.0, parts=("cost",)), "none")])
def test_what_the_likelihood_is(tmp_path: Path, facts: dict[str, Any], kind: str) -> None:
    made = run(tmp_path, "vae", "vae-mnist")
    keep(made, facts)
    found = measured(made)
    assert found.kind == kind and found.log_p == (None if kind == "none" else -90.0)
    assert (found.sampling_passes, found.inference_seconds, found.parameters) == (7, 1e-4, 99)


def test_a_conditional_likelihood_is_told_apart(tmp_path: Path) -> None:
    made = run(tmp_path, "vae", "vae-mnist")
    keep(made, result(-80.0, conditional=True))
    assert measured(made).conditional
    keep(made, result(-80.0, seed=4, conditional=False))
    assert not measured(made).conditional


def test_the_order_is_the_slides_then_the_likeliest(tmp_path: Path) -> None:
    for name, base, value in (("v", "vae-mnist", -95.0), ("w", "vae-mnist", -90.0), ("m", "made-mnist", -99.0)):
        keep(run(tmp_path, name, base), result(value))
    run(tmp_path, "x", "vae-mnist")
    keep(run(tmp_path, "c", "vae-mnist"), result(-80.0, conditional=True))  # of x given its label: not the likeliest
    assert [m.run.id for m in ordered(Store(tmp_path).runs())] == ["m", "w", "v", "c", "x"]


# -- cost ------------------------------------------------------------------------------------------

IMAGE = {"x": Modality("image", (1, 6, 6))}


def test_cost_counts_passes_and_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    model = VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,))).build(IMAGE).eval()
    real = model.sample

    def slow(count: int, *rest: Any) -> Any:
        time.sleep(0.02)
        return real(count, *rest)

    monkeypatch.setattr(model, "sample", slow)
    threads = torch.get_num_threads()
    found = cost(model, {"x": torch.rand(10, 1, 6, 6)})
    assert torch.get_num_threads() == threads
    assert (found.inference_passes, found.sampling_passes, found.together, found.threads) == (1, 1, 10, 1)
    assert found.sampling_seconds is not None and found.first_sample_seconds is not None
    assert found.sampling_seconds >= 0.002 and found.first_sample_seconds >= 0.02  # each of ten, and one alone
    assert 0 < found.inference_seconds < found.sampling_seconds
    assert found.parameters == model.parameter_count


def test_a_pixel_a_pass_and_no_samples_without_a_prior() -> None:
    pixels = parse(PixelCNNConfig, {"channels": 2, "layers": 2, "first_kernel": 3}).build(IMAGE).eval()
    assert cost(pixels, {"x": torch.rand(3, 1, 6, 6)}).sampling_passes == 36
    model = AEConfig(latent_size=2, network=MLPConfig(hidden=(8,))).build(IMAGE)
    found = cost(model.eval(), {"x": torch.rand(3, 1, 6, 6)})
    assert found.sampling_passes is found.sampling_seconds is found.first_sample_seconds is None
    assert found.inference_seconds > 0


def test_a_conditional_prior_samples_under_the_covariates_of_the_batch() -> None:
    model = VAEConfig(latent_size=2, network=MLPConfig(hidden=(8,)), prior=ConditionalConfig()).build(
        IMAGE, Modality("label", (3,)))
    assert cost(model.eval(), {"x": torch.rand(4, 1, 6, 6), COVARIATE: torch.eye(3)[[0, 1, 2, 0]]}).sampling_seconds


# -- C21 -------------------------------------------------------------------------------------------


def autoregression(rho: float, length: int = 20_000, chains: int = 20) -> Tensor:
    """x_t = rho x_(t-1) + noise, (T, C), whose integrated autocorrelation time is (1 + rho) / (1 - rho)."""
    noise = torch.randn(length, chains, generator=torch.Generator().manual_seed(0)).double()
    rows = [noise[0] / (1 - rho**2) ** 0.5]
    for e in noise[1:]:
        rows.append(rho * rows[-1] + e)
    return torch.stack(rows)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_autocorrelation_time_of_an_autoregression(rho: float) -> None:
    assert autocorrelation_time(autoregression(rho)) == pytest.approx((1 + rho) / (1 - rho), rel=0.08)
