"""What `diagnose` says of the shipped runs and of models whose numbers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.runs import Start, small
from tests.training.test_modal_runs import MODELS, values
from vaecore.data import DataUnavailable
from vaecore.evaluate.latent_usage import aggregate_words, diagnose
from vaecore.probability.aggregate import information
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.probability.posteriors import PosteriorMixture
from vaecore.store import Run
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import Feed

GALLERY = Path(__file__).parents[2] / "trained/gallery"
QUICK = ("ivae", "mvae-speech", "vae-conv-mixture")
OF_FRAMES = ("svg-", "sv2p-", "predictor-")  # refused in words: their codes are of frames


def summary(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GALLERY / name / "summary.json").read_text())["validation"]
    return found


WITH_KL = sorted(path.name for path in GALLERY.iterdir() if path.is_dir() and summary(path.name)["kl"]
                 and not path.name.startswith(OF_FRAMES))


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
                                  for name in WITH_KL])
def test_t1_t9_every_rate_is_that_of_the_run_s_own_summary(name: str) -> None:
    """With VampPrior, mixtures and conditional priors it was the KL from N(0, I): 221 nats for 20."""
    own = summary(name)
    try:
        found = diagnose(Run(GALLERY / name), observations=own["observations"])
    except DataUnavailable as error:
        pytest.skip(str(error))
    assert found["observations"] == own["observations"]
    assert found["rate"] == pytest.approx(sum(map(sum, own["kl"].values())), rel=0.01)
    for latent, part in found["latents"].items():
        assert part["rate"] == pytest.approx(sum(own["kl"][latent]), rel=0.01)
        assert part["kl"] is None or part["kl"] == pytest.approx(own["kl"][latent], rel=0.01, abs=1e-3)
        assert part["active"] <= len(part["code_variance"]) == len(own["code_variance"][latent])
        told = part["information"]
        noise = 0.1 if not part["kl"] else 0.05
        assert told["rate"] == pytest.approx(told["mutual_information"] + told["aggregate_kl"], rel=0.02, abs=noise)


def test_the_gallery_s_quick_runs_are_there() -> None:
    assert set(QUICK) < set(WITH_KL) and len(WITH_KL) >= 17


def gaussian(n: int = 2000, size: int = 8, sigma: float = 0.21, total: float = 1.0424) -> DiagonalGaussian:
    """Posteriors whose q(z) is N(0, total I) in the limit: 8 x (v - 1 - log v) / 2 = 0.007 nats from the prior."""
    means = torch.randn(n, size, generator=torch.Generator().manual_seed(1001))
    means = (means - means.mean(0)) / means.std(0, correction=0) * (total - sigma**2) ** 0.5
    return DiagonalGaussian(means, torch.full((n, size), 2 * torch.tensor(sigma).log().item()))


def test_t2_what_saturates_is_a_bound_and_the_bound_from_below_is_the_truth() -> None:
    found = information(gaussian(), torch.Generator().manual_seed(0))
    assert found.aggregate_kl == pytest.approx(5.0, abs=0.3), "rate less log N, which says nothing of the model"
    assert found.bound == "at most"
    assert found.aggregate_kl_least == pytest.approx(0.007, abs=0.012), "36 covariances of 2,000 are worth 0.009"
    told = aggregate_words(vars(found))
    assert told.startswith("0.0") and " to " in told
    assert aggregate_words({**vars(found), "aggregate_kl_least": None}).startswith("at most 5")


def test_t2_far_from_the_ceiling_it_is_an_estimate_between_the_bounds() -> None:
    q = gaussian(sigma=0.9, total=2.0)
    found = information(q, torch.Generator().manual_seed(0))
    exact = 8 * 0.5 * (2.0 - 1 - torch.tensor(2.0).log().item())
    assert found.bound == "estimate" and aggregate_words(vars(found)) == f"{found.aggregate_kl:.3f}"
    assert found.aggregate_kl_least == pytest.approx(exact, rel=0.03)
    assert found.aggregate_kl == pytest.approx(exact, rel=0.1)


def test_t9_a_mixture_of_posteriors_has_the_information_of_its_law() -> None:
    """Two equal components are their Gaussian; of weights 1 and 0 the first counts, whatever the other is."""
    q = gaussian(500, 2, 0.5, 1.0)
    plain = information(q, torch.Generator().manual_seed(3))
    other = DiagonalGaussian(q.mean + 50, q.logvar)
    for second, weights in ((q, [0.5, 0.5]), (other, [1.0, 0.0])):
        mixed = PosteriorMixture(torch.stack([q.mean, second.mean]), torch.stack([q.logvar, second.logvar]),
                                 torch.tensor(weights)[:, None].expand(2, 500))
        found = information(mixed, torch.Generator().manual_seed(3))
        assert found.mutual_information == pytest.approx(plain.mutual_information, abs=0.12)
        assert found.rate == pytest.approx(plain.rate, abs=0.12)
        assert found.minibatch == pytest.approx(plain.minibatch, abs=0.12)
        assert found.aggregate_kl_least == pytest.approx(plain.aggregate_kl_least, abs=1e-4)
        assert found.rate == pytest.approx(found.mutual_information + found.aggregate_kl, abs=1e-6)


@pytest.mark.parametrize("model", [
    {"prior": {"kind": "mixture", "components": 5}}, {"prior": {"kind": "vamp", "components": 20}},
    {"prior": {"kind": "conditional", "hidden": [8]}}, {"prior": {"kind": "conditional", "components": 2}}],
    ids=["mixture", "vamp", "conditional", "conditional-mixture"])
def test_t1_the_rate_is_from_the_prior_that_the_model_has(start: Start, model: dict[str, Any]) -> None:
    folder = start(small(model, learning_rate=0.01, epochs=20, beta={"kind": "constant", "value": 0.1}))
    found = diagnose(Run(folder))
    told = json.loads((folder / "summary.json").read_text())["validation"]
    own = told["kl"]["z"]
    by_dimension = len(own) == 4
    assert found["rate"] == pytest.approx(sum(own), rel=0.01 if by_dimension else 0.15), "else of one code each"
    part = found["latents"]["z"]
    assert (part["kl"] is not None) == by_dimension
    assert part["code_variance"] == pytest.approx(told["code_variance"]["z"], rel=1e-5)
    assert part["active"] == told["active"]
    first = Feed(Run(folder).config().data.load(), "validation", torch.device("cpu")).first(100)
    assert part["inference_spread"] == pytest.approx(
        load_model(folder).encode(first)["z"].mean.detach().numpy().std(0), rel=1e-5), "of the 100 there are"


@pytest.mark.parametrize("kind", ["mixture", "mixture-of-products", "product"])
@pytest.mark.parametrize("missing", ["nothing", "random"])
def test_t9_mixtures_of_posteriors_are_diagnosed(start: Start, kind: str, missing: str) -> None:
    folder = start(values(MODELS[kind], missing={"kind": missing}))
    found = diagnose(Run(folder))
    told = json.loads((folder / "summary.json").read_text())["validation"]
    own = told["kl"]["z"]
    assert found["rate"] == pytest.approx(sum(own), rel=1e-4)
    told = found["latents"]["z"]["information"]
    assert told["rate"] <= found["rate"] + 0.05, "the ELBO charges the components' mean, an upper bound"
    assert -0.1 < told["mutual_information"] <= told["rate"] + 0.1
