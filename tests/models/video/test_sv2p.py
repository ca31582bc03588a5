"""SV2P: one code a clip or one a frame, three stages, and futures from codes of the prior."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vaecore.config import RunConfig
from vaecore.data import SPLITS, Dataset, Modality, Split
from vaecore.models.video import sv2p
from vaecore.models.video.sv2p import OneStage, SV2PConfig, ThreeStages
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.schedules.kl_cost import Capacity, FreeBits, KLTerm
from vaecore.schema import ConfigError, parse
from vaecore.training.build import check

T, R = 5, 4  # frames, latent size at 16 pixels
LATENTS = pytest.mark.parametrize("latent", ["invariant", "variant"])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(latent: str = "variant", *, frames: int = T, seed: int = 0, **values: Any) -> Any:
    """A small untrained model in evaluation mode whose codes matter."""
    config = parse(SV2PConfig, {"latent": latent, "channels": 3, "kernels": 3, **values})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = config.build({"frames": Modality("video", (frames, 1, 16, 16))}).eval()
    return model


def clips(count: int = 3, frames: int = T, seed: int = 0) -> Tensor:
    return torch.rand(count, frames, 1, 16, 16, generator=seeded(seed))


@LATENTS
def test_the_posterior_is_one_density_for_all_frames(latent: str) -> None:
    model, x = made(latent), clips()
    q = model.encode({"frames": x})["z"]
    places = 1 if latent == "invariant" else T - 1
    assert q.mean.shape == q.logvar.shape == (3, places, R) and model.latents == {"z": R} and model.noise_size == R
    assert torch.equal(q.mean, q.mean[:, :1].expand(-1, places, -1))
    assert bool((q.logvar >= -5).all() and (q.logvar <= 2).all())
    z = q.rsample(seeded())[0]
    assert len({tuple(row.tolist()) for row in z[0]}) == places  # a new draw for each frame
    changed = x.clone()
    changed[:, -1] = 1 - changed[:, -1]  # the last frame is read too
    assert bool((model.encode({"frames": changed})["z"].mean != q.mean).any())


def test_a_posterior_that_says_nothing_can_leave_the_floor_of_its_variance() -> None:
    """M9: with the published rectifier the gradient at the floor is 0, and 2 nats a number stay for good."""
    raw = torch.linspace(-8.0, 16.0, 97, requires_grad=True)
    logvar = sv2p.bounded_logvar(raw)
    levels = logvar.detach()
    assert float(levels.min()) > -5 and float(levels.max()) < 2 and bool((levels.diff() > 0).all())
    (slope,) = torch.autograd.grad(logvar.sum(), raw)
    torch.testing.assert_close(slope, torch.sigmoid(raw) - torch.sigmoid(raw - 7))
    assert bool((slope > 1e-4).all())
    model, batch = made("invariant"), {"frames": clips()}
    with torch.no_grad():
        model.encoder.head.weight[1].zero_()
        model.encoder.head.bias[1] = -3.0  # below the rectifier's corner
    optimizer = torch.optim.Adam(model.encoder.head.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        q = model.encode(batch)["z"]
        kl = q.kl_from_standard().sum(-1).mean()
        kl.backward()
        optimizer.step()
    assert float(kl.detach()) < 0.01  # of 4 numbers, each of which costs 2.00 nats at the floor


@LATENTS
def test_the_bound_in_closed_form(latent: str) -> None:
    model, x = made(latent, likelihood={"kind": "gaussian", "sigma": 0.5}), clips()
    batch = {"frames": x}
    q = model.encode(batch)["z"]
    evidence = model.evidence(batch, {"z": q}, seeded(1))
    variance = q.logvar.exp()
    torch.testing.assert_close(evidence.kl["z"], (q.mean**2 + variance - variance.log() - 1) / 2)
    z = q.rsample(seeded(1))[0].expand(-1, T - 1, -1)
    mean, _ = model.generator(x[:, :-1], z)
    log_prob = torch.distributions.Normal(mean, 0.5).log_prob(x[:, 1:]).flatten(1).sum(1)
    torch.testing.assert_close(evidence.reconstruction["frames"], log_prob)
    torch.testing.assert_close(evidence.elbo(), log_prob - evidence.kl["z"].flatten(1).sum(1))
    predicted = model.predictions(batch, {"z": q}, mean=True)
    torch.testing.assert_close(model.errors(batch, {"z": q})["frames"],
                               (predicted.mean - x[:, 1:]).square().flatten(1).mean(1))


def test_where_stages_begin_and_what_they_charge() -> None:
    stages = ThreeStages(generator=0.5, inference=0.25, ramp=0.5)
    found = [stages.at(step, 16) for step in range(16)]
    assert found == [(False, 0.0)] * 8 + [(True, 0.0)] * 4 + [(True, 0.0), (True, 0.5), (True, 1.0), (True, 1.0)]
    assert ThreeStages(generator=0, inference=0, ramp=0).at(0, 10) == (True, 1.0) == OneStage().at(0, 10)
    assert ThreeStages(generator=0.7, inference=0.3).at(9, 10) == (True, 0.0)
    assert ThreeStages(generator=1, inference=0).at(9, 10) == (False, 0.0)
    with pytest.raises(ConfigError, match=r"take 1\.2 of training"):
        parse(SV2PConfig, {"stages": {"kind": "three", "generator": 0.7, "inference": 0.5}})


@LATENTS
def test_each_stage_trains_its_part(latent: str) -> None:
    model, batch = made(latent).train(), {"frames": clips()}
    full = made(latent, stages={"kind": "one"}).train().objective(batch, seeded()).terms()
    full = type(full)(*(term.detach() for term in full if term is not None))

    def at(step: int) -> Any:
        model.at_step(step, 16)
        model.zero_grad()
        terms = model.objective(batch, seeded()).terms()
        (terms.charged - terms.fit).backward()
        return type(terms)(*(term.detach() for term in terms if term is not None))

    def moved(module: torch.nn.Module) -> bool:
        return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters())

    first = at(7)
    assert float(first.kl) == float(first.charged) == 0 and moved(model.generator) and not moved(model.encoder)
    second = at(11)
    assert float(second.charged) == 0 < float(second.kl) and moved(model.generator) and moved(model.encoder)
    third = at(13)
    torch.testing.assert_close(third.charged, third.kl / 2)
    whole = at(15)
    torch.testing.assert_close(whole.charged, whole.kl)
    for other in (second, third, whole):  # the same bound all along, differently charged
        torch.testing.assert_close((other.kl, other.reconstruction), (full.kl, full.reconstruction))
    model.at_step(0, 16)
    tested = model.eval().objective(batch, seeded()).terms()
    torch.testing.assert_close((tested.charged, tested.fit), (full.kl, full.reconstruction))


@pytest.mark.parametrize("cost", [FreeBits(nats=20.0), Capacity(nats=40.0)], ids=["free bits", "capacity"])
def test_a_ramp_weighs_what_the_kl_costs(cost: KLTerm) -> None:
    """Free bits and capacities were left out until the ramp's end, and then came all at once."""
    model = made(stages={"kind": "three", "generator": 0.5, "inference": 0.25, "ramp": 0.5}).train()
    batch = {"frames": clips()}
    charge = cost.at(16, 16)

    def charged(step: int) -> float:
        model.at_step(step, 16)
        return float(model.objective(batch, seeded()).terms(charge).charged.detach())

    whole, mean = charged(15), model.objective(batch, seeded()).elbos[0][1].mean_kl(charge)
    assert whole == pytest.approx(float(charge(mean).detach()), rel=1e-6) and whole != pytest.approx(
        float(model.objective(batch, seeded()).terms().charged.detach()), rel=0.01)
    assert (charged(7), charged(11), charged(13)) == (0, 0, pytest.approx(whole / 2, rel=1e-5))


