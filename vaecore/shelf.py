"""Data that were brought: what was uploaded lies in the store, once, by its content; what lies elsewhere is remembered.

    trained/data/<name>-<digest>.csv   a file that was uploaded
                 <name>-<digest>/      several, or a folder of them
                 brought.json          what was used last, with its paths
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vaecore import permission
from vaecore.data.own.file import MAX_FILE_BYTES, digest_of_all
from vaecore.data.own.pictures.folder import MAX_DEPTH
from vaecore.files import (
    DELETED,
    BrokenFile,
    beside,
    clear_deleted,
    delete,
    opened,
    read_json,
    write_bytes_atomic,
    write_json_atomic,
)
from vaecore.schema import ConfigError, problem
from vaecore.store import Store, StoreError
from vaecore.untrusted import Untrusted, Word
from vaecore.words import shown

MAX_FILES, MAX_TOTAL_BYTES = 20_000, 2**29  # of one upload
MOST_BYTES = 20 * 2**30  # of all that were uploaded
A_DAY, UNUSED = 86_400.0, 30 * 86_400.0  # seconds: who uploads trains within the one; after the other nobody will
MAX_REMEMBERED, MAX_LIST_BYTES = 50, 200_000
LONGEST_NAME = 200  # bytes of a file's name
LARGEST_SWEEP = 1_000_000  # bytes of a configuration or a sweep


@dataclass(frozen=True)
class Kept:
    """Data that were brought before."""

    path: Path
    name: str  # as they were called
    when: float  # seconds since 1970
    bytes: int
    here: bool  # whether they lie in the store, and go when they are removed

    @property
    def there(self) -> bool:
        """Whether something lies at the path still."""
        with contextlib.suppress(OSError):
            return self.path.exists()
        return False


class _Entry(Untrusted):
    path: str
    name: Word = ""
    when: float = 0.0


def folder(store: Store) -> Path:
    """Where uploads and given arrays are kept."""
    return store.root / "data"


def keep(store: Store, files: Sequence[tuple[str, bytes]]) -> tuple[Path, bool]:
    """Write uploaded files, by name and content, where a run finds them; the path, and whether it is new.

    One file is a file, several are a folder; a name may have folders before it. The same files are kept once, whatever
    was uploaded before. What no run uses goes after `UNUSED`, and sooner where room is wanted. Raises `ConfigError` for
    what is too much or has names that cannot be kept, and `OSError`.
    """
    permission.require("upload data")
    clear_deleted(folder(store))
    if not files or len(files) > MAX_FILES:
        raise _refused("", f"{len(files):,} files were uploaded.", f"Upload 1 to {MAX_FILES:,}, or a zip of them.")
    for name, content in files:
        if len(content) > MAX_FILE_BYTES:
            raise _refused(name, f"'{name}' has {len(content):,} bytes.", f"Upload at most {MAX_FILE_BYTES:,} a file, "
                           "or give the path of larger ones on this machine.")
    if (total := sum(len(content) for _, content in files)) > MAX_TOTAL_BYTES:
        raise _refused("", f"the files have {total:,} bytes together.", f"Upload at most {MAX_TOTAL_BYTES:,}, or give "
                       "their path on this machine.")
    _make_room(store, total)
    if len(files) == 1:
        [(name, content)] = files
        bare = PurePosixPath(_safe(name)).name
        ending = "".join(PurePosixPath(bare).suffixes[-2:] if bare.lower().endswith(".gz")
                         else PurePosixPath(bare).suffixes[-1:]).lower()
        path = folder(store) / f"{_slug(bare[:len(bare) - len(ending)])}-{_digest(content)[:12]}{ending}"
        if path.is_file():
            return _renewed(path), False
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(path, content)
        return path, True
    return _kept_together(store, files)


def _make_room(store: Store, coming: int) -> None:
    """Remove uploads that nothing names, the longest unused first; raises `ConfigError` where others take all the room.

    Runs in the trash can come back, and a sweep may have none yet: what they name stays, too.
    """
    kept = [each for each in brought(store) if each.here]
    taken = coming + sum(each.bytes for each in kept)
    old = [each for each in reversed(kept) if (age := time.time() - each.when) > UNUSED or (taken > MOST_BYTES
                                                                                            and age > A_DAY)]
    named = b"".join(content for _, content in _configurations(store)) if old else b""
    for each in old:
        if each.path.name.encode() not in named and (taken > MOST_BYTES or time.time() - each.when > UNUSED):
            remove(store, each)
            taken -= each.bytes
    if taken > MOST_BYTES:
        raise _refused("", f"all uploads together would have {taken:,} bytes.", f"They may have {MOST_BYTES:,}: remove "
                       "what is no longer wanted, or give the path of files on this machine.")


def _configurations(store: Store) -> Iterator[tuple[str, bytes]]:
    """Whatever in the store can name an upload: what it is, and what it says."""
    for pattern, what in (("runs/*/config.json", "{0.parent.name}"), ("sweeps/*.json", "the sweep {0.stem}"),
                          ("trash/*/config.json", "{0.parent.name} in the trash")):
        for path in sorted(store.root.glob(pattern)):
            with contextlib.suppress(OSError, BrokenFile), opened(path) as file:
                yield what.format(path), file.read(LARGEST_SWEEP)


def _kept_together(store: Store, files: Sequence[tuple[str, bytes]]) -> tuple[Path, bool]:
    """A folder of several files, written whole or not at all."""
    named: dict[str, bytes] = {}
    for name, content in files:
        if (safe := _safe(name)) in named:
            raise _refused(name, f"two of the files are called '{name}'.", "Give each a name of its own.")
        named[safe] = content
    folders = {str(above): name for name in named for above in PurePosixPath(name).parents}
    if both := sorted(folders.keys() & named.keys()):
        raise _refused(both[0], f"'{shown(both[0])}' is a file, and the folder of '{shown(folders[both[0]])}'.",
                       "Call one of them otherwise.")
    firsts = {PurePosixPath(name).parts[0] for name in named if len(PurePosixPath(name).parts) > 1}
    inside = firsts.pop() if len(firsts) == 1 and all(len(PurePosixPath(name).parts) > 1 for name in named) else ""
    digest = digest_of_all((name, _digest(named[name])) for name in sorted(named))
    first = inside or PurePosixPath(min(named)).stem
    path = folder(store) / f"{_slug(first)}-{digest[:12]}"
    if path.is_dir():
        return _renewed(path), False
    path.parent.mkdir(parents=True, exist_ok=True)
    half = beside(path)
    try:
        for name, content in named.items():
            place = half / PurePosixPath(name).relative_to(inside) if inside else half / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        half.rename(path)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        if path.is_dir():  # another tab was first
            return path, False
        raise
    return path, True


def _renewed(path: Path) -> Path:
    """What is uploaded again is as young as what is new."""
    with contextlib.suppress(OSError):  # of another user it keeps its age
        os.utime(path)
    return path


def used(store: Store, path: str, name: str) -> None:
    """Remember that what lies at `path` was used, so that it is offered again; of who only looks nothing is."""
    if permission.refusal():
        return
    entries = [entry for entry in _remembered(store) if entry.path != path]
    entries.insert(0, _Entry(path=path, name=name, when=time.time()))
    with contextlib.suppress(OSError):  # the comfort is not worth an error
        folder(store).mkdir(parents=True, exist_ok=True)
        write_json_atomic(folder(store) / "brought.json",
                          [entry.model_dump() for entry in entries[:MAX_REMEMBERED]])


def brought(store: Store) -> list[Kept]:
    """What was brought before, the last used first: what is remembered, and uploads that were never used."""
    found = {entry.path: _kept(store, Path(entry.path), entry.name, entry.when) for entry in _remembered(store)}
    with contextlib.suppress(OSError):
        for path in folder(store).iterdir():
            if str(path) not in found and path.name != "brought.json" and not (
                    ".tmp-" in path.name or path.name.startswith(DELETED)):
                found[str(path)] = _kept(store, path, "", 0.0)
    return sorted(found.values(), key=lambda kept: -kept.when)


def users(store: Store, kept: Kept) -> list[str]:
    """What was made with an upload: runs by id, sweeps, and runs that may be restored from the trash."""
    return [what for what, content in _configurations(store) if kept.path.name.encode() in content]


def remembered(store: Store, path: str) -> bool:
    """Whether somebody has used what lies at `path`."""
    return any(entry.path == path for entry in _remembered(store))


def remove(store: Store, kept: Kept) -> None:
    """Delete an upload, or forget a path; raises `StoreError` while a run or a sweep uses an upload."""
    permission.require("remove data")
    if kept.here:
        if ids := users(store, kept):
            raise StoreError(f"{kept.name} is used by {', '.join(ids[:5])}{', …' if len(ids) > 5 else ''}. "
                             "Remove that first.")
        if kept.path.is_dir() and not kept.path.is_symlink():
            delete(kept.path)
        else:
            kept.path.unlink(missing_ok=True)
    entries = _remembered(store)
    rest = [entry.model_dump() for entry in entries if entry.path != str(kept.path)]
    if len(rest) < len(entries):
        with contextlib.suppress(OSError):
            write_json_atomic(folder(store) / "brought.json", rest)


def _remembered(store: Store) -> list[_Entry]:
    try:
        values = read_json(folder(store) / "brought.json", MAX_LIST_BYTES)
    except BrokenFile:
        return []
    found = []
    for value in values if isinstance(values, list) else []:
        with contextlib.suppress(ValueError):
            found.append(_Entry.kept(value))
    return found[:MAX_REMEMBERED]


def _kept(store: Store, path: Path, name: str, when: float) -> Kept:
    here = path.parent == folder(store)
    size = 0
    with contextlib.suppress(OSError):
        if path.is_file():
            size = path.stat().st_size
        elif here:  # uploads have a bound; a folder elsewhere may have millions of files
            size = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
        when = max(when, path.stat().st_mtime) if here else when
    return Kept(path, name or re.sub(r"-[0-9a-f]{12}(?=\.|$)", "", path.name), when, size, here)


def _safe(name: str) -> str:
    """A name that leads nowhere else; raises `ConfigError` for one that would."""
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    if not parts or any(part in (".", "..") or not part.isprintable() for part in parts):
        raise _refused(name, f"'{shown(name)}' is a name that cannot be kept.",
                       "Call it otherwise, or put all into a zip.")
    if any(len(part.encode()) > LONGEST_NAME for part in parts) or len(parts) > MAX_DEPTH + 1:
        raise _refused(name, f"'{shown(name)}' has a part of more than {LONGEST_NAME} bytes, or lies more than "
                       f"{MAX_DEPTH} folders deep.", "Call it otherwise, or put all into a zip.")
    return "/".join(parts)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "data"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refused(name: str, message: str, remedy: str) -> ConfigError:
    return problem("data.path", name, message, remedy)
