"""What a run's data were: `data.json` in its folder, to be read where the data are not.

It is written when a training begins, and read by whoever looks at the run: their name, where they lay then, their
digest, counts, classes, columns, the split, what was done to them and what was left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from vaecore.files import BrokenFile, read_json, write_json_atomic
from vaecore.untrusted import Untrusted, Whole, Word

if TYPE_CHECKING:
    from pathlib import Path

    from vaecore.data import DataConfig, Dataset
    from vaecore.store import Run

FILE, MAX_PROVENANCE_BYTES = "data.json", 4_000_000
MAX_TOLD = 200  # columns of a modality, and sentences, that are kept
SHOWN = 24  # classes and columns in a line


class Provenance(Untrusted):
    """What the data of a run were."""

    title: Word = ""
    path: str = ""
    digest: Word = ""
    source: str = ""
    sizes: dict[Word, Whole] = Field(default_factory=dict)
    modalities: dict[Word, str] = Field(default_factory=dict)
    classes: dict[Word, Whole] = Field(default_factory=dict)
    columns: dict[Word, list[Word]] = Field(default_factory=dict)
    split_by: str = ""
    done: list[str] = Field(default_factory=list)
    left_out: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, data: DataConfig, dataset: Dataset) -> Self:
        """What is to be kept of a data set that was loaded."""
        fields = data.model_dump(mode="json")
        return cls(title=data.title, path=fields.get("path", ""), digest=fields.get("digest", ""),
                   source=dataset.source, sizes={split: dataset.size(split) for split in dataset.splits},
                   modalities={name: modality.described for name, modality in dataset.modalities.items()},
                   classes=dataset.counted(),
                   columns={name: list(modality.columns[:MAX_TOLD]) for name, modality in dataset.modalities.items()
                            if modality.columns},
                   split_by=dataset.split_by, done=list(dataset.done[:MAX_TOLD]),
                   left_out=list(dataset.left_out[:MAX_TOLD]))

    def write(self, folder: Path) -> None:
        """Keep it in a run's folder."""
        write_json_atomic(folder / FILE, self.model_dump())

    def lines(self) -> list[str]:
        """All of it in words, a line each."""
        told = [f"{self.title}: {self.source}"]
        if self.path:
            told.append(f"lay at {self.path} when it was trained" + (f", SHA-256 {self.digest}" if self.digest else ""))
        told += [f"{name}: {what}" for name, what in self.modalities.items()]
        told += [", ".join(f"{size:,} for {split}" for split, size in self.sizes.items())
                 + (f", split {self.split_by}" if self.split_by else "")] if self.sizes else []
        if self.classes:
            told.append("classes: " + _few([f"{name} {count:,}" for name, count in self.classes.items()]))
        told += [f"columns of {name}: {_few(columns)}" for name, columns in self.columns.items()]
        told += [f"done: {sentence}" for sentence in self.done[:MAX_TOLD]]
        return told + [f"left out: {sentence}" for sentence in self.left_out[:MAX_TOLD]]


def of_run(run: Run) -> Provenance | None:
    """What the data of a run were; None of one that has not begun, or was made before this was kept."""
    try:
        values = read_json(run.path / FILE, MAX_PROVENANCE_BYTES)
        return None if values is None else Provenance.kept(values)
    except (BrokenFile, ValueError):
        return None  # words are not worth an error


def _few(words: list[str]) -> str:
    return ", ".join(words[:SHOWN]) + (f", and {len(words) - SHOWN:,} more" if len(words) > SHOWN else "")
