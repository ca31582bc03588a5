"""PredNet: rectified errors are an absolute error, hence a Laplace distribution; and frames come one after another."""

from __future__ import annotations

from typing import Any

import pytest
import scipy.stats
import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.models import FAMILIES
from vaecore.models.video.prednet import PredNet, cut, rectified
from vaecore.probability.likelihoods import LaplaceConfig, LaplacePixels
from vaecore.schema import ConfigError, parse


def made(shape: tuple[int, ...] = (5, 1, 8, 8), **values: Any) -> PredNet:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        model = parse(FAMILIES["prednet"], {"channels": [4, 6], "context": 2, **values}).build(
            {"frames": Modality("video", shape)})
    assert isinstance(model, PredNet)
    torch.nn.init.constant_(model.heads[0].bias, 0.3)  # not all of a prediction is cut off
    return model.eval()


def clips(count: int = 3, *shape: int) -> Tensor:
    return torch.rand(count, *(shape or (5, 1, 8, 8)), generator=torch.Generator().manual_seed(1))


# -- the Laplace distribution ----------------------------------------------------------------------


def test_its_density_is_scipys() -> None:
    x, mean = clips(2, 3, 2), clips(2, 3, 2).flip(0)
    found = LaplacePixels(mean, torch.tensor(0.3)).log_prob(x)
    expected = scipy.stats.laplace.logpdf(x.numpy(), mean.numpy(), 0.3).sum((1, 2))
    torch.testing.assert_close(found, torch.from_numpy(expected).float())


def test_its_draws_are_distributed_as_it_says() -> None:
    drawn = LaplaceConfig(scale=0.5).build()(torch.full((20_000, 1), 2.0)).sample(torch.Generator().manual_seed(0))
    assert scipy.stats.kstest(drawn.numpy()[:, 0], scipy.stats.laplace(2.0, 0.5).cdf).pvalue > 0.01


# -- the loss --------------------------------------------------------------------------------------


def test_rectified_errors_are_both_parts_of_the_absolute_error() -> None:
    predicted, x = clips(2, 3, 4, 4), clips(2, 3, 4, 4).flip(0)
    errors = rectified(predicted, x)
    assert errors.shape == (2, 6, 4, 4) and float(errors.min()) == 0
    torch.testing.assert_close(errors[:, :3] + errors[:, 3:], (predicted - x).abs())
    torch.testing.assert_close(errors[:, :3] - errors[:, 3:], predicted - x)
    assert float(errors.mean()) == pytest.approx(float((predicted - x).abs().mean()) / 2)


def test_the_loss_is_the_published_one_up_to_a_factor_and_a_constant() -> None:
    """sum_l lambda_l mean(E_l) of the frames after the first, times 2 D / b."""
    model, x = made(layer_weights="all", likelihood={"scale": 0.2}), clips()
    with torch.no_grad():
        terms = model.objective({"frames": x}).terms()
        predicted = model.predictions({"frames": x}, {}).mean
        layers, published = model._start(x[:, 0]), torch.zeros(())
        for t in range(5):
            layers, mean = model._down(layers)
            layers = model._up(layers, x[:, t], mean)
            if t:
                torch.testing.assert_close(mean, predicted[:, t - 1])
                published += sum(w * layer.errors.mean() for w, layer in zip((1, 0.1, 0.1), layers, strict=True))
    constant = 4 * 64 * torch.tensor(0.4).log()
    torch.testing.assert_close(terms.penalty - terms.fit, published * 2 * 64 / 0.2 + constant)


def test_what_is_cut_off_still_learns() -> None:
    x = torch.tensor([-0.5, 0.25, 1.5, -0.5, 1.5], requires_grad=True)
    predicted, target = cut(x), torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0])
    assert predicted.tolist() == [0, 0.25, 1, 0, 1]
    rectified(predicted[None], target[None]).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, -1, 0, -1, 1]


def test_only_with_all_weights_are_higher_errors_penalised() -> None:
    x = {"frames": clips()}
    assert made().objective(x).penalties == {}
    assert set(made(layer_weights="all").objective(x).penalties) == {"errors of layer 1", "errors of layer 2"}


# -- frames ----------------------------------------------------------------------------------------


def test_a_frame_is_predicted_from_those_before_it_alone() -> None:
    model, x = made(), clips()
    changed = x.clone()
    changed[:, 3] = 1 - changed[:, 3]
    with torch.no_grad():
        a, b = (model.predictions({"frames": frames}, {}).mean for frames in (x, changed))
    assert a.shape == (3, 4, 1, 8, 8) and float(a.min()) >= 0 and float(a.max()) <= 1
    assert torch.equal(a[:, :3], b[:, :3]) and not torch.equal(a[:, 3], b[:, 3])


def test_a_roll_out_begins_as_the_prediction_and_reads_its_own_frames() -> None:
    model, x = made(), clips()
    with torch.no_grad():
        rolled = model.roll_out(x[:, :3], 2, torch.zeros(4, 2, 0))
        first = model.predictions({"frames": x}, {}).mean[:, 2]
        fed = torch.cat([x[:, :3], first[:, None], x[:, 4:]], 1)
        second = model.predictions({"frames": fed}, {}).mean[:, 3]
    assert rolled.frames.shape == (3, 4, 2, 1, 8, 8) and rolled.codes is None
    torch.testing.assert_close(rolled.frames[:, 0, 0], first)
    torch.testing.assert_close(rolled.frames[:, 0, 1], second)
    assert torch.equal(rolled.frames[:, 0], rolled.frames[:, 3]) and not model.stochastic


def test_its_own_predictions_are_read_after_the_context_as_scheduled() -> None:
    model, x = made(feeding={"kind": "scheduled", "k": 1}), clips()
    model.at_step(50, 100)  # by then no frame is read as it was
    with torch.no_grad():
        true = model.predictions({"frames": x}, {}).mean
        fed = model.train().predictions({"frames": x}, {}, torch.Generator().manual_seed(0)).mean
        rolled = model.eval().roll_out(x[:, :2], 3, torch.zeros(1, 3, 0)).frames[:, 0]
    torch.testing.assert_close(fed[:, 1:], rolled)
    torch.testing.assert_close(fed[:, :2], true[:, :2])
    assert not torch.allclose(fed[:, 2:], true[:, 2:])


def test_frames_that_do_not_halve_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model.channels: 2 layers halve frames of 10 pixels.*4 divides"):
        made((5, 1, 10, 8))


def test_it_learns_a_square_that_moves() -> None:
    x = torch.zeros(8, 5, 1, 8, 8)
    for clip in range(8):
        for t in range(5):
            x[clip, t, 0, clip % 6:clip % 6 + 2, t:t + 2] = 1
    model = made(likelihood={"scale": 0.2}, channels=[8]).train()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(40):
        optimizer.zero_grad()
        terms = model.objective({"frames": x}).terms()
        (terms.penalty - terms.fit).backward()
        optimizer.step()
    with torch.no_grad():
        error = model.eval().errors({"frames": x}, {})["frames"].mean()
    copied = (x[:, 1:] - x[:, :-1]).square().mean()
    assert float(error) < 0.5 * float(copied)
