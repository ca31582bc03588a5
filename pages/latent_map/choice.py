"""What the visitor wants to see: which observations, by which method, and beside which other checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import streamlit as st

from pages.shared import address, checkpoints
from pages.shared.words import escaped
from vaecore.library import record, records
from vaecore.mapping import TITLES, Method, Part, Settings
from vaecore.schema import ConfigError, parse
from vaecore.store import Run
from vaecore.views import SINGLE

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint

SPLITS = {"test": "Test", "validation": "Validation", "train": "Training", "kept": "Kept examples"}
BESIDE = "beside"  # in the address: the second checkpoint
KEYS = {"split": "map-split", "method": "map-method", "x": "map-x", "y": "map-y", BESIDE: "map-beside"}  # of widgets


@dataclass(frozen=True)
class Choice:
    """The settings of the map, None where they cannot be used; whether a second one is turned onto the first."""

    settings: Settings | None
    turned: bool = True


def choose(checkpoint: Checkpoint) -> Choice:
    """The pickers, whose choices are in the address."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="map-choice"):
        split = _picked("split", list(SPLITS), "Observations", 165, "Which observations are mapped: a part of the data "
                        "set, or the test observations that travel with the run.", SPLITS.__getitem__)
        methods = [each for each in get_args(Method) if each != "dims" or checkpoint.size > 1]
        method = _picked("method", methods, "Method", 165, "Two dimensions of the code as they are, the two directions "
                         "in which codes vary most, or a layout by UMAP that keeps neighbours together.",
                         TITLES.__getitem__)
        asked = {"split": split, "method": method, **(_axes(checkpoint) if method == "dims" else {}),
                 **(_umap() if method == "umap" else {})}
        _beside(checkpoint.run)
        turned = bool(st.session_state.get(KEYS[BESIDE])) and address.kept(
            "turned", st.toggle, "Turn onto the first", True, key="map-turned", help="Rotates, scales and, where that "
            "fits better, mirrors the second map so that the same observations come as near as they can (Procrustes). "
            "Axes of two models have nothing in common by themselves.")
    try:
        return Choice(parse(Settings, asked), turned)
    except ConfigError as error:
        st.error(escaped(str(error)), icon=":material/tune:")
        return Choice(None, turned)


def choose_split(split: Part) -> None:
    """Choose another split, as if it had been picked."""
    st.session_state[KEYS["split"]] = split


def beside(run: Run, chosen: Choice) -> Run | None:
    """The second checkpoint."""
    name = st.session_state.get(KEYS[BESIDE])
    return next((other for other in _alike(run) if other.id == name), None) if chosen.settings else None


def _axes(checkpoint: Checkpoint) -> dict[str, int]:
    """Both dimensions, the most informative first; where there are but two, in their own order."""
    order, found = (checkpoint.order if checkpoint.size > 2 else [0, 1]), {}
    kl, spread = checkpoint.kl, checkpoint.spread[1]

    def called(word: str) -> str:
        d = int(word)
        return f"z{d} · " + (f"{kl[d]:.2f} nats" if kl is not None else f"spread {spread[d]:.2f}")

    for place, (parameter, field, label) in enumerate((("x", "across", "Across"), ("y", "up", "Up"))):
        options = [str(d) for d in (*order[place:], *order[:place])]
        if (asked := st.query_params.get(parameter, "")).startswith("z"):  # as a person writes it
            st.query_params[parameter] = asked.removeprefix("z")
        found[field] = int(_picked(parameter, options, label, 160, "A latent dimension; the most informative come "
                                   "first.", called))
    return found


def _umap() -> dict[str, object]:
    """UMAP's own settings, folded away."""
    fields = Settings.model_fields
    with st.popover("Settings", icon=":material/tune:", help="Of UMAP. Another setting is another map, which has to be "
                    "made."):
        return {
            "neighbors": address.kept("neighbors", st.slider, "Neighbours", 2, 200, 15, key="map-neighbors",
                                      help=fields["neighbors"].description),
            "min_dist": address.kept("min_dist", st.slider, "Least distance", 0.0, 0.99, 0.1, 0.01, key="map-min-dist",
                                     help=fields["min_dist"].description),
            "seed": int(address.kept("seed", st.number_input, "Seed", 0, 2**31 - 1, 0, key="map-seed",
                                     help=fields["seed"].description))}


def _beside(run: Run) -> None:
    """Another checkpoint of the same data."""
    names = [other.id for other in _alike(run)]
    if names:
        _picked(BESIDE, ["", *names], "Beside it", 175, "Another run of the same data: both maps show the same "
                "observations, a lasso in one is drawn in both, and points move from one to the other.",
                lambda name: name or "no other")
    else:
        st.session_state.pop(KEYS[BESIDE], None)


def _alike(run: Run) -> list[Run]:
    """Other checkpoints of the same data; what their pixels mean to the likelihood may differ."""
    there = {run.id for run in checkpoints.with_weights(SINGLE)}
    every = {each.id: each for each in records(checkpoints.store())}
    mine = every.get(run.id) or record(run)
    return [other.run for other in every.values()
            if other.id in there - {run.id} and mine.observations and other.observations == mine.observations]


def _picked(parameter: str, options: Sequence[str], label: str, width: int, help: str,
            called: Callable[[str], str]) -> str:
    """A select box whose choice is in the address under `parameter`, but for the first option."""
    return str(address.kept(parameter, st.selectbox, label, list(options), key=KEYS[parameter], format_func=called,
                            help=help, width=width, of_run=parameter in ("x", "y")))
