"""Modalities of one's own: an .npz with one array a modality, or a folder with one file a modality.

Row n of each is sample n. What a modality is follows from its array: of shape (N, D) a vector, of (N, H, W),
(N, C, H, W) or (N, H, W, C) with C = 1 or 3 an image, whole numbers (N,) a label. A .csv holds a vector and a .txt a
sentence a line. What is not observed is a row of NaN, a label of -1 or an empty line; or an array `mask` (N, M) of 0
and 1 says so, in the alphabetical order of the modalities. Classes for evaluation are in `labels` (N,).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.data import npz
from vaecore.data.base import (
    MAX_ARRAYS_BYTES,
    MAX_CLASSES,
    SPLITS,
    Dataset,
    Split,
    SplitName,
    kept_names,
)
from vaecore.data.missing import Mask, MultimodalConfig, masked
from vaecore.data.own import splitting
from vaecore.data.own.file import FEW, FILE_LIMIT, OwnFile, digest_of, wrong
from vaecore.data.own.member_kinds import (
    Column,
    Gaps,
    Lines,
    Measured,
    Pictures,
    Rows,
    column,
    known_classes,
    numbered_labels,
    who_has_what,
)
from vaecore.data.own.members import ENDINGS, LABELS, Member, bare_name, files, members
from vaecore.data.text import VocabularyConfig
from vaecore.modalities import MAX_MODALITIES, Modality
from vaecore.schema import option
from vaecore.words import counted

MIN_SAMPLES = 10
SPLIT_NAMES = ("split", "group", "names")  # what is no modality of pictures with a class
NAME = re.compile(r"\w[\w -]{0,39}")
KNOWN = (LABELS, "mask")  # what is no modality
RESERVED = ("covariate", "observed", "prior", "product", "posterior", "mixture", *KNOWN)  # names of other things


def _several(names: Sequence[str]) -> bool:
    """Whether they name two modalities or more."""
    return len([name for name in names if name.lower() not in (*KNOWN, *SPLIT_NAMES)]) > 1


class Aligned(OwnFile, MultimodalConfig, VocabularyConfig):
    """Modalities named by their arrays or files, in alphabetical order, with their gaps in every split."""

    title: ClassVar[str] = "Your own modalities"
    file: ClassVar[str] = ".npz file or folder"
    unchosen: ClassVar[str] = ("No modalities are chosen. Give data.path, an .npz with one array a modality, or a "
                               "folder with one file a modality.")
    several: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]] = (".npz", *ENDINGS)
    alone: ClassVar[tuple[str, ...]] = (".npz",)
    upload: ClassVar[str] = "Archive of arrays, or a file a modality"
    invitation: ClassVar[str] = "Samples are shown here once there is an archive, or the path of a folder."
    name: Literal["aligned"] = "aligned"
    path: str = option("", "An .npz on this machine with one array a modality, or a folder with a file a modality: "
                       f".npy, a table (.csv, .tsv, .parquet) or .txt; {FILE_LIMIT} a file at most. Optional: `mask`, "
                       "who has what, and `labels`, classes.")
    held_out: float = option(0.1, "Share of the samples for validation, and as many for test; 0 fits "
                             "a method in closed form on all samples, and evaluates it on the same.", unit="of samples",
                             ge=0, le=0.4)
    gaps: Gaps = option("refuse", "A number that is missing from a vector which has others: refused with the first one "
                        "named, filled with the mean of the training samples, or the whole vector missing from that "
                        "sample.")
    standardise: bool = option(True, "Give every number of a vector mean 0 and standard deviation 1, by the training "
                               "samples that have it. They are shown in the file's units.")
    split_seed: int = option(0, "Seed of the shuffle before the split.", ge=0, le=2**31 - 1, advanced=True)
    digest: str = digest_of("the files", "others")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether an .npz holds two modalities or more, or a folder nothing but files of them. Never raises."""
        with contextlib.suppress(OSError, ValueError):
            if path.is_dir():
                entries = [entry for entry in islice(path.iterdir(), FEW) if not entry.name.startswith(".")]
                names = [entry.name.lower() for entry in entries if entry.is_file()]
                return len(names) == len(entries) and all(name.endswith(ENDINGS) for name in names) and _several(
                    [bare_name(name) for name in names])
            if path.name.lower().endswith(".npz") and path.is_file():
                if (shapes := npz.declared(path)) is None:
                    return True  # it may have been meant so, and reading it says what is wrong
                return len({shape[:1] for shape in shapes.values()}) == 1 and _several(list(shapes))
        return False

    def files(self) -> dict[str, bytes]:
        return files(self.path)

    def load(self) -> Dataset:
        """Shuffled by a seed, then split; raises `ConfigError`, which names file and modality, for what is no data."""
        found = members(self.read(), self.path)
        known = {name: found.pop(name) for name in KNOWN if name in found}
        self._check(found, known)
        whole = known_classes([*found.values(), *known.values()])
        columns = [column(member, whole, self.gaps) for member in found.values()]
        labels, named = numbered_labels(known[LABELS], whole) if LABELS in known else (None, whole)
        if len(whole) > MAX_CLASSES:
            raise wrong(self.path, f"has {len(whole):,} different labels in all.", f"Use at most {MAX_CLASSES}.")
        observed = who_has_what(columns, known.get("mask"), self.path)
        self._fits(columns, len(observed))
        rows = self._split(len(observed))
        parts = [self._prepared(part, rows, has, whole) for part, has in zip(columns, observed.T, strict=True)]
        splits: dict[SplitName, Split] = {}
        for split in SPLITS:
            arrays = {name: arrays[split] for name, (_, arrays, _) in zip(found, parts, strict=True)}
            classes = None if labels is None else labels[rows[split]]
            splits[split] = masked(Split(arrays, classes), observed[rows[split]])
        splits["train"] = self.with_missing(splits["train"])
        sizes = (" / ".join(f"{len(rows[split]):,}" for split in SPLITS) if self.held_out else
                 f"all {len(rows['train']):,} (in-sample)")
        masks = [name for name, part in zip(found, columns, strict=True) if isinstance(part, Pictures) and part.mask]
        return Dataset("aligned", f"{Path(self.path).name}: {sizes} samples of {', '.join(found)}"
                       + (f"; {', '.join(masks)} of 0 and 1 read as black and white" if masks else "")
                       + "".join(told for *_, told in parts),
                       {name: modality for name, (modality, *_) in zip(found, parts, strict=True)}, splits,
                       classes=kept_names(map(str, named.tolist())), in_sample=not self.held_out,
                       done=self._done(found, columns),
                       left_out=tuple(f"'{member.called}': column {told}" for member in found.values()
                                      for told in member.left_out),
                       split_by=f"by seed {self.split_seed}" if self.held_out else splitting.ALL_ROWS)

    def _done(self, found: Mapping[str, Member], columns: Sequence[Column]) -> tuple[str, ...]:
        """What was done to the modalities, a sentence each."""
        done = [f"'{member.called}': {told}" for member in found.values() for told in member.done]
        for part in columns:
            rows = np.arange(len(part.member))
            if isinstance(part, Rows) and self.gaps == "mean" and (count := part.gaps(rows)):
                done.append(f"'{part.member.called}': {counted(count, 'gap')} filled with the mean of the "
                            "training samples")
            if isinstance(part, Rows) and self.gaps == "missing" and (
                    count := int((part.blank & np.isfinite(np.asarray(part.x)).any(1)).sum())):
                done.append(f"'{part.member.called}': {counted(count, 'sample')} with a gap taken as not "
                            "observed")
        if self.standardise and any(isinstance(part, Rows) for part in columns):
            done.append("every number of a vector given mean 0 and standard deviation 1 by the training samples")
        return tuple(done)

    def _check(self, found: Mapping[str, Member], known: Mapping[str, Member]) -> None:
        """Raise `ConfigError` unless there are 2 to 16 well-named modalities of equally many samples."""
        for name, member in found.items():
            if name.lower() in RESERVED:
                raise member.wrong(f"is called '{name}', which means something else here.", "Give it another name.")
            if not NAME.fullmatch(name):
                raise member.wrong("has a name that cannot be shown.",
                                   "Use at most 40 letters, digits, spaces, - and _ for it.")
        if not 2 <= len(found) <= MAX_MODALITIES:
            what = f"has {len(found)} modalit{'y' if len(found) == 1 else 'ies'}"
            raise wrong(self.path, f"{what}{': ' if found else ''}{', '.join(found)}."[:200],
                        f"Give 2 to {MAX_MODALITIES}, each an array or a file of its own.")
        first = next(iter(found.values()))
        if len(first) < MIN_SAMPLES:
            raise first.wrong(f"has {counted(len(first), 'sample')}.", f"Give at least {MIN_SAMPLES}.")
        for other in [*found.values(), *known.values()]:
            if len(other) != len(first):
                raise other.wrong(f"has {len(other):,} samples, but '{first.called}' has {len(first):,}.",
                                  "Give every modality a row for each sample: of NaN, or an empty line, where it is "
                                  "not observed.")

    def _fits(self, columns: Sequence[Column], samples: int) -> None:
        """Raise `ConfigError` where the arrays to train on would be too large."""
        total = samples * sum(part.bytes_each(self.longest) for part in columns)
        if total > MAX_ARRAYS_BYTES:
            raise wrong(self.path, f"would take {total:,} bytes in memory.",
                        f"Use at most {MAX_ARRAYS_BYTES:,}: fewer samples, say, or smaller images.")

    def _split(self, samples: int) -> dict[SplitName, NDArray[np.int64]]:
        order = np.arange(samples)
        rows = (splitting.by_seed(order, max(1, round(self.held_out * samples)), self.split_seed) if self.held_out else
                splitting.in_all(order, self.split_seed, self.train_limit))
        # Cut to the limit at once: means and vocabularies are of what is trained on.
        return {**rows, "train": rows["train"][: self.train_limit or None]}

    def _prepared(self, part: Column, rows: Mapping[SplitName, NDArray[np.int64]], has: Mask,
                  whole: NDArray[np.int64]) -> tuple[Modality, dict[SplitName, Any], str]:
        """A modality as a model reads it, in splits, and what is to be said about it; `whole` are the classes by
        their numbers."""
        if not has[rows["train"]].any():
            raise part.member.wrong("is not observed in any training sample.", "Leave it out.")
        if isinstance(part, Lines):
            sentences = [sentence if there else "" for sentence, there in zip(part.x, has, strict=True)]
            return self.numbered({split: [sentences[row] for row in rows[split]] for split in SPLITS},
                                 f"'{part.member.called}'")
        assert isinstance(part, Measured)
        modality, x = part.prepared(has, rows["train"], whole, standardise=self.standardise)
        return modality, {split: x[rows[split]] for split in SPLITS}, ""
