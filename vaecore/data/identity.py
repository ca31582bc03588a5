"""Which data it is: the digest of what was read with how it was split and scaled, and nothing else.

Where a file lies is no part of it, nor is what only training sees. A file that was moved is the same data, and its
place may be given anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vaecore.data import DATASETS, DataConfig
from vaecore.data.base import OwnFile
from vaecore.data.own.file import wrong
from vaecore.schema import ConfigError, parse, problem

AnyData = TypeVar("AnyData", bound=DataConfig)
GIVE = "If it was moved, give its new place: `--data-path FILE` on the command line, or the field on the page."


def identity(data: DataConfig | Mapping[str, Any]) -> str:
    """SHA-256 of all that decides validation and test sets; `data` is a configuration, or its fields as kept."""
    return hashlib.sha256(json.dumps(scored_on(data), sort_keys=True).encode("utf-8", "replace")).hexdigest()


def scored_on(data: DataConfig | Mapping[str, Any]) -> dict[str, Any]:
    """The fields that decide validation and test sets, with the defaults of those that an older run does not name."""
    if not isinstance(data, DataConfig):
        kind = DATASETS.get(str(data.get("name", "mnist")))
        with contextlib.suppress(ConfigError):  # of another version: what stands there is what is known
            data = parse(kind, dict(data)) if kind else data
    if not isinstance(data, DataConfig):
        return placeless(data)
    values = placeless(data.model_dump(mode="json"))
    return {name: value for name, value in values.items() if name not in data.training_only}


def reading(data: Sequence[Mapping[str, Any]]) -> str:
    """What differs in reading, splitting or scaling data sets, in words; empty where they are the same data."""
    fields = [scored_on(each) for each in data]
    names = list(dict.fromkeys(name for each in fields for name in each))
    said = []
    for name in names:
        values = list(dict.fromkeys(_short(each.get(name)) for each in fields))
        if len(values) > 1:
            said.append("the file, by its digest" if name == "digest" else f"data.{name}: {'; '.join(values)}")
    return ", ".join(said)


def _short(value: Any) -> str:
    return "not set" if value in (None, "") else str(value)[:80]


def placeless(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a data set but its place, where the digest says what lies there."""
    return {name: value for name, value in values.items() if name != "path" or not values.get("digest")}


def gone(data: DataConfig | Mapping[str, Any]) -> str:
    """The path of a data set of one's own that is not there; empty where it is, and for the built-in ones."""
    path = data.get("path") if isinstance(data, Mapping) else data.path if isinstance(data, OwnFile) else ""
    try:
        return path if isinstance(path, str) and path and not Path(path).expanduser().exists() else ""
    except (OSError, ValueError, RuntimeError):  # a path that no file can have
        return str(path)


def check_there(data: DataConfig) -> None:
    """Raise `ConfigError` with the remedy where a file of one's own was moved away."""
    if path := gone(data):
        raise wrong(path, "is not there.", GIVE)


def moved(data: AnyData, path: str) -> AnyData:
    """The data at another place; raises `ConfigError` unless what lies there has the same digest."""
    if not isinstance(data, OwnFile):
        raise problem("data.path", path, f"{data.title} is not read from a file of your own.", "Leave the path out.")
    anew = data.model_copy(update={"path": path, "digest": ""})
    there = anew.resolve()
    assert isinstance(there, OwnFile)
    found, wanted = there.digest, data.digest
    if not found:
        anew.load()  # says what is wrong with it
        raise wrong(path, "cannot be read.", "Give the path of the file that the run was made with.")
    if wanted and found != wanted:
        raise wrong(path, f"is not what this run was made with: its SHA-256 begins with {found[:12]}, not with "
                    f"{wanted[:12]}.", "Give the same file at its new place, or start a new run with this one.")
    return data.model_copy(update={"path": there.path, "digest": found})
