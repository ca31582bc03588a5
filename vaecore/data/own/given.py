"""Data that are given as arrays, sentences or a PyTorch data set: written once, so that a run can be resumed, opened
and looked at anywhere, like any other data of one's own.

Shapes: pictures (N, H, W), (N, H, W, C) or (N, C, H, W), vectors (N, D), clips (N, T, H, W, C), labels (N,).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vaecore import permission
from vaecore.data.base import MAX_ARRAYS_BYTES, Array
from vaecore.data.own.file import MAX_FILE_BYTES
from vaecore.files import write_bytes_atomic
from vaecore.schema import ConfigError, problem

HOW = ("Give pictures (N, H, W), (N, H, W, C) or (N, C, H, W), vectors (N, D), clips (N, T, H, W, C), sentences, a "
       "pair of one of these and labels (N,), modalities by name, or a data set of such things with a length.")
Written = tuple[Path, str, dict[str, str]]  # the file, the data set that reads it, and fields of that


def written(given: Any, folder: Path) -> Written:
    """Write what was given into `folder`, under a name made of its content, and say how it is read.

    An array, a list of sentences, a pair of one of them and labels, arrays by name, or a data set with a length whose
    items are observations, or pairs of an observation and its label. Raises `ConfigError` for anything else, and for
    what is too large: that is written to a file by whoever has it, and its path is given.
    """
    permission.require("keep data")
    labels = None
    if isinstance(given, Mapping):
        return _kept(folder, ".npz", _archive({str(name): _array(value) for name, value in given.items()}), "aligned")
    if isinstance(given, tuple) and len(given) == 2:
        given, labels = given[0], _array(given[1])
    elif not _is_array(given) and not _is_text(given) and hasattr(given, "__getitem__") and hasattr(given, "__len__"):
        given, labels = _gathered(given)
    if _is_text(given):
        return _sentences(list(given), labels, folder)
    x = _array(given)
    if labels is not None and labels.shape != x.shape[:1]:
        raise _wrong(f"labels of shape {labels.shape} do not belong to {len(x):,} observations", "Give one for each.")
    if x.ndim == 2:
        return _rows(x, labels, folder)
    if x.ndim == 5:
        return _kept(folder, ".npz", _archive({"frames": x}), "clips")
    if x.ndim not in (3, 4):
        raise _wrong(f"an array of shape {x.shape} is nothing that is read here", HOW)
    content = _archive({"images": x} if labels is None else {"images": x, "labels": labels})
    return _kept(folder, ".npz", content, "images")


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _is_text(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) > 0 and all(
        isinstance(each, str) for each in value)


def _array(value: Any) -> Array:
    """A tensor of any library as numbers, or words as words; nothing that would have to be pickled."""
    if hasattr(value, "detach"):  # of torch, wherever it lies
        value = value.detach().cpu()
    found: Array = np.asarray(value)
    if found.dtype.kind not in "biufU":
        raise _wrong(f"{type(value).__name__} is no array of numbers", HOW)
    if found.nbytes > MAX_ARRAYS_BYTES:
        raise _wrong(f"an array of {found.nbytes:,} bytes is too large to be copied", f"At most {MAX_ARRAYS_BYTES:,} "
                     "are; save it with numpy.save, and give the path.")
    return found


def _gathered(dataset: Any) -> tuple[Any, Array | None]:
    """All items of a data set, in their order, and their labels where each has one."""
    items: list[Any] = []
    labels: list[Any] = []
    total = 0
    for place in range(len(dataset)):
        item = dataset[place]
        if isinstance(item, tuple | list) and len(item) == 2:
            item, label = item
            labels.append(label)
        if not isinstance(item, str):
            item = _array(item)
            if items and item.shape != items[0].shape:
                raise _wrong(f"item {place:,} has the shape {item.shape}, and the first {items[0].shape}",
                             "Give items of one shape, or a folder of files.")
            total += item.nbytes
        if total > MAX_ARRAYS_BYTES:
            raise _wrong(f"the first {place + 1:,} of {len(dataset):,} items have {total:,} bytes", "At most "
                         f"{MAX_ARRAYS_BYTES:,} are copied; write them into files, and give the path.")
        items.append(item)
    if not items:
        raise _wrong("there is nothing in it", HOW)
    if labels and len(labels) != len(items):
        raise _wrong(f"{len(labels):,} of {len(items):,} items have a label", "Give one for each, or none.")
    return items if isinstance(items[0], str) else np.stack(items), _array(labels) if labels else None


def _rows(x: Array, labels: Array | None, folder: Path) -> Written:
    """Vectors as a table, which is what reads them, their labels as its covariate."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*(f"x{column}" for column in range(x.shape[1])), *([] if labels is None else ["label"])])
    for row, values in enumerate(x.tolist()):
        writer.writerow([*values, *([] if labels is None else [labels[row]])])
        if file.tell() > MAX_FILE_BYTES:
            raise _wrong(f"{len(x):,} vectors of {x.shape[1]:,} numbers are too many for a table", "Give fewer.")
    return _kept(folder, ".csv", file.getvalue().encode(), "table", {} if labels is None else {"covariate": "label"})


def _sentences(lines: list[str], labels: Array | None, folder: Path) -> Written:
    """A line each; with labels a table of two columns."""
    if labels is None:
        content = "".join(" ".join(line.split()) + "\n" for line in lines)
        return _kept(folder, ".txt", content.encode(), "text-file")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([("text", "label"), *zip((" ".join(line.split()) for line in lines), labels, strict=True)])
    return _kept(folder, ".csv", file.getvalue().encode(), "text-file")


def _archive(arrays: Mapping[str, Array]) -> bytes:
    if (total := sum(array.nbytes for array in arrays.values())) > MAX_ARRAYS_BYTES:
        raise _wrong(f"arrays of {total:,} bytes are too large to be copied", f"At most {MAX_ARRAYS_BYTES:,} are; save "
                     "them with numpy.savez, and give the path.")
    file = io.BytesIO()
    np.savez(file, **dict(arrays))  # type: ignore[arg-type]  # names of modalities
    return file.getvalue()


def _kept(folder: Path, ending: str, content: bytes, name: str, fields: dict[str, str] | None = None) -> Written:
    """The same content is one file, however often it is given."""
    path = folder / f"given-{hashlib.sha256(content).hexdigest()[:12]}{ending}"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(path, content)
    return path, name, fields or {}


def _wrong(message: str, remedy: str) -> ConfigError:
    return problem("data", "", f"{message}.", remedy)
