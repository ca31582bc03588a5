"""The choice of data leads the choice of model: which choices fit a data set, why the others do not, and what would
make them fit.

There is no list of what goes with what: `fit`, which refuses a training before its first step, is asked of every
choice. A refusal says its remedy as settings too (`Problem.ways`), so what can be mended is mended in the same way for
a preset that meets other data, for the page's form and for the one who asks what there is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel

from vaecore.config import RunConfig, changed
from vaecore.data import Dataset, ImageConfig
from vaecore.data.own.file import OwnFile
from vaecore.modalities import Image, Label, Modality
from vaecore.models import AEConfig, ModelConfig, VAEConfig
from vaecore.models.base import Modalities
from vaecore.models.capabilities import ChoosesBound, ChoosesDivergence, ChoosesLikelihood, ChoosesStages
from vaecore.models.multimodal.shared import ModalConfig
from vaecore.nets.convolutional import ConvConfig, ResConvConfig
from vaecore.probability.likelihoods import BernoulliConfig
from vaecore.schema import ConfigError, Problem, Way, named, tagged, title_at
from vaecore.training.build import fit

FAMILY = "model.family"
MOST_MENDED = 12  # refusals, one after another, that are mended before one gives up
LOOKED_AT = 500  # training pictures that say what pictures these are
PURE, FEW_PURE, MOSTLY_PURE = 3, 0.25, 0.95  # grey levels from black or white; shares of pixels within them
SMALLEST_SIDE = 7  # pixels of pictures that convolutions are of use for
STEPS, STEPS_OF_CLIPS = 2_000, 1_000  # of a training that learns something
LEAST_BATCH, BATCHES = 8, 8  # observations of a batch, and batches an epoch, that small data are given at least
CLIPS_AT_ONCE = 16  # each is many pictures
MOST_EPOCHS, EVALUATIONS = 500, 30
NUMBERS_A_CLASS = 16  # of the other modalities, for which a label's reconstruction counts once


@dataclass(frozen=True)
class Fitting:
    """Whether a choice fits a data set. `settings` make it fit, where that can be said; they begin with the choice.

    One that fits may have settings too: what below it follows the data, as the network does of the family.
    """

    path: str  # of the choice, as model.family
    tag: str
    title: str
    fits: bool
    reason: str = ""  # why it does not, in the words of the check that refuses it
    settings: Way = ()

    @property
    def choice(self) -> str:
        """The choice itself as a setting."""
        return f"{self.path}={self.tag}"


@dataclass(frozen=True)
class Change:
    """What was changed so that a configuration suits its data, and why."""

    settings: Way
    reason: str

    def __str__(self) -> str:
        return f"{'; '.join(map(in_words, self.settings))}, because {self.reason}"


# -- mending ---------------------------------------------------------------------------------------


def mended(config: RunConfig, dataset: Dataset, said: Collection[str] = ()) -> tuple[RunConfig, tuple[Change, ...]]:
    """The configuration with what does not fit the data changed, and what that was; `said` are fields that stay.

    Raises the `ConfigError` of the first refusal that nothing mends. The data themselves are never changed.
    """
    changes: list[Change] = []
    while True:
        try:
            fit(config, dataset)
            return config, tuple(changes)
        except ConfigError as error:
            first, stay = error.problems[0], {"data", *said}
            way = next((way for way in first.ways if not any(_touches(each, stay) for each in way)), None)
            if way is None or len(changes) >= MOST_MENDED:
                raise
            better = _with(config, way)
            if better is None or better == config:
                raise
            config = better
            changes.append(Change(way, _as_reason(first)))


def suited(config: RunConfig, dataset: Dataset, said: Collection[str] = ()) -> tuple[RunConfig, tuple[Change, ...]]:
    """The configuration for data that it was not written for: what does not suit them follows them too.

    Photographs are not scored as black and white, networks of images are sized to the picture, labels are weighed
    against the rest, and few observations are seen often enough. Raises `ConfigError` as `mended`.
    """
    config, changes = mended(config, dataset, said)
    for change in _followed(config, dataset):
        if not any(_touches(setting, said) for setting in change.settings):
            better = _with(config, change.settings)
            if better is not None and better != config:
                config, changes = better, (*changes, change)
    config, more = mended(config, dataset, said)
    return config, _final((*changes, *more))


def _final(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Changes without those that later ones make anew."""
    paths = [{setting.partition("=")[0] for setting in change.settings} for change in changes]
    return tuple(change for place, change in enumerate(changes) if paths[place] - set().union(*paths[place + 1:]))


