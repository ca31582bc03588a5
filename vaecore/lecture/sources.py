"""Code by its dotted path: file, lines and text as Python itself finds them. Importing it may bring torch."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Source:
    """Lines of a file of the package."""

    path: str  # from the package's parent: "vaecore/models/single/vae.py"
    first: int  # its number, from 1; of a module 1
    text: str

    @property
    def place(self) -> str:
        """File and line as an editor opens them: "vaecore/models/single/vae.py:91"."""
        return f"{self.path}:{self.first}"


def named(dotted: str) -> Any:
    """The module, class or function of a dotted path; raises `ImportError` or `AttributeError` where there is none."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError as error:
            if error.name is None or not dotted.startswith(error.name):
                raise
            continue
        for name in parts[cut:]:
            found = inspect.getattr_static(found, name) if inspect.isclass(found) else getattr(found, name)
        return found
    raise ImportError(f"there is no {dotted}")


def source(dotted: str) -> Source:
    """Where the code of a dotted path stands, and its text."""
    return source_of(named(dotted))


def source_of(code: Any) -> Source:
    """Where a class, function or module stands, and its text."""
    if isinstance(code, property):
        code = code.fget
    if isinstance(code, classmethod | staticmethod):
        code = code.__func__
    code = inspect.unwrap(code) if callable(code) else code
    lines, first = inspect.getsourcelines(code)
    path = Path(inspect.getsourcefile(code) or "").resolve()
    return Source(path.relative_to(PACKAGE.parent).as_posix(), max(1, first), textwrap.dedent("".join(lines)))
