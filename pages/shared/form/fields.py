"""A field of a configuration as it is entered: its kind, its bounds, its text; no Streamlit.

A new data set, family or schedule needs nothing here: what a field is decides how it is entered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vaecore.schema import bounds, ends, title_of


@dataclass(frozen=True)
class Kind:
    """What the widget of a field of one type holds for a value, and what is meant by what it holds."""

    fits: Callable[[FieldInfo, Any], bool]  # whether a widget can hold it
    shown: Callable[[Any], Any] = lambda value: value
    meant: Callable[[Any], Any] = lambda raw: raw
    hint: str = ""  # how to enter one
    wide: bool = False  # takes a line of its own


def is_tag(info: FieldInfo) -> bool:
    """Whether the field only says which member of a union a model is."""
    return get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1


def extra(info: FieldInfo) -> Mapping[str, Any]:
    """What a declaration says of the field besides pydantic's own: its unit, whether it is advanced."""
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def accepted(info: FieldInfo) -> str:
    """What a field accepts, in words; a bound that is itself refused is said so."""
    (low, high), named = ends(info), bounds(info)
    above, below = "gt" in named, "lt" in named
    if low is None or high is None:
        return "" if low is None else f"{'More than' if above else 'At least'} {low:,}."
    return f"{'Above' if above else 'From'} {low:,} {'to below' if below else 'to'} {high:,}."


def first_line(model: type[BaseModel]) -> str:
    """The first line of a choice's docstring."""
    return (model.__doc__ or "").strip().partition("\n")[0]


def column_titles(info: FieldInfo) -> list[str]:
    """What the columns of a table are called."""
    columns = get_args(get_args(info.annotation)[0])
    return [title_of(str(place), FieldInfo.from_annotation(column)) for place, column in enumerate(columns)]


def entries_text(values: Iterable[Any] | str) -> str:
    """(32, 64) as "32, 64"; what is text already stays."""
    if isinstance(values, str):
        return values
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def entries(text: Any) -> list[Any]:
    """The numbers of "32, 64"; what is not a number stays as it was written, for the schema to name."""
    words = str(text).strip().strip("[]()").replace(";", ",").replace(",", " ").split()
    return [_number(word) for word in words]


def pairs_text(values: Mapping[str, Any] | str) -> str:
    """{"label": 50.0} as "label=50"; what is text already stays."""
    if isinstance(values, str):
        return values
    return ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
                     for name, value in values.items())


def pairs(text: Any) -> dict[str, Any] | str:
    """The values by name of "label=50, image=1"; text that is no such list stays, for the schema to refuse."""
    words = [word.strip() for word in re.split(r"[,;]", str(text)) if word.strip()]
    if not all("=" in word for word in words):
        return str(text)
    return {name.strip(): _number(value.strip()) for name, _, value in (word.partition("=") for word in words)}


def _number(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _is_table(info: FieldInfo, raw: Any) -> bool:
    width = len(get_args(get_args(info.annotation)[0]))
    return isinstance(raw, list) and all(isinstance(row, list) and len(row) == width for row in raw)


def _is_number(_: FieldInfo, raw: Any) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw)


TABLE = "table"
KINDS: dict[Any, Kind] = {
    Literal: Kind(fits=lambda info, raw: raw in get_args(info.annotation)),
    bool: Kind(fits=lambda _, raw: isinstance(raw, bool)),
    int: Kind(fits=lambda _, raw: isinstance(raw, int) and not isinstance(raw, bool)),
    float: Kind(shown=lambda v: float(v) if isinstance(v, int) else v, fits=_is_number),
    str: Kind(fits=lambda _, raw: isinstance(raw, str), wide=True),
    tuple: Kind(shown=entries_text, meant=entries, fits=lambda _, raw: isinstance(raw, str),
                hint="With commas between them."),
    dict: Kind(shown=pairs_text, meant=pairs, fits=lambda _, raw: isinstance(raw, str), wide=True,
               hint="Write name=value, with commas between them; empty for none."),
    TABLE: Kind(shown=lambda rows: [list(row) for row in rows], fits=_is_table, wide=True,
                meant=lambda rows: [row for row in rows if any(cell is not None for cell in row)],
                hint="Double-click a cell to change it; the + adds a row, and marked rows can be deleted."),
}


def type_of(info: FieldInfo) -> Any:
    """What decides how a field is entered: `tuple` of a tuple of numbers, `TABLE` of a tuple of rows."""
    annotation = info.annotation
    if get_origin(annotation) is tuple and get_origin(get_args(annotation)[0]) is tuple:
        return TABLE
    return get_origin(annotation) or annotation


def kind_of(info: FieldInfo) -> Kind:
    """The kind of a field, by its type."""
    return KINDS[type_of(info)]
