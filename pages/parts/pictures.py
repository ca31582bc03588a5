"""Pictures on a page: crisp pixels, no request of their own, and a download of the same."""

from __future__ import annotations

import base64
import html

import streamlit as st

# A data URI travels with the message: an <img> that points at /media can be gone before a quick hand sees it.
CRISP = "image-rendering:pixelated;display:block;width:100%;max-width:{width}px;height:auto;border-radius:4px"


def show(png: bytes, alt: str, *, width: int) -> None:
    """A PNG at `width` CSS pixels, or as wide as there is room."""
    source = base64.b64encode(png).decode()
    st.html(f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt)}" style="{CRISP.format(width=width)}">')


def download(png: bytes, name: str, *, key: str, label: str = "PNG") -> None:
    """A button that saves the picture."""
    st.download_button(label, png, f"{name}.png", "image/png", key=key, icon=":material/download:",
                       on_click="ignore", type="tertiary", help="Save this picture")
