"""Digits and shapes that move: the published rules, their statistics, the pictures, and what is called an event."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vaecore.data import DATASETS, Dataset, DataUnavailable, Split, moving_mnist
from vaecore.data.clips import FRAMES, as_read, pasted
from vaecore.data.moving_mnist import MovingMNIST, trajectories
from vaecore.data.moving_shape import DIRECTIONS, MovingShape, paths, stamp
from vaecore.data.moving_states import MovingStates
from vaecore.schema import ConfigError
from vaecore.training.feed import Feed

REACH = 32
GREY = {"train": 50, "validation": 100, "test": 150}  # of the squares that stand for digits


@pytest.fixture
def grey_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares of another grey in each split, instead of MNIST."""
    dataset = Dataset("mnist", "grey", {}, {name: Split({"image": np.full((3, 1, 28, 28), value, np.uint8)})
                                            for name, value in GREY.items()})  # type: ignore[misc]
    monkeypatch.setattr(moving_mnist.MNIST, "load", lambda _: dataset)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scripted(monkeypatch: pytest.MonkeyPatch, *draws: Any) -> None:
    """Let the numbers that a simulation draws be these."""
    script = iter([torch.as_tensor(draw) for draw in draws])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: next(script))


def by_the_rules(start: Any, velocity: Any, away: Any, along: Any) -> tuple[list[list[int]], list[bool]]:
    """One digit, step by step, as the published code has it: places (T, 2) and bounces (T,)."""
    (y, x), (dy, dx) = start, velocity
    places, bounces = [], []
    for t in range(len(away)):
        bounced = False
        if y < 0:
            y, dy, dx, bounced = 0, away[t][0], along[t][0], True
        elif y >= REACH:
            y, dy, dx, bounced = REACH - 1, -away[t][0], along[t][0], True
        if x < 0:
            x, dx, dy, bounced = 0, away[t][1], along[t][1], True
        elif x >= REACH:
            x, dx, dy, bounced = REACH - 1, -away[t][1], along[t][1], True
        places.append([int(y), int(x)])
        bounces.append(bounced)
        y, x = y + dy, x + dx
    return places, bounces


def test_trajectories_follow_the_published_rules_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    count, frames, digits = 20, 40, 2
    starts, velocities = rng.integers(REACH, size=(2, count, digits)), rng.integers(-4, 5, size=(2, count, digits))
    away = rng.integers(1, 5, size=(frames, 2, count, digits))
    along = rng.integers(-4, 5, size=(frames, 2, count, digits))
    scripted(monkeypatch, starts, velocities, away, along)
    places, bounces = trajectories(count, frames, digits, 64, 4, generator())
    assert places.shape == (count, frames, digits, 2) and bounces.shape == (count, frames, digits)
    for clip in range(count):
        for digit in range(digits):
            one = np.s_[:, clip, digit]
            expected = by_the_rules(starts[one], velocities[one], away[:, :, clip, digit], along[:, :, clip, digit])
            assert (places[clip, :, digit].tolist(), bounces[clip, :, digit].tolist()) == expected


def test_in_a_corner_the_bounce_in_x_draws_anew_what_the_one_in_y_has_just_set(monkeypatch: pytest.MonkeyPatch) -> None:
    away, along = torch.ones(4, 2, 1, 1, dtype=torch.long), torch.zeros(4, 2, 1, 1, dtype=torch.long)
    away[1, :, 0, 0], along[1, :, 0, 0] = torch.tensor([3, 2]), torch.tensor([4, -2])
    scripted(monkeypatch, [[[1]], [[30]]], [[[-4]], [[4]]], away, along)
    places, bounces = trajectories(1, 4, 1, 64, 4, generator())
    # Beyond both walls at frame 1: set to (0, 31); y's own 3 away from its wall is replaced by x's -2, towards it.
    assert places[0, :, 0].tolist() == [[1, 30], [0, 31], [0, 29], [1, 29]]
    assert bounces[0, :, 0].tolist() == [False, True, True, False]


