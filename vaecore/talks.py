"""Talks: scenes of the dashboard in the order of a lecture, each an address with a title and the speaker's line.

A talk is a YAML file. The shipped one, `lecture`, walks from PCA to SVG-LP; one's own lie in `<store>/talks/`.

    title: VAEs in ten minutes
    scenes:
      - address: /traverse?run=gallery/vae
        title: Drag a code
        line: Move z3 slowly. What does it turn?
        equation: 5          # a number of the lecture's, or LaTeX
        seconds: 60

No torch and no Streamlit: the stage (`pages/components/stage_routes.py`) shows them, `vaecore talk` opens it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import yaml
from pydantic import field_validator

from vaecore import lecture, permission
from vaecore.errors import StoreError
from vaecore.files import BrokenFile, opened, trouble, write_bytes_atomic
from vaecore.plain_yaml import explained, read_yaml
from vaecore.schema import ConfigError, Problem, Strict, option, parse, problem
from vaecore.store import Store, checked_name

SHIPPED = "lecture"  # the name of the talk that comes with the package
FILE, GIVEN = "file", "VAECORE_TALK"  # the name of the talk in the file that the environment names, for the stage
LARGEST_TALK = 400_000  # bytes of a file
MOST_SCENES, LONGEST_ADDRESS, LONGEST_EQUATION, MOST_TALKS = 200, 4_000, 1_000, 200
HOW = "A talk is YAML: `title: ...` and `scenes:`, a list with `address: /traverse?run=gallery/vae` and `title: ...`."
# Addresses of the dashboard's pages: `pages/index.py` has them, to which a test holds these.
PAGES = ("", "train", "monitor", "experiments", "sweeps", "traverse", "latent-map", "cross-modal", "sentences", "video",
         "lecture", "runs", "compare", "evaluate", "families", "claims", "talk")
_ADDRESS = re.compile(r"/(?:[a-z0-9][a-z0-9-]*)?(?:\?[^\s#\\]*)?")
_FOLDER = Path(__file__).parent / "presets" / "talks"


class Scene(Strict):
    """A view of the dashboard with what is said to it."""

    address: str = option(..., "Path and parameters of a page, as /traverse?run=gallery/vae.", min_length=1,
                          max_length=LONGEST_ADDRESS)
    title: str = option(..., "What the room reads.", min_length=1, max_length=120)
    line: str = option("", "What the speaker says or does: for the notes, not for the room.", title="Speaker's line",
                       max_length=2_000)
    equation: int | str | None = option(None, "Shown under the scene: a number of the lecture's, or LaTeX.")
    seconds: int | None = option(None, "How long it is meant to take.", unit="seconds", ge=1, le=7_200)

    @field_validator("address")
    @classmethod
    def _of_this_dashboard(cls, address: str) -> str:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"{address[:80]!r} is no address of the dashboard. Write path and parameters, without "
                             "http and host, as /traverse?run=gallery/vae.")
        return address

    @field_validator("equation")
    @classmethod
    def _known(cls, equation: int | str | None) -> int | str | None:
        if isinstance(equation, int) and not 1 <= equation <= len(lecture.EQUATIONS):
            raise ValueError(f"{equation} is no equation of the lecture. Its equations are 1 to "
                             f"{len(lecture.EQUATIONS)}; LaTeX may stand there instead.")
        if isinstance(equation, str) and not 1 <= len(equation) <= LONGEST_EQUATION:
            raise ValueError(f"LaTeX of {len(equation):,} characters. Write 1 to {LONGEST_EQUATION:,}, or leave the "
                             "field out.")
        return equation

    @property
    def latex(self) -> str:
        """The equation as LaTeX; empty without one."""
        if isinstance(self.equation, int):
            return lecture.equation(self.equation).latex
        return self.equation or ""

    @property
    def page(self) -> str:
        """The address of the page alone, without slash and parameters; empty for Home."""
        return urlsplit(self.address).path[1:]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The parameters of the address, in their order."""
        return parse_qsl(urlsplit(self.address).query, keep_blank_values=True)


