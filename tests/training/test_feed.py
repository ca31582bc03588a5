"""The data of a step: its order, and the pixels that are drawn anew."""

from __future__ import annotations

import math

import torch

from tests.training.runs import Make, small
from vaecore.training.feed import Feed

CPU = torch.device("cpu")


def test_order_is_a_pure_function_of_seed_and_epoch(trainer: Make) -> None:
    made, dataset = trainer(small())
    feed, twin = made.feed, Feed(dataset, "train", CPU)
    orders = {(seed, epoch): feed.order(seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1, 2)}
    torch.manual_seed(99)
    assert all(twin.order(*key).tolist() == order for key, order in reversed(orders.items()))
    assert all(sorted(order) == list(range(256)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 6


def test_an_epoch_visits_every_observation_once(trainer: Make) -> None:
    made, _ = trainer(small())
    for epoch in range(2):
        visited = torch.cat([made.indices(epoch * 4 + index) for index in range(4)])
        assert sorted(visited.tolist()) == list(range(256))


def test_dynamic_pixels_differ_between_visits_but_not_between_runs(trainer: Make) -> None:
    values = {**small(), "data": {"name": "digits", "train_limit": 256, "pixels": "binary-dynamic"}}
    made, dataset = trainer(values)
    index = torch.arange(256)
    visits = [made.feed.batch(index, made.generator)["image"] for _ in range(200)]
    again = [trainer(values)[0].feed.batch(index, torch.Generator().manual_seed(0))["image"] for _ in range(2)]
    assert not torch.equal(visits[0], visits[1])
    assert torch.equal(again[0], again[1]) and torch.equal(again[0], visits[0])
    assert set(torch.stack(visits).unique().tolist()) == {0.0, 1.0}
    grey = made.feed.tensors["image"] / 255
    assert (torch.stack(visits).mean(0) - grey).abs().max() < 5 * 0.5 / math.sqrt(200)
    assert (torch.stack(visits).mean() - grey.mean()).abs() < 0.002
    validation = Feed(dataset, "validation", CPU)
    once, twice = (torch.cat([batch["image"] for batch in validation.in_order(100)]) for _ in range(2))
    assert torch.equal(once, twice)
    assert set(once.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(validation.batch(torch.arange(250), made.generator)["image"], once)


def test_what_is_not_trained_on_is_one_draw_of_dynamic_pixels(trainer: Make) -> None:
    made, _ = trainer({**small(), "data": {"name": "digits", "train_limit": 256, "pixels": "binary-dynamic"}})
    still = made.feed.all()["image"]  # a closed form that saw grey levels would be fitted to other data
    assert set(still.unique().tolist()) == {0.0, 1.0}
    assert abs(float(still.mean() - (made.feed.tensors["image"] / 255).mean())) < 0.01
    assert torch.equal(torch.cat([batch["image"] for batch in made.feed.in_order(100)]), still)
    assert torch.equal(made.feed.first(10)["image"], still[:10])
    assert torch.equal(made.feed.at(torch.tensor([7, 3]))["image"], still[[7, 3]])
