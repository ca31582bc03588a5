"""The codes of a split as a file: CSV, NPZ or Parquet, a row an observation.

Observations are encoded and written batch by batch, so that a split of any length takes the memory of a batch. Numbers
are the very float32 of the model: read back they are the same, of a CSV too.

Shapes: N observations, r size of a latent.
"""

from __future__ import annotations

import csv
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from vaecore.data import SplitName
from vaecore.explore.export.networks import spread_of
from vaecore.explore.exported import cell, names_of
from vaecore.files import beside
from vaecore.models import Family
from vaecore.models.base import Batch
from vaecore.models.video.shared import VideoFamily
from vaecore.schema import problem
from vaecore.training.checkpoints import check_origin, check_words, load_model
from vaecore.training.feed import Feed

if TYPE_CHECKING:
    from vaecore.store import Run

ENCODED_AT_ONCE = 500
ENDINGS = (".csv", ".npz", ".parquet")
NO_PARQUET = ("pyarrow, which writes Parquet, is not installed. Save a .csv or .npz, or `pip install "
              "\"vaecore[parquet]\"`.")


@dataclass(frozen=True)
class Written:
    """What was written: how many rows, and what the columns of numbers are, by latent."""

    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Some rows: their places in the split (B,), labels (B,), -1 where there is none, and numbers (B, r) by name.

    `z.mean` and `z.sigma` are those of q(z|x), `z.kl` its KL from the prior in nats, (B, 1) where it is known only in
    all.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    numbers: Mapping[str, NDArray[np.float32]]


def codes_file(run: Run, output: Path, split: SplitName = "test", *, kl: bool = False,
               progress: Callable[[int, int], object] | None = None) -> Written:
    """Write q(z|x) of every observation of a split to `output`, whose ending says how: .csv, .npz or .parquet.

    Columns are `row` (from 0, in the split), `label` by its name, and for each latent its means and standard
    deviations (`z.mean.0`, ...), with `kl` its KL by dimension in nats as well. An .npz has an array each, `label` as
    numbers (-1: none) with their names in `classes`.

    Raises `ConfigError` for another ending, a family without codes of whole observations, and Parquet without
    its library; `BrokenCheckpoint`, `StoreError` or `DataUnavailable` as opening the run and its data does. On failure
    no file is left.
    """
    ending = output.suffix.lower()
    if ending not in ENDINGS:
        raise problem("--output", str(output), "it is no kind of file that codes are saved as.",
                      f"End it in {', '.join(ENDINGS)}.")
    model, feed, labels, classes = _opened(run, split)
    if kl and (model.point_codes or not model.prior(next(feed.in_order(1)))):
        raise problem("--kl", True, f"{run.id} has no prior that it was trained with, so its codes have no KL.",
                      "Leave it out.")
    total = feed.kept
    temporary = beside(output)
    try:
        with _WRITERS[ending](temporary, total, classes) as writer:
            names: tuple[str, ...] = ()
            for part in parts(model, feed, labels, kl=kl):
                writer.take(part)
                names = tuple(part.numbers)
                if progress:
                    progress(int(part.rows[-1]) + 1, total)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return Written(total, names)


@torch.inference_mode()
def parts(model: Family, feed: Feed, labels: NDArray[np.int64] | None, *, kl: bool = False) -> Iterator[Part]:
    """The codes of a split in order, some rows at a time."""
    generator, at = torch.Generator().manual_seed(0), 0  # the KL of some posteriors is estimated
    for batch in feed.in_order(model.at_once(ENCODED_AT_ONCE)):
        numbers = _numbers(model, batch, generator, kl)
        rows = np.arange(at, at + len(next(iter(numbers.values()))))
        yield Part(rows, np.full(len(rows), -1) if labels is None else labels[rows].astype(np.int64), numbers)
        at += len(rows)


def _numbers(model: Family, batch: Batch, generator: torch.Generator, kl: bool) -> dict[str, NDArray[np.float32]]:
    posteriors = model.encode(batch)
    charged = model.evidence(batch, posteriors, generator).kl if kl else {}
    found: dict[str, NDArray[np.float32]] = {}
    for name, q in posteriors.items():
        each = {"mean": q.mean, "sigma": spread_of(q), "kl": charged.get(name)}
        found |= {f"{name}.{what}": x.float().numpy() for what, x in each.items() if x is not None}
    return found


