"""The folder `trained/`: every run is a folder, and there is no other database.

    trained/gallery/<name>/   shipped checkpoints, never written to
    trained/runs/<id>/        the user's own
    trained/trash/<id>/       what was removed, until emptied
    trained/claims/           results of claims, which are no runs

A run's folder holds `config.json` (what to do), `about.json` (what that is in words, and of which run it is
a fork), `metrics.jsonl` (what happened), `weights.safetensors` (the model, loadable alone), `kept/` (weights
along the way), `summary.json` (its numbers), `data.json` (what its data were), `examples.safetensors` (some of
the test set), `preview.png` or `preview.txt`, and what the lab and resuming need. Reading one needs neither
torch nor trust: sizes are bounded, nothing is unpickled, and a broken file is an error that names it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vaecore import permission
from vaecore.errors import StoreError as StoreError
from vaecore.files import BrokenFile, parsed_json, read_json, write_bytes_atomic, write_json_atomic

if TYPE_CHECKING:
    from vaecore.config import RunConfig

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
STEP_COLUMNS = ("step", "loss", "neg_elbo", "reconstruction", "kl", "beta", "rate", "grad_norm")
COPY_AGAIN = "Copy the run again from where it came"  # the remedy for a damaged run, said here only
EXAMPLES = "examples.safetensors"
MAX_EXAMPLES_BYTES = 64 * 2**20
LARGEST_CONFIG, LARGEST_SUMMARY, LARGEST_METRICS = 1_000_000, 4_000_000, 1_000_000_000  # bytes


def checked_name(name: str) -> str:
    """`name` if it can be a folder of a store; raises `StoreError` otherwise."""
    if not NAME.fullmatch(name) or ".." in name:
        raise StoreError(f"'{name}' cannot be a run's name. Use 1 to 64 small letters, digits, '-', '_' and '.', "
                         "beginning with a letter or digit.")
    return name


@dataclass(frozen=True)
class Run:
    """One run's folder, read on demand."""

    path: Path

    @property
    def id(self) -> str:
        """The folder's name; a shipped one as `gallery/<name>`."""
        return f"gallery/{self.path.name}" if self.shipped else self.path.name

    @property
    def shipped(self) -> bool:
        """Whether the run came with the project, and is not to be changed."""
        return self.path.parent.name == "gallery"

    @property
    def weights(self) -> Path:
        return self.path / "weights.safetensors"

    @property
    def preview(self) -> Path:
        return self.path / "preview.png"

    def values(self) -> dict[str, Any]:
        """`config.json` as it stands, not validated; raises `StoreError` when it is missing or broken."""
        return self._json("config.json", LARGEST_CONFIG, required=True)

    def config(self) -> RunConfig:
        """`config.json`, validated; raises `ConfigError` as well."""
        from vaecore.config import RunConfig
        from vaecore.data import DATASETS
        from vaecore.schema import parse, problem

        values = self.values()
        data = values.get("data")
        if isinstance(data, dict) and isinstance(name := data.get("name"), str) and name not in DATASETS:
            raise problem("data.name", name, f"{self.id} was trained on '{name[:80]}', which is no data set here.",
                          "If it is a class of your own, name the module that registers it in VAECORE_PLUGINS.")
        return parse(RunConfig, values)

    def relocate(self, path: str) -> None:
        """Give the run's data file, which was moved, its new place in `config.json`.

        Raises `ConfigError` unless it is the same file by its digest, or, of a run that knows none, gives as many
        observations; `StoreError` for a shipped run.
        """
        permission.require("give a run's data another place")
        if self.shipped:
            raise StoreError(f"{self.id} was shipped with the project and is not changed. Fork it instead.")
        from vaecore.data.base import OwnFile
        from vaecore.data.identity import moved
        from vaecore.schema import problem

        config = self.config()
        data = moved(config.data, path)
        if not (isinstance(config.data, OwnFile) and config.data.digest) and (told := self.summary().get("sizes")):
            there = data.load()
            if told != (sizes := {split: there.size(split) for split in there.splits}):
                raise problem("data.path", path, f"'{path}' gives {sizes} observations, but {self.id} was trained "
                              f"with {told}.", "Give the file that the run was made with.")
        place = self.path / "config.json"
        made = place.stat()  # by which runs are ordered: the run is as old as before
        write_bytes_atomic(place, config.model_copy(update={"data": data}).to_json().encode())
        os.utime(place, ns=(made.st_atime_ns, made.st_mtime_ns))

    def summary(self) -> dict[str, Any]:
        """`summary.json`: sizes, device and the numbers of the last evaluation; empty before the first one."""
        return self._json("summary.json", LARGEST_SUMMARY, required=False)

    def about(self) -> dict[str, Any]:
        """`about.json`: what the run is in words, its parent and its experiment; empty where there is none."""
        try:
            return self._json("about.json", LARGEST_CONFIG, required=False)
        except StoreError:
            return {}  # words are not worth an error

    def class_names(self) -> tuple[str, ...]:
        """What the labels of its data are called, by their numbers, as its examples say.

        Empty where they are numbers from 0, and in runs that were made before names were kept.
        """
        from safetensors import SafetensorError, safe_open

        from vaecore.data.base import MAX_CLASSES, MAX_NAME_LENGTH

        try:
            with safe_open(self.path / EXAMPLES, "np") as file:
                names = parsed_json((file.metadata() or {}).get("classes", "[]"), "the names of its classes")
        except (OSError, SafetensorError, ValueError, RecursionError):
            return ()
        good = isinstance(names, list) and len(names) <= MAX_CLASSES and all(
            isinstance(name, str) and len(name) <= MAX_NAME_LENGTH for name in names)
        return tuple(names) if good else ()

    def _json(self, name: str, limit: int, *, required: bool) -> dict[str, Any]:
        try:
            values = read_json(self.path / name, limit)
        except BrokenFile as error:
            raise StoreError(f"Run {self.id}: {error} {COPY_AGAIN}, or remove it.") from None
        if values is None and required:
            raise StoreError(f"Run {self.id} has no {name}. {COPY_AGAIN}, or remove it.")
        if not isinstance(values, dict | None):
            raise StoreError(f"Run {self.id}: {name} does not hold a set of fields. {COPY_AGAIN}, or remove it.")
        return values or {}


