"""The same noise and the same data through several runs, at any step whose weights were kept.

`tables_of` says, without loading a model, what can be set beside what: a table of lines, one a run, whose cells belong
together column by column. `cells` draws one line, and `same` all of them. Pages, command line and documents call these.

Shapes: N columns, r latent size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vaecore.data import COVARIATE
from vaecore.data.identity import identity
from vaecore.explore.along import Moment, moment_at, opened_at
from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.explore.codeless import Codeless
from vaecore.explore.codes import Codes
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.generated import Generated
from vaecore.explore.pictures import Images, in_colour
from vaecore.explore.sentences import SentenceCheckpoint
from vaecore.explore.single import Checkpoint, as_read
from vaecore.modalities import Label, Modality, Text
from vaecore.models.capabilities import ChoosesPrior
from vaecore.probability.gaussian import StandardNormal
from vaecore.probability.priors import StandardConfig
from vaecore.schema import ConfigError
from vaecore.store import Run, StoreError
from vaecore.training.checkpoints import BrokenCheckpoint, modalities_in
from vaecore.views import CLIP, CODELESS, CROSSMODAL, SENTENCE, SINGLE, Opened, View, nature, view_of

What = Literal["noise", "data"]
WHATS: tuple[What, ...] = ("noise", "data")
WORDS_AT = 0.7  # temperature of words that are drawn
MOST_PAIRS = 6  # of modalities, of which one is given and the other generated
MOST_LETTERS = 300  # of a cell in words

Recipe = Literal["noise", "data", "original", "generated", "future"]
RECIPES: tuple[Recipe, ...] = ("noise", "data", "original", "generated", "future")
FAULTS = (BrokenCheckpoint, StoreError, ConfigError, ValueError)  # for which a line is left out, with the reason


@dataclass(frozen=True)
class Line:
    """One line of a table: what is done, with which run, and whose test data are taken.

    Of several modalities `given` is the one that is given, and `target` the one that is shown.
    """

    run: Run
    recipe: Recipe
    source: Run
    given: str = ""
    target: str = ""
    note: str = ""  # what is to be known of it, in a few words

    @property
    def original(self) -> bool:
        """Whether these are data, and no run's work."""
        return self.recipe == "original"


@dataclass(frozen=True)
class Table:
    """Lines whose cells belong together column by column; `key` names it in addresses."""

    key: str
    what: What
    title: str
    note: str
    lines: tuple[Line, ...]


class Plan(NamedTuple):
    """What can be shown of some runs; in sentences what is left out and why, and which are damaged."""

    tables: list[Table]
    left_out: list[str]
    faults: list[str]


@dataclass(frozen=True)
class Cells:
    """What stands in a line: pictures (N, H, W[, 3]), or words."""

    images: Images | None = None
    words: tuple[str, ...] = ()
    note: str = ""  # what is to be known of it once its model is open

    def __len__(self) -> int:
        return len(self.words) if self.images is None else len(self.images)


class Drawn(NamedTuple):
    """A line with its cells and the step whose weights it shows; None where these are those that the run ended with."""

    line: Line
    step: int | None
    cells: Cells


class Same(NamedTuple):
    """Tables with their lines drawn, and in sentences what is not there and why."""

    tables: list[tuple[Table, list[Drawn]]]
    left_out: list[str]


def same(runs: Sequence[Run], count: int = 10, seed: int = 0, step: int | None = None,
         what: Sequence[What] = WHATS) -> Same:
    """Draw some noise and some test data through each of several runs.

    At a `step` each run shows its kept weights nearest to it and not after; one that kept none shows those it ended
    with. A run that cannot be shown is left out, with a sentence that says why.
    """
    planned, tables = tables_of(runs), []
    left_out = planned.left_out + planned.faults
    for table in planned.tables:
        if table.what not in what:
            continue
        drawn = []
        for line in table.lines:
            moment = None if line.original else moment_at(line.run, step)
            if moment is None and not line.original:
                left_out.append(f"{line.run.id} kept no weights up to step {step:,}.")
                continue
            try:
                drawn.append(Drawn(line, moment and moment.step, cells(line, count, seed, moment)))
            except FAULTS as error:
                left_out.append(f"{line.run.id}: {error}")
        tables.append((table, drawn))
    return Same(tables, list(dict.fromkeys(left_out)))


