"""The store in use, the checkpoints in it, and how a page lets one be picked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import streamlit as st

from pages.shared import colours, warm
from pages.shared.words import escaped
from vaecore.store import Run, Store, StoreError

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint, Codeless
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.sentences import SentenceCheckpoint
    from vaecore.explore.video import VideoCheckpoint

T = TypeVar("T")
Page = Literal["Traverse", "Sentences", "Cross-modal", "Video"]
LINKS: dict[Page, tuple[str, str, str]] = {  # of the pages that open a run: file, icon, help
    "Traverse": ("traverse/page.py", ":material/tune:", "Move through its latent space and see what it draws."),
    "Sentences": ("sentences/page.py", ":material/notes:", "See how it reads and writes sentences."),
    "Cross-modal": ("cross_modal/page.py", ":material/swap_horiz:", "Give some modalities and generate others."),
    "Video": ("video/page.py", ":material/movie:", "Roll futures of a clip out and watch them part.")}
CHOSEN, CHOSEN_ON = "runs", "runs-page"  # in the session: the runs that were chosen last, and on which page
_OF_ONE: dict[str, Page] = {"sentence": "Sentences", "clip": "Video"}  # by what an observation is


def store() -> Store:
    """The store this dashboard shows: `VAECORE_STORE`, or `trained/`."""
    return Store.default()


def gallery() -> list[Run]:
    """The shipped checkpoints, the VAEs first: they are what this is about."""
    return sorted(store().gallery(), key=lambda run: not run.path.name.startswith("vae"))


def with_weights() -> list[Run]:
    """Every run that can be looked at: the user's own, newest first, then the gallery."""
    return [run for run in store().runs() + gallery() if run.weights.is_file()]


def opens_in(run: Run) -> Page:
    """The page that shows what a run does: Cross-modal for several modalities, Sentences for text, Video for clips,
    else Traverse."""
    about = run.about()
    several, found = about.get("multimodal"), about.get("observation")
    if not isinstance(found, str):  # its words are gone: the configuration knows, but brings torch
        try:
            config = run.config()
        except (StoreError, ValueError):
            return "Traverse"
        several, found = config.model.multimodal, config.data.observation
    return "Cross-modal" if several is True else _OF_ONE.get(found, "Traverse")


def drawn() -> list[Run]:
    """Those of `with_weights` that draw one modality."""
    return [run for run in with_weights() if opens_in(run) == "Traverse"]


def written() -> list[Run]:
    """Those of `with_weights` that write."""
    return [run for run in with_weights() if opens_in(run) == "Sentences"]


def crossed() -> list[Run]:
    """Those of `with_weights` of several modalities."""
    return [run for run in with_weights() if opens_in(run) == "Cross-modal"]


def filmed() -> list[Run]:
    """Those of `with_weights` that predict the frames of a clip."""
    return [run for run in with_weights() if opens_in(run) == "Video"]


def explore_link(run: Run, label: str = "{page}") -> None:
    """The way to the page that opens this run; `label` may name it with {page}."""
    page = opens_in(run)
    path, icon, help = LINKS[page]
    st.page_link(path, label=label.format(page=page), icon=icon, query_params={"run": run.id}, help=help)


def describe(run: Run) -> str:
    """A run in a line: its name, family and data."""
    try:
        family, data = names(run)
    except StoreError:
        return f"{run.id} · unreadable"
    return f"{run.id} · {family} · {data}"


def tell_unreadable(runs: list[Run]) -> None:
    """One box for each run without a configuration that can be read: it says why, and costs no other run."""
    for run in runs:
        try:
            run.values()
        except StoreError as error:
            st.error(escaped(str(error)), icon=":material/broken_image:")


def names(run: Run) -> tuple[str, str]:
    """Family and data set in words; as the configuration has them where nothing says it better.

    Raises `StoreError` for a run without a configuration.
    """
    values, about = run.values(), run.about()
    return (_word(about, "family") or _choice(values, "model", "family"),
            _word(about, "data") or _choice(values, "data", "name"))