def test_a_digit_turns_at_31_and_not_where_it_would_still_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    still = torch.zeros(3, 2, 1, 1, dtype=torch.long)
    scripted(monkeypatch, [[[29]], [[5]]], [[[2]], [[0]]], still + 4, still)
    places, bounces = trajectories(1, 3, 1, 64, 4, generator())
    assert places[0, :, 0, 0].tolist() == [29, 31, 31]  # 31 is within; 33 is set back, and turns
    assert bounces[0, :, 0].tolist() == [False, False, True]


def test_statistics_are_the_published_ones() -> None:
    """Published: 0.121 bounces a step and digit, the first at frame 6.2 on average, 1.3 % still at first, 1.8 % without
    any in 30 frames."""
    places, bounces = trajectories(20_000, 50, 1, 64, 4, generator(1))
    within = bounces[:, :30, 0]
    some = within.any(1)
    assert not bounces[:, 0].any()
    assert bounces[:, 1:].float().mean().item() == pytest.approx(0.121, abs=0.0015)  # of steps between 50 frames
    assert within.float().mean().item() == pytest.approx(0.119, abs=0.0015)  # of 30 frames, the first among them
    first = torch.where(some, within.float().argmax(1), 30)  # a digit that has none counts with 30
    assert first.float().mean().item() == pytest.approx(6.15, abs=0.15)
    assert (~some).float().mean().item() == pytest.approx(0.0175, abs=0.003)
    still = (places == places[:, :1]).all(-1).all(-1).all(-1)  # for good, as those that start still are
    assert still.float().mean().item() == pytest.approx(1 / 81, abs=0.003)
    assert (places.amin().item(), places.amax().item()) == (0, 31)
    pairs = within[:10_000] | within[10_000:]
    assert pairs.float().mean().item() == pytest.approx(1 - (1 - 0.119)**2, abs=0.003)


def test_pasting_adds_what_lies_over_each_other_up_to_white() -> None:
    rng = np.random.default_rng(3)
    stamps, places = rng.integers(0, 256, (3, 2, 5, 4), np.uint8), rng.integers(0, 8, (3, 6, 2, 2))
    frames = pasted(torch.from_numpy(stamps), torch.from_numpy(places), 13)
    expected = np.zeros((3, 6, 1, 13, 13), int)
    for b, t, k in np.ndindex(3, 6, 2):
        y, x = places[b, t, k]
        expected[b, t, 0, y:y + 5, x:x + 4] += stamps[b, k]
    assert expected.max() > 255 and frames.dtype == torch.uint8
    assert np.array_equal(frames.numpy(), expected.clip(max=255))


@pytest.mark.usefixtures("grey_digits")
@pytest.mark.parametrize("config", [
    MovingMNIST(size=16, source="embedded", test_clips=5), MovingStates(test_clips=5),
    MovingShape(turns="bounce", test_clips=5)])
def test_batches_are_drawn_anew_but_the_same_from_the_same_generator(config: Any) -> None:
    dataset = config.load()
    assert DATASETS[config.name] is type(config) and dataset.name == config.name and config.observation == "clip"
    assert dataset.drawn is not None and dataset.size("train") == 6_000
    modality = dataset.modalities[FRAMES]
    one, twin, other = (dataset.drawn(7, generator(seed))[FRAMES] for seed in (5, 5, 6))
    assert one.shape == (7, *modality.shape) and one.dtype == torch.float32
    assert torch.equal(one, twin) and not torch.equal(one, other)
    assert one.min() >= -1 and one.max() <= 1 and (modality.kind == "trajectory" or one.min() == 0)
    kept, again = dataset.splits["test"], config.load().splits["test"]
    assert kept.arrays[FRAMES].shape == (5, 30, *modality.shape[1:]) and kept.events is not None
    assert kept.events.shape == (5, 30)
    assert np.array_equal(kept.arrays[FRAMES], again.arrays[FRAMES])
    assert not np.array_equal(kept.arrays[FRAMES], dataset.splits["validation"].arrays[FRAMES])


