"""The store in use, the checkpoints in it, and how a page lets one be picked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import streamlit as st

from pages.shared import address, colours, warm
from pages.shared.words import escaped
from vaecore import marks
from vaecore.library.headline import names
from vaecore.memory import held
from vaecore.schema import ConfigError
from vaecore.store import Run, Store, StoreError
from vaecore.views import SINGLE, VIEWS, Opened, View, view_of, views_of

if TYPE_CHECKING:
    from vaecore.explore.terms import Opened as Terms

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
    "Move through the latent space of a run and see what its decoder draws.",
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
FAMILIES = Page(
    "Families", "families/page.py", "families", ":material/account_tree:",
    "Four ways to model p(x), side by side: likelihood, cost to infer and sample, samples, code.",
    "See its samples beside those of others.")
PAGES: dict[str, Page] = {  # by the view that it shows
    "single": TRAVERSE, "codeless": FAMILIES, "sentence": SENTENCES, "crossmodal": CROSS_MODAL, "clip": VIDEO}
SHOWN_FIRST = ("sentences-free-bits", "svg-lp-mnist")  # of text, of clips: what a page opens where nothing was chosen
MAX_WATCHED, MAX_COMPARED = 8, 12  # runs that Monitor, and Compare, show at once
# Parameters of the address that speak of the run which is shown, and mean nothing to another; with the codes of several
# latents, `z.<latent>`, and directions, `d.<name>`.
OF_A_RUN = ("z", "lock", "link", "seed", "t", "draw", "example", "from", "to", "path", "at", "x", "y", "zoom", "colour",
            "frame")
CHOSEN, CHOSEN_ON = "runs", "runs-page"  # in the session: the runs that were chosen last, and on which page


def store() -> Store:
    """The store this dashboard shows: `VAECORE_STORE`, or `trained/`."""
    return Store.default()


def gallery() -> list[Run]:
    """The shipped checkpoints, the VAEs first: they are what this is about; then the best of text and of clips."""
    return sorted(store().gallery(), key=lambda run: (not run.path.name.startswith("vae"),
                                                      run.path.name not in SHOWN_FIRST))


def with_weights(*among: View[Opened]) -> list[Run]:
    """Every run that can be looked at, in one of the views where some are named: the user's own, newest first, those of
    shared stores, then the gallery, the VAEs first."""
    shipped_last = [run for run in store().everything() if not run.shipped] + gallery()
    runs = [run for run in shipped_last if run.weights.is_file()]
    return [run for run in runs if any(view.name in _views(run) for view in among)] if among else runs


def _views(run: Run) -> tuple[str, ...]:
    """The names of all views that open a run, read again only where its words or its configuration were written."""
    return _views_at(run, *map(_written, (run.path / "about.json", run.path / "config.json")))


@lru_cache(5_000)
def _views_at(run: Run, *_: int) -> tuple[str, ...]:
    return tuple(view.name for view in views_of(run))


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


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


class Described(NamedTuple):
    """What a picker says of a run."""

    line: str  # its name, family and data
    pinned: bool
    archived: bool


def describe(run: Run) -> Described:
    """A run in a line, read again only where its words, its configuration or its marks were written."""
    return _described(run, *map(_written, (run.path / "about.json", run.path / "config.json", run.marks_file)))


@lru_cache(5_000)
def _described(run: Run, *_: int) -> Described:
    marked, title = marks.read(run.marks_file)[0], run.title
    try:
        family, data = names(run)
    except StoreError:
        return Described(f"{title} · unreadable", marked.pinned, marked.archived)
    return Described(f"{title} · {family} · {data}", marked.pinned, marked.archived)


def archived(run: Run) -> bool:
    """Whether a run was put away: the table lists it only where it is asked for."""
    return marks.read(run.marks_file)[0].archived


class Listed(NamedTuple):
    """What a picker offers: the ids in its order, and a line for each of these and for what was put away."""

    ids: list[str]
    lines: dict[str, str]


def listed(runs: Iterable[Run], chosen: Iterable[str] = ()) -> Listed:
    """The runs as a picker lists them: pinned ones first, those in the archive only where they are chosen.

    Two of one name are told apart by their ids.
    """
    told = {run.id: describe(run) for run in runs}
    times, kept = Counter(each.line for each in told.values()), set(chosen)
    lines = {name: each.line if times[each.line] == 1 else f"{each.line} · {name}" for name, each in told.items()}
    shown = [name for name, each in told.items() if not each.archived or name in kept]
    return Listed(sorted(shown, key=lambda name: not told[name].pinned), lines)


def table_link(page: str, chosen: list[str]) -> None:
    """The way to the table of all runs, to choose there for a page, by its address, with what is chosen ticked."""
    st.page_link("runs/page.py", label="Choose in the table", icon=":material/table_rows:",
                 query_params={"for": page, "runs": chosen},
                 help="Search, sort and tick among all runs, and come back with them.")


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


def pick(label: str, *, page: str | None, among: list[Run] | None = None, empty: Callable[[], None] | None = None,
         key: str = "run", help: str | None = None) -> Run | None:
    """A select box over everything with weights, or over `among`, kept in the URL as `?run=` and in the session under
    `key`; `empty` tells what to do where there is none, and `page` is the address of the page that asks, None where
    the table has no way back to it."""
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
    offered = listed(runs.values(), [st.session_state.get(key, "")])
    if not offered.ids:  # all were put away
        offered = listed(runs.values(), runs)
    st.session_state.setdefault(key, offered.ids[0])  # of one that is gone, or the browser would go on to show it
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(label, offered.ids, key=key, format_func=lambda name: offered.lines.get(name, name),
                              help=help, on_change=_another, args=(key,), persist_state="session")
        if page is not None:
            table_link(page, [chosen])
    _tell(key, missing, f"Shown instead: {chosen}.")
    tell_away()
    _to_url(key, "run", [chosen])
    return runs[chosen]


def pick_several(label: str, *, page: str, among: list[Run] | None = None, first: list[str] | None = None,
                 most: int = MAX_COMPARED, help: str | None = None) -> list[Run]:
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
        kept = st.session_state.get(key) or first or (listed(runs.values()).ids or list(runs))[:3]
        kept = [name for name in kept if name in runs]
    if st.session_state.get(key) != kept[:most]:
        st.session_state[key] = kept[:most]
    offered = listed(runs.values(), kept)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.multiselect(label, offered.ids, key=key, format_func=lambda name: offered.lines.get(name, name),
                                help=help, max_selections=most, on_change=_choose, args=(key, page))
        table_link(page, chosen)
    _tell(key, missing, f"Shown: {', '.join(chosen) or 'none'}.")
    tell_away()
    if left := kept[most:]:
        st.warning(f"This page shows {most} runs at most. Left out: {', '.join(left)}.", icon=":material/filter_8:")
    _to_url(key, "runs", chosen)
    colours.settle(chosen)
    return [runs[name] for name in chosen]


def terms_link(opened: Terms) -> None:
    """The way to the terms of a run's objective on Lecture, beside the equation of its ELBO, where it has one."""
    from vaecore.explore.terms import equation_of, without

    try:
        nothing = without(opened)
    except (StoreError, ConfigError):  # its files may go while it is looked at
        return
    if nothing is None:
        st.page_link("lecture/page.py", label="The terms of its objective, one by one", icon=":material/ads_click:",
                     query_params={"equation": str(equation_of(opened.model)), "run": opened.run.id},
                     help="Click a term of the ELBO: its value for one observation and one code, its formula and code.")


