"""Runs as somebody else may send them: files that cannot be read, and what reads as a file of ours but is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

DEEP = "[" * 100_000 + "]" * 100_000
HALF = '"\\ud800 half of a character"'
BROKEN = {  # of any JSON: what is in the file
    "cut": '{"model": ', "list": "[1, 2]", "deep": '{"model": ' + DEEP + "}",
    "less-deep": '{"data": ' + "[" * 500 + "]" * 500 + "}",
    "half": '{"model": {"family": ' + HALF + '}, "data": {"name": ' + HALF + '}, "family": ' + HALF + "}",
    "half-name": '{"\\udfff": 1}', "bytes": '{"data": "\udc80"}', "huge": '{"step": 1' + "0" * 400 + "}",
    "endless": '{"step": ' + "9" * 5000 + "}"}
ODD: dict[str, dict[str, Any]] = {  # of a configuration: fields of the wrong kind
    "numbers": {"data": 5, "model": 7, "training": 9, "seed": []},
    "lists": {"data": {"name": ["x"]}, "model": {"family": {"a": 1}}},
    "unknown": {"data": {"name": "nothing"}, "model": {"family": "nothing"}}, "empty": {}}


def spoil(root: Path, origin: str = "runs/vae", *, files: tuple[str, ...] = ("config.json", "summary.json", "about.json"
                                                                             )) -> list[str]:
    """Add a copy of the run `origin` for each fault of each file to the store at `root`; their ids."""
    made = []
    for file in files:
        odd = {name: json.dumps(values) for name, values in ODD.items()} if file == "config.json" else {}
        for name, content in (BROKEN | odd).items():
            place = root / "runs" / f"bad-{file.split('.')[0]}-{name}"
            shutil.copytree(root / origin, place)
            (place / file).write_bytes(content.encode("utf-8", "surrogateescape"))
            made.append(place.name)
    return made