def test_scheduled_sampling_reads_predictions_in_training_only() -> None:
    model, x = made(context=2, feeding={"kind": "scheduled", "k": 1}), clips(4)
    z = {"z": DiagonalGaussian(torch.zeros(4, T - 1, R), torch.zeros(4, T - 1, R))}
    true = model.predictions({"frames": x}, z, mean=True).mean
    model.at_step(1_000, 1_000)
    assert torch.equal(model.predictions({"frames": x}, z, mean=True).mean, true)
    fed = model.train().predictions({"frames": x}, z, seeded(), mean=True).mean
    torch.testing.assert_close(fed[:, :2], true[:, :2])  # frames 0 and 1 are given
    read, states, by_hand = x[:, :1], None, []
    for t in range(T - 1):
        mean, states = model.generator(read, torch.zeros(4, 1, R), states)
        by_hand.append(mean)
        read = x[:, 1:2] if t == 0 else mean
    torch.testing.assert_close(fed, torch.cat(by_hand, 1))
    some = model.fed_back(x, torch.zeros(4, T - 1, R), 3, seeded())  # of 4 clips one at a time reads what it predicted
    same = torch.isclose(some[:, 2], true[:, 2], atol=1e-6).flatten(1).all(1)
    assert int(same.sum()) == 3


