"""A published data set fetched and made into what is read here, in the cache, in the layout of `VAECORE_DATA`.

    downloads/<folder>/originals/   what is published, while it is fetched and converted; `.part` what has come of one
                      <files>       what is read, once its numbers are those of the table
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import importlib.util
import io
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from vaecore import permission
from vaecore.data.base import Array, DataUnavailable, cache_folder
from vaecore.data.digest import digest, digest_in
from vaecore.data.download import download, unwritten
from vaecore.data.npz import DAMAGED
from vaecore.data.published import PUBLISHED, Published, found, megabytes
from vaecore.files import remove_leftovers, write_bytes_atomic

Tell = Callable[[str, int, int], object]  # what is done, as "fetching"; how many bytes of how many
FETCHING, CONVERTING = "fetching", "converting"
SPARE_BYTES = 64 * 2**20  # of the disk that stay free


def quiet(what: str, done: int, total: int) -> None:
    """Hear how far a download is, and tell nobody."""


def fetch(name: str, *, accept_licence: bool = False, tell: Tell = quiet) -> Path:
    """The folder of a published data set, after it was fetched, converted and compared with the table.

    Where it is here already and whole, nothing is fetched. What is stopped, or breaks off, goes on from there another
    time. Raises `DataUnavailable`, with what to do, where it cannot be had.
    """
    chosen = PUBLISHED[name]
    if (place := chosen.place()) is not None and intact(chosen, place):
        return place
    permission.require("fetch data")
    folder = cache_folder() / "downloads" / chosen.folder
    if place is not None and place != folder:
        bad = next(file for file in chosen.files if not _same(chosen, place, file))
        raise DataUnavailable(f"{found(place, bad)} is not what {chosen.title} has: its numbers differ from the "
                              "published ones, or it is damaged. It would be read before what is downloaded: remove "
                              "it, then fetch again.")
    if chosen.accept and not accept_licence:
        raise DataUnavailable(f"{chosen.title} is published under {chosen.licence}. {chosen.accept}. Whoever accepts "
                              f"that says `{chosen.command}`, or ticks it on the page.")
    if chosen.module and importlib.util.find_spec(chosen.module) is None:
        raise DataUnavailable(f"{chosen.title} cannot be converted without {chosen.module}: `pip install "
                              f'"{chosen.extra}"`, then fetch it again. Nothing was fetched.')
    _room(chosen, folder)
    originals = folder / "originals" if chosen.conversion else folder
    remove_leftovers(folder)
    before = 0
    for original in chosen.originals:
        download(original, originals / original.file, partial(_told, tell, before, chosen.size))
        before += original.size
    if chosen.conversion:
        tell(CONVERTING, chosen.size, chosen.size)
        _convert(chosen, originals, folder)
        shutil.rmtree(originals, ignore_errors=True)
    return folder


def _told(tell: Tell, before: int, total: int, there: int) -> None:
    tell(FETCHING, min(before + there, total), total)


def intact(chosen: Published, folder: Path) -> bool:
    """Whether all files of a data set in `folder` hold what the table says."""
    return all(_same(chosen, folder, file) for file in chosen.files)


def exact(chosen: Published, folder: Path) -> bool:
    """Whether all files hold it to the last bit, also where machines may round otherwise."""
    return all(digest_in(found(folder, file) or folder) == expected for file, expected in chosen.files.items())


def _same(chosen: Published, folder: Path, file: str) -> bool:
    path = found(folder, file)
    there = digest_in(path) if path else ""
    return there == chosen.files[file] or (chosen.rounds and bool(there))


def _room(chosen: Published, folder: Path) -> None:
    """Raise `DataUnavailable` where the disk has no room for it: better before than in the middle."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    needed = chosen.size + (chosen.kept if chosen.conversion else 0) + SPARE_BYTES
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        return
    if free < needed:
        raise DataUnavailable(f"{chosen.title} needs {megabytes(needed)} in {folder} while it is fetched, and the disk "
                              f"has {megabytes(free)}. Free some, or let VAECORE_CACHE name a folder on another disk. "
                              "Nothing was fetched.")


def _convert(chosen: Published, originals: Path, folder: Path) -> None:
    """Make the one file of a data set out of its originals, and compare it with the table before it takes its name."""
    [(file, expected)] = chosen.files.items()
    module = importlib.import_module(f"vaecore.data.originals.{chosen.conversion}")
    try:
        made: bytes | Mapping[str, Array] = module.convert(originals)
    except DAMAGED as error:
        raise DataUnavailable(f"The originals of {chosen.title} in {originals} cannot be converted ({error}). Delete "
                              "that folder and fetch it again.") from None
    if checksum(made) != expected and not chosen.rounds:
        raise DataUnavailable(f"{file} came out with other numbers than those it should have, though the originals in "
                              f"{originals} are the published ones. Please report it, with the versions of `vaecore "
                              "doctor`. Nothing was kept.")
    path = folder / file
    try:
        write_bytes_atomic(path, packed(made))
    except OSError as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(originals)
        raise unwritten(error, path, chosen.kept) from None


def checksum(made: bytes | Mapping[str, Array]) -> str:
    """SHA-256 of what a conversion has made, as the table has it."""
    import hashlib

    return hashlib.sha256(made).hexdigest() if isinstance(made, bytes) else digest(made)


def packed(made: bytes | Mapping[str, Array]) -> bytes:
    """The bytes of the file: a .gz of a text, an .npz of arrays."""
    if isinstance(made, bytes):
        return gzip.compress(made, mtime=0)
    data = io.BytesIO()
    np.savez_compressed(data, **made)  # type: ignore[arg-type]
    return data.getvalue()