def choose(name: str, key: str = "run") -> None:
    """Make a run the one that `pick` shows, as if it had been picked there: for a button's callback."""
    st.session_state[key] = name
    _another(key)


def choose_several(names: list[str], page: str) -> None:
    """Make `names` the choice of runs, as if they had been picked on `page`."""
    st.session_state[CHOSEN], st.session_state[CHOSEN_ON] = names, page


def _choose(key: str, page: str) -> None:
    choose_several(list(st.session_state[key]), page)
    _forget(key)


def nothing_yet() -> None:
    """What to do where no run is."""
    st.info("No run is here yet. Train one: the first takes about a minute.", icon=":material/info:")
    train_first()


def train_first() -> None:
    """The way to the training of a minute."""
    st.page_link("train/page.py", label="Train a model", icon=":material/model_training:",
                 query_params={"preset": "vae-minute"}, help="Opens Train with a training of a minute filled in.")


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
    own, any_run = (address.names(of_run=of_run) for of_run in (True, False))
    for name in list(st.query_params):
        if name in own or (name not in any_run and (name in OF_A_RUN or name.startswith(("z.", "d.")))):
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


@held(meanwhile=partial(st.spinner, "Loading the run …"))
def _load(view: str, path: str, stamps: tuple[int, ...]) -> Any:  # noqa: ARG001 (part of the cache's key)
    import torch

    torch.set_num_threads(1)
    checkpoint = VIEWS[view].load(Run(Path(path)))
    warm.settle()
    return checkpoint
