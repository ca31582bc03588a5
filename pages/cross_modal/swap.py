"""Shared and private codes, exchanged and moved: for families that tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.cross_modal.state import key, stamp
from pages.shared import address, pictures
from pages.shared.words import escaped
from vaecore.memory import held

if TYPE_CHECKING:
    from vaecore.explore.crossmodal import CrossModal, Traversal
    from vaecore.explore.pictures import Images

ROWS, COLUMNS = 6, 8  # of the grid of exchanged codes
STEPS, REACH = 11, 3.0  # of a traversal, in standard deviations of the prior
MAX_DIMENSIONS = 8  # shared dimensions
EVERYTHING = "everything"


def drawable(checkpoint: CrossModal) -> list[str]:
    """The modalities with a private code that a picture can show."""
    return [name for name in checkpoint.pictured if name in checkpoint.private]


def exchange(checkpoint: CrossModal) -> None:
    """Each picture has the shared code of its row and the private one of its column."""
    from vaecore.explore.pictures import crossed, legible, on_screen, png, scale_for

    if not checkpoint.varied(1):
        st.info("No test sample of this run has every modality, so there is nothing to exchange.",
                icon=":material/info:")
        return
    seed = address.counted("others", key("swap-seed", checkpoint))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = modality(checkpoint, "swap")
        options = [EVERYTHING, *checkpoint.modalities]
        source = address.kept("shared", st.segmented_control, "Shared code from", options, default=EVERYTHING,
                              required=True, key=key("swap-from", checkpoint), help="What the shared code of a row is "
                              "read from: all modalities of its sample, or one alone.")
        st.button("Another", icon=":material/casino:", key="swap-other", on_click=other, args=(checkpoint,),
                  help="Other test samples for rows and columns.")
    body, left, top = _swapped(str(checkpoint.run.path), stamp(checkpoint), name,
                               None if source in (None, EVERYTHING) else source, seed, checkpoint)
    sheet = crossed(body, left, top)
    st.markdown(f"Rows: **shared** code of the sample at the left. Columns: **private** code of {escaped(name)} of the "
                "sample on top.")
    pictures.show(on_screen(sheet), f"{name}: shared code by row, private code by column", width=900)
    pictures.download(lambda: png(sheet, scale_for(sheet, 1600)), f"{checkpoint.run.id}-swap-{name}", key="png-swap")
    if legible(left).shape != left.shape:
        st.caption("Each stripe is one number of the vector.")


def moves(checkpoint: CrossModal) -> None:
    """The private code moves while the shared one stays, and the other way round."""
    import numpy as np

    from vaecore.explore.pictures import grid, legible, on_screen

    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = modality(checkpoint, "moves")
        last = checkpoint.count - 1
        example = int(address.kept("start", st.number_input, "Test sample", 0, last, 0, width=150,
                                   key=key("moves-sample", checkpoint),
                                   help="Where the codes start: those of this sample.")) if last else 0
    values = tuple(float(value) for value in np.linspace(-REACH, REACH, STEPS))
    heads = [f"{value:+.1f}".replace("-", "−") if value else "0" for value in values]
    private, shared = _moved(str(checkpoint.run.path), stamp(checkpoint), name, example, values, checkpoint)
    for title, found, help in (
            ("Private moves, shared stays", private, "Each row moves one private dimension. What should change is "
             f"what {name} has for itself, as a style; the class should stay."),
            ("Shared moves, private stays", shared, "Each row moves one shared dimension. What should change is what "
             "all modalities have in common, as the class; the style should stay.")):
        st.subheader(title, anchor=False, help=help)
        pictures.rows([pictures.Labelled(f"z{d}", on_screen(grid(legible(strip), STEPS))) for d, strip in
                       zip(found.dimensions, found.images, strict=True)], title, heads=heads, label=3, width=1000)
    unit = "the prior" if checkpoint.has_prior else "the test samples' codes"
    st.caption(f"From −{REACH:g} to {REACH:g} standard deviations of {unit}. The dimensions in which the test "
               "samples differ most come first.")


def modality(checkpoint: CrossModal, what: str) -> str:
    """Which modality to draw."""
    names = drawable(checkpoint)
    if len(names) == 1:
        return names[0]
    # The last has the style, where one of them is styled.
    return str(address.kept(what, st.segmented_control, "Draw", names, default=names[-1], required=True,
                            key=key(what, checkpoint), help="The modality that is decoded.") or names[-1])


def other(checkpoint: CrossModal) -> None:
    place = key("swap-seed", checkpoint)
    st.session_state[place] = st.session_state.get(place, 0) + 1


@held
def _swapped(path: str, stamp: int, name: str, source: str | None, seed: int, _checkpoint: CrossModal  # noqa: ARG001 (the cache's key)
             ) -> tuple[Images, Images, Images]:
    from vaecore.explore.pictures import legible

    rows, columns = _checkpoint.varied(ROWS, 2 * seed), _checkpoint.varied(COLUMNS, 2 * seed + 1)
    body = _checkpoint.swap(name, rows, columns, None if source is None else [source])
    left, top = (legible(_checkpoint.shown(name, _checkpoint.examples[name][part]).images) for part in (rows, columns))
    flat = legible(body.reshape(-1, *body.shape[2:]))
    return flat.reshape(len(rows), len(columns), *flat.shape[1:]), left, top


@held
def _moved(path: str, stamp: int, name: str, example: int, values: tuple[float, ...], _checkpoint: CrossModal  # noqa: ARG001 (the cache's key)
           ) -> tuple[Traversal, Traversal]:
    return (_checkpoint.traverse_private(name, example, values),
            _checkpoint.traverse_shared(name, example, values, MAX_DIMENSIONS))
