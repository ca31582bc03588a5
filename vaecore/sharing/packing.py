"""Runs as one zip: what `unpacking.py` lets in, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from vaecore import __version__, marks
from vaecore.evaluate import kept, points
from vaecore.files import beside, write_json_atomic
from vaecore.sharing.contents import (
    FORMAT,
    MANIFEST,
    MAX_ARCHIVE_BYTES,
    MAX_RATIO,
    MAX_RUNS,
    PARTS,
    RATIO_FROM,
    VERSION,
    WAY,
    NotShared,
    fault,
)
from vaecore.store import Run, Store

CHUNK = 2**20
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member: equal runs make equal zips


def export_run(run: str | Run | Sequence[str | Run], output: Path | str, *, kept_weights: bool = False,
               store: Store | Path | str | None = None) -> Path:
    """Write a run, or several, as one zip that `import_run` takes in: configuration, weights, what was found, marks.

    `run` is an id, a `Run`, or several of them; `kept_weights` takes the weights along the way too. Raises `StoreError`
    for a run that is not there, and `NotShared` for one that would not be let in elsewhere, with the reason.
    """
    here = store if isinstance(store, Store) else Store(Path(store).resolve()) if store else Store.default()
    wanted = [run] if isinstance(run, str | Run) else list(run)
    runs = [each if isinstance(each, Run) else here.find(each) for each in wanted]
    target = Path(output)
    if target.exists() and not target.is_file():
        raise NotShared(f"{target} is a folder or a device. Name the file that is to be written, as run.zip.")
    temporary = beside(target)
    try:
        with temporary.open("xb") as file:
            pack(runs, file, kept_weights=kept_weights)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def pack(runs: Sequence[Run], file: IO[bytes], *, kept_weights: bool = False) -> None:
    """Write runs as one zip into an open file, as `export_run` does; raises `NotShared`."""
    if not 1 <= len(runs) <= MAX_RUNS:
        raise NotShared(f"A zip holds 1 to {MAX_RUNS} runs, and {len(runs)} were given. Take them in several.")
    names: dict[str, Run] = {}
    for run in runs:
        numbered = (f"{run.path.name[:60]}-{number}" for number in itertools.count(2))
        names[next(name for name in itertools.chain([run.path.name], numbered) if name not in names)] = run
    described: list[dict[str, Any]] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, run in names.items():
            with _settled(run, kept_weights) as (folder, files):
                if wrong := fault(folder, files):
                    raise NotShared(f"{run.id} cannot be taken along. {wrong}")
                told = {each: _add(archive, f"{name}/{each}", folder / each) for each in files}
            described.append({"name": name, "id": run.id, "files": told})
            if file.tell() > MAX_ARCHIVE_BYTES:
                raise NotShared(f"These runs take more than {MAX_ARCHIVE_BYTES:,} bytes. Take them in several zips.")
        manifest = {"format": FORMAT, "version": VERSION, "made_with": f"vaecore {__version__}", "runs": described}
        archive.writestr(_entry(MANIFEST), json.dumps(manifest, ensure_ascii=False, indent=1) + "\n",
                         zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def _settled(run: Run, kept_weights: bool) -> Iterator[tuple[Path, list[str]]]:
    """The files of a run that travel, in a folder in which nobody writes: a training may go on meanwhile.

    What is large is linked, as it is only ever replaced whole, and what grows is copied; what one's own store keeps of
    a run that is only read comes with it.
    """
    ways = sorted(path.relative_to(run.path).as_posix() for path in (run.path / "kept").glob("step-*.safetensors"))
    names = [*(name for name in PARTS if name != "kept/"), *(name for name in ways if kept_weights)]
    with tempfile.TemporaryDirectory(prefix="vaecore-export-") as temporary:
        folder, files = Path(temporary) / run.path.name, []
        (folder / "kept").mkdir(parents=True)
        for name in names:
            source = run.path / name
            if not source.is_file() or (name not in PARTS and not WAY.fullmatch(name)):
                continue
            if not source.resolve().is_relative_to(run.path.resolve()):  # it may be any file of who exports
                raise NotShared(f"{run.id} cannot be taken along. Its {name} is a link that leads out of its folder. "
                                "Put the file itself there.")
            if name.endswith((".json", ".jsonl")):
                _copy(source, folder / name)
            else:
                (folder / name).symlink_to(source.absolute())
            files.append(name)
        files += [name for name in _besides(run, folder) if name not in files]
        yield folder, files


def _copy(source: Path, target: Path) -> None:
    """What is there now; of a file that is being written to, whole lines."""
    with source.open("rb") as old, target.open("wb") as new:
        left, last = source.stat().st_size, b""
        while left > 0 and (part := old.read(min(CHUNK, left))):
            new.write(part)
            left, last = left - len(part), part
    if source.suffix == ".jsonl" and last and not last.endswith(b"\n"):
        with target.open("r+b") as new:
            new.truncate(target.stat().st_size - (len(last) - last.rfind(b"\n") - 1))


def _besides(run: Run, folder: Path) -> Iterator[str]:
    """Write down what one's own store keeps of a run that is only read; the names of the files."""
    if run.writable:
        return
    if found := kept.evaluations(run):
        write_json_atomic(folder / kept.NAME, found)
        yield kept.NAME
    if values := points.read(run.path / points.NAME) | points.read(kept.points_file(run)):
        (folder / points.NAME).unlink(missing_ok=True)
        points.write(folder / points.NAME, values)
        yield points.NAME
    if run.marks_file.is_file():
        _copy(run.marks_file, folder / marks.NAME)
        yield marks.NAME


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    """Write one file as a member; what the manifest says of it."""
    entry = _entry(name)
    if path.suffix in (".safetensors", ".png") or _deflates_too_well(path):
        entry.compress_type = zipfile.ZIP_STORED
    digest, count = hashlib.sha256(), 0
    with path.open("rb") as source, archive.open(entry, "w", force_zip64=path.stat().st_size > 2**30) as target:
        while part := source.read(CHUNK):
            digest.update(part)
            count += len(part)
            target.write(part)
    return {"bytes": count, "sha256": digest.hexdigest()}


def _deflates_too_well(path: Path) -> bool:
    """Whether a file would look like a bomb if it were packed: then it is stored as it is."""
    if path.stat().st_size < RATIO_FROM:
        return False
    packer, size = zlib.compressobj(6), 0
    with path.open("rb") as source:
        while part := source.read(CHUNK):
            size += len(packer.compress(part))
    return path.stat().st_size > MAX_RATIO / 2 * (size + len(packer.flush()))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
    return entry
