"""Means of the model posterior against linear models, whose posterior is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.runs import Start, read, small
from vaecore.data import OBSERVED, Modality
from vaecore.models import Batch, Evidence, Family, VAEConfig
from vaecore.nets import LinearConfig
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal
from vaecore.probability.likelihoods import GaussianFixedConfig, GaussianPixels
from vaecore.probability.posteriors import Posterior
from vaecore.training import snapshots
from vaecore.training.snapshots import snapshot

SIGMA, SIZE = 0.7, 5


def linear(r: int, seed: int = 0) -> Any:
    """p(x|z) = N(W z + b, sigma^2 I), with an encoder that knows nothing of it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = VAEConfig(latent_size=r, network=LinearConfig(), likelihood=GaussianFixedConfig(sigma=SIGMA)).build(
            {"vector": Modality("vector", (SIZE,))})
    return model.eval()


def posterior_mean(w: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """(I + W'W / sigma^2)^-1 W'(x - b) / sigma^2, (N, r)."""
    precision = torch.eye(w.shape[1]) + w.T @ w / SIGMA**2
    return torch.linalg.solve(precision, w.T @ (x - b).T / SIGMA**2).T


def points(count: int = 6) -> Batch:
    return {"vector": 1.5 * torch.randn(count, SIZE, generator=torch.Generator().manual_seed(1))}


@pytest.mark.parametrize(("r", "codes", "error"), [(1, 8, 1e-4), (2, 20_000, 0.03)], ids=["grid", "importance"])
def test_meets_the_exact_posterior_mean(r: int, codes: int, error: float) -> None:
    model, batch = linear(r), points()
    found = snapshot(model, batch, torch.Generator().manual_seed(0), codes=codes)
    exact = posterior_mean(model.decoder[0].weight.detach(), model.decoder[0].bias.detach(), batch["vector"])
    assert exact.abs().max() > 10 * error and exact.std(0).min() > 5 * error  # another sign or axis would show
    torch.testing.assert_close(found.model["z"], exact, atol=error, rtol=0)
    assert found.method == ("grid" if r == 1 else "importance")
    with torch.no_grad():
        assert torch.equal(found.inference["z"], model.encode(batch)["z"].mean)
    assert (found.inference["z"] - exact).abs().max() > 0.2  # they differ: one cannot pass for the other
    assert found.model["z"].shape == found.inference["z"].shape == (6, r)
    assert 0 < found.effective <= 1


def test_finds_the_posterior_where_the_encoder_misses_it() -> None:
    """An encoder that is sure of being elsewhere: with weights from q alone the mean would stay there."""
    model, batch = linear(2), points()
    with torch.no_grad():
        model.encoder[1].weight.zero_()
        model.encoder[1].bias.copy_(torch.tensor([4.0, 4.0, -6.0, -6.0]))  # sigma exp(-3)
    found = snapshot(model, batch, torch.Generator().manual_seed(0), codes=20_000)
    exact = posterior_mean(model.decoder[0].weight.detach(), model.decoder[0].bias.detach(), batch["vector"])
    torch.testing.assert_close(found.model["z"], exact, atol=0.05, rtol=0)
    torch.testing.assert_close(found.inference["z"], torch.full((6, 2), 4.0))


def test_the_effective_sample_size_says_what_the_weights_are_worth() -> None:
    model, batch = linear(2), points()
    with torch.no_grad():
        model.decoder[0].weight.zero_()  # the posterior is the prior
        model.encoder[1].weight.zero_()
        model.encoder[1].bias.zero_()  # and so is q: all weights are equal
    assert snapshot(model, batch, torch.Generator().manual_seed(0)).effective == pytest.approx(1, abs=1e-5)
    with torch.no_grad():
        model.decoder[0].weight.copy_(1e4 * torch.randn(SIZE, 2, generator=torch.Generator().manual_seed(1)))
    lost = snapshot(model, batch, torch.Generator().manual_seed(0), codes=64)
    assert lost.effective == pytest.approx(1 / 64, abs=1e-3)  # one weight has it all


class Pair(Family):
    """x = W_z z + W_w w + noise with two latents of one number each, and posteriors of its own making."""

    def __init__(self) -> None:
        super().__init__({"vector": Modality("vector", (SIZE,))})
        generator = torch.Generator().manual_seed(3)
        self.w = torch.randn(SIZE, 2, generator=generator)
        self.head = torch.randn(2, SIZE, generator=generator) / SIZE

    @property
    def latents(self) -> dict[str, int]:
        return {"z": 1, "w": 1}

    def prior(self, batch: Batch | None = None) -> dict[str, Density]:
        return {"z": StandardNormal(1), "w": StandardNormal(1)}

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        means = batch["vector"] @ self.head.T
        return {"z": DiagonalGaussian(means[:, :1], torch.full_like(means[:, :1], -1.0)),
                "w": DiagonalGaussian(means[:, 1:], torch.full_like(means[:, 1:], -0.5))}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, GaussianPixels]:
        code = torch.cat([z["z"], z["w"]], 1)
        return {"vector": GaussianPixels(code @ self.w.T, 2 * torch.tensor(SIGMA).log())}

    def evidence(self, *_: object) -> Evidence:
        raise AssertionError("a snapshot weighs codes by their likelihood, and needs no ELBO")


