"""Runs out of a zip that may come from anywhere: everything is bounded and checked before it takes a name in the store.

First the list of the zip, before anything is unpacked: how many members, how large, under which names, of which kind.
Then each is unpacked into a folder of the store that nobody lists, with the bounds in hand, and compared with the
digests of the manifest. Then each run is checked and opened as a page would (`contents.fault`). Only then the folders
take their names; after a refusal nothing of it remains.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import secrets
import shutil
import stat
import time
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vaecore import permission
from vaecore.data import npz
from vaecore.errors import StoreError
from vaecore.files import BrokenFile, moved_to, parsed_json
from vaecore.sharing.contents import (
    FORMAT,
    MANIFEST,
    MAX_ARCHIVE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    MAX_RATIO,
    MAX_RUNS,
    RATIO_FROM,
    VERSION,
    fault,
    part_of,
)
from vaecore.store import NAME, Run, Store, checked_name

CHUNK = 2**20
MAX_MEMBERS = MAX_RUNS * (MAX_FILES + 2) + 1  # with the folders, which some programs note
MAX_DIRECTORY_BYTES = 2**21  # of the list of them
STAGE, LEFT_FOR = ".import-", 86_400  # how folders begin that nobody lists; seconds until those of a kill are swept up
ENDINGS_OF_PACKED = (".zip", ".gz", ".tar", ".tgz", ".7z", ".bz2", ".xz", ".rar", ".whl", ".npz")
PROGRAMS = (".py", ".pyc", ".so", ".dll", ".exe", ".sh", ".bat", ".js", ".pkl", ".pickle", ".pt", ".pth", ".ckpt")


class Refused(StoreError):
    """A file that is not taken in; the message says why, and nothing of it was kept."""


@dataclass(frozen=True)
class Imported:
    """A run that came in: what it was called in the zip, and `said`: a sentence where it is called otherwise here."""

    run: Run
    before: str
    said: str = ""


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _File(_Told):
    bytes: Annotated[int, Field(ge=0, le=MAX_ARCHIVE_BYTES)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Packed(_Told):
    name: Annotated[str, Field(max_length=64)]
    files: Annotated[dict[str, _File], Field(max_length=MAX_FILES)]


class _Manifest(_Told):
    format: Literal["vaecore runs"]
    version: Annotated[int, Field(ge=1)]
    runs: Annotated[list[_Packed], Field(min_length=1, max_length=MAX_RUNS)]


def import_run(source: Path | str, name: str = "", *, store: Store | Path | str | None = None) -> Run:
    """Take in the run that `export_run` has packed into the file `source`, under `name` or the name it had.

    A name that is taken becomes another one. The run is checked before it has a place in `store` (a folder; else
    $VAECORE_STORE or ./trained): it is opened by `vaecore.load` and seen by pages and command line as any other. Raises
    `Refused`, with the reason, for a file that is not what it should be: nothing of it is kept then. Several runs in
    one zip all come in; the first is returned.
    """
    here = store if isinstance(store, Store) else Store(Path(store).resolve()) if store else Store.default()
    return unpack(Path(source), here, name)[0].run


def unpack(source: Path | IO[bytes], store: Store, name: str = "") -> list[Imported]:
    """Take all runs of a zip in; `name` is for one that holds a single run.

    Raises `Refused` for what is not let in, `StoreError` for a name that no run can have, `OSError` for a full disk.
    """
    permission.require("import a run")
    store.require_own()
    if name:
        checked_name(name)
    with _staged(store) as stage, _opened(source) as file:
        packed = _unpacked(file, stage, name)
        for each in packed:
            if wrong := fault(stage / each.name, list(each.files)):
                raise _refused(f"Run '{each.name}': {wrong}", "Ask whoever sent it to export it again.")
        return _placed(store, stage, packed, name)


def _refused(why: str, remedy: str = "") -> Refused:
    return Refused(f"Not imported. {why} {remedy}".strip())


@contextlib.contextmanager
def _staged(store: Store) -> Iterator[Path]:
    """A folder of the store that nobody lists, which is gone afterwards."""
    runs = store.root / "runs"
    before = [folder for folder in (store.root, runs) if not folder.exists()]
    runs.mkdir(parents=True, exist_ok=True)
    for leftover in runs.glob(f"{STAGE}*"):  # of a process that was killed
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > LEFT_FOR:
                shutil.rmtree(leftover, ignore_errors=True)
    stage = runs / f"{STAGE}{secrets.token_hex(6)}"
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        for folder in reversed(before):  # made for this alone
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def _opened(source: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    if not isinstance(source, Path):
        yield source
        return
    try:
        if not stat.S_ISREG(source.stat().st_mode):
            raise _refused(f"{source} is no file.", "Give the zip that `vaecore export RUN --zip` wrote.")
        with source.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        if error.filename != str(source):
            raise
        raise _refused(f"There is no file {source}.") from None


# -- the list of the zip ---------------------------------------------------------------------------


def _unpacked(file: IO[bytes], stage: Path, name: str) -> list[_Packed]:
    """The runs of the zip, each in a folder of `stage`, their bytes those of the manifest."""
    try:
        size = _bounded(file)
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, size)
            manifest = _manifest(archive, members)
            if name and len(manifest.runs) > 1:
                raise _refused(f"It holds {len(manifest.runs)} runs, which cannot all be called '{name}'.",
                               "Leave the name out.")
            _agree(manifest, members)
            wanted = sum(each.bytes for run in manifest.runs for each in run.files.values())
            if wanted > (free := shutil.disk_usage(stage).free) - 2**24:
                raise _refused(f"It unpacks to {wanted:,} bytes, and the disk has {free:,} free.", "Free some space.")
            for run in manifest.runs:
                (stage / run.name / "kept").mkdir(parents=True)
                for each, told in run.files.items():
                    _write(archive, members[f"{run.name}/{each}"], stage / run.name / each, told)
                with contextlib.suppress(OSError):
                    (stage / run.name / "kept").rmdir()  # empty
            return manifest.runs
    except (Refused, FileExistsError):
        raise
    except OSError as error:
        if error.errno is not None:  # the disk's, and not the zip's
            raise
        raise _damaged(error) from None
    except npz.DAMAGED as error:
        raise _damaged(error) from None


def _damaged(error: BaseException) -> Refused:
    return _refused(f"The zip is truncated or damaged ({' '.join(str(error).split())[:160] or type(error).__name__}).",
                    "Fetch the zip anew.")


def _bounded(file: IO[bytes]) -> int:
    """The bytes of a zip; raises `Refused` for what is none, and where its list of members is too long to be read."""
    if file.read(4) not in (b"PK\3\4", b"PK\5\6"):
        raise _refused("It is no zip.", "Give the file that `vaecore export RUN --zip` wrote.")
    if (size := file.seek(0, 2)) > MAX_ARCHIVE_BYTES:
        raise _refused(f"It has {size:,} bytes, and at most {MAX_ARCHIVE_BYTES:,} are read.")
    count, length = npz.directory(file)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY_BYTES:
        raise _refused(f"It lists {count:,} files in {length:,} bytes, and at most {MAX_MEMBERS:,} in "
                       f"{MAX_DIRECTORY_BYTES:,} are read.")
    return size


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip of `size` bytes by name; raises `Refused` for the first that may not be unpacked."""
    found: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for info in archive.infolist():
        shown = repr(info.orig_filename[:120])
        if reason := _name_fault(info) or _kind_fault(info):
            raise _refused(f"Its member {shown} {reason}.")
        if (same := unicodedata.normalize("NFKC", info.filename).casefold()) in seen:
            raise _refused(f"Its member {shown} is there twice, or another differs in case or in accents alone.")
        seen.add(same)
        if info.is_dir():
            continue
        run, _, file = info.filename.partition("/")
        if info.filename == MANIFEST:
            most = MAX_MANIFEST_BYTES
        elif NAME.fullmatch(run) and ".." not in run and (part := part_of(file)):
            most = part.most
        else:
            raise _refused(f"Its member {shown} {_unknown(info.filename)}.")
        if info.file_size > most:
            raise _refused(f"Its member {shown} declares {info.file_size:,} bytes, and has {most:,} at most.")
        if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * info.compress_size:
            raise _refused(f"Its member {shown} is a bomb: {info.compress_size:,} bytes unpack to {info.file_size:,}.")
        found[info.filename] = info
    if sum(info.compress_size for info in archive.infolist()) > size:
        raise _refused("Its members lie over one another: it is a bomb.")
    return found