# -- what stands beside what -------------------------------------------------------------------------


NOISE = ("Each column is one draw of noise, sent through each run's own prior: the same place in a Gaussian, the same "
         "share of a mixture's components, the same test image's label or covariate where a prior has one. Axes of two "
         "latent spaces have nothing to do with each other, so they are paired by rank: the first number goes to each "
         "run's most informative dimension, and so on. A column need not show the same thing twice. A smaller latent "
         "leaves the last numbers out. What has no code draws samples of its own.")
DATA = "The same test observations, each encoded and decoded again by every run, at the mean of its posterior."


def tables_of(runs: Sequence[Run]) -> Plan:
    """What can be set beside what, read from the headers of the weights: no model is loaded."""
    by_view: dict[str, list[tuple[Run, dict[str, Modality]]]] = {}
    left_out, faults = [], []
    for run in runs:
        try:
            by_view.setdefault(_view(run).name, []).append((run, modalities_in(run.path)))
        except FAULTS as error:
            faults.append(f"{run.id} cannot be opened. {error}")
    tables = []
    still = [run for run in runs if any(run is each for name in (SINGLE.name, CODELESS.name)
                                        for each, _ in by_view.get(name, []))]
    if still:
        tables.append(Table("noise", "noise", "The same noise", NOISE, tuple(Line(run, "noise", run) for run in still)))
    tables += _grouped(by_view.get(SINGLE.name, []))
    if codeless := [run.id for run, _ in by_view.get(CODELESS.name, [])]:
        left_out.append(f"{', '.join(codeless)} {'has' if len(codeless) == 1 else 'have'} no latent code, so there is "
                        "nothing to encode the same data into: what is drawn stands among the noise.")
    tables += _sentences(by_view.get(SENTENCE.name, []))
    tables += _crossed(by_view.get(CROSSMODAL.name, []))
    tables += _clips(by_view.get(CLIP.name, []))
    return Plan(tables, left_out, faults)


def _view(run: Run) -> View[Opened]:
    return view_of(run)


Known = Sequence[tuple[Run, dict[str, Modality]]]


def _groups(runs: Known, alike: Callable[[dict[str, Modality]], object]) -> list[list[tuple[Run, dict[str, Modality]]]]:
    """Runs whose data can go through each other, in the order of the first of each group."""
    groups: dict[object, list[tuple[Run, dict[str, Modality]]]] = {}
    for run, modalities in runs:
        groups.setdefault(alike(modalities), []).append((run, modalities))
    return list(groups.values())


def _data_named(run: Run) -> str:
    try:
        found = run.about().get("data") or run.values().get("data", {}).get("name", "")
    except (StoreError, AttributeError):
        return ""
    return found[:80] if isinstance(found, str) else ""


def _others(first: Run, run: Run) -> str:
    """A word where a run learned from other data than those that it is shown."""
    own = _data_named(run)
    return f"learned from {own}" if own and own != _data_named(first) else ""


def _grouped(runs: Known) -> list[Table]:
    """The same data of each shape through the runs that take it."""
    groups = _groups(runs, lambda known: tuple((each.kind, each.shape) for each in known.values()))
    found = []
    for place, group in enumerate(groups):
        first, modalities = group[0]
        [modality] = modalities.values()
        title = f"The same {modality.plural}"
        note = DATA
        if len(groups) > 1:
            title += f", {modality.described.removesuffix(' each')}"
            note += f" They are those of {first.id}: " + (
                "runs of another shape have a table of their own." if len(group) > 1 else
                "no other of these runs takes this shape.")
        lines = [Line(first, "original", first, note=f"test {modality.plural} of {first.id}")]
        lines += [Line(run, "data", first, note=_others(first, run)) for run, _ in group]
        found.append(Table(f"data{place or ''}", "data", title, note, tuple(lines)))
    return found


