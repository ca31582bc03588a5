"""The folder `trained/`: every run is a folder, and there is no other database.

    trained/gallery/<name>/   shipped checkpoints, never written to
    trained/runs/<id>/        the user's own
    trained/trash/<id>/       what was removed, until emptied
    trained/claims/           results of claims, which are no runs
    trained/evaluations/      what was found of runs that may not be written to

Beside one's own store lie others that are only read: `shared_stores.py`.

A run's folder holds `config.json` (what to do), `about.json` (what that is in words, and of which run it is
a fork), `metrics.jsonl` (what happened), `pictures.jsonl` (what it drew
meanwhile), `weights.safetensors` (the model, loadable alone), `kept/` (weights
along the way), `summary.json` (its numbers), `data.json` (what its data were), `examples.safetensors` (some of
the test set), `preview.png` or `preview.txt`, and what the lab and resuming need. Reading one needs neither
torch nor trust: sizes are bounded, nothing is unpickled, and a broken file is an error that names it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from vaecore import permission, shared_stores
from vaecore.errors import StoreError as StoreError
from vaecore.files import (
    BrokenFile,
    beside,
    clear_deleted,
    moved_to,
    opened,
    parsed_json,
    read_json,
    regular,
    write_bytes_atomic,
    write_json_atomic,
)
from vaecore.shared_stores import NAME as NAME

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.shared_stores import SharedStore

STEP_COLUMNS = ("step", "loss", "neg_elbo", "reconstruction", "kl", "beta", "rate", "grad_norm")
STEP_LINES = (b'{"kind": "step"', b'{"kind":"step"')  # how a line of a step begins, as we write it and as it is shipped
TOGETHER = 4096  # lines of steps that are read at once
LOG_BYTES_AT_ONCE, LONGEST_LINE = 2**23, 4_000_000  # bytes of a log that are read at once, and of a line
MOST_TOLD = 100_000_000  # bytes of all evaluations and snapshots of a log, which take ten times as many in memory
# What others write into the folder of a run while it trains.
WRITTEN_BESIDE = ("about.json", "marks.json", "evaluation.json", "points.safetensors")
TAIL = 256  # bytes by which it is known that a file goes on from where it was read
_STEP = itemgetter(*STEP_COLUMNS)
COPY_AGAIN = "Copy the run again from where it came"  # the remedy for a damaged run, said here only
EXAMPLES = "examples.safetensors"
MAX_EXAMPLES_BYTES = 64 * 2**20
MOST_OF_A_NAME = 10_000  # runs that are called alike, but for the number at their end
MAX_WEIGHTS_BYTES, MAX_PREVIEW_BYTES = 4 * 2**30, 4_000_000
LARGEST_CONFIG, LARGEST_SUMMARY, LARGEST_METRICS = 1_000_000, 4_000_000, 1_000_000_000  # bytes


def checked_name(name: str) -> str:
    """`name` if it can be a folder of a store; raises `StoreError` otherwise."""
    if not NAME.fullmatch(name) or ".." in name:
        raise StoreError(f"'{name}' cannot be a run's name. Use 1 to 64 small letters, digits, '-', '_' and '.', "
                         "beginning with a letter or digit.")
    return name


@dataclass(frozen=True)
class Run:
    """One run's folder, read on demand.

    `home` is the root of one's own store where the run lies outside of it.
    """

    path: Path
    home: Path | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        """The folder's name; of a shipped one `gallery/<name>`, of one in a shared store `<store>/<name>`."""
        return f"{self.place}/{self.path.name}" if self.place else self.path.name

    @property
    def place(self) -> str:
        """The place of the run: "" for one's own store, "gallery" for a shipped run, or the name of a shared store."""
        return shared_stores.place_of(self.path)

    @property
    def shipped(self) -> bool:
        """Whether the run came with the project."""
        return self.place == "gallery"

    @property
    def writable(self) -> bool:
        """Whether the run may be changed: shipped ones, and those of shared stores, are only read."""
        return not self.place

    @property
    def store_root(self) -> Path:
        """The root of one's own store: what is found of a run that is only read is kept there."""
        root = self.home
        if root is None and self.place in ("", "gallery"):
            root = self.path.parents[1]
        return Store.default().root if root is None or Store(root).listed_as else root

    def require_writable(self) -> None:
        """Pass where the run may be changed; raises `StoreError` that says why not, and what to do instead."""
        if self.shipped:
            raise StoreError(f"{self.id} was shipped with the project and stays as it is. Fork it instead.")
        if not self.writable:
            raise StoreError(f"{self.id} lies in the shared store '{self.place}', which is only read here. Fork it "
                             "into your own instead.")

    @property
    def marks_file(self) -> Path:
        """Where a person's marks of the run lie; of one that is only read, in one's own store."""
        from vaecore.marks import NAME as MARKS

        return self.path / MARKS if self.writable else self.store_root / "marks" / f"{self.id}.json"

    @property
    def title(self) -> str:
        """What the run is called: the name that somebody gave it, or that was made for it; else its id."""
        from vaecore.marks import read

        made = self.about().get("title")
        made = " ".join(made.split())[:80] if isinstance(made, str) else ""
        return read(self.marks_file)[0].title or made or self.id

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
        observations; `StoreError` for a run that is only read.
        """
        permission.require("give a run's data another place")
        self.require_writable()
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
            with safe_open(regular(self.path / EXAMPLES), "np") as file:
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
        return cls(shared_stores.own())

    @property
    def listed_as(self) -> str:
        """The name of the shared store that this one is; empty where it is nobody else's, and may be written to."""
        if self.root == Store.default().root:
            return ""
        return next((store.name for store in shared_stores.listed() if store.root == self.root), "")

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

        return [Run(path) for path in sorted(_runs_in(self.root / "runs"), key=born, reverse=True)]

    def gallery(self) -> list[Run]:
        """The shipped checkpoints, by name: those in the store's own `gallery/`, and those beside the package."""
        found: dict[str, Path] = {}
        for folder in self._galleries():
            for path in _runs_in(folder):
                found.setdefault(path.name, path)
        return [self._run(found[name]) for name in sorted(found)]

    def shared(self) -> list[SharedStore]:
        """The stores of others that are read beside this one."""
        return [store for store in shared_stores.listed() if store.root != self.root]

    def everything(self) -> list[Run]:
        """All runs there are: one's own, newest first, those of each shared store, newest first, and the gallery."""
        others = [Run(path, self.root) for store in self.shared() for path in store.look().folders]
        return [*self.runs(), *others, *self.gallery()]

    def away(self) -> list[str]:
        """What is wrong with shared stores, a sentence or two each: one is away, or slow, or holds nothing."""
        return [trouble for store in self.shared() if (trouble := store.look().trouble)]

    def find(self, reference: str) -> Run:
        """A run by its id, or by the name of a shipped one."""
        place, _, name = reference.rpartition("/")
        checked_name(name)
        told = ""
        if shared := next((store for store in shared_stores.listed() if store.name == place), None):
            look = shared.look()  # and no disk is asked besides
            found = [path for path in look.folders if path.name == name]
            told = f" {look.trouble}" if look.trouble else ""
        else:
            own, galleries = self.root / "runs", self._galleries()
            folders = {"": [own, *galleries], "runs": [own], "gallery": galleries}.get(place, [])
            found = [folder / name for folder in folders if (folder / name).is_dir()]
        if found:
            return self._run(found[0])
        raise StoreError(f"There is no run '{reference}' in {self.root}.{told} `vaecore runs` lists those there are.")

    def create(self, config: RunConfig, name: str = "", *, parent: dict[str, Any] | None = None,
               experiment: str = "", point: Mapping[str, Any] | None = None,
               fill: Callable[[Path], object] | None = None) -> Run:
        """A new run's folder with its `config.json`; `name` is taken as it is, or made from what was changed.

        `about.json` beside it says what it is in words, so that a list of runs can be drawn without torch, of which
        run it is a fork, to which experiment it belongs, and which `point` of a sweep it is; where a name was made
        or it is a point, the title that goes with it. What else it is to hold from its first moment `fill` writes into
        its folder.
        """
        permission.require("make a run")
        self.require_own()
        config = config.resolve()
        places = self._named(checked_name(name)) if name else self._unnamed(config)
        if point:  # its folder says which point it is, and its title what that changes
            from vaecore import naming

            places = ((path, naming.title(config.model_dump(mode="json"))) for path, _ in places)
        # Made aside and moved there whole: a run that is not is never seen, whatever ends this process.
        making = beside(self.root / "runs" / ".new")
        making.mkdir(parents=True)
        clear_deleted(making.parent)
        try:
            write_bytes_atomic(making / "config.json", config.to_json().encode())
            if fill is not None:
                fill(making)
            for path, title in places:
                write_json_atomic(making / "about.json", {
                    **config.about(), "parent": parent, "experiment": experiment,
                    **({"point": dict(point)} if point else {}), **({"title": title} if title else {})})
                if moved_to(making, path):
                    return Run(path)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        raise AssertionError  # the places do not end without a word

    def require_free(self, name: str) -> None:
        """Pass where a new run can be called `name`; raises `StoreError` where it cannot, or another one is."""
        if (self.root / "runs" / checked_name(name)).exists():
            raise _taken(name)

    def _named(self, name: str) -> Iterator[tuple[Path, str]]:
        """Where a run called `name` goes, whose title that is."""
        yield self.root / "runs" / name, ""
        raise _taken(name)

    def _unnamed(self, config: RunConfig) -> Iterator[tuple[Path, str]]:
        """Where a run goes that is called by what was changed, with a number where one is so called; its title."""
        from vaecore import naming

        values = config.model_dump(mode="json")
        name, title = naming.slug(values), naming.title(values)
        for number in range(1, MOST_OF_A_NAME + 1):
            called = name if number == 1 else f"{name}-{number}"
            if (self.root / "trash" / called).exists() or (self.root / "runs" / called).exists():  # it may come back
                continue
            yield self.root / "runs" / called, title if number == 1 else f"{title} ({number})"
        raise StoreError(f"There are {MOST_OF_A_NAME:,} runs called '{name}' already. Give this one a name of its own.")

    def discard(self, run: Run) -> str:
        """Move an idle run to the trash; the name by which `restore` brings it back. One that is only read stays.

        `vaecore.lab.remove` makes sure first that it is idle.
        """
        permission.require("remove a run")
        run.require_writable()
        target = self.root / "trash" / run.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target = target.with_name(f"{target.name[:58]}-{secrets.token_hex(2)}")
        run.path.rename(target)
        with contextlib.suppress(OSError):  # it is removed all the same
            os.utime(target)  # when it was
        return target.name

    def restore(self, name: str) -> Run:
        """Bring a removed run back."""
        permission.require("bring a removed run back")
        self.require_own()
        source, target = self.root / "trash" / checked_name(name), self.root / "runs" / name
        if not source.is_dir():
            raise StoreError(f"There is no '{name}' in the trash of {self.root}.")
        if target.exists():
            raise StoreError(f"There is already a run called '{name}'.")
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        return Run(target)

    def _galleries(self) -> list[Path]:
        shipped = shared_stores.shipped()
        return [self.root / "gallery", *([shipped] if shipped and shipped != self.root / "gallery" else [])]

    def _run(self, path: Path) -> Run:
        return Run(path, None if path.parents[1] == self.root else self.root)

    def require_own(self) -> None:
        """Pass where the store may be written to; raises `StoreError` where it is listed as a shared one."""
        if name := self.listed_as:
            raise StoreError(f"{self.root} is only read here: {shared_stores.SHARED} lists it as '{name}'. Take it out "
                             "of that list to write to it.")


