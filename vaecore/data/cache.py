"""What the cache holds: arrays that were converted, downloads, and what else can be made or fetched again."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from vaecore import locks, permission
from vaecore.data.base import cache_folder

ENDINGS = (".npy", ".npy.part", ".npy.rows")  # of the files of one array


@dataclass(frozen=True)
class Held:
    """Something in the cache, by its name there, as `arrays/<key>` or `downloads/<data set>`."""

    name: str
    bytes: int  # on the disk
    files: tuple[Path, ...]
    state: str = ""  # "half made", "being made", or nothing of what is whole


def held() -> list[Held]:
    """All that is in the cache, by name."""
    root, found = cache_folder(), dict[str, list[Path]]()
    for path in sorted(each for folder in (root, *root.glob("*/")) for each in folder.glob("*")):
        if path.parent == root and path.is_dir():
            continue
        name = path.relative_to(root).as_posix()
        if path.parent.name == "arrays":
            ending = next((each for each in ENDINGS if name.endswith(each)), "")
            name = name.removesuffix(ending)
        found.setdefault(name, []).append(path)
    return [Held(name, sum(map(_size, files)), tuple(files), _state(files)) for name, files in sorted(found.items())]


def forget(one: Held) -> bool:
    """Delete it; False where a process is making it now. A training that reads it goes on: it has it open."""
    permission.require("delete from the cache")
    if _state(list(one.files)) == "being made":
        return False
    for path in one.files:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return True


def _state(files: list[Path]) -> str:
    part = next((path for path in files if path.suffix == ".part"), None)
    if part is None:
        return ""
    return "being made" if locks.held(part) else "half made"


def _size(path: Path) -> int:
    """Bytes that a file, or all in a folder, takes on the disk."""
    total = 0
    for each in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
        with contextlib.suppress(OSError):
            found = each.lstat()
            total += getattr(found, "st_blocks", -(-found.st_size // 512)) * 512
    return total
