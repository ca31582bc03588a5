"""A training that processes share: the first one leads, and it alone reads the folder's files and writes them.

The others take the same steps. They begin where the checkpoint stands that the first one has opened or written, and
after each evaluation they hear what followed from it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vaecore.store import Run
from vaecore.training import Control
from vaecore.training import device as devices
from vaecore.training.build import build
from vaecore.training.checkpoints import load_checkpoint
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.ranks.group import RankLost, Ranks
from vaecore.training.ranks.step import SharedFeed
from vaecore.training.session import Outcome, train


def lead(folder: Path, control: Control) -> Outcome:
    """Train the run in `folder` as the first of several processes, the others of which `follow`.

    What is solved in closed form has no steps to share, and is trained by this process alone.
    """
    config = Run(folder).config()
    with Ranks.join(config.training) as ranks:
        if config.model.closed_form:
            ranks.say(None)
            print(f"{config.model.title} is solved at once, by one process of {ranks.size}: the rest has nothing to "
                  "do", flush=True)
            return train(folder, control)
        return train(folder, ranks.heeding(control), ranks)


def dismiss(folder: Path) -> None:
    """Meet the others to tell them that there is nothing to do."""
    with Ranks.join(Run(folder).config().training) as ranks:
        ranks.say(None)


def follow(folder: Path, explain: Callable[[BaseException], str] = str) -> None:
    """Take the steps of the run in `folder` beside the process that leads; nothing is written.

    What ends it is left word of, as `explain` has it, for who leads. Raises `RankLost` where another one has ended.
    """
    config = Run(folder).config()
    with Ranks.join(config.training) as ranks:
        try:
            if ranks.hear() is not None:  # the data are there to be loaded
                _follow(folder, ranks)
        except RankLost:
            raise
        except BaseException as error:
            ranks.fail(explain(error))
            raise


def _follow(folder: Path, ranks: Ranks) -> None:
    config = Run(folder).config()
    device = devices.choose(config.training)
    devices.set_threads(config.training, ranks.here)
    dataset = config.data.load()
    feed = SharedFeed(dataset, "train", device, ranks.part(config.training.batch_size))
    course = Course(config, build(config, dataset), feed, device, ranks)
    step, exhausted = _heard(ranks, course)  # the run is open
    load_checkpoint(folder, course.model, course.trainer.optimizers, course.generator)
    try:
        while step < course.total and not ranks.stopping and not exhausted:
            complete = course.advance(step)
            step += complete
            evaluated = complete and (step % course.evaluate_every == 0 or step == course.total)
            if evaluated or len(course.pending) == FLUSH_STEPS:
                course.pending.clear()  # the first one writes them
            if evaluated:
                step, exhausted = _heard(ranks, course)
    finally:
        course.feed.close()


def _heard(ranks: Ranks, course: Course) -> tuple[int, bool]:
    """At which step the training stands, and whether its patience is at an end: see `Session._tell`."""
    heard = ranks.hear()
    assert heard is not None
    if course.turns is not None:
        course.turns.restore(heard["turns"])
    ranks.as_first(course.model.state_dict())
    return heard["step"], heard["exhausted"]
