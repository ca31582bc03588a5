"""What can be asked for by name, without torch: the presets, and the families in the words of their declarations.

A preset is a YAML file in `vaecore/presets/`, whose first line is a comment that says what it is; reading one whole
needs `vaecore.config`. What it takes and reaches was measured by `benchmarks/presets.py`, and is told by `reached`. A
configuration is declared beside what it configures, and importing that brings torch, which
takes seconds. So what the declarations say is kept in the cache until a source file changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaecore.files import BrokenFile, read_json, write_json_atomic
from vaecore.words import counted

if TYPE_CHECKING:
    from pydantic import BaseModel

PACKAGE = Path(__file__).parent
PRESETS = PACKAGE / "presets"
MEASURED = PRESETS / "measured.json"
MAX_KEPT_BYTES = 4_000_000  # of what is kept of the declarations


def presets() -> dict[str, str]:
    """Names of the named configurations, each with a sentence that says what it is."""
    return {path.stem: path.read_text(encoding="utf-8").splitlines()[0].removeprefix("#").strip()
            for path in sorted(PRESETS.glob("*.yaml"))}


def measured() -> dict[str, dict[str, Any]]:
    """What was measured of presets, by their names; of those that were not, nothing.

    CPU `minutes`, what was `reached` with which `setting`, on which `data`, and `of` which configuration.
    """
    return dict(read_json(MEASURED, MAX_KEPT_BYTES) or {})


def reached(name: str) -> str:
    """What a preset takes and reaches in words, as it was measured, or why it was not."""
    found = measured().get(name)
    if found is None:
        own = "your own" in presets()[name]  # which its data say too, at the cost of reading all declarations
        return "What it takes and reaches depends on your data." if own else "Not measured yet."
    minutes = float(found["minutes"])
    took = f"{minutes:.0f} CPU minutes" if minutes >= 9.5 else f"{minutes:.1f} CPU minutes" if minutes >= 1.5 else \
        counted(round(60 * minutes), "CPU second")
    return f"Measured: {took}, test {found['reached']} ({'; '.join(filter(None, [found['setting'], found['data']]))})."


def families() -> dict[str, dict[str, Any]]:
    """Names of the families, each with `what` it is and its `fields`: descriptions by name."""
    return dict(_kept()["families"])


@dataclass(frozen=True)
class Declarations:
    """The configuration as it is declared, and every preset whole, as plain values.

    `nodes` are the groups of fields by the name of their class: of each field its `default`, its `symbol`, and by `tag`
    which class a choice of a union is, or which class it `is`.
    """

    root: str
    nodes: Mapping[str, Mapping[str, Any]]
    presets: Mapping[str, Mapping[str, Any]]

    @cached_property
    def fields(self) -> dict[str, str]:
        """Every field that some configuration has, dotted, with its symbol or an empty text."""
        found: dict[str, str] = {}

        def walk(node: str, prefix: str, above: tuple[str, ...]) -> None:
            for name, told in self.nodes[node].items():
                found.setdefault(f"{prefix}{name}", told.get("symbol", ""))
                for inner in dict.fromkeys(told.get("members", {}).values()):
                    if inner not in above:
                        walk(inner, f"{prefix}{name}.", (*above, inner))

        walk(self.root, "", (self.root,))
        return found


@lru_cache(1)
def declarations() -> Declarations:
    """The configuration as it is declared, and every preset whole."""
    kept = _kept()
    return Declarations(kept["root"], kept["nodes"], kept["presets"])


@lru_cache(1)
def _kept() -> dict[str, Any]:
    """What the declarations say; kept in the cache until a source file changes."""
    from vaecore.data.base import cache_folder

    place, state = cache_folder() / "declared.json", _sources()
    with contextlib.suppress(BrokenFile):
        kept = read_json(place, MAX_KEPT_BYTES)
        if isinstance(kept, dict) and kept.get("sources") == state \
                and all(isinstance(kept.get(name), dict) for name in ("families", "nodes", "presets")):
            return kept
    found = {"sources": state, **_declared()}
    with contextlib.suppress(OSError):  # a full or read-only disk costs the time, not the answer
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(place, found)
    return found


def _declared() -> dict[str, Any]:
    """What is kept, from the declarations themselves."""
    from vaecore.config import RunConfig, preset
    from vaecore.models import FAMILIES

    nodes: dict[str, dict[str, Any]] = {}
    _node(RunConfig, nodes)
    return {
        "families": {name: {"what": (kind.__doc__ or "").split("\n")[0],
                            "fields": {field: info.description for field, info in kind.model_fields.items()
                                       if info.description}} for name, kind in FAMILIES.items()},
        "root": RunConfig.__name__, "nodes": nodes,
        "presets": {name: preset(name).model_dump(mode="json") for name in presets()}}


def _node(model: type[BaseModel], nodes: dict[str, dict[str, Any]]) -> str:
    """The name of a group of fields, which is written down in `nodes` with all groups below it."""
    from pydantic import BaseModel
    from pydantic_core import to_jsonable_python

    from vaecore.schema import tagged

    name = model.__name__
    if name in nodes:
        return name
    fields = nodes[name] = {}
    for field, info in model.model_fields.items():
        told: dict[str, Any] = {}
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        if not info.is_required():
            told["default"] = to_jsonable_python(default)
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("symbol"):
            told["symbol"] = extra["symbol"]
        if members := tagged(info):
            told["tag"] = info.discriminator
            told["members"] = {tag: _node(each, nodes) for tag, each in members.items()}
        elif isinstance(default, BaseModel):
            told["members"] = {"": _node(type(default), nodes)}
        fields[field] = told
    return name


def _sources() -> str:
    """A digest of the state of the package's files, names, sizes and times, and of what is registered besides."""
    known = sorted((str(path.relative_to(PACKAGE)), path.stat()) for path in PACKAGE.rglob("*.py"))
    told = repr([(name, s.st_size, s.st_mtime_ns) for name, s in known])
    return hashlib.sha256(f"{told}{os.environ.get('VAECORE_PLUGINS', '')}".encode()).hexdigest()
