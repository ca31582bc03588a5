"""The store in use, the checkpoints in it, and how a page lets one be picked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import streamlit as st

from pages.shared import colours, warm
from pages.shared.words import escaped
from vaecore.library.headline import names
from vaecore.store import Run, Store, StoreError
from vaecore.views import SINGLE, VIEWS, Opened, View, view_of, views_of

T = TypeVar("T", bound=Opened)


class Page(NamedTuple):
    """A page that opens runs: its place in the menu, and what it shows of a run."""

    title: str
    path: str
    address: str  # which never changes
    icon: str
    help: str  # in the menu
    of_run: str  # on the way from a run to it


TRAVERSE = Page(
    "Traverse", "traverse/page.py", "traverse", ":material/tune:",
    "Move through the latent space of a checkpoint and see what its decoder draws.",
    "Move through its latent space and see what it draws.")
LATENT_MAP = Page(
    "Latent map", "latent_map/page.py", "latent-map", ":material/scatter_plot:",
    "The codes of test, validation or training data in a plane: what lies where, and what is decoded there.",
    "See the codes of its data as a map.")
CROSS_MODAL = Page(
    "Cross-modal", "cross_modal/page.py", "cross-modal", ":material/swap_horiz:",
    "Give some modalities and generate others: image from label, speech from image, and back.",
    "Give some modalities and generate others.")
SENTENCES = Page(
    "Sentences", "sentences/page.py", "sentences", ":material/notes:",
    "Type a sentence: how a text model reads and rebuilds it, sentences near it, and its own.",
    "See how it reads and writes sentences.")
VIDEO = Page(
    "Video", "video/page.py", "video", ":material/movie:",
    "Roll many futures of a clip out, watch them part, and go on from any frame of one of them.",
    "Roll futures of a clip out and watch them part.")
PAGES: dict[str, Page] = {  # by the view that it shows
    "single": TRAVERSE, "codeless": TRAVERSE, "sentence": SENTENCES, "crossmodal": CROSS_MODAL, "clip": VIDEO}
MAX_WATCHED = 8  # runs that Monitor shows at once
# Parameters of the address that speak of the run which is shown, and mean nothing to another; with the codes of several
# latents, `z.<latent>`, and directions, `d.<name>`.
OF_A_RUN = ("z", "lock", "link", "seed", "t", "draw", "example", "from", "to", "path", "at", "x", "y", "zoom", "colour")
CHOSEN, CHOSEN_ON = "runs", "runs-page"  # in the session: the runs that were chosen last, and on which page


def store() -> Store:
    """The store this dashboard shows: `VAECORE_STORE`, or `trained/`."""
    return Store.default()


def gallery() -> list[Run]:
    """The shipped checkpoints, the VAEs first: they are what this is about."""
    return sorted(store().gallery(), key=lambda run: not run.path.name.startswith("vae"))


def with_weights(*among: View[Opened]) -> list[Run]:
    """Every run that can be looked at, in one of the views where some are named: the user's own, newest first, those of
    shared stores, then the gallery, the VAEs first."""
    shipped_last = [run for run in store().everything() if not run.shipped] + gallery()
    runs = [run for run in shipped_last if run.weights.is_file()]
    return [run for run in runs if any(view in among for view in views_of(run))] if among else runs


def page_of(run: Run) -> Page:
    """The page that shows what a run does."""
    return PAGES[view_of(run).name]


def explore_link(run: Run, label: str = "{page}", page: Page | None = None) -> None:
    """The way to the page that opens this run, or to `page`; `label` may name it with {page}."""
    page = page or page_of(run)
    st.page_link(page.path, label=label.format(page=page.title), icon=page.icon, query_params={"run": run.id},
                 help=page.of_run)


def explore_links(run: Run) -> None:
    """The ways to all pages that open this run."""
    explore_link(run)
    if view_of(run) is SINGLE:
        explore_link(run, page=LATENT_MAP)


def describe(run: Run) -> str:
    """A run in a line: its name, family and data."""
    try:
        family, data = names(run)
    except StoreError:
        return f"{run.id} · unreadable"
    return f"{run.id} · {family} · {data}"


def tell_away() -> None:
    """A line for each shared store that is away, slow or empty."""
    for trouble in store().away():
        st.caption(f":material/cloud_off: {escaped(trouble)}")


def tell_unreadable(runs: list[Run]) -> None:
    """One box for each run without a configuration that can be read: it says why, and costs no other run."""
    for run in runs:
        try:
            run.values()
        except StoreError as error:
            st.error(escaped(str(error)), icon=":material/broken_image:")


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
                          on_change=_another, args=(key,), persist_state="session")
    _tell(key, missing, f"Shown instead: {chosen}.")
    tell_away()
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
    tell_away()
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
    return f"{run.id} is opened in {page_of(run).title}."


def _tell(key: str, missing: list[str], instead: str) -> None:
    """Say what cannot be shown, with a link where another page can, until something is chosen. The URL is put right
    at once."""
    notes = st.session_state.setdefault(f"{key}-missing", [])
    if missing:
        notes[:] = [(" ".join([*map(absent, missing), instead]), missing)]
    for note, wanted in notes:
        st.warning(escaped(note), icon=":material/link_off:")
        for run in map(_found, wanted):
            if run is not None and run.weights.is_file():
                explore_link(run, "Open it in {page}")


def _found(name: str) -> Run | None:
    try:
        return store().find(name)
    except StoreError:
        return None


def _another(key: str) -> None:
    for name in [name for name in st.query_params if name in OF_A_RUN or name.startswith(("z.", "d."))]:
        del st.query_params[name]
    _forget(key)


def _forget(key: str) -> None:
    st.session_state.pop(f"{key}-missing", None)


def opened(run: Run, *among: View[T]) -> T | None:
    """The run as one of these views opens it; None, and on the page what is wrong with it and where it is opened
    instead."""
    from vaecore.explore.opening import WrongView
    from vaecore.schema import ConfigError
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        return load(run, *among)
    except WrongView as error:
        page = PAGES[error.view.name]
        st.error(escaped(f"{run.id} cannot be opened here. It is {error.view.title}. Open it in {page.title}."),
                 icon=":material/broken_image:")
        explore_link(run, "Open it in {page}", page)
    except (BrokenCheckpoint, StoreError, ConfigError) as error:
        st.error(escaped(f"{run.id} cannot be opened. {error}"), icon=":material/broken_image:")
    return None


def load(run: Run, *among: View[T]) -> T:
    """The run as one of these views opens it, loaded once for all sessions until its weights change on disk."""
    loaded: T = _load(view_of(run, *among).name, str(run.path), stamps(run))
    return loaded


def stamps(run: Run) -> tuple[int, ...]:
    """When what a checkpoint is loaded from was last written."""
    # A run that is training replaces its weights and its summary: each replacement is another checkpoint.
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in (run.weights, run.path / "summary.json"))


@st.cache_resource(max_entries=48, show_spinner="Loading the checkpoint …")
def _load(view: str, path: str, stamps: tuple[int, ...]) -> Any:  # noqa: ARG001 (part of the cache's key)
    from pathlib import Path

    import torch

    torch.set_num_threads(1)
    checkpoint = VIEWS[view].load(Run(Path(path)))
    warm.settle()
    return checkpoint