def _touches(setting: str, fields: Collection[str]) -> bool:
    path = setting.partition("=")[0]
    return any(path == field or path.startswith(f"{field}.") or field.startswith(f"{path}.") for field in fields)


def _with(config: RunConfig, way: Way) -> RunConfig | None:
    """The configuration with settings made; None where it has no such fields."""
    try:
        return changed(config, way)
    except ConfigError:
        return None


def _as_reason(problem: Problem) -> str:
    return problem.message.rstrip(".")


def in_words(setting: str) -> str:
    """A setting as a person reads it: `model.network.kind=mlp` as "Network: MLP"."""
    path, _, value = setting.partition("=")
    if value.startswith("{") and (info := RunConfig.model_fields.get(path)):  # a whole choice, by its tag
        path, value = f"{path}.{info.discriminator}", yaml.safe_load(value)[str(info.discriminator)]
    parent, _, _ = path.rpartition(".")
    members = _members(RunConfig, parent)
    return f"{title_at(RunConfig, path)}: {named(value, members[value]) if value in members else value}"


def _members(root: type[BaseModel], path: str) -> dict[str, type[BaseModel]]:
    """What the union at a dotted path offers, whichever the choices around it are."""
    owners: list[type[BaseModel]] = [root]
    found: dict[str, type[BaseModel]] = {}
    for part in path.split("."):
        infos = [owner.model_fields[part] for owner in owners if part in owner.model_fields]
        found = {tag: member for info in infos for tag, member in tagged(info).items()}
        plain = [info.annotation for info in infos if isinstance(info.annotation, type)
                 and issubclass(info.annotation, BaseModel)]
        owners = [*found.values(), *plain]
    return found


# -- what follows the data -------------------------------------------------------------------------


def photographs(dataset: Dataset, name: str) -> float | None:
    """The share of pure black and white among the pixels of a modality that holds photographs; None for other ones.

    Photographs are in colour, or in grey with few pixels that are black or white.
    """
    modality = dataset.modalities[name]
    if not isinstance(modality, Image):
        return None
    pixels = np.asarray(dataset.splits["train"].arrays[name][:LOOKED_AT])
    pure = float(np.mean(np.less(pixels, PURE) | np.greater(pixels, 255 - PURE))) if pixels.size else 1.0
    colour = modality.shape[0] >= 3
    return pure if pure < FEW_PURE or (colour and pure < MOSTLY_PURE) else None


def _followed(config: RunConfig, dataset: Dataset) -> Iterator[Change]:
    """What suits the data better than what stands there."""
    model, rows = config.model, dataset.size("train")
    pictures = {name: m for name, m in dataset.modalities.items() if isinstance(m, Image)}
    for name, modality in pictures.items():
        if (pure := photographs(dataset, name)) is None:
            continue
        kind = "colour" if modality.shape[0] >= 3 else "grey"
        why = (f"{pure:.0%} of the pixels are black or white: {kind} photographs, no drawings in black and white"
               if pure < FEW_PURE else f"the pictures are in colour, though {pure:.0%} of the pixels are black or "
                                       "white")
        if isinstance(model, ChoosesLikelihood) and isinstance(model.likelihood, BernoulliConfig):
            yield Change(("model.likelihood.kind=gaussian-learned",), why)
        if isinstance(model, ModalConfig) and model.likelihoods.get(name, "bernoulli") == "bernoulli":
            yield Change((f"model.likelihoods={_yaml({**model.likelihoods, name: 'gaussian-learned'})}",), why)
    if pictures:
        yield from _sized(model, pictures, rows)
    if isinstance(model, ModalConfig):
        others = sum(m.size for m in dataset.modalities.values() if not isinstance(m, Label))
        labels = [name for name, m in dataset.modalities.items() if isinstance(m, Label)]
        weight = min(10_000, max(1, round(others / NUMBERS_A_CLASS)))
        if labels and others and {**model.weights, **dict.fromkeys(labels, weight)} != model.weights:
            yield Change((f"model.weights={_yaml({**model.weights, **dict.fromkeys(labels, weight)})}",),
                         f"one class stands beside {others:,} other numbers")
    if not model.closed_form:
        yield from _seen_often(config, rows)


