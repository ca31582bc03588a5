"""The gallery by what a visitor would ask, each group with the one number that counts for it. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pages.shared.headline import ACTIVE_HELP, MSE_HELP, PERPLEXITY_HELP, Figure, active, bound_help, bound_name
from vaecore.evaluate.families import likelihood as evaluated
from vaecore.evaluate.kept import results
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.results import of, shown
from vaecore.library.found import numbers
from vaecore.library.headline import Headline, comparable, headline
from vaecore.store import Run, StoreError
from vaecore.views import CLIP, CODELESS, CROSSMODAL, SENTENCE, view_of


@dataclass(frozen=True)
class Group:
    """Checkpoints that answer one question."""

    title: str
    says: str
    holds: Callable[[Run], bool]
    figure: Callable[[Run, Headline], Figure]
    nats: bool = False  # whether the number is in nats, which compare only under the same likelihood


@dataclass(frozen=True)
class Card:
    """A checkpoint in its group. Its number is `large` where it compares with those of most others there."""

    run: Run
    figure: Figure | None  # None where its files cannot be read: the card says why
    large: bool


def grouped(runs: list[Run]) -> list[tuple[Group, list[Card]]]:
    """The runs by group, in the groups' order; groups without any are left out."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(next(group.title for group in reversed(GROUPS) if group.holds(run)), []).append(run)
    return [(group, _cards(group, found[group.title])) for group in GROUPS if group.title in found]


def _cards(group: Group, runs: list[Run]) -> list[Card]:
    read = {run.id: line for run in runs if (line := _read(run)) is not None}
    alike = {one: sum(_compare(group, a, b) for b in read.values()) for one, a in read.items()}
    most = max(alike.values(), default=0)
    return [Card(run, group.figure(run, read[run.id]) if run.id in read else None,
                 most > 1 and alike.get(run.id) == most) for run in runs]


def _compare(group: Group, a: Headline, b: Headline) -> bool:
    """Whether the group's number of one run can be set against that of another."""
    return not comparable([a, b]) if group.nats else a.scored_on == b.scored_on


def _read(run: Run) -> Headline | None:
    try:
        return headline(run)
    except StoreError:
        return None


# -- the numbers that count ------------------------------------------------------------------------


def error(_: Run, facts: Headline) -> Figure:
    """What is lost of an observation on its way through the code."""
    return Figure("Reconstruction error", shown(facts.mse, 3), MSE_HELP)


def in_use(run: Run, facts: Headline) -> Figure:
    """How much of the code carries something."""
    if facts.has_code:
        return Figure("Dimensions in use", active(facts), ACTIVE_HELP)
    if facts.one == "sentence":
        return Figure("Perplexity", shown(facts.perplexity, 3), PERPLEXITY_HELP)
    return likelihood(run, facts)


def likelihood(run: Run, facts: Headline) -> Figure:
    """log p(x) as the test set was evaluated, so that families compare; else what the run knows of all of it."""
    found = evaluated(run)
    if found is None:
        return Figure(bound_name(facts), shown(facts.bound), f"{bound_help(facts)} Unit: nats/{facts.one}.")
    declared = of(Likelihood, "log_likelihood")
    over = f" Over {found.observations:,} observations of the test set." if found.observations else ""
    name = "log p(x|u)" if facts.given else "log p(x)"
    return Figure(f"Test {name}, nats", shown(found.log_likelihood), declared.sentence + over)


def crossing(run: Run, facts: Headline) -> Figure:
    """How often one modality generated from another alone is of the right class, a mean over directions."""
    found = numbers(facts, results(run)).get("coherence")
    if found is None:
        return in_use(run, facts)
    return Figure("Right class across", f"{100 * found.value:.0f} %",
                  "Of what is generated in one modality from another alone, the share that a judge finds to be of the "
                  "right class: a mean over all directions. Evaluate has each of them.")


def likeness(run: Run, facts: Headline) -> Figure:
    """SSIM of the best of some futures."""
    found = numbers(facts, results(run)).get("ssim_clips")
    if found is None:
        return likelihood(run, facts)
    return Figure("Likeness of futures", shown(found.value, 3), "Structural similarity (SSIM) of predicted frames to "
                  f"the true ones, 1 at best, a mean over frames and clips: {found.setting}.")


# -- the groups ------------------------------------------------------------------------------------


def _of_view(*views: object) -> Callable[[Run], bool]:
    return lambda run: view_of(run) in views


def _said(run: Run, part: str, field: str) -> Any:
    """A field of the run's configuration; None where it has none that can be read."""
    try:
        section = run.values().get(part)
    except StoreError:
        return None
    value = section.get(field) if isinstance(section, dict) else None
    return value.get("kind") if isinstance(value, dict) else value


STUDIED = ("lagging",)  # experiments about it


def _collapsing(run: Run) -> bool:
    return (view_of(run) is SENTENCE or _said(run, "training", "beta") == "cyclical"
            or run.about().get("experiment") in STUDIED)


def _black_and_white(run: Run) -> bool:
    return bool(_said(run, "data", "pixels") == "binary-dynamic")


GROUPS = (  # a run belongs to the last that holds it
    Group("Images as a few numbers", "What a small code keeps of a picture, from principal components to a VAE.",
          lambda _: True, error),
    Group("When the code is ignored", "Posterior collapse, and annealing against it: how much of the code is in use?",
          _collapsing, in_use),
    Group("Where codes come from", "The same digits in black and white: priors of a VAE, beside the lecture's other "
          "ways to model p(x). Likelihoods in large type compare.",
          lambda run: _black_and_white(run) or view_of(run) is CODELESS, likelihood, nats=True),
    Group("One from another", "Several modalities: an image from its label, speech from an image, and back.",
          _of_view(CROSSMODAL), crossing),
    Group("What comes next", "Clips: given some frames, models draw the frames that may follow.",
          _of_view(CLIP), likeness),
)
