"""In how many files one training step is read: the second `Trainer.update` of a preset, call by call.

Counted are the files of vaecore whose code runs between the batch going in and the weights having moved: encoder and
decoder, densities, the objective, the loss, the optimizer's call. Not counted, because each has a room of its own and
is the same for every family: building the model; drawing the batch (`feed`); which beta, rate and turn it is
(`schedules`, `course`, said beside it as "with its course"); torch itself. A change of file is a call that lands in
another file than the call before it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

import vaecore
from vaecore.config import changed, preset
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Feed

ROOT = Path(vaecore.__file__).parent
CPU = torch.device("cpu")
SMALL = ["training.device=cpu", "training.threads=1", "training.batch_size=4"]


@dataclass
class Trace:
    calls: list[tuple[str, str]]  # file, function

    @property
    def files(self) -> dict[str, None]:
        """In the order in which they are met."""
        return dict.fromkeys(file for file, _ in self.calls)

    @property
    def functions(self) -> int:
        return len(set(self.calls))

    @property
    def changes(self) -> int:
        return sum(a != b for (a, _), (b, _) in zip(self.calls, self.calls[1:], strict=False))

    def __str__(self) -> str:
        return (f"{len(self.files)} files, {self.functions} functions, {self.changes} changes of file: "
                + " > ".join(self.files))


def traced(action: Any) -> Trace:
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT):
            calls.append((str(path.relative_to(ROOT)), frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return Trace(calls)


def steps_of(name: str, *settings: str) -> tuple[Trace, Trace]:
    """The second update of a preset on a few observations: the step, and the third with the course it is part of."""
    torch.set_num_threads(1)
    config = changed(preset(name), [*SMALL, *settings])
    dataset = config.data.load()
    course = Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)
    course.update(0)
    batch = course.feed.batch(course.indices(1), course.generator)
    beta, rate = course.beta_and_rate(1)
    course.model.at_step(1, course.total)
    return traced(lambda: course.trainer.update(batch, beta, rate)), traced(lambda: course.update(2))


# What issue 14 asks for: VAE at most 7 files, SVG at most 8. It was 12 to 14 files, with 28 to 46 changes of file.
# What couples the rows of a batch asks `probability/whole.py` for all of them, as processes may share it: SV2P, which
# counts the clips that read true frames, texts, cut to the longest, and distances between samples. It is a file more.
@pytest.mark.parametrize(("name", "settings", "files", "changes"), [
    ("vae-mnist", ["data.train_limit=100"], 7, 12),
    ("jmvae-image-label", ["data.train_limit=100"], 7, 19),
    ("mvae-image-label", ["data.train_limit=100"], 7, 16),
    ("mvae-image-label", ["data.train_limit=100", "model.posterior.kind=mixture"], 7, 15),
    ("dmvae-image-label", ["data.train_limit=100"], 7, 21),
    ("svg-lp-moving-mnist", [], 6, 16),
    ("sv2p-variant-moving-mnist", [], 8, 27),
    ("sv2p-variant-moving-mnist", ["model.stages.kind=one"], 8, 27)])
def test_a_training_step_is_read_in_few_files(name: str, settings: list[str], files: int, changes: int) -> None:
    step, whole = steps_of(name, *settings)
    print(f"{name}: {step}\n    with its course: {whole}")
    assert "training/step.py" in step.files and any(file.startswith("models/") for file in step.files)
    assert {"training/course.py", "training/feed.py"} <= whole.files.keys() - step.files.keys()
    assert len(step.files) <= files and step.changes <= changes, str(step)


TEXT = ["data.size=200"]
FEW = ["data.train_limit=500"]


@pytest.mark.parametrize(("name", "settings", "files"), [
    ("mvae-image-label", ["model.family=separate-vaes", *FEW], 7),
    ("mvae-image-label", ["model.family=concatenated-vae", *FEW], 7),
    ("ae-mnist", FEW, 6), ("linear-ae-mnist", FEW, 6), ("made-mnist", FEW, 5), ("pixelcnn-mnist", FEW, 5),
    ("rbm-mnist", FEW, 3), ("vamp-mnist", FEW, 7), ("wae-mnist", FEW, 10), ("lagging-basic", TEXT, 7),
    ("lagging-basic", ["model.family=language-model", *TEXT], 5), ("svg-fp-moving-mnist", [], 7),
    ("recurrent-predictor-moving-mnist", [], 7), ("prednet-moving-mnist", [], 6),
    ("video-pixel-network-shape", [], 7), ("conditional-wasserstein-states", [], 9)])
def test_so_is_that_of_every_other_family(name: str, settings: list[str], files: int) -> None:
    step, _ = steps_of(name, *settings)
    assert len(step.files) <= files, str(step)


def test_the_trace_sees_calls_and_nothing_else() -> None:
    from vaecore.files import parsed_json
    from vaecore.schema import problem

    assert traced(lambda: None).calls == []
    found = traced(lambda: (parsed_json("[1]", "x"), problem("a", 1, "b", "c"), parsed_json("[1]", "x")))
    assert list(found.files) == ["files.py", "schema.py"] and found.calls[0] == ("files.py", "parsed_json")
    assert found.changes == 2
