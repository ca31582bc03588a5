"""The dashboard's own browser components: their files lie in `browser/web/`, one script each.

Files of a component are served once and then only named in each message; given inline, a library would be
sent at every refresh. Streamlit looks for such folders in installed distributions, and only inside the
package of the same name; these pages are not installed, so the folder is announced here, as that search
would do.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

PACKAGE = "latent_lab"
NAMES = ("address", "curves", "heat", "pad", "plane", "player")
_FOLDER = Path(__file__).parent / "browser"
_registering = threading.Lock()


def component(name: str) -> ComponentRenderer:
    """The mounted component `name`, one of `NAMES`, drawn by `browser/web/<name>.js` and `.css`."""
    with _registering:
        manager = get_bidi_component_manager()
        if manager.get_component_asset_root(f"{PACKAGE}.{name}") is None:  # once a runtime; tests start several
            parts = [ComponentConfig(each, asset_dir="web") for each in NAMES]
            manager.register_from_manifest(ComponentManifest(PACKAGE, "1", parts), _FOLDER)
        return _renderer(name)


@cache
def _renderer(name: str) -> ComponentRenderer:
    return st.components.v2.component(f"{PACKAGE}.{name}", js=f"{name}.js", css=f"{name}.css")
