"""A table of many rows that can be ticked: rows as high as a picture, and only those in sight are drawn.

A page calls `table(...)`. What is in the rows, in which order, is said by the server; the browser draws, scrolls, folds
groups and ticks. Sent back are the ticked rows (state `ticked`, a list of ids), the header that was pressed (trigger
`sort`, the key of a column) and the row that was opened (trigger `open`, an id): a visitor's words, to be checked.

The value is `u32 header length | JSON`, of a table

    columns  [{key, title, help, kind, sort}]: `kind` is "text", "number" or "picture"; `sort` "up", "down", "" where
             the table is not sorted by it, or null where it cannot be
    rows     [{id, cells, faded?, pinned?, members?}]: a cell is a text, [text, help] or [text, help, mark]; of a
             picture its address, or [text, help] where there are words in its place. A row with `members` is a group:
             the next `members` rows belong to it
    ticked, stamp   the ids that are ticked: taken over when the table is made and whenever `stamp` is another one
    open     id of the row that is opened; "" for none
    height   CSS pixels at most
    noun     what a row is called
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import streamlit as st

from pages.components.serve import component
from vaecore import packing

Cell = str | tuple[str, str] | tuple[str, str, str]  # text, help, mark


@dataclass(frozen=True)
class Column:
    """A column: `sort` says how the table is sorted by it, "" not at all; None where it cannot be."""

    key: str
    title: str
    help: str = ""
    kind: Literal["text", "number", "picture"] = "text"
    sort: Literal["up", "down", ""] | None = ""


@dataclass(frozen=True)
class Row:
    """A row; one with `members` is a group, to which the next `members` rows belong."""

    id: str
    cells: Sequence[Cell]
    faded: bool = False
    pinned: bool = False
    members: int = 0


def table(columns: Sequence[Column], rows: Sequence[Row], *, ticked: Iterable[str], stamp: int, opened: str = "",
          height: int = 600, noun: str = "row", key: str, on_ticked: Callable[[], None], on_sort: Callable[[], None],
          on_open: Callable[[], None]) -> None:
    """Show the table. What came of it is read by `told` in the callbacks."""
    component("table")(key=key, data=pack(columns, rows, ticked=ticked, stamp=stamp, opened=opened, height=height,
                                          noun=noun),
                       on_ticked_change=on_ticked, on_sort_change=on_sort, on_open_change=on_open)


def told(key: str, what: Literal["ticked", "sort", "open"]) -> Any:
    """What the browser sent of late, as it came; None for nothing."""
    kept = st.session_state.get(key)
    return kept.get(what) if isinstance(kept, Mapping) else None


def pack(columns: Sequence[Column], rows: Sequence[Row], *, ticked: Iterable[str], stamp: int, opened: str = "",
         height: int = 600, noun: str = "row") -> bytes:
    """The value; raises ValueError for a row that has not a cell for each column."""
    for row in rows:
        if len(row.cells) != len(columns):
            raise ValueError(f"row {row.id!r} has {len(row.cells)} cells for {len(columns)} columns")
    lines = [{"id": row.id, "cells": list(row.cells), **({"faded": True} if row.faded else {}),
              **({"pinned": True} if row.pinned else {}), **({"members": row.members} if row.members else {})}
             for row in rows]
    return packing.packed({"columns": [asdict(column) for column in columns], "rows": lines, "ticked": list(ticked),
                           "stamp": stamp, "open": opened, "height": height, "noun": noun})