class Talk(Strict):
    """Scenes in their order."""

    title: str = option(..., "What the talk is called.", min_length=1, max_length=120)
    scenes: tuple[Scene, ...] = option((), "What is shown, in the order in which it is shown.", max_length=MOST_SCENES)

    @property
    def seconds(self) -> int:
        """How long all scenes are meant to take, where that is said."""
        return sum(scene.seconds or 0 for scene in self.scenes)

    def to_yaml(self) -> str:
        """The talk as its file."""
        told = {"title": self.title,
                "scenes": [scene.model_dump(mode="json", exclude_defaults=True) for scene in self.scenes]}
        return str(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=100))


class Fault(NamedTuple):
    """Why a scene cannot be opened here."""

    number: int  # of the scene, from 1
    title: str
    why: str

    def __str__(self) -> str:
        return f"Scene {self.number}, {self.title}: {self.why}"


def from_text(text: str) -> Talk:
    """A talk from YAML or JSON; raises `ConfigError`, which names scene, field, value and remedy."""
    if len(text) > LARGEST_TALK:
        raise problem("talk", "", f"the text has {len(text):,} characters.", f"A talk has at most {LARGEST_TALK:,}.")
    try:
        values = read_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise problem("talk", "", f"{explained(error)}.", HOW) from None
    if not isinstance(values, dict) or not isinstance(values.get("scenes", []), list):
        raise problem("talk", "", "it holds no list of scenes.", HOW)
    written = values.get("scenes", [])
    if len(written) > MOST_SCENES:
        raise problem("scenes", len(written), f"there are {len(written):,}.", f"A talk has at most {MOST_SCENES}.")
    scenes, problems = [], []
    for number, each in enumerate(written, 1):
        try:
            scenes.append(parse(Scene, each))
        except ConfigError as error:
            problems += [Problem(f"scene {number}{f', {found.field}' if found.field else ''}", found.value,
                                 found.message, found.remedy) for found in error.problems]
    try:
        talk = parse(Talk, {**values, "scenes": scenes})
    except ConfigError as error:
        raise ConfigError([*error.problems, *problems]) from None
    if problems:
        raise ConfigError(problems)
    return talk


def from_file(path: Path) -> Talk:
    """A talk from a file; raises `ConfigError`."""
    try:
        with opened(path) as file:
            text = file.read(LARGEST_TALK + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, BrokenFile) as error:
        raise problem("talk", str(path), f"{path} cannot be read ({trouble(error)}).", "Give a .yaml file.") from None
    return from_text(text)


def talk(which: str | Path = SHIPPED, store: Store | None = None) -> Talk:
    """A talk by its name, or from a file: `vaecore.talk()` is the shipped one.

    Raises `ConfigError` for a file that is no talk, `StoreError` where there is none of that name.
    """
    if isinstance(which, Path) or which.endswith((".yaml", ".yml", ".json")):
        return from_file(Path(which))
    return talk_of_store(which, store or Store.default())


def talk_of_store(name: str, store: Store) -> Talk:
    """A talk by its name alone, which leads to no other file; raises as `talk` does."""
    if name == FILE and (given := os.environ.get(GIVEN)):
        return from_file(Path(given))
    if name == SHIPPED:
        return from_file(_FOLDER / f"{SHIPPED}.yaml")
    path = _place(store, name)
    if not path.is_file():
        raise StoreError(f"There is no talk '{name}' in {store.root}. There are {', '.join(names(store))}.")
    return from_file(path)


def names(store: Store) -> list[str]:
    """The names of the talks there are: the shipped one, then those of the store."""
    found = sorted(path.stem for path in (store.root / "talks").glob("*.yaml") if path.stem not in (SHIPPED, FILE))
    return [SHIPPED, *[name for name in found if _is_name(name)][:MOST_TALKS]]