def _sentences(runs: Known) -> list[Table]:
    found = []
    if coded := [run for run, _ in runs if nature(run).coded]:
        lines = [Line(coded[0], "original", coded[0], note=f"test sentences of {coded[0].id}")]
        lines += [Line(run, "data", coded[0], note=_others(coded[0], run)) for run in coded]
        note = ("Test sentences, each encoded and written again by every run: the likeliest next word each time."
                + (" A language model has no code, so it reconstructs nothing." if len(coded) < len(runs) else ""))
        found.append(Table("sentences", "data", "The same sentences", note, tuple(lines)))
    if runs:
        note = f"A code from the prior, then words at temperature {WORDS_AT}, by the same noise."
        found.append(Table("written", "noise", "Sentences of their own", note,
                           tuple(Line(run, "noise", run) for run, _ in runs)))
    return found


def _crossed(runs: Known) -> list[Table]:
    """One modality given and another generated, the same for all runs of these modalities."""
    found = []
    groups = _groups(runs, lambda known: tuple((name, each.kind, each.shape) for name, each in known.items()))
    for place, group in enumerate(groups):
        first, modalities = group[0]
        pairs = [(given, target) for given in modalities for target in modalities if given != target]
        pairs.sort(key=lambda pair: not modalities[pair[1]].pictured)  # what is seen comes first
        left = f" The other {len(pairs) - MOST_PAIRS} pairs are on Cross-modal." if len(pairs) > MOST_PAIRS else ""
        for given, target in pairs[:MOST_PAIRS]:
            lines = [Line(first, "original", first, target=given, note=f"given: {given}"),
                     Line(first, "original", first, target=target, note=f"true {target}"),
                     *(Line(run, "generated", first, given, target, note=_others(first, run)) for run, _ in group)]
            title = f"{target[:1].upper()}{target[1:]} from {given}"
            found.append(Table(
                f"cross{place or ''}-{given}-{target}".replace(" ", "_"), "data", title,
                f"Of the same test samples the {given} is given to each run, and it draws the {target} with the same "
                f"noise; a linear method says what it expects. The samples are those of {first.id}.{left}",
                tuple(lines)))
    return found


def _clips(runs: Known) -> list[Table]:
    groups = _groups(runs, lambda known: tuple((each.kind, each.shape[1:]) for each in known.values()))
    found = []
    for place, group in enumerate(groups):
        first = group[0][0]
        lines = [Line(first, "original", first, note=f"a test clip of {first.id}"),
                 *(Line(run, "future", first, note=_others(first, run)) for run, _ in group)]
        note = ("One future of the same test clip by each run, drawn with the same noise; a column is a frame. All "
                f"are given as many frames as {first.id} learned with.")
        found.append(Table(f"clips{place or ''}", "noise", "The same clip and the same noise", note, tuple(lines)))
    return found


# -- one line ----------------------------------------------------------------------------------------


# The views of a run with which something can be done; the views of its data are these, too.
FITTING: Mapping[Recipe, tuple[str, ...]] = {
    "noise": (SINGLE.name, CODELESS.name, SENTENCE.name), "data": (SINGLE.name, SENTENCE.name),
    "original": (SINGLE.name, SENTENCE.name, CROSSMODAL.name, CLIP.name), "generated": (CROSSMODAL.name,),
    "future": (CLIP.name,)}


def cells(line: Line, count: int = 10, seed: int = 0, moment: Moment | None = None) -> Cells:
    """The cells of one line with the weights of a moment, or those that the run ended with.

    Raises what `View.load` does, and `BrokenCheckpoint` or `ValueError` where the run cannot do what is asked.
    """
    shown, given = _view(line.run).name, _view(line.source).name
    if shown not in FITTING[line.recipe] or given != shown:
        raise ValueError(f"{line.run.id} with the data of {line.source.id} is nothing for '{line.recipe}'.")
    with torch.inference_mode():
        found = _DRAW[line.recipe](line, count, seed, moment)
    return replace(found, words=tuple(each[:MOST_LETTERS] for each in found.words))


