"""Data sets of one's own that are classes: registered in a script, or by modules that every process loads.

A page, a worker and the command line know what the modules named in `VAECORE_PLUGINS` register (names of modules that
can be imported, or paths of .py files, parted by commas), and what installed packages offer under the entry point group
`vaecore.data`. Nothing is ever loaded because a run names it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar, get_args

from vaecore.data.base import DataConfig
from vaecore.schema import problem

Of = TypeVar("Of", bound=DataConfig)
PLUGINS, GROUP = "VAECORE_PLUGINS", "vaecore.data"
REGISTERED: dict[str, type[DataConfig]] = {}  # what was registered, by name
BUILT_IN: set[str] = set()  # names that are taken
_followers: list[Callable[[type[DataConfig]], None]] = []


def register(kind: type[Of]) -> type[Of]:
    """Make a data set class known by its name, to configurations, pages and the command line; also as a decorator.

    It is a `DataConfig` with a `title`, a literal `name` and a `load`. What is registered again under a name replaces
    what was: a notebook's cell may be run twice. Raises `ConfigError` for what is no such class, or a name that is a
    built-in data set's.
    """
    if not isinstance(kind, type) or not issubclass(kind, DataConfig):
        raise problem("data.name", kind, f"{getattr(kind, '__name__', kind)} is no data set.",
                      "Register a subclass of vaecore.data.DataConfig.")
    field = kind.model_fields.get("name")
    names = get_args(field.annotation) if field is not None else ()
    if len(names) != 1 or field is None or field.default != names[0] or not isinstance(names[0], str):
        raise problem("data.name", kind.__name__, f"{kind.__name__} has no name of its own.",
                      'Give it the field `name: Literal["mine"] = "mine"`.')
    if not getattr(kind, "title", ""):
        raise problem("data.name", names[0], f"{kind.__name__} has no title.",
                      'Give it `title: ClassVar[str] = "What a person calls it"`.')
    if names[0] in BUILT_IN:
        raise problem("data.name", names[0], f"a built-in data set is called '{names[0]}'.", "Choose another name.")
    REGISTERED[names[0]] = kind
    for follower in _followers:
        follower(kind)
    return kind


def follow(follower: Callable[[type[DataConfig]], None]) -> None:
    """Have `follower` told of every class that is registered, those before it too."""
    _followers.append(follower)
    for kind in REGISTERED.values():
        follower(kind)


def load_plugins() -> None:
    """Import what the user named; a module that cannot be imported costs itself, and is told of."""
    for name in filter(None, (name.strip() for name in os.environ.get(PLUGINS, "").split(","))):
        try:
            _imported(name)
        except (Exception, SystemExit) as error:  # a script may end itself
            warnings.warn(f"{PLUGINS} names '{name}', which cannot be loaded ({type(error).__name__}: {error}).",
                          stacklevel=2)
    for entry in entry_points(group=GROUP):
        try:
            found = entry.load()
            if isinstance(found, type):
                register(found)
        except Exception as error:
            warnings.warn(f"the data set '{entry.name}' of {entry.value} cannot be loaded ({type(error).__name__}: "
                          f"{error}).", stacklevel=2)


def _imported(name: str) -> None:
    if not name.endswith(".py"):
        importlib.import_module(name)
        return
    path = Path(name).expanduser().resolve()
    called = f"vaecore_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(called, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = sys.modules[called] = importlib.util.module_from_spec(spec)  # pydantic looks its annotations up there
    spec.loader.exec_module(module)
