"""The dashboard's browser modules as one script and one style, so that a page needs no server.

A module becomes a function that is run once, in an order in which each comes after those that it imports; what it
exports is what that function gives. Our modules are plain: imports and exports begin a line, and nothing is exported
that changes later.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

IMPORT = re.compile(r'^import\s+(?:(?P<default>\w+)|\*\s+as\s+(?P<space>\w+)|\{(?P<names>[^}]*)\})\s+from\s+'
                    r'"(?P<path>[^"]+)";$', re.M)
RENAMED = re.compile(r"(\w+)\s+as\s+(\w+)")
LATER = re.compile(r'\bimport\("(?P<path>[^"]+)"\)')
BESIDE = re.compile(r'new URL\("(?P<path>[^"]+\.js)",\s*import\.meta\.url\)')
EXPORTED = re.compile(r"^export (?P<what>(?:async )?function\*? |class |const )(?P<name>\w+)", re.M)
DEFAULT = re.compile(r"^export default ", re.M)
LISTED = re.compile(r"^export \{\s*(?P<name>\w+) as default\s*\};$", re.M)
LEFT = re.compile(r"^(?:import|export)\b|\bimport\.meta\b|\bimport\(", re.M)
STYLED = re.compile(r'^@import "(?P<path>[^"]+)";\n?', re.M)


class NotPlain(ValueError):
    """A module that cannot be bundled; the message names it and what in it is not understood."""


def script(folder: Path, entries: Sequence[str]) -> str:
    """The modules `entries` of a folder, as "curves/curves.js", and all that they import, as one classic script.

    It defines `modules`, by their names in the folder, with what each exports. A worker that a module starts beside
    itself is bundled too, and started from memory. Raises `NotPlain` for a module that is not as they all are.
    """
    sources: dict[str, str] = {}
    needs: dict[str, set[str]] = {}
    workers: set[str] = set()
    left = list(entries)
    while left:
        name = left.pop()
        if name in sources:
            continue
        sources[name] = (folder / name).read_text(encoding="utf-8")
        needs[name] = {_beside(name, found["path"]) for pattern in (IMPORT, LATER)
                       for found in pattern.finditer(sources[name])}
        workers |= {_beside(name, found["path"]) for found in BESIDE.finditer(sources[name])}
        left += needs[name]
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise NotPlain(f"{' and '.join(error.args[1])} import each other.") from None
    parts = ["const modules = {};", "const workers = {};"]
    parts += [f"workers[{json.dumps(name)}] = {json.dumps(script(folder, [name]))};" for name in sorted(workers)]
    parts += [f"modules[{json.dumps(name)}] = (() => {{\n{_rewritten(name, sources[name])}\n}})();" for name in order]
    return "\n".join(parts)


def style(folder: Path, name: str) -> str:
    """A style of a folder with all that it imports, each once, in their order."""
    seen: set[str] = set()

    def whole(name: str) -> str:
        if name in seen:
            return ""
        seen.add(name)
        text = (folder / name).read_text(encoding="utf-8")
        return STYLED.sub(lambda found: whole(_beside(name, found["path"])), text)

    return whole(name)


def in_html(text: str) -> str:
    """A script's text within HTML: no word in it ends the element or begins a comment."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


def _beside(name: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def _rewritten(name: str, source: str) -> str:
    exported = {found["name"]: found["name"] for found in EXPORTED.finditer(source)}

    def imported(found: re.Match[str]) -> str:
        module = f"modules[{json.dumps(_beside(name, found['path']))}]"
        if found["default"]:
            return f"const {found['default']} = {module}.default;"
        if found["space"]:
            return f"const {found['space']} = {module};"
        names = RENAMED.sub(r"\1: \2", found["names"])
        return f"const {{{names}}} = {module};"

    if found := LISTED.search(source):
        exported = {"default": found["name"]}  # all that it has: others are in its comments
        source = LISTED.sub("", source)
    if DEFAULT.search(source):
        exported["default"] = "its_default"
        source = DEFAULT.sub("const its_default = ", source)
    source = IMPORT.sub(imported, source)
    source = LATER.sub(lambda found: f"Promise.resolve(modules[{json.dumps(_beside(name, found['path']))}])", source)
    source = BESIDE.sub(lambda found: 'URL.createObjectURL(new Blob([workers['
                        f'{json.dumps(_beside(name, found["path"]))}]], {{ type: "text/javascript" }}))', source)
    source = EXPORTED.sub(lambda found: found["what"] + found["name"], source)
    if odd := LEFT.search(source):
        line = source[odd.start():].partition("\n")[0][:120]
        raise NotPlain(f"{name} cannot be bundled: '{line}' is not understood.")
    given = ", ".join(f"{outer}: {inner}" if outer != inner else outer for outer, inner in exported.items())
    return f"{source}\nreturn {{ {given} }};"