def _original(line: Line, count: int, seed: int, _: Moment | None) -> Cells:
    one = opened_at(line.source)
    if isinstance(one, Checkpoint):
        return Cells(one.originals(chosen(len(one.examples), count, seed)))
    if isinstance(one, SentenceCheckpoint):
        return Cells(words=tuple(one.examples[i] for i in chosen(len(one.examples), count, seed)))
    if isinstance(one, CrossModal):
        rows = one.varied(count, seed)
        return _seen([one.shown(line.target, one.sample(line.target, i)) for i in rows])
    assert isinstance(one, VideoCheckpoint)
    clip = one.clip(seed % one.count)
    return Cells(_frames(one, clip, count))


def _noise(line: Line, count: int, seed: int, moment: Moment | None) -> Cells:
    one, last = opened_at(line.run, moment), opened_at(line.run)
    if isinstance(one, Checkpoint):
        assert isinstance(last, Checkpoint)
        # The dimensions keep the ranks that they have in the end, so that a column is one code at every step.
        codes = codes_same(one, last.order, count, seed)
        return Cells(one.decode(codes), note=f"r = {one.size}{_law(one)}")
    if isinstance(one, Codeless):
        return Cells(one.sample(count, seed), note="no code: samples of its own")
    assert isinstance(one, SentenceCheckpoint)
    if not one.has_code:
        return Cells(words=tuple(one.sample(count, WORDS_AT, seed)), note="no code")
    [prior_] = one.model.prior().values()
    written = (one.write(bank(count, one.size, seed), WORDS_AT, seed) if isinstance(prior_, StandardNormal) else
               one.sample(count, WORDS_AT, seed))
    return Cells(words=tuple(written), note=f"r = {one.size}")


def _law(one: Checkpoint) -> str:
    """By what law codes are drawn, to be said after their size; nothing of the usual N(0, I)."""
    if not one.has_prior:
        return ", no prior" + (": from a Gaussian fitted to its codes" if one.fitted else "")
    chosen = one.run.config().model
    if isinstance(chosen, ChoosesPrior) and not isinstance(chosen.prior, StandardConfig):
        return f", prior: {chosen.prior.title}"
    return ""


def _data(line: Line, count: int, seed: int, moment: Moment | None) -> Cells:
    one, source = opened_at(line.run, moment), opened_at(line.source)
    if isinstance(one, Checkpoint):
        assert isinstance(source, Checkpoint)
        return Cells(reconstructed(one, source, chosen(len(source.examples), count, seed)))
    assert isinstance(one, SentenceCheckpoint) and isinstance(source, SentenceCheckpoint)
    return Cells(words=tuple(one.reconstruct(source.examples[i]) for i in chosen(len(source.examples), count, seed)))


def _generated(line: Line, count: int, seed: int, moment: Moment | None) -> Cells:
    one, source = opened_at(line.run, moment), opened_at(line.source)
    assert isinstance(one, CrossModal) and isinstance(source, CrossModal)
    parts = []
    for place, i in enumerate(source.varied(count, seed)):
        given = {line.given: source.sample(line.given, i)}
        parts.append(one.generate(given, [line.target], 1, seed=seed + place)[line.target])
    return _seen(parts)


def _future(line: Line, count: int, seed: int, moment: Moment | None) -> Cells:
    one, source = opened_at(line.run, moment), opened_at(line.source)
    assert isinstance(one, VideoCheckpoint) and isinstance(source, VideoCheckpoint)
    clip = source.clip(seed % source.count)
    past = one.past(clip, min(source.context, len(clip) - 1))  # to all runs as many frames are given
    horizon = len(clip) - len(past)
    future = one.future(past, horizon, seed)
    return Cells(_frames(one, torch.cat([past, future]), count), note=f"{len(past)} frames given")


_DRAW: Mapping[Recipe, Callable[[Line, int, int, Moment | None], Cells]] = {
    "noise": _noise, "data": _data, "original": _original, "generated": _generated, "future": _future}


