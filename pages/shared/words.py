"""Words on a page: what a visitor typed or a file says becomes safe here alone; seconds and counts as one says them."""

from __future__ import annotations

import re
from typing import Literal

from vaecore.comparison.durations import duration, span
from vaecore.words import counted

__all__ = ["counted", "duration", "escaped", "span"]
Colour = Literal["red", "orange", "blue", "green", "violet", "gray"]  # of Streamlit's badges
SIGNS = re.compile(r"[\\`*_\[\]$~<>#&]")
BLOCKS = re.compile(r"^([^\S\n]*)([-+=](?=[-+=|\s]|$)|\d+(?=[.)]\s))", re.MULTILINE)  # a list, or a line under a title
# Shortcodes and addresses are looked for when backslashes are gone: an invisible word joiner parts them.
COLONS = re.compile(r":(?=[A-Za-z+-]|\d+:|//)")
ADDRESSES = re.compile(r"(?<=\bwww)(?=\.)|(?<=\w@)(?=\w)", re.IGNORECASE)
JOINER = "\u2060"


def escaped(text: str) -> str:
    """Text for Markdown: what a visitor typed or a file of a run says is shown as it is, and nothing is fetched,
    linked, coloured or typeset for it."""
    text = SIGNS.sub(r"\\\g<0>", text)
    above, line, last = text.rpartition("\n")
    text = above.replace("|", "\\|") + line + last  # a bar only where a table could follow
    text = BLOCKS.sub(lambda found: f"{found[1]}\\{found[2]}" if not found[2].isdigit() else
                      f"{found[1]}{found[2]}{JOINER}", text)
    return ADDRESSES.sub(JOINER, COLONS.sub(f":{JOINER}", text))