def _opened(run: Run, split: SplitName) -> tuple[Family, Feed, NDArray[np.int64] | None, tuple[str, ...]]:
    config = run.config()
    model = load_model(run.path)
    check_origin(run)
    if not model.latents:
        raise problem("--codes", True, f"{config.model.title} has no code.", "Choose a run of a family with one.")
    if isinstance(model, VideoFamily):
        raise problem("--codes", True, f"{config.model.title} has codes of frames, not of whole observations.",
                      "Choose a run of another family; `vaecore rollout` shows what this one does.")
    dataset = config.data.load()
    check_words(run.path, dataset)
    labels = dataset.splits[split].labels
    named = dataset.classes or run.class_names()
    return model, Feed(dataset, split, torch.device("cpu")), labels, named


# -- files -----------------------------------------------------------------------------------------


class _Writer(Protocol):
    def __enter__(self) -> _Writer: ...

    def __exit__(self, *raised: object) -> None: ...

    def take(self, part: Part) -> None: ...


class _Csv:
    """A line a row. Nine digits are enough for any float32 to be read back as itself."""

    def __init__(self, path: Path, total: int, classes: Sequence[str]) -> None:
        self.path, self.classes, self.begun = path, classes, False

    def __enter__(self) -> _Csv:
        self.file: IO[str] = self.path.open("w", encoding="utf-8", newline="")
        self.writer = csv.writer(self.file, lineterminator="\n")
        return self

    def __exit__(self, *raised: object) -> None:
        self.file.close()

    def take(self, part: Part) -> None:
        if not self.begun:
            self.writer.writerow(["row", "label", *(f"{name}.{d}" for name, x in part.numbers.items()
                                                    for d in range(x.shape[1]))])
            self.begun = True
        numbers = np.concatenate(list(part.numbers.values()), 1).tolist()
        for row, label, values in zip(part.rows.tolist(), names_of(part.labels, self.classes), numbers, strict=True):
            self.writer.writerow([row, cell(label), *(f"{value:.9g}" for value in values)])


class _Npz:
    """An array each. They grow in files, and are put together at the end: memory has a batch of them."""

    def __init__(self, path: Path, total: int, classes: Sequence[str]) -> None:
        self.path, self.total, self.classes = path, total, classes
        self.arrays: dict[str, Any] = {}

    def __enter__(self) -> _Npz:
        self.folder = tempfile.TemporaryDirectory(dir=self.path.parent, prefix=f"{self.path.name}.")
        return self

    def take(self, part: Part) -> None:
        arrays: dict[str, NDArray[Any]] = {"row": part.rows, "label": part.labels, **part.numbers}
        for name, x in arrays.items():
            if name not in self.arrays:
                place = Path(self.folder.name) / f"{len(self.arrays)}.npy"
                self.arrays[name] = open_memmap(place, "w+", x.dtype, (self.total, *x.shape[1:]))
            self.arrays[name][part.rows] = x

    def __exit__(self, *raised: object) -> None:
        with self.folder:
            if raised[0] is not None:
                return
            with zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED) as packed:
                for name, array in self.arrays.items():
                    array.flush()
                    packed.write(array.filename, f"{name}.npy")
                names = Path(self.folder.name) / "classes.npy"
                np.save(names, np.array(self.classes, dtype=np.str_))
                packed.write(names, "classes.npy")


class _Parquet:
    """A group of rows for each batch."""

    def __init__(self, path: Path, total: int, classes: Sequence[str]) -> None:
        try:
            import pyarrow  # noqa: F401 (asked for before anything is encoded)
        except ImportError:
            raise problem("--output", ".parquet", NO_PARQUET, "End the file in .csv or .npz.") from None
        self.path, self.classes = path, classes
        self.writer: Any = None

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def take(self, part: Part) -> None:
        import pyarrow as arrow
        from pyarrow import parquet

        columns: dict[str, Any] = {"row": part.rows, "label": arrow.array(
            [name or None for name in names_of(part.labels, self.classes)], arrow.string())}
        columns |= {f"{name}.{d}": x[:, d] for name, x in part.numbers.items() for d in range(x.shape[1])}
        table = arrow.table(columns)
        if self.writer is None:
            self.writer = parquet.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table)


_WRITERS: dict[str, Callable[[Path, int, Sequence[str]], _Writer]] = {".csv": _Csv, ".npz": _Npz, ".parquet": _Parquet}