def _name_fault(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename
    parts = name.replace("\\", "/").split("/")
    if name != info.filename or any(not sign.isprintable() for sign in name):
        return "has a name with signs that are not seen"
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        return "has a name that begins at the root of a disk"
    if ".." in parts or "." in parts:
        return "has a name that leads out of its folder"
    if "\\" in name:
        return "has a name with a backslash"
    return ""


def _kind_fault(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        return "is a device, a pipe, or another thing that is no file"
    if info.flag_bits & 0x41:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is {npz.PACKED_OTHERWISE}"
    if info.is_dir() and info.file_size:
        return "is a folder with bytes of its own"
    return ""


def _unknown(name: str) -> str:
    ending = name.lower()
    if ending.endswith(ENDINGS_OF_PACKED):
        return "is an archive in the archive, which is not unpacked"
    if ending.endswith(PROGRAMS):
        return "is a program or could hold one, and nothing that can be executed is taken in"
    return "is no file of a run"


# -- the manifest, and the bytes -------------------------------------------------------------------


def _manifest(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> _Manifest:
    if MANIFEST not in members:
        raise _refused(f"It has no {MANIFEST}.", "Give the file that `vaecore export RUN --zip` wrote.")
    with archive.open(members[MANIFEST]) as file:
        content = file.read(MAX_MANIFEST_BYTES + 1)
    try:
        values = parsed_json(content, MANIFEST)
        manifest = _Manifest.model_validate(values)
    except BrokenFile as error:
        raise _refused(str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:120]
        raise _refused(f"{MANIFEST} does not say what it should: {where or 'all of it'}: {first['msg']}.") from None
    if manifest.version > VERSION:
        raise _refused(f"It was made by a newer version ({FORMAT}, version {manifest.version}; this one reads up to "
                       f"{VERSION}).", "Update vaecore.")
    return manifest


def _agree(manifest: _Manifest, members: dict[str, zipfile.ZipInfo]) -> None:
    """Raise `Refused` unless the manifest and the zip name the same files of the same sizes."""
    for run in manifest.runs:
        if not NAME.fullmatch(run.name) or ".." in run.name:
            raise _refused(f"{MANIFEST} names a run {run.name!r}, and no run can be called so.")
        if not run.files:
            raise _refused(f"{MANIFEST} names the run {run.name}, and no file of it.")
    told = {f"{run.name}/{name}": file for run in manifest.runs for name, file in run.files.items()}
    if len(told) != sum(len(run.files) for run in manifest.runs) or len({run.name for run in manifest.runs}) != len(
            manifest.runs):
        raise _refused(f"{MANIFEST} names a run twice.")
    there = members.keys() - {MANIFEST}
    if odd := sorted(told.keys() ^ there):
        where = f"is named by {MANIFEST} and not there" if odd[0] in told else f"is not named by {MANIFEST}"
        raise _refused(f"Its member {odd[0][:120]!r} {where}.")
    for name, file in told.items():
        if members[name].file_size != file.bytes:
            raise _refused(f"Its member {name[:120]!r} declares {members[name].file_size:,} bytes, and {MANIFEST} says "
                           f"{file.bytes:,}.")


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, told: _File) -> None:
    """Unpack one member, and not a byte more than was told; raises `Refused` where they are others."""
    digest, left = hashlib.sha256(), told.bytes
    with archive.open(info) as source, path.open("xb") as target:
        while part := source.read(CHUNK):
            left -= len(part)
            if left < 0:
                break
            digest.update(part)
            target.write(part)
    if left or digest.hexdigest() != told.sha256:
        raise _refused(f"Its member {info.filename[:120]!r} is not what {MANIFEST} tells of: its bytes differ.",
                       "Fetch the zip anew.")


# -- a place in the store --------------------------------------------------------------------------


def _placed(store: Store, stage: Path, packed: list[_Packed], name: str) -> list[Imported]:
    """Each run under its name, or under another where that is taken: all of them, or none."""
    placed: list[Imported] = []
    try:
        for each in packed:
            wanted = name or each.name
            target = next(target for target in _free(store.root / "runs", wanted)
                          if moved_to(stage / each.name, target))
            said = "" if target.name == wanted else f"There is a run '{wanted}' already: this one is '{target.name}'."
            placed.append(Imported(Run(target), each.name, said))
    except OSError:
        for done in placed:
            shutil.rmtree(done.run.path, ignore_errors=True)
        raise
    return placed


def _free(runs: Path, wanted: str) -> Iterator[Path]:
    """Where a run may go: under its name, or with a number behind it."""
    for name in itertools.chain([wanted], (f"{wanted[:58].rstrip('.')}-{number}" for number in itertools.count(2))):
        if not (runs / name).exists():
            yield runs / name