def test_several_latents_are_weighed_together() -> None:
    model, batch = Pair(), points()
    found = snapshot(model, batch, torch.Generator().manual_seed(0), codes=20_000)
    exact = posterior_mean(model.w, torch.zeros(SIZE), batch["vector"])
    assert found.method == "importance" and found.model.keys() == found.inference.keys() == {"z", "w"}
    torch.testing.assert_close(torch.cat([found.model["z"], found.model["w"]], 1), exact, atol=0.05, rtol=0)


def test_decoding_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = linear(2), points()
    whole = snapshot(model, batch, torch.Generator().manual_seed(0))
    for at_once in (1, 13, 6 * 64):
        monkeypatch.setattr(snapshots, "DECODED_AT_ONCE", at_once)
        parts = snapshot(model, batch, torch.Generator().manual_seed(0))
        torch.testing.assert_close(parts.model["z"], whole.model["z"], atol=1e-5, rtol=0)


def test_lines_hold_the_first_32_dimensions_as_short_numbers() -> None:
    model = linear(40)
    found = snapshot(model, points(), torch.Generator().manual_seed(0))
    assert found.model["z"].shape == (6, 40)
    line = found.as_dict()
    assert line == json.loads(json.dumps(line, allow_nan=False))
    for name in ("model", "inference"):
        assert [len(row) for row in line[name]["z"]] == [32] * 6  # type: ignore[index]
        expected = getattr(found, name)["z"][:, :32]
        torch.testing.assert_close(torch.tensor(line[name]["z"]), expected, atol=5.1e-5, rtol=0)  # type: ignore[index]


def test_the_mode_of_the_model_comes_back() -> None:
    model = linear(2)
    for training in (True, False):
        model.train(training)
        snapshot(model, points(), torch.Generator().manual_seed(0))
        assert model.training is training


def test_a_run_keeps_snapshots_of_the_same_points(start: Start) -> None:
    """Eight evaluations after the first: three snapshots are at each third one and the last, and at the first."""
    folder = start(small(epochs=8, snapshots=3, snapshot_points=10))
    lines = read(folder).snapshots
    assert [line["step"] for line in lines] == [0, 12, 24, 32]
    assert all(len(line[name]["z"]) == 10 and len(line["labels"]) == 10
               for line in lines for name in ("model", "inference"))
    assert all(line["method"] == "importance" and 0 < line["effective"] <= 1 for line in lines)
    assert len({json.dumps(line["labels"]) for line in lines}) == 1
    assert lines[0]["inference"] != lines[-1]["inference"]
    one = start(small({"latent_size": 1}, epochs=1), name="one")
    assert {line["method"] for line in read(one).snapshots} == {"grid"}
    assert not read(start(small(snapshots=0), name="none")).snapshots
    assert not read(start(small({"family": "ae"}), name="ae")).snapshots  # no posterior, no snapshot


class WithGaps(Pair):
    """The same with two modalities of the latent z, one seen in part of the observations only."""

    def __init__(self) -> None:
        super().__init__()
        self.modalities = {"a": Modality("vector", (SIZE,)), "b": Modality("vector", (SIZE,))}

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        mean = batch["a"] @ self.head.T
        return {"z": DiagonalGaussian(mean, torch.full_like(mean, -0.5))}

    @property
    def latents(self) -> dict[str, int]:
        return {"z": 2}

    def prior(self, batch: Batch | None = None) -> dict[str, Density]:
        return {"z": StandardNormal(2)}

    def decode(self, z: Mapping[str, Tensor]) -> dict[str, GaussianPixels]:
        logvar = 2 * torch.tensor(SIGMA).log()
        return {"a": GaussianPixels(z["z"] @ self.w.T, logvar), "b": GaussianPixels(z["z"] @ self.w.flip(1).T, logvar)}


def test_t5_what_is_missing_is_left_out_of_the_model_posterior() -> None:
    """Zeros in the place of a missing modality are no observation of zeros: the exact mean is that of what is there."""
    model, x = WithGaps(), points()["vector"]
    other = torch.randn(6, SIZE, generator=torch.Generator().manual_seed(7))
    there = torch.tensor([[True, True]] * 3 + [[True, False]] * 3)
    batch = {"a": x, "b": other * there[:, 1:], OBSERVED: there}
    found = snapshot(model, batch, torch.Generator().manual_seed(0), codes=20_000).model["z"]
    zero = torch.zeros(SIZE)
    alone = posterior_mean(model.w, zero, x[3:])
    both = posterior_mean(torch.cat([model.w, model.w.flip(1)]), torch.zeros(2 * SIZE),
                          torch.cat([x, batch["b"]], 1))
    torch.testing.assert_close(found[:3], both[:3], atol=0.05, rtol=0)
    torch.testing.assert_close(found[3:], alone, atol=0.05, rtol=0)
    assert (both[3:] - alone).abs().max() > 0.2, "read as observed zeros it would be another"