@dataclass(frozen=True)
class Store:
    """A folder of runs."""

    root: Path

    @classmethod
    def default(cls) -> Store:
        """`VAECORE_STORE`, or `trained` in the working folder."""
        return cls(Path(os.environ.get("VAECORE_STORE", "trained")).resolve())

    @property
    def claims(self) -> Path:
        """The folder of what studies of papers' claims have found."""
        return self.root / "claims"

    def runs(self) -> list[Run]:
        """The user's runs, newest first."""
        def born(path: Path) -> float:
            try:
                return (path / "config.json").stat().st_mtime
            except OSError:  # no configuration, or removed just now by somebody else
                return 0.0

        return [Run(path) for path in sorted(self._folders("runs"), key=born, reverse=True)]

    def gallery(self) -> list[Run]:
        """The shipped checkpoints, by name."""
        return [Run(path) for path in sorted(self._folders("gallery"))]

    def find(self, reference: str) -> Run:
        """A run by its id, `gallery/<name>`, or a name shipped in the gallery."""
        place, _, name = reference.rpartition("/")
        checked_name(name)
        for parent in (place,) if place else ("runs", "gallery"):
            path = self.root / parent / name
            if parent in ("runs", "gallery") and path.is_dir():
                return Run(path)
        raise StoreError(f"There is no run '{reference}' in {self.root}. `vaecore runs` lists those there are.")

    def create(self, config: RunConfig, name: str = "", *, parent: dict[str, Any] | None = None,
               experiment: str = "") -> Run:
        """A new run's folder with its `config.json`; `name` is taken as it is, or made from the choice and time.

        `about.json` beside it says what it is in words, so that a list of runs can be drawn without torch, of which
        run it is a fork, and to which experiment it belongs.
        """
        permission.require("make a run")
        if name:
            checked_name(name)
        else:
            stamp = time.strftime("%y%m%d-%H%M%S")
            name = f"{config.model.family}-{config.data.name}-{stamp}-{secrets.token_hex(2)}"
        path = self.root / "runs" / name
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise StoreError(f"There is already a run called '{name}'. Choose another name, or remove that one."
                             ) from None
        try:
            write_json_atomic(path / "about.json", {**config.about(), "parent": parent, "experiment": experiment})
            write_bytes_atomic(path / "config.json", config.resolve().to_json().encode())
        except OSError:
            shutil.rmtree(path, ignore_errors=True)  # nothing in it yet
            raise
        return Run(path)

    def discard(self, run: Run) -> str:
        """Move an idle run to the trash; the name by which `restore` brings it back. Shipped ones stay.

        `vaecore.lab.remove` makes sure first that it is idle.
        """
        permission.require("remove a run")
        if run.shipped:
            raise StoreError(f"{run.id} was shipped with the project and stays.")
        target = self.root / "trash" / run.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target = target.with_name(f"{target.name[:58]}-{secrets.token_hex(2)}")
        run.path.rename(target)
        return target.name

    def restore(self, name: str) -> Run:
        """Bring a removed run back."""
        permission.require("bring a removed run back")
        source, target = self.root / "trash" / checked_name(name), self.root / "runs" / name
        if not source.is_dir():
            raise StoreError(f"There is no '{name}' in the trash of {self.root}.")
        if target.exists():
            raise StoreError(f"There is already a run called '{name}'.")
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        return Run(target)

    def _folders(self, place: str) -> Iterator[Path]:
        try:
            yield from (path for path in (self.root / place).iterdir() if path.is_dir() and NAME.fullmatch(path.name))
        except FileNotFoundError:
            return