@pytest.mark.usefixtures("grey_digits")
def test_the_feed_draws_training_clips_and_cuts_those_of_validation() -> None:
    dataset = MovingMNIST(size=16, source="embedded", test_clips=5, clips=40, frames=4, test_frames=9).load()
    train, validation = (Feed(dataset, split, torch.device("cpu")) for split in ("train", "validation"))
    assert len(train) == 40 and len(validation) == 5
    batch = train.batch(train.order(0, 0)[:6], generator())[FRAMES]
    assert batch.shape == (6, 4, 1, 16, 16) and batch.min() >= 0 and batch.max() <= 1
    assert batch.unique().numel() > 2 and torch.equal(batch * 255, (batch * 255).round())
    first = validation.first(3)[FRAMES]
    assert first.shape == (3, 4, 1, 16, 16)
    assert torch.equal(first, as_read(torch.from_numpy(dataset.splits["validation"].arrays[FRAMES][:3, :4])))


def test_events_are_the_frames_after_a_bounce() -> None:
    """Every other frame follows from the two before it, as the walls allow; the frames after a bounce do not."""
    split = MovingStates(digits=1, test_clips=300).load().splits["test"]
    assert split.events is not None and not split.events[:, :2].any()
    places = np.rint((split.arrays[FRAMES].astype(np.float64) + 1) * 31 / 2)
    foreseen = np.clip(2 * places[:, 1:-1] - places[:, :-2], 0, 31)
    right = (foreseen == places[:, 2:]).all(-1)
    events = split.events[:, 2:]
    assert right[~events].all() and right[events].mean() < 0.1
    _, bounced = trajectories(50, 12, 2, 64, 4, generator(2))
    made = moving_mnist.Moving(np.zeros((1, 1, 28, 28), np.uint8), 2, 64, 4)(50, 12, generator(2))
    assert made.events is not None and not made.events[:, 0].any()
    assert torch.equal(made.events[:, 1:], bounced.any(-1)[:, :-1])


@pytest.mark.usefixtures("grey_digits")
def test_digits_of_a_split_come_from_that_split_of_mnist() -> None:
    dataset = MovingMNIST(size=32, digits=1, source="embedded", test_clips=3).load()
    for name, value in GREY.items():
        assert set(np.unique(dataset.splits[name].arrays[FRAMES])) == {0, value}  # type: ignore[index]
    assert dataset.drawn is not None
    drawn = dataset.drawn(4, generator())[FRAMES]
    assert drawn.max().item() == pytest.approx(50 / 255)
    assert (drawn > 0).sum((2, 3, 4)).unique().tolist() == [256]  # each is there as a whole, in every frame


def test_a_digit_is_resized_as_pillow_does_it() -> None:
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    found = moving_mnist.Moving(image[None, None], 1, 32, 4).stamps(1, generator())[0, 0].numpy()
    expected = np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR))
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_limit_makes_the_training_clips_the_same_at_every_visit() -> None:
    dataset, again = (MovingStates(train_limit=9, test_clips=5).load() for _ in range(2))
    assert dataset.drawn is None and dataset.size("train") == 9
    clips = dataset.splits["train"].arrays[FRAMES]
    assert np.array_equal(clips, again.splits["train"].arrays[FRAMES])
    feed = Feed(dataset, "train", torch.device("cpu"))
    assert np.array_equal(feed.batch(torch.tensor([4, 2]), generator())[FRAMES].numpy(), clips[[4, 2]])


@pytest.mark.usefixtures("grey_digits")
@pytest.mark.parametrize(("config", "field"), [
    (MovingStates(frames=20, test_frames=19), "data.test_frames"),
    (MovingMNIST(size=128, test_clips=10_000, test_frames=200, source="embedded"), "data.test_clips"),
    (MovingMNIST(size=128, train_limit=10**6, source="embedded"), "data.train_limit"),
    (MovingShape(size=8, side=7), "data.side"),
    (MovingShape(turns="bounce", directions="diagonal"), "data.start")])
