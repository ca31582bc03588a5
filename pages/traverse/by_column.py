"""What Traverse shows of a vector besides: what a dimension moves, column by column, and rows by their codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import address, hand, pictures
from pages.shared.bars import bar, plain, signed
from pages.shared.charts import chart
from pages.shared.palette import BLUE, ORANGE

if TYPE_CHECKING:
    import numpy as np

    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Codes
    from vaecore.modalities import Vector

IN_SIGHT = 24  # columns; of more those that say most
MOVES_HELP = ("How much each column changes as this dimension goes from half a unit below the sliders to half a unit "
              "above them: of PCA, FastICA and other linear models the loading, the same everywhere.")


def movement(checkpoint: Checkpoint, vector: Vector) -> None:
    """What one dimension does to the columns: its loadings, where the model is linear."""
    import numpy as np

    order = checkpoint.order
    dimension = int(address.kept("dimension", st.selectbox, "Dimension", order, key=f"moved-{checkpoint.run.id}",
                                 width=200, of_run=True, said=called, format_func=called, help=MOVES_HELP))
    here = hand.positions(checkpoint, "columns")[checkpoint.latent]
    change = checkpoint.moves(dimension, checkpoint.place(here))
    share = change / np.asarray(vector.scale) if vector.scale else change
    chosen = _chosen(np.abs(share))
    longest = max(float(np.abs(share).max()), 1e-12)
    names = vector.column_names
    st.html('<div style="max-width:760px">' + "".join(
        bar(names[d], float(share[d]) / longest, _signed(change[d]), BLUE if share[d] >= 0 else ORANGE,
            title=f"{names[d]}: {_signed(change[d])}" + (f", {signed(float(share[d]))} standard deviations"
                                                         if vector.scale else ""),
            label_width="11rem", said_width="6rem") for d in chosen) + "</div>")
    st.caption("Change by one unit of the dimension, in the file's units" + (
        "; bars in standard deviations of each column" if vector.scale else "")
        + (f". The {len(chosen)} largest of {len(names):,}." if len(chosen) < len(names) else "."))


def scores(checkpoint: Checkpoint) -> None:
    """The rows that travel with the checkpoint by two dimensions of their codes, coloured by class."""
    import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

    from pages.shared.scores_figure import scores_figure

    if checkpoint.size < 2:
        st.info("This model has one dimension, and a plane needs two.", icon=":material/info:")
        return
    order = checkpoint.order
    with st.container(horizontal=True, vertical_alignment="bottom"):
        across, up = (int(address.kept(label.lower(), st.selectbox, label, order, place, width=150, of_run=True,
                                       key=f"{label}-{checkpoint.run.id}", said=called, format_func=called,
                                       help="The dimension on this axis."))
                      for place, label in enumerate(("Across", "Up")))
    if across == up:
        st.info("Choose two different dimensions.", icon=":material/info:")
        return
    codes = checkpoint.encode(slice(None))
    figure = scores_figure(codes[:, across], codes[:, up], checkpoint.labels, across=f"z{across}", up=f"z{up}",
                           names=checkpoint.known, row="row")
    chart(figure, key=f"scores-{checkpoint.run.id}", alt="Codes of rows by class")
    st.caption(whose(len(codes), "rows", checkpoint.in_sample))


def save(checkpoint: Checkpoint, vector: Vector, codes: Codes, what: str) -> None:
    """A button that saves what codes decode to as CSV, in the file's units."""
    from vaecore.explore.exported import as_csv

    pictures.download_numbers(lambda: as_csv(vector.column_names, checkpoint.numbers(codes)),
                              f"{checkpoint.run.id}-{what}", key=f"csv-{what.split('-')[0]}")


def whose(count: int, what: str, in_sample: bool) -> str:
    """Which observations are shown."""
    return (f"All {count:,} {what}, on which the model was fitted: in-sample." if in_sample else
            f"The {count:,} test {what} that travel with this run.")


def _chosen(weight: np.ndarray) -> list[int]:
    """The columns that are shown, in the file's order: all, or those of the largest weight (D,)."""
    import numpy as np

    return sorted(np.argsort(-np.round(weight, 3), kind="stable")[:IN_SIGHT].tolist())


def called(dimension: int) -> str:
    """A dimension of the code, on the page and in its address."""
    return f"z{dimension}"


def _signed(value: float) -> str:
    return plain(value) if value < 0 else f"+{plain(value)}"
