"""Evaluations as they are kept: `evaluation.json` in a run's folder, a list, the newest last. No torch in here.

Shipped runs and those of shared stores are never written to: what is found of them lies in `evaluations/` of one's own
store, and is read after what came with them. A file may come from anywhere, so what is read is bounded and made plain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaecore import permission
from vaecore.evaluate.evaluation import Evaluation
from vaecore.evaluate.meaning import explained
from vaecore.evaluate.parts import PARTS
from vaecore.evaluate.results import Result
from vaecore.evaluate.settings import Settings
from vaecore.files import BrokenFile, read_json, set_aside, write_json_atomic
from vaecore.schema import ConfigError, parse
from vaecore.store import Run

if TYPE_CHECKING:
    from vaecore.evaluate.points import Points

NAME = "evaluation.json"
MAX_EVALUATION_BYTES = 16_000_000  # bytes
MAX_EVALUATIONS = 50  # evaluations of a run
DEEPEST, LONGEST_TEXT, LONGEST_LIST, MOST_FIELDS = 8, 500, 5_000, 500
Facts = dict[str, Any]


def folder_of(run: Run) -> Path:
    """Where one's own store keeps what evaluations of `run` leave besides."""
    return run.store_root / "evaluations"


def file_of(run: Run) -> Path:
    """Where evaluations of `run` are written."""
    if run.writable:
        return run.path / NAME
    return folder_of(run) / f"{run.path.name if run.shipped else run.id.replace('/', '~')}.json"


def points_file(run: Run) -> Path:
    """Where the values of these evaluations by observation are written."""
    from vaecore.evaluate.points import NAME as POINTS  # brings numpy, which a list of runs does without

    path = file_of(run)
    return path.with_name(POINTS if path.name == NAME else f"{path.stem}.{POINTS}")


def evaluations(run: Run) -> list[Facts]:
    """What was found of `run`, the newest last, those that came with it first; a damaged one is left out."""
    own = _read(file_of(run))
    return own if run.writable else _read(run.path / NAME) + own


def results(run: Run) -> list[Evaluation]:
    """Evaluations kept beside a run as results, each part read as it is declared."""
    return [Evaluation.read(facts) for facts in evaluations(run)]


def newest(run: Run, part: type[Result]) -> Evaluation | None:
    """The newest evaluation of `run` that found this part; None where none has."""
    return next((each for each in reversed(results(run)) if each.of(part) is not None), None)


def keep(run: Run, result: Facts, values: Points | None = None) -> Path:
    """Add `result` to the file of `run`, in the place of an earlier one with the same settings; the file.

    Beside it are kept its `values` by observation. A partial result takes the place of a partial one only. Results that
    this version does not understand stay as they are, and a file that cannot be read stays beside under another name.
    Raises `OSError` where it cannot be written.
    """
    permission.require("keep an evaluation")
    from vaecore.evaluate.points import digest
    from vaecore.evaluate.points import read as points_in
    from vaecore.evaluate.points import write as write_points

    path = file_of(run)
    if not run.writable:
        path.parent.mkdir(parents=True, exist_ok=True)
    new = plain(result)
    kept = [*(old for old in _raw(path, unread=set_aside) if not _replaced(_checked(old), new)), new][-MAX_EVALUATIONS:]
    if values is not None:  # before it, so that no evaluation is without its own
        there = points_in(points_file(run))
        digests = [digest(one) for one in reversed(kept)]
        write_points(points_file(run), {digests[0]: values} | {
            name: there[name] for name in digests[1:] if name in there})
    write_json_atomic(path, kept)
    return path


def points(run: Run, facts: Facts) -> Points | None:
    """What an evaluation of `run` found of each observation; None where that was not kept or cannot be read."""
    from vaecore.evaluate.points import NAME as POINTS
    from vaecore.evaluate.points import digest
    from vaecore.evaluate.points import read as points_in

    wanted = digest(facts)
    for path in (points_file(run), *([] if run.writable else [run.path / POINTS])):
        if found := points_in(path, wanted).get(wanted):
            return found
    return None


def settings_of(result: Facts) -> Settings:
    """The settings with which a result was made; raises `ConfigError` for a result of another version."""
    return parse(Settings, result["settings"])


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it, cut to what an evaluation may be: numbers that are none become None."""
    if value is None or isinstance(value, bool):
        return value
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        return {_whole(name)[:80]: plain(part, depth + 1) for name, part in list(value.items())[:MOST_FIELDS]}
    if isinstance(value, list | tuple):
        return [plain(part, depth + 1) for part in value[:LONGEST_LIST]]
    if isinstance(value, int):
        return value if abs(value) < 2**53 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _whole(value)[:LONGEST_TEXT]


def _whole(value: Any) -> str:
    """As text that UTF-8 can hold: JSON can say half of a character, which no page and no file could take."""
    return str(value).encode("utf-8", "replace").decode()


def _read(path: Path) -> list[Facts]:
    return [found for one in _raw(path) if (found := _checked(one))]


def _raw(path: Path, unread: Callable[[Path], object] = lambda _: None) -> list[Facts]:
    """The sets of fields in a file, made plain; none of one that cannot be read, with which `unread` is called."""
    try:
        values = read_json(path, MAX_EVALUATION_BYTES, halves=True)  # `plain` replaces them
    except BrokenFile:
        values = ...
    if not isinstance(values, list | None):
        unread(path)
        return []
    return [plain(one) for one in (values or [])[-MAX_EVALUATIONS:] if isinstance(one, dict)]


def _replaced(old: Facts | None, new: Facts) -> bool:
    """Whether `new` takes the place of `old`."""
    return old is not None and old["settings"] == new["settings"] and (old["partial"] or not new["partial"])


def _checked(value: Any) -> Facts | None:
    """One evaluation, its settings in full; None for what is none."""
    found = plain(value)
    if not isinstance(found, dict) or not isinstance(found.get("settings"), dict):
        return None
    try:
        found["settings"] = plain(settings_of(found).model_dump(mode="json"))
    except ConfigError:
        return None
    found["partial"] = found.get("partial") is True
    found["date"] = str(found.get("date", ""))[:40]
    for name in ("missing", "not_applicable"):
        told = found.get(name)
        found[name] = {k: str(v) for k, v in told.items()} if isinstance(told, dict) else {}
    for name in ("evidence", "log_z", *PARTS):
        if not isinstance(found.get(name), dict):
            found.pop(name, None)
    return explained(found) if "evidence" in found else None
