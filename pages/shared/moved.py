"""A run whose own data file was moved away: where it lies now is asked, and taken if it is the same file."""

from __future__ import annotations

import streamlit as st

from pages.shared.words import escaped
from vaecore import permission
from vaecore.files import trouble
from vaecore.store import Run, StoreError


def ask_where(run: Run, key: str) -> bool:
    """A field for the file's new place, where the file is gone; whether it is. `key` is unique on the page."""
    from vaecore.data.identity import gone

    try:
        data = run.values().get("data")
    except StoreError:  # told of elsewhere
        return False
    path = gone(data) if isinstance(data, dict) else ""
    error = st.session_state.pop(f"{key}:error", "")
    if not path:
        return False
    st.warning(escaped(f"The data file of {run.id}, {path}, is not there."), icon=":material/folder_off:")
    if not run.writable:
        return True
    st.text_input("Where the file lies now", key=key, placeholder="/folder/file", on_change=_take, args=(run, key),
                  help="A path on this machine. It must be the same file: its digest is compared, and nothing else "
                  "of the run changes.", disabled=bool(permission.refusal()))
    if error:
        st.error(escaped(error), icon=":material/error:")
    return True


def _take(run: Run, key: str) -> None:
    from vaecore.data import DataUnavailable
    from vaecore.schema import ConfigError

    if not (path := str(st.session_state.get(key, "")).strip()):
        return
    try:
        run.relocate(path)
    except (ConfigError, StoreError, DataUnavailable, OSError) as error:
        st.session_state[f"{key}:error"] = trouble(error)
