"""Runs that come in as a zip, from whoever exported them: a field for the file, a name, and what came of it."""

from __future__ import annotations

import io

import streamlit as st

from pages.shared import changing
from pages.shared.checkpoints import explore_link, store
from pages.shared.words import escaped
from vaecore import permission
from vaecore.files import trouble
from vaecore.store import Run, StoreError

MOST_MEGABYTES = 500  # of a zip that a page takes; larger ones are for the command line


def popover() -> None:
    """The button Import, with the field behind it."""
    with st.popover("Import", icon=":material/upload:", help="Take in runs that somebody exported as a zip."):
        box()


def box() -> None:
    """The field itself. What came of the last import stands below it until the next one."""
    turn = st.session_state.setdefault("importing-turn", 0)
    file = changing.file_uploader("Zip of runs", type=["zip"], key=f"importing-file-{turn}",
                                  max_upload_size=MOST_MEGABYTES,
                                  help="Written by `vaecore export RUN --zip` or by the button Zip. All of it is "
                                  "checked before it is kept, and nothing is executed.")
    st.text_input("Name", key=f"importing-name-{turn}", placeholder="as it was called", max_chars=64,
                  disabled=bool(permission.refusal()),
                  help="Small letters, digits, '-', '_' and '.'. For a zip that holds one run.")
    changing.button("Import", key="importing-go", icon=":material/upload:", type="primary", disabled=file is None,
                    on_click=_take, args=(file, turn), help="Check the file and take its runs in.")
    runs, said, error = st.session_state.get("importing-told", ((), "", ""))
    if error:
        st.error(escaped(error), icon=":material/block:")
    if said:
        st.success(escaped(said), icon=":material/check:")
        for run in runs[:6]:
            explore_link(run, f"Open {run.path.name} in {{page}}")


def _take(file: io.BytesIO | None, turn: int) -> None:
    if file is None or turn != st.session_state["importing-turn"]:
        return  # the second half of a double click: it is in
    from vaecore.sharing import unpack

    told: tuple[tuple[Run, ...], str, str]
    try:
        found = unpack(file, store(), st.session_state[f"importing-name-{turn}"].strip())
    except StoreError as error:
        told = (), "", str(error)
    except OSError as error:
        told = (), "", f"Not imported. {trouble(error)}"
    else:
        names = ", ".join(one.run.id for one in found)
        told = tuple(one.run for one in found), " ".join(
            [f"Imported: {names}.", *(one.said for one in found if one.said)]), ""
        st.session_state["importing-turn"] += 1  # an empty field again
    st.session_state["importing-told"] = told