def test_what_cannot_be_is_said_with_a_remedy(config: Any, field: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.load()
    [problem] = error.value.problems
    assert problem.field == field and problem.remedy


def test_where_mnist_is_not_there_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    assert MovingMNIST().resolve().source == "embedded"
    with pytest.raises(DataUnavailable, match="Fetch it"):
        MovingMNIST(source="full").load()


# -- a shape ---------------------------------------------------------------------------------------


def made(**values: Any) -> types.SimpleNamespace:
    fields = {"frames": 40, "reach": 12, "directions": "straight", "speed": 1, "turns": "once", "start": "centre",
              **values}
    moves = torch.tensor(DIRECTIONS[fields["directions"]]) * fields["speed"]
    places, first, turned = paths(400, fields["frames"], fields["reach"], moves, fields["turns"], fields["start"],
                                  generator())
    return types.SimpleNamespace(places=places, first=first, turned=turned)


@pytest.mark.parametrize("directions", ["straight", "diagonal"])
def test_a_direction_drawn_once_leaves_four_futures_of_the_same_first_frame(directions: str) -> None:
    found = made(directions=directions)
    assert found.first.bincount().tolist() == pytest.approx([100, 100, 100, 100], abs=35)
    assert found.places[:, 0].unique(dim=0).tolist() == [[6, 6]]
    assert len({tuple(path.flatten().tolist()) for path in found.places}) == 4
    moves = torch.tensor(DIRECTIONS[directions])[found.first]  # type: ignore[index]
    assert torch.equal(found.places[:, 1] - found.places[:, 0], moves)
    # Six steps to the wall, twelve back to the other, six to the centre.
    assert torch.equal(found.places[:, 6], 6 + 6 * moves) and torch.equal(found.places[:, 18], 6 - 6 * moves)
    assert torch.equal(found.places[:, 24], found.places[:, 0])


def test_walls_reflect_a_faster_shape_within_a_step() -> None:
    found = made(speed=4, reach=13)
    downwards = found.places[found.first == 1][0, :, 0]
    assert downwards[:5].tolist() == [6, 10, 12, 8, 4]  # 14 lies one beyond the wall


@pytest.mark.parametrize(("directions", "start"), [("straight", "centre"), ("straight", "anywhere"),
                                                   ("diagonal", "anywhere")])
def test_a_direction_drawn_at_walls_changes_there_and_nowhere_else(directions: str, start: str) -> None:
    found = made(directions=directions, start=start, turns="bounce", reach=11)
    places, steps = found.places, found.places.diff(dim=1)
    assert places.min() == 0 and places.max() == 11
    legal = {tuple(move) for move in DIRECTIONS[directions]}  # type: ignore[index]
    assert {tuple(step) for step in steps.flatten(0, 1).tolist()} == legal
    changed = (steps[:, 1:] != steps[:, :-1]).any(-1)  # (B, T - 2): between frames t + 1 and t + 2
    at_wall = ((places == 0) | (places == 11)).any(-1)
    assert at_wall[:, 1:-1][changed].all() and found.turned[:, 1:-1].any()
    # Wherever the direction changes there was a choice, but in a corner from which one diagonal leads back.
    corners = ((places == 0) | (places == 11)).all(-1)[:, 1:-1]
    assert (found.turned[:, 1:-1] | corners)[changed].all()
    if directions == "straight":  # of three ways from a wall all are taken
        drawn = found.turned[:, 1:-1] & ~corners
        taken = (steps[:, 1:][drawn] * steps[:, :-1][drawn]).sum(-1)
        assert taken.eq(-1).float().mean().item() == pytest.approx(1 / 3, abs=0.06)


def test_events_of_a_shape_are_the_frames_after_a_draw() -> None:
    once = MovingShape(test_clips=50).load().splits["test"]
    assert once.events is not None and once.labels is not None
    assert once.events[:, 1].all() and once.events.sum() == 50
    assert set(once.labels) == {0, 1, 2, 3}
    bounce = MovingShape(test_clips=50, turns="bounce").load().splits["test"]
    assert bounce.events is not None
    assert not bounce.events[:, :7].any() and bounce.events[:, 7].all()  # six steps from the centre to a wall


def pixels(binary: bool) -> NDArray[np.uint8]:
    return MovingShape(test_clips=4, binary=binary).load().splits["test"].arrays[FRAMES]  # type: ignore[return-value]


def test_binary_frames_are_black_and_white() -> None:
    assert set(np.unique(pixels(True))) == {0, 255}
    grey = np.unique(pixels(False))
    assert len(grey) > 2 and grey.max() == 255
    assert stamp("disc", 4).sum() / 255 == pytest.approx(np.pi * 4, rel=0.03)  # its area, at soft edges
    assert (stamp("square", 3) == 255).all()