@LATENTS
def test_futures_belong_to_their_noise(latent: str) -> None:
    model, past = made(latent), clips(2, 3)
    noise = torch.randn(4, 6, R, generator=seeded(5))
    with torch.no_grad():
        rolled = model.roll_out(past, 6, noise)
        assert rolled.frames.shape == (2, 4, 6, 1, 16, 16) and rolled.codes.shape == (2, 4, 6, R)
        assert rolled.prior_sd is None and bool(((rolled.frames >= 0) & (rolled.frames <= 1)).all())
        torch.testing.assert_close(model.roll_out(past, 6, noise[2:3]).frames[:, 0], rolled.frames[:, 2])
        torch.testing.assert_close(model.roll_out(past[1:], 6, noise).frames[0], rolled.frames[1])
        torch.testing.assert_close(model.roll_out(past, 4, noise).frames, rolled.frames[:, :, :4])
        assert bool((rolled.frames[0, 0] != rolled.frames[0, 1]).any())
        later = noise.clone()
        later[:, 3:] += 1
        changed = (model.roll_out(past, 6, later).frames != rolled.frames).flatten(3).any(3).any(0).any(0).tolist()
        assert changed == ([False] * 6 if latent == "invariant" else [False] * 3 + [True] * 3)
        other = past.clone()
        other[:, 0] = 1 - other[:, 0]
        assert bool((model.roll_out(other, 6, noise).frames[:, :, 0] != rolled.frames[:, :, 0]).any())
        alone = model.roll_out(past[:, :1], 2, noise)
        assert alone.frames.shape == (2, 4, 2, 1, 16, 16)
    used = noise[:, :1].expand(-1, 6, -1) if latent == "invariant" else noise
    assert torch.equal(rolled.codes, used[None].expand(2, -1, -1, -1))


@LATENTS
def test_a_long_past_is_read_in_pieces(latent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, past, noise = made(latent), clips(2, 20), torch.randn(3, 2, R, generator=seeded(5))
    steps: list[int] = []
    model.generator.register_forward_pre_hook(lambda _, given: steps.append(given[0].shape[1]))
    with torch.no_grad():
        pieces = model.roll_out(past, 2, noise).frames
        assert steps == [8, 8, 3, 1, 1]
        monkeypatch.setattr(sv2p, "PAST_AT_ONCE", 100)
        torch.testing.assert_close(model.roll_out(past, 2, noise).frames, pieces)


def test_a_future_of_one_code_is_the_prediction_with_that_code() -> None:
    """Where every next frame read is the one predicted, a roll-out and teacher forcing are the same computation."""
    model, noise = made("invariant"), torch.randn(1, 3, R, generator=seeded(5))
    past = clips(1, 2)
    with torch.no_grad():
        future = model.roll_out(past, 3, noise).frames[:, 0]
        q = {"z": DiagonalGaussian(noise[:, :1], torch.zeros(1, 1, R))}
        whole = torch.cat([past, future], 1)
        torch.testing.assert_close(model.predictions({"frames": whole}, q, mean=True).mean[:, 1:], future)


def test_it_learns_that_a_dot_moves_right() -> None:
    model, size = made(stages={"kind": "one"}, channels=4, frames=4).train(), 3
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    places = torch.randint(2, 6, (18, 4, 2), generator=seeded())
    x = torch.zeros(18, 4, 4, 1, 16, 16)
    for (step, clip), (row, column) in zip(product(range(18), range(4)), places.flatten(0, 1).tolist(), strict=True):
        for t in range(4):
            x[step, clip, t, 0, row:row + size, column + 2 * t:column + 2 * t + size] = 1
    for step, batch in enumerate(x):
        model.at_step(step, 18)
        terms = model.objective({"frames": batch}, seeded(step)).terms()
        (loss := terms.kl - terms.reconstruction).backward()
        optimizer.step()
        optimizer.zero_grad()
    nothing_wrong = 3 * 256 * math.log(0.2 * math.sqrt(2 * math.pi))  # nats that predictions without error cost
    copied = 3 * 2 * 2 * size / (2 * 0.2**2)  # and what a dot two pixels off costs more
    assert float(loss.detach()) - nothing_wrong < 0.2 * copied


def test_what_does_not_fit_is_said() -> None:
    split = Split({"frames": np.zeros((8, 5, 1, 16, 16), np.uint8)})
    dataset = Dataset("clips", "", {"frames": Modality("video", (5, 1, 16, 16))}, dict.fromkeys(SPLITS, split))
    config = parse(RunConfig, {"model": {"family": "sv2p"},
                               "training": {"batch_size": 8, "inference": {"kind": "aggressive"}}})
    with pytest.raises(ConfigError, match="when the posterior learns"):
        check(config, dataset)
    with pytest.raises(ValueError, match="clips of 5 frames, and these have 6"):
        made().encode({"frames": clips(frames=6)})
    with pytest.raises(ConfigError, match="multiples of 8"):
        SV2PConfig().build({"frames": Modality("video", (5, 1, 20, 20))})
    with pytest.raises(ConfigError, match=r"reads no trajectories.*Use videos"):
        SV2PConfig().build({"frames": Modality("trajectory", (5, 4))})
    with pytest.raises(ConfigError, match=r"likelihood.*bernoulli"):
        parse(SV2PConfig, {"likelihood": {"kind": "bernoulli"}})
    with pytest.raises(ConfigError, match="nothing is left to predict"):
        SV2PConfig(context=5).build({"frames": Modality("video", (5, 1, 16, 16))})
