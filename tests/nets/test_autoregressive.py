"""MADE and PixelCNN: no pixel sees itself or a later one, all images have probability 1, and samples follow it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.models import FAMILIES
from vaecore.models.single.made import Autoregressive
from vaecore.schema import ConfigError, parse
from vaecore.training.checkpoints import load_model

MADE = {"hidden": [9, 7]}
CHOICES: dict[str, dict[str, Any]] = {
    "made": MADE, "made, random": {**MADE, "ordering": "random", "ordering_seed": 3}, "made, narrow": {"hidden": [2]},
    "pixelcnn": {"channels": 3, "layers": 3, "first_kernel": 3}, "pixelcnn, wide": {"channels": 2, "layers": 2}}


def made(choice: str, shape: tuple[int, ...] = (1, 3, 4)) -> Autoregressive:
    """An untrained model with weights large enough that pixels matter to each other."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = parse(FAMILIES[choice.split(",")[0]], CHOICES[choice]).build({"x": Modality("image", shape)})
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn(parameter.shape) * (1 if parameter.ndim > 1 else 0.3))
    assert isinstance(model, Autoregressive)
    return model.eval()


def order(choice: str, size: int) -> list[int]:
    """Pixels in the order in which they are drawn, worked out here."""
    if choice == "made, random":
        return torch.randperm(size, generator=torch.Generator().manual_seed(3)).tolist()
    return list(range(size))


def seen(model: Autoregressive) -> Tensor:
    """Whether pixel i (row) sees pixel j (column), for some image: a hidden unit off for one is on for another."""
    x = torch.rand(64, *model.shape.shape, requires_grad=True)
    logits = model.predict(x).logits.flatten(1).sum(0)
    return torch.stack([torch.autograd.grad(logit, x, retain_graph=True)[0].flatten(1).any(0) for logit in logits])


@pytest.mark.parametrize("choice", CHOICES)
def test_no_pixel_sees_itself_or_a_later_one(choice: str) -> None:
    ordered = order(choice, 20)
    found = seen(made(choice, (1, 5, 4)))[ordered][:, ordered]
    assert not found.triu().any()
    assert found.tril(-1).sum() > 20


@pytest.mark.parametrize(("family", "values"), [
    ("made", {"hidden": [400]}), ("pixelcnn", {"channels": 4, "layers": 7, "first_kernel": 3})])
def test_every_earlier_pixel_in_reach_is_seen(family: str, values: dict[str, Any]) -> None:
    """No blind spot: to the right above too, where a single masked stack would have one."""
    model = parse(FAMILIES[family], values).build({"x": Modality("image", (1, 5, 4))})
    assert isinstance(model, Autoregressive)
    assert torch.equal(seen(model), torch.ones(20, 20, dtype=torch.bool).tril(-1))


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("shape", [(1, 3, 4), (2, 2, 3)], ids=str)
def test_all_images_together_have_probability_one(choice: str, shape: tuple[int, ...]) -> None:
    model = made(choice, shape)
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=12))).view(-1, *shape)
    with torch.no_grad():
        log_prob = model.elbo({"x": x}).reconstruction["x"]
    assert log_prob.shape == (4096,) and log_prob.max() - log_prob.min() > 1
    assert float(log_prob.double().logsumexp(0)) == pytest.approx(0, abs=1e-4)


def slowly(model: Autoregressive, ordered: list[int], count: int, generator: torch.Generator) -> Tensor:
    """Samples by a whole pass for every pixel."""
    x = torch.zeros(count, *model.shape.shape)
    for d in ordered:
        logits = model.predict(x).logits.flatten(1)
        x.view(count, -1)[:, d] = torch.bernoulli(logits[:, d].sigmoid(), generator=generator)
    return x


@pytest.mark.parametrize("choice", CHOICES)
def test_samples_are_those_of_a_pass_for_every_pixel(choice: str) -> None:
    model = made(choice, (1, 5, 4))
    with torch.no_grad():
        fast = model.sample(50, torch.Generator().manual_seed(0))["x"]
        slow = slowly(model, order(choice, 20), 50, torch.Generator().manual_seed(0))
    assert int(fast.flatten(1).std(0).gt(0).sum()) > 10  # most pixels are drawn as both
    assert torch.equal(fast, slow)
    assert model.sampling_passes == 20 and model.inference_passes == 1


def test_colours_of_a_pixel_come_together() -> None:
    model = made("pixelcnn", (2, 3, 3))
    assert model.sampling_passes == 9 and made("made", (2, 3, 3)).sampling_passes == 18
    assert model.sample(4)["x"].shape == (4, 2, 3, 3)


@pytest.mark.parametrize("field", ["first_kernel", "kernel"])
def test_a_kernel_has_a_middle(field: str) -> None:
    config = parse(FAMILIES["pixelcnn"], {field: 4})
    with pytest.raises(ConfigError, match=rf"model.{field}: 4 is even.*3 or 5"):
        config.build({"x": Modality("image", (1, 8, 8))})


@pytest.mark.parametrize(("choice", "better"), [("made, random", 2.0), ("pixelcnn", 1.5)])
def test_training_learns_what_pixels_tell_of_each_other(choice: str, better: float, start: Callable[..., Path]) -> None:
    """Better than the best distribution of independent pixels, by log p(x) of digits it has not seen."""
    family = choice.split(",")[0]
    model = {"made": {"hidden": [64]}, "pixelcnn": {"channels": 16, "layers": 3, "first_kernel": 5}}[family]
    folder = start({"data": {"name": "digits", "pixels": "binary-fixed"}, "model": {"family": family, **model},
                    "training": {"epochs": 12, "batch_size": 32, "learning_rate": 0.01}})
    from vaecore.store import Run

    data = Run(folder).config().data.load()
    train, test = (torch.from_numpy(data.splits[split].arrays["image"]).float() / 255 for split in ("train", "test"))
    rates = train.mean(0).clamp(1e-3, 1 - 1e-3)
    independent = (test * rates.log() + (1 - test) * (1 - rates).log()).flatten(1).sum(1).mean()
    trained = load_model(folder)
    with torch.no_grad():
        found = trained.elbo({"image": test}).elbo().mean()
    assert found > independent + better
    assert Run(folder).summary()["test"]["elbo"] == pytest.approx(float(found), abs=1e-3)
    assert Run(folder).summary()["test"]["mse"] == {} and Run(folder).summary()["test"]["kl"] == {}
