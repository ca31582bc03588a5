"""What all tests on a GPU share. They are run by `make gpu`, and skipped where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from tests.training.captured import CAPTURED, EAGER
from vaecore.config import RunConfig
from vaecore.schema import parse
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Splits

CUDA = torch.device("cuda")
CHOICES = CAPTURED | {name: values for name, (values, _) in EAGER.items()}
# Torch warns on a GPU of what is new in it and slow to it, which fails no test.
needed = [pytest.mark.gpu, pytest.mark.filterwarnings("default"),
          pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: `make gpu` on one")]


def on(device: str, values: dict[str, Any], **training: Any) -> dict[str, Any]:
    """Nested values of a configuration for a device, in single precision unless said otherwise."""
    return {**values, "training": {"precision": "float32", "threads": 1, **values["training"], "device": device,
                                   **training}}


def course(values: dict[str, Any], device: torch.device = CUDA) -> Course:
    config = parse(RunConfig, values)
    splits = Splits(config.data.load(), device)
    feed = splits["train"]
    made = Course(config, build(config, splits.dataset), feed, device)
    made.model.begin(lambda n: feed.at(torch.randperm(len(feed), generator=torch.Generator().manual_seed(1))[:n]))
    return made


def taken(made: Course, steps: int) -> list[dict[str, float]]:
    lines = []
    for step in range(min(steps, made.total)):
        while not made.advance(step):
            pass
        if len(made.pending) == 50:
            lines += made.flush()
    return lines + made.flush()


def close(one: list[dict[str, float]], other: list[dict[str, float]], relative: float) -> None:
    assert len(one) == len(other) and one
    for expected, found in zip(one, other, strict=True):
        assert found == pytest.approx(expected, rel=relative, abs=relative), json.dumps([expected, found])


class _OfTheCPU(TorchFunctionMode):
    """Whatever is drawn by a GPU's generator, drawn by one of the CPU instead: its numbers are others."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        drawing = kwargs.get("generator")
        if drawing is None or drawing.device.type != "cuda":
            return func(*args, **kwargs)
        kwargs["generator"] = self.generator
        if "device" in kwargs:
            kwargs["device"] = "cpu"
        args = tree_map(lambda each: each.cpu() if isinstance(each, Tensor) else each, args)
        return func(*args, **kwargs).to(CUDA)


@contextmanager
def same_noise(seed: int) -> Iterator[None]:
    """Within it a GPU draws what a CPU's generator of that seed would draw."""
    with _OfTheCPU(seed):
        yield
