"""Ways to look at a run, each registered here once: what it opens, and which class opens it.

Which view opens a run is read from its words and its configuration, without torch: a page lists runs before anything is
loaded. Opening one goes by the model itself, and raises `vaecore.explore.opening.WrongView` where the words lied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar, cast

from vaecore.store import Run, StoreError

if TYPE_CHECKING:
    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.explore.codeless import Codeless
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.sentences import SentenceCheckpoint
    from vaecore.explore.single import Checkpoint


class Preview(NamedTuple):
    """What a model draws or writes of its own, as a file of its run: `preview.png` or `preview.txt`."""

    file: str
    content: bytes


class Opened(Protocol):
    """A run that was opened: its model, and what travels with it."""

    @property
    def run(self) -> Run:
        """The run that was opened."""

    def preview(self) -> Preview:
        """Something of its own, for the run's card."""


T_co = TypeVar("T_co", bound=Opened, covariant=True)


class Nature(NamedTuple):
    """What a run is, as far as views tell runs apart by it."""

    observation: str  # what one of its data is called: "sentence" is read, "clip" moves, all else is a still picture
    several: bool = False  # whether it models several modalities
    coded: bool = True  # whether it has a latent code to move through


@dataclass(frozen=True)
class View(Generic[T_co]):
    """One way to look at a run."""

    name: str
    title: str  # what it opens, in words for errors: "a model of ..."
    command: str  # that shows what such a run does, for errors: the run's id stands in the place of {run}
    opener: str = field(repr=False)  # "module:class" with `load`
    opens: Callable[[Nature], bool] = field(repr=False)

    def load(self, run: Run) -> T_co:
        """The run, opened by this view.

        Raises `BrokenCheckpoint`, `WrongView` where it is another view's, `StoreError` or `ConfigError`.
        """
        module, _, name = self.opener.partition(":")
        return cast(T_co, getattr(import_module(module), name).load(run))


CROSSMODAL: View[CrossModal] = View(
    "crossmodal", "a model of several modalities", "vaecore generate {run} --out FILE.png",
    "vaecore.explore.crossmodal:CrossModal", lambda it: it.several)
SENTENCE: View[SentenceCheckpoint] = View(
    "sentence", "a model of text, which is read and not drawn", "vaecore sentences sample {run}",
    "vaecore.explore.sentences:SentenceCheckpoint", lambda it: not it.several and it.observation == "sentence")
CLIP: View[VideoCheckpoint] = View(
    "clip", "a model of clips, whose frames follow one another", "vaecore rollout {run} --out FILE.gif",
    "vaecore.explore.clips.checkpoint:VideoCheckpoint", lambda it: not it.several and it.observation == "clip")
CODELESS: View[Codeless] = View(
    "codeless", "a model without a latent code to move through, which can draw samples",
    "vaecore sample {run} --output FILE.png", "vaecore.explore.codeless:Codeless",
    lambda it: _still(it) and not it.coded)
SINGLE: View[Checkpoint] = View(
    "single", "a model of images or vectors with a latent code", "vaecore traverse {run} --output FILE.png",
    "vaecore.explore.single:Checkpoint", lambda it: _still(it) and it.coded)
STILL: tuple[View[Checkpoint | Codeless], ...] = (CODELESS, SINGLE)  # those of one modality that is drawn
VIEWS: dict[str, View[Opened]] = {view.name: view for view in (CROSSMODAL, SENTENCE, CLIP, CODELESS, SINGLE)}


def nature(run: Run) -> Nature:
    """What a run is: by its words; where those are gone by its configuration, which brings torch.

    A run of which nothing can be read counts as one of images with a code: opening it tells what is wrong with it.
    """
    about = run.about()
    several, observation = about.get("multimodal") is True, about.get("observation")
    try:
        model = run.values().get("model")
        if not isinstance(observation, str):
            config = run.config()
            several, observation = config.model.multimodal, config.data.observation
    except (StoreError, ValueError):
        return Nature(observation if isinstance(observation, str) else "image", several)
    return Nature(observation, several, not isinstance(model, dict) or "latent_size" in model)


def views_of(run: Run) -> list[View[Opened]]:
    """All views that open a run, that which shows most of it first."""
    found = nature(run)
    return [view for view in VIEWS.values() if view.opens(found)]


def view_of(run: Run, *among: View[T_co]) -> View[T_co]:
    """The view that opens a run, of all or of those named; where none of these does, the last of them: it tells why."""
    found = nature(run)
    offered = among or cast("tuple[View[T_co], ...]", tuple(VIEWS.values()))
    return next((view for view in offered if view.opens(found)), offered[-1])


def _still(it: Nature) -> bool:
    return not it.several and it.observation not in ("sentence", "clip")
