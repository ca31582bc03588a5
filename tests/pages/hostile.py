"""Runs as somebody else may send them: files that cannot be read, and what reads as a file of ours but is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

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


# -- markup ----------------------------------------------------------------------------------------

IMAGE = "![x](https://outside.example/x.png)"
MARKUP = (IMAGE + " <img src=https://outside.example/y> [to](https://outside.example) https://outside.example "
          ":red[r] :smile: :material/bolt: $x^2$ **b** [/nothing] [bold]")
# What of it must reach no element that reads Markdown: each is what a browser would fetch, link or colour.
SIGNS = (IMAGE, "![x](", "[to](", "https://", ":red[", ":smile:", ":material/bolt:", "$x^2$", "**b**")
PLAIN = {"selectbox", "multiselect", "dataframe", "arrow_data_frame", "text_input", "text_area", "code", "text", "json",
         "plotly_chart", "vega_lite_chart", "arrow_vega_lite_chart", "bidi_component", "component_instance", "html"}


def mark(folder: Path) -> None:
    """Put markup into all words of the run in `folder` that are only told, not read as a choice."""
    for name in ("about.json", "summary.json", "evaluation.json"):
        if (path := folder / name).exists():
            mark_file(path)
    (folder / "exit.json").write_text(json.dumps({"attempt": 1, "state": "failed", "detail": MARKUP, "time": 0}))
    (folder / "log.txt").write_text(MARKUP + "\n")


def mark_file(path: Path) -> None:
    """Put markup into all words of a JSON."""
    path.write_text(json.dumps(_marked(json.loads(path.read_text()))))


def _marked(value: Any, field: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _marked(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_marked(part, field) for part in value]
    kept = ("observation", "approach", "split", "device", "experiment", "id", "verdict", "claim")  # ours decide by them
    return f"{value} {MARKUP}" if isinstance(value, str) and field not in kept else value


def leaks(at: AppTest) -> list[str]:
    """Elements of a page that read Markdown and hold a piece of `MARKUP` as it was."""
    found = []
    for element in every(at):
        proto = element.proto
        if element.type in PLAIN:
            continue
        found += [f"{element.type}: {field[:200]}" for field in strings(proto)
                  if any(sign in field for sign in SIGNS) and "outside" in field]
    return found


def every(at: AppTest) -> Iterator[Any]:
    """All elements and blocks of the page."""
    waiting = [at._tree]
    while waiting:
        node = waiting.pop()
        if getattr(node, "proto", None) is not None:
            yield node
        waiting += list(getattr(node, "children", {}).values())


def strings(proto: Any) -> Iterator[str]:
    """All text in the fields of what an element sends."""
    for field, value in proto.ListFields():
        for one in [value] if isinstance(value, str | bytes | int | float | Message) else value:
            if isinstance(one, str):
                yield one
            elif isinstance(one, Message) and field.name not in PLAIN:
                yield from strings(one)
