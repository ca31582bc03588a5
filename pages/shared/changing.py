"""Buttons and fields that change what is kept: grey, with the reason, where the visitor may change nothing.

What they do refuses by itself (`vaecore/permission.py`); here it is seen before it is pressed.
"""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from pages.shared.words import escaped
from vaecore import permission

DOUBLE_CLICK = 2.0  # seconds between its halves at most, the page's own run included


def button(label: str, *, help: str | None = None, disabled: bool = False, **more: Any) -> bool:
    """A button as Streamlit's."""
    why = permission.refusal()
    return st.button(label, help=escaped(why) or help, disabled=disabled or bool(why), **more)


def twice(key: str, what: str = "") -> bool:
    """Whether the same `what` was asked for a moment ago: the second half of a double click, which starts nothing."""
    before, when = st.session_state.get(key, (None, 0.0))
    if before == what and time.monotonic() - when < DOUBLE_CLICK:
        return True
    st.session_state[key] = (what, time.monotonic())
    return False


def file_uploader(label: str, *types: Any, help: str | None = None, **more: Any) -> Any:
    """A field for files as Streamlit's."""
    why = permission.refusal()
    return st.file_uploader(label, *types, help=escaped(why) or help, disabled=bool(why), **more)
