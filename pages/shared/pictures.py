"""Pictures on a page: crisp pixels, no request of their own, and a download of the same."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

# A data URI travels with the message: an <img> that points at /media can be gone before a quick hand sees it.
CRISP = "image-rendering:pixelated;display:block;width:100%;max-width:{width};height:auto;border-radius:4px"
# Labels stand before their pictures where there is room and above them where there is not, in all rows alike.
ROW = "display:flex;flex-wrap:wrap;align-items:center;gap:.15rem .9rem;margin-bottom:.3rem"
LABEL = "flex:0 1 {label}rem;min-width:min(100%,{label}rem);line-height:1.25;overflow-wrap:anywhere;opacity:{opacity}"
STRIP = "flex:1 1 {strip}rem;min-width:0"
# As wide as is told; in talk mode (`--talk` is 1) as wide as makes all of them two thirds of the window high.
WIDE = "calc((1 - var(--talk, 0)) * {width}px + var(--talk, 0) * ({label}rem + {ratio:.3f} * (64vh - {rows} * .3rem)))"


@dataclass(frozen=True)
class Labelled:
    """A row of a picture with its label; `note` is a second, paler line."""

    label: str
    png: bytes
    note: str = ""
    faded: bool = False


def show(png: bytes, alt: str, *, width: int) -> None:
    """A PNG at `width` CSS pixels, or as wide as there is room."""
    st.html(image(png, alt, WIDE.format(width=width, label=0, ratio=_ratio([png]), rows=0)))


def rows(labelled: Sequence[Labelled], alt: str, *, heads: Sequence[str] = (), label: int = 9, width: int = 1100
         ) -> None:
    """Rows of pictures of equal width, each with its label, under `heads` for the columns."""
    strip, parts = STRIP.format(strip=16), []
    if heads:
        cells = "".join(f'<span style="flex:1;text-align:center">{html.escape(head)}</span>' for head in heads)
        parts.append(f'<div style="{ROW}" aria-hidden="true"><div style="{LABEL.format(label=label, opacity=0)};'
                     f'height:0"></div><div style="{strip};display:flex;font-size:.8rem;opacity:.7">{cells}</div>'
                     "</div>")
    for row in labelled:
        words = f"<strong>{html.escape(row.label)}</strong>"
        if row.note:
            words += f' <span style="opacity:.75;font-size:.85rem">{html.escape(row.note)}</span>'
        text = LABEL.format(label=label, opacity=0.55 if row.faded else 1)
        picture = image(row.png, f"{alt}: {row.label}", "none")
        parts.append(f'<div style="{ROW}"><div style="{text}">{words}</div><div style="{strip}">{picture}</div></div>')
    widest = WIDE.format(width=width, label=label + 1, rows=len(labelled), ratio=_ratio([row.png for row in labelled]))
    st.html(f'<div style="max-width:{widest}">{"".join(parts)}</div>')


def image(png: bytes, alt: str, width: str) -> str:
    """The <img> of a PNG. It says its size, so that the page stands still before the picture is there."""
    source = base64.b64encode(png).decode()
    across, down = _size(png)
    return (f'<img src="data:image/png;base64,{source}" alt="{html.escape(alt)}" width="{across}" height="{down}" '
            f'decoding="sync" style="{CRISP.format(width=width)}">')


def _size(png: bytes) -> tuple[int, int]:
    across, down = (int.from_bytes(png[at:at + 4], "big") for at in (16, 20))
    return across, down


def _ratio(pngs: Sequence[bytes]) -> float:
    """Width over height of pictures of equal width, one above the other."""
    return 1 / max(1e-3, sum(down / across for across, down in map(_size, pngs)))


def download(png: bytes | Callable[[], bytes], name: str, *, key: str, label: str = "PNG",
             help: str = "Save this picture as a PNG file.") -> None:
    """A button that saves the picture; one given as a function is drawn only when asked for."""
    st.download_button(label, png, f"{name.replace('/', '-')}.png", "image/png", key=key, icon=":material/download:",
                       on_click="ignore", type="tertiary", help=help)


def download_numbers(text: Callable[[], str], name: str, *, key: str) -> None:
    """A button that saves numbers as CSV, made only when asked for."""
    st.download_button("CSV", lambda: text().encode(), f"{name.replace('/', '-')}.csv", "text/csv", key=key,
                       icon=":material/table:", on_click="ignore", type="tertiary",
                       help="Save these numbers as a CSV file: the columns of your file, in its units.")