def all_or_none(making: Iterable[Run]) -> list[Run]:
    """The runs that `making` makes one after the other; none of them where one cannot be made, as its name is taken."""
    made: list[Run] = []
    try:
        for run in making:
            made.append(run)  # noqa: PERF402 (what was made before an error is to be taken back)
    except BaseException:
        for run in made:
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    return made


def _taken(name: str) -> StoreError:
    return StoreError(f"There is already a run called '{name}'. Choose another name, or remove that one.")


def _runs_in(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and NAME.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []


# -- metrics.jsonl ---------------------------------------------------------------------------------


@dataclass
class Growing(ABC):
    """A file of lines that is read as it grows, a part at a time; one that was cut back or changed is read anew."""

    path: Path
    _offset: int = field(default=0, kw_only=True)
    _tail: bytes = field(default=b"", kw_only=True)
    _passing: bool = field(default=False, kw_only=True)  # whether it lies within a line that is too long

    @property
    def offset(self) -> int:
        """Bytes of the file that have been read."""
        return self._offset

    def update(self) -> bool:
        """Read what was appended; True if anything changed."""
        try:
            with opened(self.path) as file:
                size = min(os.fstat(file.fileno()).st_size, LARGEST_METRICS)
                if not self._follows(file.fileno(), size):
                    self._begin_anew()
                return self._read(file, size)
        except FileNotFoundError:  # the run was removed, or has not begun
            known = self._offset > 0
            self._begin_anew()
            return known
        except (OSError, BrokenFile):
            return False

    @abstractmethod
    def take(self, lines: list[bytes]) -> None:
        """Take in whole lines."""

    @abstractmethod
    def forget(self) -> None:
        """Forget all that was taken in."""

    def _read(self, file: BinaryIO, size: int) -> bool:
        """Read on, a part at a time: lines of a byte take fifty of them in memory."""
        known, most = self._offset, LOG_BYTES_AT_ONCE
        while self._offset < size:
            file.seek(self._offset)
            new = file.read(min(most, size - self._offset))
            whole = new[: new.rfind(b"\n") + 1]
            if not whole and not self._passing and len(new) <= LONGEST_LINE:
                if most >= size - self._offset:
                    break  # the last line may still be on its way
                most *= 2  # a line that is longer
                continue
            # Longer than any of ours, it is passed as far as it goes; its end stands for it, as an empty line.
            self.take((whole[whole.find(b"\n"):] if self._passing else whole).splitlines())
            self._passing, read = not whole, whole or new
            self._offset += len(read)
            self._tail = (self._tail + read)[-TAIL:]
            most = LOG_BYTES_AT_ONCE
        return self._offset > known

    def _begin_anew(self) -> None:
        self.forget()
        self._offset, self._tail, self._passing = 0, b"", False

    def _follows(self, descriptor: int, size: int) -> bool:
        start = self._offset - len(self._tail)
        return size >= self._offset and os.pread(descriptor, len(self._tail), start) == self._tail


@dataclass
class Metrics(Growing):
    """`metrics.jsonl` read so far, column by column; `update` reads only what is new.

    A line is one training step (`loss`, `neg_elbo`, `reconstruction`, `kl`, `beta`, `grad_norm`, in nats a
    batch mean), one evaluation of the validation set (exact means over the set), or one snapshot of some of its
    observations (means of model posterior and inference posterior).
    """

    steps: dict[str, list[float]] = field(default_factory=dict)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    damaged: int = 0  # lines that cannot be read
    _told: int = 0  # bytes of evaluations and snapshots

    @classmethod
    def continued(cls, path: Path, steps: dict[str, list[float]], evaluations: list[dict[str, Any]],
                  snapshots: list[dict[str, Any]], damaged: int, text: bytes) -> Metrics:
        """What was read of `text`, with which the file begins, so that only what follows is read."""
        return cls(path, steps, evaluations, snapshots, damaged, _offset=len(text), _tail=text[-TAIL:])

    def take(self, lines: list[bytes]) -> None:
        together: list[bytes] = []
        for line in lines:
            if line.startswith(STEP_LINES):
                together.append(line)
            else:
                self._take(line)
        for start in range(0, len(together), TOGETHER):
            self._take_steps(together[start:start + TOGETHER])

    def forget(self) -> None:
        self.steps, self.evaluations, self.snapshots, self.damaged, self._told = {}, [], [], 0, 0

    def _take_steps(self, lines: list[bytes]) -> None:
        """Many lines of steps at once, which takes less time; one by one where any of them is damaged."""
        try:
            read = json.loads(b"[" + b",".join(lines) + b"]")
            columns = [list(map(float, column)) for column in zip(*map(_STEP, read), strict=True)]
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            columns = []
        if not columns or len(columns[0]) != len(lines) or any(each["kind"] != "step" for each in read):
            for line in lines:
                self._take(line)
            return
        for name, values in zip(STEP_COLUMNS, columns, strict=True):
            self.steps.setdefault(name, []).extend(values)

    def _take(self, line: bytes) -> None:
        try:
            if len(line) > LONGEST_LINE:
                raise ValueError("no line of ours is as long")
            values = parsed_json(line, self.path.name)
            kind: Literal["step", "evaluation", "snapshot"] = values.pop("kind")
            if kind != "step":
                self._told += len(line)
                if self._told > MOST_TOLD:
                    raise ValueError("no log of ours tells as much")
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
