"""The cloud: the codes of a split in a plane, a point each; one map, or two of the same observations side by side.

A page calls `cloud(...)`. Where points lie and their groups travel as one bytes value; whatever else is large the
browser fetches itself, by addresses that `pages/components/map_routes.py` answers. Pan, zoom, hover, filter, search and
decoding happen in `cloud.js`. One thing is ever sent back: the points within a lasso, once it is let go. There are two
lassos, `chosen` and another to hold `against` it.

n points; the value is `u32 header length | JSON header | columns`, all little-endian and aligned to 4 bytes:

    key         names the content: where it changes, zoom and filter are not carried over, and lassos are those given
    n, split, noun   "image" or "row"; `row` is the number of each point in the split, which search asks for
    height      CSS pixels of the canvas
    colour      what points are coloured by: the `name` of a category or of a number; "" for none
    columns     {name: {type: "f4" | "u4" | "u2", offset, count}}: `row` (u4), `category.<name>` (u2), and for map m
                `x.<m>` and `y.<m>` (f4). An offset counts from the end of the header.
    categories  [{name, title, help, names}]: its column holds places in `names`, and `NONE` for a point without one
    maps        one or two of {run, title, method, across, up, plane, codes, size, latent, numbers, hand, traverse,
                note}
        across, up  {title, unit} of the axes; both have one scale where `square`, as of UMAP and PCA
        plane       {origin, across, up}, (r,) each: the code at a place (x, y) is origin + x · across + y · up. null
                    where the plane is none of the latent space: decode the weighted codes of the nearest points then
        codes       address of all n codes, (n, r) float16 in the order of the points; null where they are too many
        numbers     [{name, title, unit, help, low, high, address}]: (n,) float32 at the address, NaN for none, in
                    the order of the points; `low` and `high` are where the colours end
        latent      name of the latent that the codes are of, where the model has several; else ""
        hand        what the hand's component is told of the run, with the addresses of its networks; null without
        traverse    address of Traverse with this run, to which `z=` may be added
        note        what is told below the map in words: how new places are decoded, what the axes share
    sprites     {address, cell: [width, height], columns, count}: `{page}` in the address stands for the page from 0,
                each of at most `count` cells by row number in the split, `columns` a line; null without pictures
    chosen, against   the lassos as they were sent last, so that they are drawn again when the page is
    classes     colours of categories, by place, again and again

What comes back, in `chosen` and in `against`: "" for none, else the map and the points by their places 0..n-1, in
whichever is shorter: "<m>:rows:<base64 of u4>" or "<m>:bits:<base64 of ceil(n / 8) bytes>", the first point in the
lowest bit.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.serve import component
from pages.shared.palette import CLASSES
from vaecore import packing

NONE = 0xFFFF  # of a category: a point that has none
MAX_POINTS = 200_000  # that one value carries
MAX_NAMES = 4_096  # of one category
PARTS = 3  # of what is sent back: map, form, points
HEIGHT = 560  # CSS pixels of the canvas


@dataclass(frozen=True)
class Plane:
    """A plane of the latent space, (r,) each: the code at a place (x, y) is origin + x · across + y · up."""

    origin: NDArray[np.float32]
    across: NDArray[np.float32]
    up: NDArray[np.float32]


@dataclass(frozen=True)
class Axis:
    """What one axis is called, and the unit of its numbers."""

    title: str
    unit: str = ""


@dataclass(frozen=True)
class Number:
    """A number of each point that colours may tell, at an address as float32 (n,)."""

    name: str
    title: str
    address: str
    low: float
    high: float
    unit: str = ""
    help: str = ""


@dataclass(frozen=True)
class Category:
    """A group of each point: its class, or a text column of one's own data; `NONE` for a point without one."""

    name: str
    title: str
    names: Sequence[str]
    places: NDArray[np.uint16]  # (n,)
    help: str = ""


@dataclass(frozen=True)
class Sprites:
    """Small pictures of all observations of the split, in pages of at most `count` cells, `columns` a line."""

    address: str  # `{page}` stands for the page, from 0
    cell: tuple[int, int]  # width and height in pixels
    columns: int
    count: int


@dataclass(frozen=True)
class Map:
    """Where the points of one run lie."""

    run: str
    title: str
    method: str  # "dims", "pca" or "umap"
    x: NDArray[np.float32]  # (n,)
    y: NDArray[np.float32]
    across: Axis
    up: Axis
    size: int  # r, of a code
    square: bool = False  # whether both axes have one scale
    plane: Plane | None = None
    codes: str | None = None  # an address
    numbers: Sequence[Number] = ()
    hand: Mapping[str, Any] | None = None
    traverse: str = ""
    note: str = ""
    latent: str = ""


@dataclass(frozen=True)
class Chosen:
    """What a lasso holds: the map that it was drawn on, and the places of its points, ascending."""

    map: int = 0
    places: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def cloud(maps: Sequence[Map], rows: NDArray[np.uint32], *, key: str, element: str, split: str, noun: str,
          categories: Sequence[Category] = (), colour: str = "", sprites: Sprites | None = None,
          held: tuple[str, str] = ("", "")) -> tuple[str, str]:
    """Show the maps; what both lassos hold of them, as they were sent: `chosen` reads them.

    `key` names the content and `element` the component, which stays the same; `held` is what was returned last, which
    the page keeps while the component is not on it. Raises `ValueError` naming what does not fit.
    """
    data = pack(maps, rows, key=key, split=split, noun=noun, categories=categories, colour=colour, sprites=sprites,
                held=held)
    given = component("cloud")(key=element, data=data, on_chosen_change=lambda: None, on_against_change=lambda: None)
    first, second = (value if isinstance(value := given.get(name), str) else kept
                     for name, kept in zip(("chosen", "against"), held, strict=True))
    return first, second


