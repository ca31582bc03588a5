"""Pictures of one's own and their classes as two modalities: either can be given, and the other generated."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data.base import Dataset, Split, SplitName, one_hot
from vaecore.data.missing import MultimodalConfig
from vaecore.data.own.file import wrong
from vaecore.data.own.images import Images
from vaecore.data.own.tables.contents import PLAIN
from vaecore.modalities import Modality


class ImagesLabels(Images, MultimodalConfig):
    """Your own pictures and their classes, from sub-folders or a table, as two modalities.

    `image` (C, H, W) in uint8 and `label` (D,).
    """

    title: ClassVar[str] = "Pictures of your own, with their classes"
    observation: ClassVar[str] = "sample"
    as_several: ClassVar[tuple[str, ...]] = ()
    as_one: ClassVar[tuple[str, ...]] = ("data.name=images",)
    name: Literal["images-labels"] = "images-labels"  # type: ignore[assignment]

    @classmethod
    def recognises(cls, path: Path) -> bool:  # noqa: ARG003 (as the others)
        """Never: what looks so are pictures, and that their classes are a modality is for a person to say."""
        return False

    @classmethod
    def may_be(cls, path: Path) -> bool:
        """A folder too, if it has pictures, and a sub-folder or a table that may tell their classes."""
        with suppress(OSError, ValueError):
            if path.is_dir():
                return Images.recognises(path) and any(
                    entry.is_dir() or entry.name.lower().endswith(PLAIN)
                    for entry in path.iterdir() if not entry.name.startswith("."))
        return super().may_be(path)

    def load(self) -> Dataset:
        """A picture without a class has only the one modality; raises `ConfigError` where none has a class."""
        pictures = super().load()
        known = [split.labels for split in pictures.splits.values() if split.labels is not None]
        if not known or max(int(labels.max(initial=-1)) for labels in known) < 0:
            raise wrong(self.path, "has pictures, but no classes.", "Put them into a sub-folder a class, or a table "
                        "with their names beside them; or choose pictures without classes, data.name=images.")
        size = max(len(pictures.classes), 1 + max(int(labels.max(initial=-1)) for labels in known))
        splits: dict[SplitName, Split] = {}
        for name, split in pictures.splits.items():
            labels = np.full(len(split), -1) if split.labels is None else split.labels
            has = labels >= 0
            splits[name] = replace(split, arrays={**split.arrays, "label": one_hot(labels, size)}, observed=None
                                   if has.all() else np.stack([np.ones_like(has), has], 1))
        splits["train"] = self.with_missing(splits["train"])
        return replace(pictures, name=self.name, splits=splits,
                       modalities={**pictures.modalities,
                                   "label": Modality("label", (size,), classes=pictures.classes)})