def pick(label: str, *, among: list[Run] | None = None, empty: Callable[[], None] | None = None, key: str = "run",
         help: str | None = None) -> Run | None:
    """A select box over everything with weights, or over `among`, kept in the URL as `?run=` and in the session under
    `key`; `empty` tells what to do where there is none."""
    runs = {run.id: run for run in (with_weights() if among is None else among)}
    found, missing = _from_url(key, "run", runs)
    if not runs:
        _tell(key, missing, "")
        (empty or nothing_yet)()
        return None
    if found:
        st.session_state[key] = found[0]
    if st.session_state.get(key) not in (None, *runs):  # it was removed while this page was open
        missing.append(st.session_state.pop(key))
    lines = {name: describe(run) for name, run in runs.items()}
    chosen = st.selectbox(label, list(runs), key=key, format_func=lambda name: lines.get(name, name), help=help,
                          on_change=_forget, args=(key,), persist_state="session")
    _tell(key, missing, f"Shown instead: {chosen}.")
    _to_url(key, "run", [chosen])
    return runs[chosen]


def pick_several(label: str, *, page: str, among: list[Run] | None = None, first: list[str] | None = None,
                 most: int = 12, help: str | None = None) -> list[Run]:
    """The same for several, kept in the URL as `?runs=a&runs=b`; `first`, or the first three, to begin with.

    The choice is one for all pages, in the session under "runs"; each `page` shows as much of it as it can, in a widget
    of its own: two pages' widgets under one key would each be emptied by the other.
    """
    runs = {run.id: run for run in (with_weights() if among is None else among)}
    if not runs:
        nothing_yet()
        return []
    key, own = f"{page}-runs", st.session_state.get(CHOSEN_ON) == page
    if key not in st.session_state:  # the page is entered: what its address says counts, on the way back too
        st.session_state.pop(f"{key}-url", None)
    found, missing = _from_url(key, "runs", runs)
    if found:
        choose_several(found, page)
        own = True
    wanted: list[str] = st.session_state.get(CHOSEN, [])
    kept = [name for name in wanted if name in runs]
    if own:  # removed while this page was open
        missing += [name for name in wanted if name not in runs]
        choose_several(kept, page)
    elif not kept:  # nothing was chosen yet that this page can show
        kept = st.session_state.get(key) or first or list(runs)[:3]
        kept = [name for name in kept if name in runs]
    if st.session_state.get(key) != kept[:most]:
        st.session_state[key] = kept[:most]
    lines = {name: describe(run) for name, run in runs.items()}
    chosen = st.multiselect(label, list(runs), key=key, format_func=lambda name: lines.get(name, name), help=help,
                            max_selections=most, on_change=_choose, args=(key, page))
    _tell(key, missing, f"Shown: {', '.join(chosen) or 'none'}.")
    if left := kept[most:]:
        st.warning(f"This page shows {most} runs at most. Left out: {', '.join(left)}.", icon=":material/filter_8:")
    _to_url(key, "runs", chosen)
    colours.settle(chosen)
    return [runs[name] for name in chosen]


def choose_several(names: list[str], page: str) -> None:
    """Make `names` the choice of runs, as if they had been picked on `page`."""
    st.session_state[CHOSEN], st.session_state[CHOSEN_ON] = names, page


def _choose(key: str, page: str) -> None:
    choose_several(list(st.session_state[key]), page)
    _forget(key)


def nothing_yet() -> None:
    """What to do where no checkpoint is."""
    st.info("No checkpoint is here yet. Train one: the first takes about a minute.", icon=":material/info:")
    st.page_link("train/page.py", label="Train a model", icon=":material/model_training:")


def _from_url(key: str, parameter: str, runs: dict[str, Run]) -> tuple[list[str], list[str]]:
    """The ids among `runs` that a new URL asks for, and the names that it asks for in vain.

    `bind="query-params"` would put the labels of the options into the URL, and leave out the default.
    """
    wanted = list(dict.fromkeys(name.removeprefix("runs/") for name in st.query_params.get_all(parameter) if name))
    if wanted == st.session_state.get(f"{key}-url"):
        return [], []
    found, missing = [], []
    for name in wanted:
        place = next((place for place in ("", "gallery/") if place + name in runs), None)
        if place is None:
            missing.append(name)
        else:
            found.append(place + name)
    return found, missing


def _to_url(key: str, parameter: str, chosen: list[str]) -> None:
    if st.query_params.get_all(parameter) != chosen:
        st.query_params[parameter] = chosen
    st.session_state[f"{key}-url"] = chosen


def absent(name: str) -> str:
    """Why a run cannot be shown."""
    run = _found(name)
    if run is None:
        return f"There is no run called '{re.sub(r'[^A-Za-z0-9./_-]', '', name)[:80]}' here."
    if not run.weights.is_file():
        return f"{run.id} has no weights yet. Start or resume it on Train."
    return f"{run.id} is opened in {opens_in(run)}."


