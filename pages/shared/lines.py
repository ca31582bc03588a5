"""Sentences on a page: large, one under the other, words marked. Nothing in them is taken for Markdown or HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import streamlit as st

from pages.shared.palette import DIFFERS, FAINT, UNKNOWN, UNKNOWN_LINE

Mark = Literal["", "unknown", "changed", "left out"]

# Labels stand before their sentences where there is room and above them where there is not, in all lines alike.
ROW = "display:flex;flex-wrap:wrap;align-items:baseline;gap:.05rem 1rem;padding:.28rem 0"
LABEL = "flex:0 0 {label}rem;font-size:.95rem;opacity:.75;overflow-wrap:anywhere"
TEXT = "flex:1 1 16rem;min-width:0;font-size:{size}rem;line-height:1.45;overflow-wrap:anywhere;opacity:{opacity}"
MARK = "color:inherit;padding:0 .12em;border-radius:.25em;box-decoration-break:clone;"
STYLES: dict[Mark, str] = {
    "unknown": f"{MARK}background:{UNKNOWN};border-bottom:3px dashed {UNKNOWN_LINE}",
    "changed": f"{MARK}background:{DIFFERS}",
    "left out": MARK + "background:none;text-decoration:line-through;opacity:.6"}
MEANINGS: dict[Mark, str] = {"unknown": "not in the model's vocabulary", "changed": "differs",
                             "left out": "beyond the model's longest sentence"}
BRIEF = "font-size:1rem;line-height:1.5;white-space:nowrap;overflow:hidden;text-overflow:ellipsis"
PLAIN = f"background:{FAINT};"
CHIP = "padding:.05em .4em;border-radius:.35em;"


@dataclass(frozen=True)
class Line:
    """A sentence as its words, each with a mark; `faded` for one that is only there to be compared with."""

    words: Sequence[tuple[str, Mark]]
    label: str = ""
    faded: bool = False


def plain(text: str, label: str = "", *, faded: bool = False) -> Line:
    """A sentence without marks."""
    return Line([(text, "")] if text else [], label, faded)


def show(lines: Iterable[Line], *, label: float = 7, size: float = 1.25) -> None:
    """Sentences with their labels, `label` rem wide, in letters of `size` rem."""
    lines = list(lines)
    labels = any(line.label for line in lines)
    rows = []
    for line in lines:
        text = TEXT.format(size=size, opacity=0.7 if line.faded else 1)
        before = f'<div style="{LABEL.format(label=label)}">{html.escape(line.label)}</div>' if labels else ""
        runs = ((" ".join(word for word, _ in same), mark) for mark, same in groupby(line.words, lambda word: word[1]))
        words = " ".join(_word(*run) for run in runs) or '<span style="opacity:.7">(no word)</span>'
        rows.append(f'<div style="{ROW}">{before}<div style="{text}">{words}</div></div>')
    st.html("".join(rows))


def brief(sentences: Iterable[str]) -> None:
    """Sentences in one line each, cut where there is no room."""
    rows = "".join(f'<div style="{BRIEF}" title="{html.escape(text)}">{html.escape(text)}</div>' for text in sentences)
    st.html(rows)


def chips(words: Iterable[tuple[str, Mark]]) -> None:
    """Words one by one, each in a frame of its own."""
    cells = "".join(_word(word, mark, CHIP) for word, mark in words)
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:.35rem;font-size:1.15rem;overflow-wrap:anywhere">{cells}'
            "</div>")


def _word(word: str, mark: Mark, style: str = "") -> str:
    if not mark:
        return f'<span style="{PLAIN}{style}">{html.escape(word)}</span>' if style else html.escape(word)
    return f'<mark style="{STYLES[mark]};{style}" title="{MEANINGS[mark]}">{html.escape(word)}</mark>'