# -- metrics.jsonl ---------------------------------------------------------------------------------


@dataclass
class Metrics:
    """`metrics.jsonl` read so far, column by column; `update` reads only what is new.

    A line is one training step (`loss`, `neg_elbo`, `reconstruction`, `kl`, `beta`, `grad_norm`, in nats a
    batch mean), one evaluation of the validation set (exact means over the set), or one snapshot of some of its
    observations (means of model posterior and inference posterior).
    """

    path: Path
    steps: dict[str, list[float]] = field(default_factory=dict)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    damaged: int = 0  # lines that cannot be read
    _offset: int = 0
    _tail: bytes = b""

    def update(self) -> bool:
        """Read what was appended; True if anything changed. A file cut back by a resume is read anew."""
        try:
            with self.path.open("rb") as file:
                size = min(os.fstat(file.fileno()).st_size, LARGEST_METRICS)
                if not self._follows(file.fileno(), size):
                    self._forget()
                if size == self._offset:
                    return False
                file.seek(self._offset)
                new = file.read(size - self._offset)
        except FileNotFoundError:  # the run was removed, or has not begun
            known = self._offset > 0
            self._forget()
            return known
        except OSError:
            return False
        whole = new[: new.rfind(b"\n") + 1]  # the last line may still be on its way
        for line in whole.splitlines():
            self._take(line)
        self._offset += len(whole)
        self._tail = (self._tail + whole)[-256:]
        return bool(whole)

    def _forget(self) -> None:
        self.steps, self.evaluations, self.snapshots, self.damaged = {}, [], [], 0
        self._offset, self._tail = 0, b""

    def _follows(self, descriptor: int, size: int) -> bool:
        start = self._offset - len(self._tail)
        return size >= self._offset and os.pread(descriptor, len(self._tail), start) == self._tail

    def _take(self, line: bytes) -> None:
        try:
            values = parsed_json(line, self.path.name)
            kind: Literal["step", "evaluation", "snapshot"] = values.pop("kind")
            if kind == "evaluation":
                self.evaluations.append(values)
            elif kind == "snapshot":
                self.snapshots.append(values)
            else:
                row = [float(values[name]) for name in STEP_COLUMNS]
                for name, value in zip(STEP_COLUMNS, row, strict=True):
                    self.steps.setdefault(name, []).append(value)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            self.damaged += 1  # a damaged line costs itself