def _tell(key: str, missing: list[str], instead: str) -> None:
    """Say what cannot be shown, with a link where another page can, until something is chosen. The URL is put right
    at once."""
    notes = st.session_state.setdefault(f"{key}-missing", [])
    if missing:
        notes[:] = [(" ".join([*map(absent, missing), instead]), missing)]
    for note, names in notes:
        st.warning(escaped(note), icon=":material/link_off:")
        for run in map(_found, names):
            if run is not None and run.weights.is_file():
                explore_link(run, "Open it in {page}")


def _found(name: str) -> Run | None:
    try:
        return store().find(name)
    except StoreError:
        return None


def _forget(key: str) -> None:
    st.session_state.pop(f"{key}-missing", None)


def opened(run: Run) -> Checkpoint | None:
    """The checkpoint, or None and what is wrong with it, on the page."""
    return _or_told(run, load)


def opened_to_draw(run: Run) -> Checkpoint | Codeless | None:
    """The same for every family that draws, with a code or without."""
    return _or_told(run, lambda run: _load_to_draw(str(run.path), stamps(run)))


def opened_text(run: Run) -> SentenceCheckpoint | None:
    """The same for a model of text."""
    return _or_told(run, load_text)


def opened_crossed(run: Run) -> CrossModal | None:
    """The same for a model of several modalities."""
    return _or_told(run, lambda run: _load_crossed(str(run.path), stamps(run)))


def opened_clips(run: Run) -> VideoCheckpoint | None:
    """The same for a model of clips."""
    return _or_told(run, lambda run: _load_clips(str(run.path), stamps(run)))


def load(run: Run) -> Checkpoint:
    """The checkpoint, loaded once for all sessions until its weights change on disk."""
    return _load(str(run.path), stamps(run))


def load_text(run: Run) -> SentenceCheckpoint:
    """The same for a model of text."""
    return _load_text(str(run.path), stamps(run))


def _or_told(run: Run, load: Callable[[Run], T]) -> T | None:
    from vaecore.schema import ConfigError
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        return load(run)
    except (BrokenCheckpoint, StoreError, ConfigError) as error:
        st.error(escaped(f"{run.id} cannot be opened. {error}"), icon=":material/broken_image:")
        return None


def stamps(run: Run) -> tuple[int, ...]:
    """When what a checkpoint is loaded from was last written."""
    # A run that is training replaces its weights and its summary: each replacement is another checkpoint.
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in (run.weights, run.path / "summary.json"))


@st.cache_resource(max_entries=24, show_spinner="Loading the checkpoint …")
def _load(path: str, stamps: tuple[int, ...]) -> Checkpoint:  # noqa: ARG001 (part of the cache's key)
    from vaecore.explore import Checkpoint

    return _settled(path, Checkpoint.load)


@st.cache_resource(max_entries=24, show_spinner="Loading the checkpoint …")
def _load_to_draw(path: str, stamps: tuple[int, ...]) -> Checkpoint | Codeless:  # noqa: ARG001 (part of the cache's key)
    from vaecore.explore import opened

    return _settled(path, opened)


@st.cache_resource(max_entries=24, show_spinner="Loading the checkpoint …")
def _load_text(path: str, stamps: tuple[int, ...]) -> SentenceCheckpoint:  # noqa: ARG001 (part of the cache's key)
    from vaecore.explore.sentences import SentenceCheckpoint

    return _settled(path, SentenceCheckpoint.load)


@st.cache_resource(max_entries=24, show_spinner="Loading the checkpoint …")
def _load_crossed(path: str, stamps: tuple[int, ...]) -> CrossModal:  # noqa: ARG001 (part of the cache's key)
    from vaecore.explore.crossmodal import CrossModal

    return _settled(path, CrossModal.load)


@st.cache_resource(max_entries=24, show_spinner="Loading the checkpoint …")
def _load_clips(path: str, stamps: tuple[int, ...]) -> VideoCheckpoint:  # noqa: ARG001 (part of the cache's key)
    from vaecore.explore.video import VideoCheckpoint

    return _settled(path, VideoCheckpoint.load)


def _settled(path: str, load: Callable[[Run], T]) -> T:
    from pathlib import Path

    import torch

    torch.set_num_threads(1)
    checkpoint = load(Run(Path(path)))
    warm.settle()
    return checkpoint


def _word(about: dict[str, Any], key: str) -> str:
    found = about.get(key)
    return found[:80] if isinstance(found, str) else ""


def _choice(values: dict[str, Any], part: str, tag: str) -> str:
    section = values.get(part)
    return str(section.get(tag, "?")) if isinstance(section, dict) else "?"