def keep(store: Store, name: str, talk: Talk) -> None:
    """Keep a talk in the store under a name, in place of another of that name.

    Raises `StoreError` where it cannot be called so, or the file cannot be written.
    """
    permission.require("keep a talk")
    store.require_own()
    path = _place(store, name)
    if name in (SHIPPED, FILE):
        raise StoreError(f"'{name}' is the name of another talk, which stays as it is. Keep yours under another name.")
    if not path.is_file() and len(names(store)) > MOST_TALKS:
        raise StoreError(f"There are {MOST_TALKS} talks already. Remove one first.")
    text = talk.to_yaml().encode()
    if len(text) > LARGEST_TALK:
        raise StoreError(f"The talk has {len(text):,} bytes. At most {LARGEST_TALK:,} are read again: shorten it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(path, text)
    except OSError as error:
        raise StoreError(f"The talk cannot be kept. {trouble(error)}") from None


def remove(store: Store, name: str) -> None:
    """Remove a talk of the store, if there is one of that name; the shipped one stays."""
    permission.require("remove a talk")
    store.require_own()
    try:
        _place(store, name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"The talk cannot be removed. {trouble(error)}") from None


def recorded(address: str) -> str:
    """An address as a scene keeps it: of any address of the dashboard path and parameters, without talk mode.

    Raises `ConfigError` for what is no address at all.
    """
    try:
        told = urlsplit(address.strip())
    except ValueError as error:
        raise problem("address", address, f"{address[:80]!r} cannot be read ({error}).", "Write path and parameters, "
                      "as /traverse?run=gallery/vae.") from None
    above, _, page = told.path.strip().rpartition("/")
    if not page and (last := above.rpartition("/")[2]) in PAGES:  # "/traverse/"; "/lab/" is Home, below a path
        page = last
    asked = [(name, value) for name, value in parse_qsl(told.query, keep_blank_values=True) if name != "talk"]
    query = urlencode(asked, safe="/,:;").replace("%20", "+")
    return f"/{page}{f'?{query}' if query else ''}"


def typed_equation(typed: str) -> int | str | None:
    """An equation as it is typed: a number of the lecture's, or LaTeX; None for nothing."""
    text = typed.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text or None


def faults(talk: Talk, store: Store) -> Iterator[Fault]:
    """Scenes that cannot be opened in a store, each with the reason: an unknown page, a run that is not there."""
    for number, scene in enumerate(talk.scenes, 1):
        if scene.page not in PAGES:
            yield Fault(number, scene.title, f"there is no page /{scene.page}. Pages are "
                                             f"{', '.join(f'/{page}' for page in PAGES)}.")
        for name, value in scene.parameters:
            if name in ("run", "runs"):
                try:
                    run = store.find(value)
                except StoreError as error:
                    yield Fault(number, scene.title, str(error))
                else:
                    if scene.page not in ("monitor", "runs", "compare") and not run.weights.is_file():
                        yield Fault(number, scene.title, f"{run.id} has no weights yet. Train it, or name another.")


def told(talk: Talk) -> dict[str, Any]:
    """A talk as the stage reads it, its equations as LaTeX."""
    return {"title": talk.title, "scenes": [
        {"address": scene.address, "title": scene.title, "line": scene.line, "latex": scene.latex,
         "number": scene.equation if isinstance(scene.equation, int) else None, "seconds": scene.seconds}
        for scene in talk.scenes]}


def _place(store: Store, name: str) -> Path:
    if not _is_name(name):
        raise StoreError(f"'{name[:80]}' cannot be a talk's name. Use 1 to 64 small letters, digits, '-', '_' and '.', "
                         "beginning with a letter or digit.")
    return store.root / "talks" / f"{name}.yaml"


def _is_name(name: str) -> bool:
    try:
        return checked_name(name) == name
    except StoreError:
        return False