def pack(maps: Sequence[Map], rows: NDArray[np.uint32], *, key: str, split: str, noun: str,
         categories: Sequence[Category] = (), colour: str = "", sprites: Sprites | None = None,
         held: tuple[str, str] = ("", "")) -> bytes:
    """All of it as one value, laid out as the module says."""
    n = len(rows)
    if not 1 <= len(maps) <= 2:
        raise ValueError(f"{len(maps)} maps: show one or two")
    if not 0 < n <= MAX_POINTS:
        raise ValueError(f"{n:,} points: show 1 to {MAX_POINTS:,}")
    columns: dict[str, NDArray[Any]] = {"row": np.ascontiguousarray(rows, "<u4")}
    for category in categories:
        columns[f"category.{category.name}"] = _group(category, n)
    for number, each in enumerate(maps):
        for name, values in (("x", each.x), ("y", each.y)):
            if np.shape(values) != (n,):
                raise ValueError(f"map {each.title!r}: {name} has shape {np.shape(values)}, and there are {n} points")
            columns[f"{name}.{number}"] = np.ascontiguousarray(values, "<f4")
    places: dict[str, dict[str, Any]] = {}
    offset = 0
    for name, values in columns.items():
        places[name] = {"type": f"{values.dtype.kind}{values.dtype.itemsize}", "offset": offset, "count": n}
        offset += -(-values.nbytes // 4) * 4
    header = {
        "key": key, "n": n, "split": split, "noun": noun, "height": HEIGHT, "colour": colour, "columns": places,
        "categories": [{"name": each.name, "title": each.title, "help": each.help, "names": list(each.names)}
                       for each in categories],
        "maps": [_told(each) for each in maps],
        "sprites": None if sprites is None else {"address": sprites.address, "cell": list(sprites.cell),
                                                 "columns": sprites.columns, "count": sprites.count},
        "chosen": held[0], "against": held[1], "classes": CLASSES}
    return packing.packed(header, *columns.values())


def chosen(sent: object, n: int, maps: int = 1) -> Chosen:
    """What the browser sent of a lasso over n points; none if it is anything but such.

    It is a visitor's word: whoever speaks the protocol can send any value.
    """
    if not isinstance(sent, str) or len(sent) > 8 * n + 64 or sent.count(":") != PARTS - 1:
        return Chosen()
    number, form, points = sent.split(":")
    if number not in map(str, range(maps)):
        return Chosen()
    found = b""
    with suppress(ValueError):  # binascii.Error is one, and so is a character beyond ASCII
        found = base64.b64decode(points, validate=True)
    if form == "bits" and len(found) == -(-n // 8):
        bits = np.unpackbits(np.frombuffer(found, np.uint8), bitorder="little")[:n]
        return Chosen(int(number), np.flatnonzero(bits))
    if form == "rows" and len(found) % 4 == 0:
        places = np.unique(np.frombuffer(found, "<u4").astype(np.int64))
        return Chosen(int(number), places[places < n])
    return Chosen()


def _group(category: Category, n: int) -> NDArray[np.uint16]:
    places = np.asarray(category.places)
    if places.shape != (n,) or len(category.names) > MAX_NAMES:
        raise ValueError(f"category {category.name!r}: {places.shape} places of {len(category.names)} names, and there "
                         f"are {n} points and at most {MAX_NAMES:,} names")
    if len(places) and not ((places < len(category.names)) | (places == NONE)).all():
        raise ValueError(f"category {category.name!r}: places must be those of its {len(category.names)} names")
    return np.ascontiguousarray(places, "<u2")


def _told(one: Map) -> dict[str, Any]:
    plane = one.plane and {name: [float(x) for x in getattr(one.plane, name)] for name in ("origin", "across", "up")}
    return {"run": one.run, "title": one.title, "method": one.method, "square": one.square, "size": one.size,
            "across": {"title": one.across.title, "unit": one.across.unit},
            "up": {"title": one.up.title, "unit": one.up.unit}, "plane": plane, "codes": one.codes,
            "numbers": [{"name": each.name, "title": each.title, "unit": each.unit, "help": each.help,
                         "low": _finite(each.low), "high": _finite(each.high), "address": each.address}
                        for each in one.numbers],
            "latent": one.latent, "hand": one.hand, "traverse": one.traverse, "note": one.note}


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0


# -- two sets, for directions ----------------------------------------------------------------------


@dataclass(frozen=True)
class Sets:
    """Rows of a split that both lassos of a run's map hold: the way from the mean of B to that of A is a direction."""

    split: str
    a: NDArray[np.int64]
    b: NDArray[np.int64]


def keep_sets(run: str, split: str, n: int, held: tuple[str, str]) -> None:
    """Keep both lassos over the first n rows of a split, as they were sent, for other pages of the session."""
    if any(held):
        st.session_state[f"sets-{run}"] = (split, n, held)
    else:
        st.session_state.pop(f"sets-{run}", None)


def sets(run: str) -> Sets | None:
    """What both lassos of the session's map of a run hold; None where nothing was drawn."""
    kept = st.session_state.get(f"sets-{run}")
    if kept is None:
        return None
    split, n, held = kept
    a, b = (chosen(text, n, 2).places for text in held)
    return Sets(split, a, b)
