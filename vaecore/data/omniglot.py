"""Omniglot: 32,460 drawings of 1,623 characters, from `VAECORE_DATA` or a download.

This is the drawing set of Lake et al. at 28 x 28 with its own random split. It is not the `chardata.mat`
of Burda et al.: likelihoods here do not compare with tables computed on that file.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from vaecore.data import npz
from vaecore.data.base import MAX_UNPACKED_BYTES, Dataset, DataUnavailable, ImageConfig, SplitName, folders
from vaecore.data.published import remedy


class Omniglot(ImageConfig):
    """Handwritten characters of 50 alphabets, 28 x 28; labels are alphabets."""

    title: ClassVar[str] = "Omniglot"
    name: Literal["omniglot"] = "omniglot"

    def reads(self) -> tuple[str, ...]:
        return ("omniglot",)

    def here(self) -> str:
        _path()
        return "Omniglot: 32,460 drawings"

    def load(self) -> Dataset:
        path = _path()
        try:
            with zipfile.ZipFile(path) as members:
                if sum(member.file_size for member in members.infolist()) > MAX_UNPACKED_BYTES:
                    raise DataUnavailable(f"{path} declares more than 64 MB: not the published file.")
                for entry in members.infolist():
                    npz.member(members, entry).close()  # before numpy unpacks what may have no bound
            with np.load(path, allow_pickle=False) as file:
                images = file["x"][:, None]
                labels, test = file["alphabet"].astype(np.int64), file["random_split"] == 1
            if images.dtype != np.uint8 or images.shape != (len(labels), 1, 28, 28) or test.shape != labels.shape:
                raise ValueError(f"images {images.dtype} of shape {images.shape} for {len(labels)} labels")
        except npz.DAMAGED as error:
            raise DataUnavailable(f"{path} cannot be read ({error}). Fetch it again.") from None
        rest = np.random.default_rng(0).permutation(np.flatnonzero(~test))
        cut = len(rest) - len(rest) // 10
        parts: dict[SplitName, np.ndarray[tuple[int], np.dtype[np.intp]]] = {
            "train": rest[:cut], "validation": rest[cut:], "test": np.flatnonzero(test)}
        sizes = " / ".join(f"{len(part):,}" for part in parts.values())
        return self.finish("omniglot", f"Omniglot: {sizes}",
                           {split: images[part] for split, part in parts.items()},
                           {split: labels[part] for split, part in parts.items()})


def _path() -> Path:
    path = next((f / "omniglot28.npz" for f in folders("omniglot") if (f / "omniglot28.npz").is_file()), None)
    if path is None:
        raise DataUnavailable(f"Omniglot is not on this machine. {remedy('omniglot')} Or point VAECORE_DATA at a "
                              "folder that holds omniglot/omniglot28.npz (arrays x, alphabet, random_split).")
    return path
