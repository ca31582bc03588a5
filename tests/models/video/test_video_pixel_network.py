"""The video pixel network: no pixel sees a later one, all frames have probability 1, draws follow it, and C10."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from vaecore.config import differences
from vaecore.data import Modality
from vaecore.data.moving_shape import MovingShape
from vaecore.models import FAMILIES
from vaecore.models.video.video_pixel_network import VideoPixelNetwork
from vaecore.schema import ConfigError, parse
from vaecore.studies import c10_pixels

SMALL = {"channels": 3, "hidden": 3, "dilations": [1, 2], "layers": 2, "first_kernel": 3, "context": 1}


def made(shape: tuple[int, ...] = (4, 1, 3, 4), **values: Any) -> VideoPixelNetwork:
    """An untrained model with weights large enough that pixels matter to each other."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = parse(FAMILIES["video-pixel-network"], {**SMALL, **values}).build({"frames": Modality("video", shape)})
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn(parameter.shape) * (0.7 if parameter.ndim > 1 else 0.3))
    assert isinstance(model, VideoPixelNetwork)
    return model.eval()


def clips(count: int, *shape: int) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(2)).round()


def logits(model: VideoPixelNetwork, x: Tensor) -> Tensor:
    """(B, T-1, C H W)."""
    return model.predictions({"frames": x}, {}).observation.logits.view(len(x), x.shape[1] - 1, -1)  # type: ignore[attr-defined]


@pytest.mark.parametrize("spatial", [True, False])
def test_a_pixel_sees_earlier_frames_and_earlier_pixels_of_its_own(spatial: bool) -> None:
    model = made(spatial=spatial, layers=4, channels=5, hidden=5, dilations=[1, 2, 1])
    x = torch.rand(16, 4, 1, 3, 4, requires_grad=True)
    found = logits(model, x).sum(0)  # (3, 12)
    seen = torch.stack([torch.autograd.grad(value, x, retain_graph=True)[0].flatten(2).any(0)
                        for value in found.flatten()]).view(3, 12, 4, 12)
    for t in range(3):  # predicts frame t + 1
        own = torch.ones(12, 12, dtype=torch.bool).tril(-1) if spatial else torch.zeros(12, 12, dtype=torch.bool)
        assert seen[t, :, :t + 1].all() and not seen[t, :, t + 2:].any()
        assert torch.equal(seen[t, :, t + 1], own)


@pytest.mark.parametrize("spatial", [True, False])
def test_all_next_frames_together_have_probability_one(spatial: bool) -> None:
    model = made((3, 1, 2, 2), spatial=spatial)
    past = clips(1, 2, 1, 2, 2)
    frames = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).view(16, 1, 1, 2, 2)
    with torch.no_grad():
        log_p = model.predictions({"frames": torch.cat([past.expand(16, -1, -1, -1, -1), frames], 1)}, {}).log_prob(
            torch.cat([past.expand(16, -1, -1, -1, -1), frames], 1))
    assert log_p.shape == (16, 2) and float(log_p[:, 1].max() - log_p[:, 1].min()) > 0.5
    assert float(log_p[:, 1].double().logsumexp(0)) == pytest.approx(0, abs=1e-5)


def test_all_clips_together_have_probability_one() -> None:
    model = made((3, 1, 2, 2))
    rest = torch.tensor(list(itertools.product([0.0, 1.0], repeat=8))).view(256, 2, 1, 2, 2)
    x = torch.cat([clips(1, 1, 1, 2, 2).expand(256, -1, -1, -1, -1), rest], 1)
    with torch.no_grad():
        found = model.elbo({"frames": x}).reconstruction["frames"]
    assert float(found.double().logsumexp(0)) == pytest.approx(0, abs=1e-5)


def test_a_grey_target_costs_at_least_its_entropy() -> None:
    """Scored as a probability: the floor of the paper's numbers on moving MNIST."""
    model, x = made(), torch.full((1, 4, 1, 3, 4), 0.3)
    with torch.no_grad():
        found = model.elbo({"frames": x}).elbo()
    assert float(-found) > 36 * -(0.3 * math.log(0.3) + 0.7 * math.log(0.7))


@pytest.mark.parametrize("spatial", [True, False])
def test_futures_are_draws_pixel_by_pixel(spatial: bool) -> None:
    """The same as a whole pass for every pixel, each future with its own past once it has one."""
    model, past = made(spatial=spatial), clips(2, 2, 1, 3, 4)
    with torch.no_grad():
        found = model.roll_out(past, 2, torch.zeros(20, 2, 0), torch.Generator().manual_seed(5)).frames
        generator = torch.Generator().manual_seed(5)
        x = past.repeat_interleave(20, 0)
        for _ in range(2):
            x = torch.cat([x, torch.zeros(40, 1, 1, 3, 4)], 1)
            if not spatial:
                x[:, -1] = torch.bernoulli(logits(model, x)[:, -1].sigmoid().view(40, 1, 3, 4), generator=generator)
                continue
            for pixel in range(12):
                probability = logits(model, x)[:, -1, pixel:pixel + 1].sigmoid()
                x[:, -1].view(40, -1)[:, pixel] = torch.bernoulli(probability, generator=generator)[:, 0]
    assert found.shape == (2, 20, 2, 1, 3, 4)
    assert torch.equal(found.flatten(0, 1), x[:, 2:])
    assert model.stochastic and model.noise_size == 0
    assert float(found.std(1).max()) > 0