def chosen(there: int, count: int, seed: int) -> list[int]:
    """The numbers of test observations to show: the first of `there` for seed 0, else others of them."""
    order = np.arange(there) if seed == 0 else np.random.default_rng(seed).permutation(there)
    return [int(i) for i in order[:count]]


def _frames(one: VideoCheckpoint, clip: torch.Tensor, count: int) -> Images:
    """So many frames of a clip, evenly chosen."""
    places = np.unique(np.linspace(0, len(clip) - 1, min(count, len(clip))).round().astype(int))
    return in_colour(one.pictures(clip[torch.from_numpy(places)]))


def _seen(parts: Sequence[Generated]) -> Cells:
    """Observations of one modality, one each, as pictures or in words."""
    modality = parts[0].modality
    if isinstance(modality, Text):
        return Cells(words=tuple(sentence for part in parts for sentence in part.sentences))
    if isinstance(modality, Label):
        return Cells(words=tuple(modality.class_names[int(number)] for part in parts for number in part.classes))
    return Cells(np.concatenate([part.images for part in parts]))


# -- images and codes --------------------------------------------------------------------------------


def reconstructed(checkpoint: Checkpoint, source: Checkpoint, rows: Sequence[int]) -> Images:
    """Test images of `source` by their numbers, encoded and decoded by another checkpoint.

    Raises `BrokenCheckpoint` for one that takes images of another shape, or reads labels that the images lack.
    """
    x = source.examples[list(rows)]
    [(name, modality)] = checkpoint.model.modalities.items()
    if modality.shape != x.shape[1:]:
        raise BrokenCheckpoint(f"{checkpoint.run.id} takes images of shape {modality.shape}, but "
                               f"{source.run.id} has {tuple(x.shape[1:])}. Compare runs of one data set.")
    batch = {name: x}
    if (covariate := checkpoint.model.covariate) is not None:
        # Numbers of other data, though as many, may measure something else.
        fits = source.model.covariate == covariate or _of_the_same_data(checkpoint.run, source.run)
        u = as_read(covariate, source.labels, source.measured if fits else None)
        if u is None:
            raise BrokenCheckpoint(f"{checkpoint.run.id} reads labels or covariates, which the test images of "
                                   f"{source.run.id} lack. Compare runs of one data set.")
        batch[COVARIATE] = u[list(rows)]
    with torch.inference_mode():
        codes = checkpoint.model.encode(batch)[checkpoint.latent].mean.numpy()
    return checkpoint.decode(codes)


def _of_the_same_data(*runs: Run) -> bool:
    return len({identity(run.values().get("data") or {}) for run in runs}) == 1


def bank(count: int, size: int, seed: int) -> Codes:
    """Normal numbers (N, r): column k is the same for every r and begins the same for every N."""
    columns = [np.random.default_rng([seed, 2 + rank]).standard_normal(count, np.float32) for rank in range(size)]
    return np.stack(columns, 1) if columns else np.zeros((count, 0), np.float32)


def codes_same(checkpoint: Checkpoint, order: Sequence[int], count: int, seed: int) -> Codes:
    """Codes (N, r) from noise that is the same for every run, through the checkpoint's own prior.

    Without a prior it goes through the Gaussian fitted to the codes of data, or the law that the model gives its
    sources.

    A bank of normal numbers says where in a Gaussian a code lies, a uniform one which component of a mixture it is
    from, another which example's covariate a conditional prior is given. Latent axes of two runs have nothing to do
    with each other, so they are paired by rank: the first number of the bank goes to the first dimension of `order`,
    usually each run's most informative one, and so on; a smaller latent leaves the last numbers out. So a run's codes
    do not depend on which others stand beside it.
    """
    normal = np.zeros((count, checkpoint.size), np.float32)
    normal[:, list(order)] = bank(count, checkpoint.size, seed)
    return checkpoint.from_noise(_uniform(count, seed, 0), normal, _uniform(count, seed, 1), seed)


def _uniform(count: int, seed: int, number: int) -> NDArray[np.float64]:
    return np.random.default_rng([seed, number]).random(count)
