"""One door for data of one's own: what lies at a path is read as what it looks like, and said before anything trains.

Page, command line and Python come in here. Each data set that is read from files of one's own declares what it
recognises; which of several is tried first stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaecore.data import DATASETS
from vaecore.data.base import SPLITS, DataConfig, Dataset
from vaecore.data.own.file import OwnFile
from vaecore.schema import ConfigError, Problem, parse, problem

# Where several recognise the same: first those that look at what is inside, last those that take what is left. What was
# registered comes before all of them: somebody made it for such files.
FIRST = ("aligned", "clips", "images", "images-labels", "text-file", "table")
TOLD = 20  # names of classes or columns in a line

Kind = type[OwnFile]


@dataclass(frozen=True)
class Brought:
    """Data of one's own as they were understood: their configuration, which a run takes, and the loaded data set."""

    config: OwnFile
    dataset: Dataset

    def __str__(self) -> str:
        return "\n".join(understood(self.dataset, self.config.title))


def own() -> dict[str, Kind]:
    """The data sets that are read from files of one's own, by name, in the order in which they are tried."""
    kinds = {name: kind for name, kind in DATASETS.items() if issubclass(kind, OwnFile)}
    return dict(sorted(kinds.items(), key=lambda item: FIRST.index(item[0]) if item[0] in FIRST else -1))


def recognised(path: str | Path) -> list[Kind]:
    """The data sets that what lies at `path` looks like, the likeliest first; cheap, and never an error."""
    place = _place(path)
    return [kind for kind in own().values() if kind.recognises(place)]


def possible(path: str | Path) -> dict[str, Kind]:
    """The data sets recognised at `path`, by name, and then those that it may be meant as too."""
    kinds, found, place = own(), recognised(path), _place(path)
    return ({name: kind for name, kind in kinds.items() if kind in found}
            | {name: kind for name, kind in kinds.items() if kind.may_be(place)})


def _place(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # "~someone" without a home, where nothing lies
        return Path(path)


def bring(path: str | Path, name: str = "", **fields: Any) -> Brought:
    """Read what lies at `path`, and say what was understood, before anything trains.

        brought = vaecore.bring("faces/", size=64)
        print(brought)                          # counts, shapes, classes, split, what was done and left out
        vaecore.fit("vae-images", data=brought)

    It is read as the data set called `name`, or as what it looks like; `fields` are fields of that data set. Raises
    `ConfigError`, which says for each kind that it could be what is missing, and `DataUnavailable` where a decoder is
    not installed.
    """
    return read_as(path, name, lambda kind: parse(kind, {"path": str(path), **fields}))


def read_as(path: str | Path, name: str, configured: Callable[[Kind], OwnFile],
            load: Callable[[OwnFile], Dataset] = lambda config: config.load()) -> Brought:
    """Read what lies at `path` as `bring` does, by the configuration that `configured` makes for a kind.

    `load` is what loads it, for those who keep what was loaded.
    """
    kinds = [called(name)] if name else recognised(path) or list(possible(path).values())
    if not kinds:
        raise _unknown(str(path))
    problems: list[Problem] = []
    for kind in kinds:
        try:
            config = configured(kind).resolve()
            return Brought(config, load(config))
        except ConfigError as error:
            problems += [Problem(each.field, each.value, f"read as {kind.title[:1].lower()}{kind.title[1:]}: "
                                 f"{each.message}" if len(kinds) > 1 else each.message, each.remedy)
                         for each in error.problems]
    raise ConfigError(problems)


def meant(asked: DataConfig, path: str | Path) -> str:
    """The data set of one's own that `asked`, which has no path yet, says that `path` is; empty where it looks other.

    A preset for pictures with their classes reads so what else would be read as pictures alone.
    """
    found = recognised(path)
    fits = isinstance(asked, OwnFile) and not asked.path and (not found or any(isinstance(asked, kind)
                                                                               for kind in found))
    return asked.tag if fits else ""


def called(name: str) -> Kind:
    """The data set of one's own that is called so; raises `ConfigError`."""
    kinds = own()
    if name not in kinds:
        raise problem("data.name", name, f"no data set of files of your own is called '{name}'.",
                      f"Choose one of {', '.join(kinds)}.")
    return kinds[name]


def understood(dataset: Dataset, title: str = "") -> list[str]:
    """What was understood of a data set, a line each: counts, shapes, classes, split, what was done and left out."""
    return list(_understood(dataset, title))


def _understood(dataset: Dataset, title: str) -> Iterator[str]:
    yield f"{title}: {dataset.source}" if title else dataset.source
    for name, modality in dataset.modalities.items():
        yield f"{name}: {modality.described}" + (f" ({_listed(modality.columns)})" if modality.columns else "")
    sizes = " / ".join(f"{dataset.size(split):,}" for split in SPLITS)
    yield f"for training, validation and test: {sizes}{f', split {dataset.split_by}' if dataset.split_by else ''}"
    if classes := dataset.counted():
        told = _listed([f"{name} {count:,}" for name, count in classes.items()])
        yield f"{len(classes):,} class{'es' * (len(classes) != 1)}: {told}"
    for title_of, sentences in (("done", dataset.done), ("left out", dataset.left_out)):
        yield from (f"{title_of}: {sentence}" for sentence in sentences)


def _listed(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f", and {len(names) - TOLD:,} more" if len(names) > TOLD else ""
    return ", ".join(names[:TOLD]) + more


def _unknown(path: str) -> ConfigError:
    """What is wrong with what no data set recognises."""
    kinds = {kind.endings: kind for kind in reversed(own().values())}  # of two with the same endings the first
    takes = "; ".join(f"{kind.title}: {', '.join(kind.endings)}" for kind in reversed(kinds.values()))
    try:
        place = Path(path).expanduser()
        remedy = (f"Give the path of one of these. {takes}." if place.exists() else
                  "Give the path of a file or folder on this machine.")
        what = ("is a folder in which nothing is found that is read here" if place.is_dir() else
                "is of no kind that is read here" if place.exists() else
                "is a link to nothing" if place.is_symlink() else "is not there")
    except (OSError, ValueError, RuntimeError) as error:
        what, remedy = f"cannot be looked at ({error})", "Give the path of a file or folder on this machine."
    among = next((kind for kind in own().values() if kind.alone and _one_of(path, kind)), None)
    if among is not None:
        return problem("data.path", path, f"'{path}' is a single {among.observation}.", "Give the folder that it lies "
                       f"in, or what else holds several. {among.title}: {', '.join(among.alone)}.")
    if path in DATASETS and path not in own():
        return problem("data.path", path, f"'{path}' {what}; a data set that is built in is called so.",
                       f"Train on that with --set data.name={path}; `vaecore data` lists them all.")
    return problem("data.path", path, f"'{path}' {what}.", remedy)


def _one_of(path: str, kind: Kind) -> bool:
    """Whether a file lies there that is such data among others in a folder; what is in a .gz its name does not say."""
    with suppress(OSError, ValueError, RuntimeError):
        name = path.lower()
        return name.endswith(kind.endings) and not name.endswith(".gz") and Path(path).expanduser().is_file()
    return False
