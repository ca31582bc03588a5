"""Buttons and fields that change what is kept: grey, with the reason, where the visitor may change nothing.

What they do refuses by itself (`vaecore/permission.py`); here it is seen before it is pressed.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.shared.words import escaped
from vaecore import permission


def button(label: str, *, help: str | None = None, disabled: bool = False, **more: Any) -> bool:
    """A button as Streamlit's."""
    why = permission.refusal()
    return st.button(label, help=escaped(why) or help, disabled=disabled or bool(why), **more)


def file_uploader(label: str, *types: Any, help: str | None = None, **more: Any) -> Any:
    """A field for files as Streamlit's."""
    why = permission.refusal()
    return st.file_uploader(label, *types, help=escaped(why) or help, disabled=bool(why), **more)
