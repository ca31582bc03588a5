"""Runs as one zip for another laboratory, and the model card of one: made when their button is pressed."""

from __future__ import annotations

import io
from collections.abc import Sequence

import streamlit as st

from vaecore.store import Run

MAX_ZIPPED_BYTES = 512 * 2**20  # of runs that a page packs; more are for the command line


def zipped(runs: Sequence[Run], key: str) -> None:
    """A button for a zip of `runs`, which are trained; a sentence instead where they are too large for a page."""
    if (size := sum(map(_size, runs))) > MAX_ZIPPED_BYTES:
        st.caption(f"These are {size / 1e6:,.0f} MB: use `vaecore export RUN --zip`.")
        return
    trained = bool(runs) and all(run.weights.is_file() for run in runs)
    name = runs[0].id.replace("/", "-") if len(runs) == 1 else "runs"
    st.download_button("Zip", lambda: _packed(runs), f"{name}.zip", "application/zip", on_click="ignore",
                       key=f"{key}-zip", icon=":material/folder_zip:", disabled=not trained,
                       help="Configuration, weights, curves, evaluations, pictures and marks in one file, for another "
                       "laboratory: Import takes it in. Nothing in it can be executed." if trained else
                       "A run can be taken along once it has weights.")


def carded(run: Run, key: str) -> None:
    """A button for the model card of a run."""
    st.download_button("Card", lambda: _card(run), f"{run.id.replace('/', '-')}-card.md", "text/markdown",
                       on_click="ignore", key=f"{key}-card", icon=":material/id_card:",
                       help="A model card in Markdown: what it is, its data, cost, numbers and limits, and what was "
                       "published beside it.")


def _size(run: Run) -> int:
    from vaecore.sharing.contents import PARTS

    return sum(path.stat().st_size for name in PARTS if (path := run.path / name).is_file())


def _packed(runs: Sequence[Run]) -> bytes:
    from vaecore.sharing import pack

    file = io.BytesIO()
    pack(runs, file)
    return file.getvalue()


def _card(run: Run) -> bytes:
    from vaecore.sharing.card import card

    return card(run).encode()
