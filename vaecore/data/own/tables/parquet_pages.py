"""What the pages of a Parquet file unpack to, as each says in its own header; the footer may claim less.

A page's header is a Thrift structure in the compact protocol. A decoder makes room for what it says, so that is what
has to be bounded; pyarrow does not show it.
"""

from __future__ import annotations

from typing import Any

MAX_PAGES = 500_000  # of which each costs a moment, however little is in it
MAX_DEPTH = 8  # of structures in a header, which has three
UNPACKED, PACKED = 2, 3  # fields of a page's header: its bytes without itself
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
NUMBERS = (4, 5, 6)  # whole ones of 16, 32 and 64 bits


def unpacked(data: bytes, footer: Any, most: int) -> int:
    """The bytes that the pages of all columns unpack to, or more than `most`, after which no more are looked at.

    `footer` is pyarrow's. Raises `ValueError` for pages that are damaged, or too many.
    """
    total = count = 0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for column in range(footer.num_columns):
            chunk = group.column(column)
            starts = [chunk.data_page_offset, chunk.dictionary_page_offset if chunk.has_dictionary_page else None]
            place = min(start for start in starts if start)
            end = place + chunk.total_compressed_size
            while place < end:
                header, place = _structure(data, place)
                large, packed = header.get(UNPACKED), header.get(PACKED)
                if not (isinstance(large, int) and isinstance(packed, int) and large >= 0 and packed >= 0):
                    raise ValueError("a page does not say how large it is")
                total, place, count = total + large, place + packed, count + 1
                if total > most:
                    return total
                if count > MAX_PAGES:
                    raise ValueError(f"it has more than {MAX_PAGES:,} pages")
    return total


def _structure(data: bytes, place: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The whole numbers of a structure by their fields, and where it ends."""
    if depth > MAX_DEPTH:
        raise ValueError("a page's header is no header")
    found: dict[int, Any] = {}
    field = 0
    while kind := _byte(data, place):
        place += 1
        if kind >> 4:
            field += kind >> 4
        else:
            field, place = _whole(data, place)
        if kind & 15 not in (TRUE, FALSE):  # which say all themselves
            found[field], place = _value(data, place, kind & 15, depth)
    return found, place + 1


def _value(data: bytes, place: int, kind: int, depth: int) -> tuple[Any, int]:
    """A whole number, or None for a value of another kind, and where it ends."""
    if kind in NUMBERS:
        return _whole(data, place)
    if kind in (BYTE, TRUE, FALSE):
        return None, place + 1
    if kind == DOUBLE:
        return None, place + 8
    if kind == BINARY:
        length, place = _unsigned(data, place)
        return None, place + length
    if kind == STRUCT:
        return None, _structure(data, place, depth + 1)[1]
    if kind in (LIST, SET):
        head, place = _byte(data, place), place + 1
        length = head >> 4
        if length == 15:
            length, place = _unsigned(data, place)
        for _ in range(length):
            place = _value(data, place, head & 15, depth + 1)[1]
            _byte(data, place - 1)
        return None, place
    raise ValueError("a page's header is no header")


def _byte(data: bytes, place: int) -> int:
    if not 0 <= place < len(data):
        raise ValueError("a page's header is cut off")
    return data[place]


def _unsigned(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, place = _byte(data, place), place + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("a page's header is no header")


def _whole(data: bytes, place: int) -> tuple[int, int]:
    value, place = _unsigned(data, place)
    return value >> 1 ^ -(value & 1), place
