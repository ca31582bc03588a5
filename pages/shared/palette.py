"""Every colour that means something, said once.

Those of the theme stand in `.streamlit/config.toml`, and Streamlit hands them to the browser components as variables of
CSS. Components are sent what else they need.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from vaecore.colours import CLASSES as CLASSES  # of classes

Scheme = Literal["light", "dark"]
_FILE = Path(__file__).parents[2] / ".streamlit" / "config.toml"
_THEME: dict[Scheme, dict[str, Any]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))["theme"]

# Of runs and of modalities: told apart by all kinds of colour blindness, at least 3:1 on the page's background. A place
# has the same hue in both, so that a run stays recognisable when the theme is switched.
RUNS: dict[Scheme, tuple[str, ...]] = {"light": tuple(_THEME["light"]["chartCategoricalColors"]),
                                       "dark": tuple(_THEME["dark"]["chartCategoricalColors"])}
PRIMARY = "var(--st-primary-color,#6A6FE0)"  # as CSS of a page, where the theme may not have said it
INK: dict[Scheme, str] = {"light": _THEME["light"]["textColor"], "dark": _THEME["dark"]["textColor"]}
PALE: dict[Scheme, str] = {"light": "#6B7085", "dark": "#A5ABC2"}  # of what stands behind in a figure
# Of figures that are alike in both themes: legible on white and on black.
_SHARED = (Path(__file__).parents[1] / "components" / "lib" / "component.css").read_text(encoding="utf-8")
BLUE, ORANGE = (re.findall(rf"--{name}: (#\w+);", _SHARED)[0].upper() for name in ("blue", "orange"))
GREEN, PINK, GREY = "#12986F", "#C86BA4", "#8A8FA3"
FAINT = "rgba(128,134,170,.16)"  # behind words, and what is left of a bar
# Of words that differ from others, and of those that a model does not know.
DIFFERS, UNKNOWN, UNKNOWN_LINE = "rgba(110,115,235,.24)", "rgba(224,110,20,.18)", "#D9731A"


def scheme() -> Scheme:
    """The theme of this visitor."""
    return "dark" if st.context.theme.type == "dark" else "light"


def see_through(colour: str, share: float) -> str:
    """`colour`, of which `share` covers what lies beneath."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return f"rgba({red},{green},{blue},{share})"