def test_an_even_kernel_has_no_middle() -> None:
    with pytest.raises(ConfigError, match=r"model.kernel: 4 is even.*3 or 5"):
        made(kernel=4)


def test_it_learns_that_pixels_of_a_frame_hang_together() -> None:
    """Whole frames are black or white, by chance: log 2 a frame with dependence in space, 12 log 2 without."""
    generator, nats = torch.Generator().manual_seed(0), []
    for spatial in (True, False):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = parse(FAMILIES["video-pixel-network"], {**SMALL, "channels": 8, "spatial": spatial}).build(
                {"frames": Modality("video", (3, 1, 3, 4))})
        optimizer = torch.optim.Adam(model.parameters(), 0.03)
        for _ in range(40):
            x = torch.randint(2, (16, 3, 1, 1, 1), generator=generator).float().expand(-1, -1, 1, 3, 4)
            optimizer.zero_grad()
            loss = -model.elbo({"frames": x}).elbo().mean() / 2
            loss.backward()
            optimizer.step()
        nats.append(float(loss.detach()))
    assert math.log(2) - 0.1 < nats[0] < math.log(2) + 0.5 and nats[1] > 12 * math.log(2) - 0.5


# -- C10 -------------------------------------------------------------------------------------------


def test_the_floor_counts_the_directions_that_do_not_leave() -> None:
    """A square of 4 in 8: from the middle four ways, from a wall three, from a corner two."""
    data = parse(MovingShape, {"size": 8, "shape": "square", "turns": "bounce", "start": "anywhere"})
    x = torch.zeros(1, 4, 8, 8)
    for t, (y, left) in enumerate([(1, 1), (1, 0), (0, 0), (0, 1)]):
        x[0, t, y:y + 4, left:left + 4] = 1
    assert c10_pixels.places(x)[0].tolist() == [[1, 1], [1, 0], [0, 0], [0, 1]]
    events = torch.tensor([[False, False, True, True]])
    found = c10_pixels.floors(x, events, data)
    assert found.any == pytest.approx((math.log(4) + math.log(3) + math.log(2)) / 3)
    # From a corner two ways: 4 + 4 pixels that are white in one of them, and as many that stay so in one.
    assert c10_pixels.floors(x[:, 2:], events[:, 2:], data).factorised == pytest.approx(14 * math.log(2))


def test_the_generators_events_are_where_a_direction_was_drawn() -> None:
    data = c10_pixels.configuration(True, ["data.test_clips=40"]).data
    assert isinstance(data, MovingShape)
    test = data.load().splits["test"]
    assert test.events is not None
    x = (torch.from_numpy(test.arrays["frames"])[:, :data.frames, 0] > 0).float()
    events = torch.from_numpy(test.events)[:, :data.frames]
    least = c10_pixels.floors(x, events, data)
    assert 0 < least.any < least.factorised
    moves = c10_pixels.places(x).diff(dim=1)
    turned = (moves[:, 1:] != moves[:, :-1]).any(-1)  # seen in frame 2 and later
    assert not (turned & ~events[:, 2:]).any() and turned.sum() > 5
    assert c10_pixels.whole(x.flatten(0, 1), x[0, 0]) == 1
    broken = x[0].clone()
    broken[:, 0] = 1 - broken[:, 0]
    assert c10_pixels.whole(broken, x[0, 0]) == 0


@pytest.mark.parametrize(("ours", "theirs", "holds"), [(1.0, 2.6, True), (1.0, 2.4, False), (3.5, 2.0, False)])
def test_c10_is_of_the_excess_over_the_floor(ours: float, theirs: float, holds: bool) -> None:
    table = [{"decoder": name, "-log p, nats a frame": nats, "drawn frames with a whole shape": 0.5}
             for name, nats in zip(c10_pixels.MODELS, (ours, theirs), strict=True)]
    found = c10_pixels.finding(table, c10_pixels.Floors(0.25, 2.0))
    assert found.reproduced is holds
    assert float(found.table[0]["excess"]) == pytest.approx(ours - 0.25)


def test_c10_differs_in_space_alone() -> None:
    a, b = (c10_pixels.configuration(spatial) for spatial in (True, False))
    assert [d.split(":")[0] if isinstance(d, str) else d[0] for d in differences([a, b])] == ["model.spatial"]