def _sized(model: ModelConfig, pictures: Mapping[str, Modality], rows: int) -> Iterator[Change]:
    """Networks of images with as many stages as the largest pictures need, or the smallest of several have room for."""
    sides = sorted(pictures.values(), key=lambda m: m.size)
    shape = sides[0].shape
    why = f"{rows:,} pictures of {shape[1]} × {shape[2]} pixels are learned from"
    network: object
    if isinstance(model, VAEConfig | AEConfig):
        path, network, wanted = "model.network", model.network, model.network.sized(sides[0], rows)
    elif isinstance(model, ModalConfig) and min(shape[1:]) > SMALLEST_SIDE:
        path, network, wanted = "model.networks.image", model.networks.image, ConvConfig().sized(sides[0], rows)
        if isinstance(network, ConvConfig | ResConvConfig):
            wanted = network.sized(sides[0], rows)
    else:
        return
    if wanted == network or not isinstance(wanted, ConvConfig | ResConvConfig):
        return
    kind = [f"{path}.kind={wanted.tag}"] if wanted.tag != network.tag else []
    yield Change((*kind, f"{path}.channels={list(wanted.channels)}", f"{path}.dense={wanted.dense}"), why)


def _seen_often(config: RunConfig, rows: int) -> Iterator[Change]:
    """A batch and a number of epochs with which few observations make a training of enough steps."""
    training = config.training
    batch = min(training.batch_size, max(LEAST_BATCH, rows // BATCHES), rows)
    clips = config.data.observation == "clip"
    if clips:
        batch = min(batch, CLIPS_AT_ONCE)
    enough = math.ceil((STEPS_OF_CLIPS if clips else STEPS) / max(1, rows // batch))
    epochs = max(training.epochs, min(MOST_EPOCHS, enough))
    why = f"there are {rows:,} training observations"
    if batch != training.batch_size:
        yield Change((f"training.batch_size={batch}",), why)
    if epochs != training.epochs:
        yield Change((f"training.epochs={epochs}",
                      f"training.evaluate_every={max(1, round(epochs / EVALUATIONS))}"), why)


def _yaml(values: dict[str, Any]) -> str:
    flow = yaml.safe_dump(values, allow_unicode=True, default_flow_style=True, sort_keys=False, width=10_000)
    return str(flow).strip()


def adapted(written: RunConfig, config: RunConfig, dataset: Dataset, said: Collection[str] = ()
            ) -> tuple[RunConfig, tuple[Change, ...]]:
    """What was `written`, as in a preset, for the data that it meets in `config`; `said` are fields that stay.

    Where these are the data it was written for, only what does not fit is changed. Raises `ConfigError` as `mended`.
    """
    unplaced = isinstance(written.data, OwnFile) and not written.data.path
    others = config.data.name != written.data.name or unplaced
    return (suited if others else mended)(config, dataset, said)


# -- what fits -------------------------------------------------------------------------------------


def families(config: RunConfig, dataset: Dataset) -> list[Fitting]:
    """Every family for these data: whether it fits, and why not."""
    return fittings(config, dataset, FAMILY)


def fittings(config: RunConfig, dataset: Dataset, path: str) -> list[Fitting]:
    """Every choice at `path`, the dotted name of a choice's tag, for these data: in the order of its declaration.

    A family fits if all that has to be changed for it is its own, or how it is trained. Any other choice fits only if
    what is around it can stay as it is; where it cannot, `settings` say what would have to change.
    """
    with_own = "model" if path == FAMILY else path.rpartition(".")[0]
    free = ("model", "training") if path == FAMILY else (with_own,)
    return [_fitting(config, dataset, path, tag, member, free) for tag, member in choices(config, path).items()]


def choices(config: RunConfig, path: str) -> dict[str, type[BaseModel]]:
    """What there is to choose from at the dotted name of a choice's tag."""
    *parents, last, _ = path.split(".")
    owner: Any = config
    for part in parents:
        owner = getattr(owner, part)
    return tagged(type(owner).model_fields[last])


def _fitting(config: RunConfig, dataset: Dataset, path: str, tag: str, member: type[BaseModel], free: Iterable[str]
             ) -> Fitting:
    title, choice = named(tag, member), f"{path}={tag}"
    chosen = changed(config, [choice])
    try:
        _, changes = mended(chosen, dataset, {path})
    except ConfigError as error:
        first = error.problems[0]
        way = next((way for way in first.ways if _with(chosen, way) is not None
                    and not any(_touches(setting, {path}) for setting in way)), ())
        return Fitting(path, tag, title, fits=False, reason=first.message, settings=(choice, *way) if way else ())
    settings = tuple(setting for change in changes for setting in change.settings)
    outside = [change for change in changes if not all(setting.startswith(tuple(f"{each}." for each in free))
                                                       for setting in change.settings)]
    if outside:
        return Fitting(path, tag, title, fits=False, reason=outside[0].reason + ".", settings=(choice, *settings))
    return Fitting(path, tag, title, fits=True, settings=(choice, *settings))


def open_choices(config: RunConfig) -> list[str]:
    """The choices within model and training whose members may or may not fit the data, the family first."""
    return [FAMILY, *(path for path in _tags(config.model, "model."))]


def _tags(value: BaseModel, path: str) -> Iterator[str]:
    for name, info in type(value).model_fields.items():
        inner = getattr(value, name)
        if len(tagged(info)) > 1:
            yield f"{path}{name}.{info.discriminator}"
        if isinstance(inner, BaseModel):
            yield from _tags(inner, f"{path}{name}.")


# -- what applies ----------------------------------------------------------------------------------

# Of a training without steps: all but where it runs, and on how many threads.
STEPWISE = ("epochs", "batch_size", "learning_rate", "beta", "kl", "inference", "rate", "optimizer", "weight_decay",
            "clip_norm", "evaluate_every", "patience", "keep", "snapshots", "snapshot_points", "checkpoints", "graphs",
            "precision", "pace")


def unread(config: RunConfig, modalities: Modalities) -> set[str]:
    """Fields, dotted, that make no difference to a training as the others stand; of a choice all that is in it.

    Where the modalities are not known, none of the model's own fields is among them.
    """
    model, training = config.model, config.training
    found = {f"model.{name}" for name in model.unread(modalities)} if modalities else set()
    if isinstance(config.data, ImageConfig) and config.data.pixels == "grey":
        found.add("data.binarisation_seed")
    if model.closed_form:
        return found | {f"training.{name}" for name in STEPWISE}
    if not model.has_kl:
        found |= {"training.beta", "training.kl", "training.inference", "training.snapshots",
                  "training.snapshot_points"}
    if isinstance(model, ChoosesDivergence) and not model.divergence.is_kl:
        found.add("training.kl")
    if isinstance(model, ChoosesBound) and model.bound.codes:
        found.add("training.kl")
    if isinstance(model, ChoosesStages) and model.stages.tag != "one":
        found.add("training.inference")
    if not training.snapshots:
        found.add("training.snapshot_points")
    if training.device in ("cpu", "mps"):
        found.add("training.graphs")
    return found
