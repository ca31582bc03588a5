"""A table in a Parquet file, which has its bounds in its footer and a type for each column.

pyarrow reads it, and is no part of what `vaecore` needs: without it this is said, with the remedy.
"""

from __future__ import annotations

import datetime
import io
import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import numpy as np

from vaecore.data.base import MAX_COLUMNS, DataUnavailable
from vaecore.data.own.file import wrong
from vaecore.data.own.tables import cells
from vaecore.data.own.tables.contents import MAX_CELLS, MAX_ROWS, MAX_UNPACKED_BYTES, MIN_ROWS, Contents, check_names
from vaecore.data.own.tables.parquet_pages import unpacked
from vaecore.schema import ConfigError
from vaecore.words import counted, listed, short

ENDING = ".parquet"
NEEDED = ("pyarrow, which reads Parquet, is not installed. Install it (`pip install pyarrow`), or save the table as "
          ".csv or .csv.gz.")


def read_parquet(data: bytes, path: str, keep: Collection[str] = ()) -> Contents:
    """The table in the bytes of a Parquet file; numbers, truth, days and text as columns, null as a gap.

    Raises `ConfigError` for a file that is none or has too much in it, by its footer and its pages' headers, before
    anything is unpacked, and `DataUnavailable` where pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise DataUnavailable(f"'{path}' cannot be read: {NEEDED}") from None
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        fields = list(file.schema_arrow)
        nested = [str(field.name) for field in fields if arrow.types.is_nested(field.type)]
        if nested:
            raise wrong(path, f"has columns with several values in a cell: {listed(nested)}.",
                        "Give each value a column of its own.")
        _check(file.metadata, [str(field.name).strip() for field in fields], path)
        _check_pages(data, file.metadata, path)
        binary = [str(field.name) for field in fields if _is_binary(arrow, field.type)]
        fields = [field for field in fields if not _is_binary(arrow, field.type)]
        names = [str(field.name).strip() for field in fields]
        if not names:
            raise wrong(path, "has no column but of bytes.", "Give one of numbers at least.")
        # A long text that every row has lies in the file once: read so, it lies in memory once too.
        words = [field.name for field in fields
                 if arrow.types.is_string(field.type) or arrow.types.is_large_string(field.type)]
        table = parquet.ParquetFile(io.BytesIO(data), read_dictionary=words).read(
            [field.name for field in fields] if binary else None, use_threads=False)
    except ConfigError:
        raise
    except (arrow.ArrowException, OSError, ValueError, MemoryError, NotImplementedError, OverflowError) as error:
        raise wrong(path, f"is no Parquet file that can be read ({str(error)[:100]}).", "Save it again.") from None
    values = np.full((len(table), len(names)), math.nan)
    texts: dict[int, Sequence[str]] = {}
    faults: dict[int, tuple[int, str]] = {}
    done = [f"columns of bytes passed over: {listed(binary)}"] if binary else []

    def said_in(column: int, words: Callable[[], list[str]]) -> list[str]:
        try:
            return words()
        except (arrow.ArrowException, ValueError, OverflowError) as error:  # no UTF-8; a day that no calendar has
            raise wrong(path, f"has a cell in column '{short(names[column])}' that cannot be read "
                        f"({str(error)[:100]}).", "Correct it, or save the table without that column.") from None

    for column, (name, kind) in enumerate(zip(names, table.schema.types, strict=True)):
        found = table.column(column)
        if arrow.types.is_floating(kind) or arrow.types.is_integer(kind) or arrow.types.is_decimal(kind):
            values[:, column] = found.cast(arrow.float64(), safe=False).to_numpy()
        elif arrow.types.is_boolean(kind):
            values[:, column] = [math.nan if each is None else float(each) for each in found.to_pylist()]
            done.append(f"'{short(name)}' read as true and false")
        else:
            said = said_in(column, partial(_words, found))
            if any(not cells.missing(text) for text in said):
                texts[column] = said
        values[~(np.abs(values[:, column]) <= cells.MAX_NUMBER), column] = math.nan
        gaps = np.flatnonzero(np.isnan(values[:, column])).tolist()
        if gaps:
            row = gaps[0]
            faults[column] = row, texts[column][row] if column in texts else _said(found[row].as_py())
        if name in keep and column not in texts:
            texts[column] = said_in(column, partial(_plain, found))
    return Contents(path, names, values, np.arange(1, len(table) + 1), texts, faults, [], done, "row")


def _check(footer: Any, names: Sequence[str], path: str) -> None:
    """Raise `ConfigError` for more rows, columns, cells or bytes than are read, by what the footer says."""
    if len(names) > MAX_COLUMNS:
        raise wrong(path, f"has {len(names):,} columns.", f"Use at most {MAX_COLUMNS:,}.")
    if footer.num_rows > MAX_ROWS or footer.num_rows * len(names) > MAX_CELLS:
        raise wrong(path, f"has {footer.num_rows:,} rows of {len(names):,} columns.",
                    f"Use at most {MAX_ROWS:,} rows and {MAX_CELLS:,} cells: a part of it, say.")
    if footer.num_rows < MIN_ROWS:
        raise wrong(path, f"has {counted(footer.num_rows, 'row')}.", f"Give at least {MIN_ROWS}.")
    total = sum(footer.row_group(group).total_byte_size for group in range(footer.num_row_groups))
    if total > MAX_UNPACKED_BYTES:
        raise wrong(path, f"declares {total:,} bytes once it is unpacked.", f"Use at most {MAX_UNPACKED_BYTES:,}: "
                    "a part of it, say.")
    check_names(names, path)


def _check_pages(data: bytes, footer: Any, path: str) -> None:
    """Raise `ConfigError` for pages that unpack to more than is read, whatever the footer claims."""
    if (total := unpacked(data, footer, MAX_UNPACKED_BYTES)) > MAX_UNPACKED_BYTES:
        raise wrong(path, f"has pages that unpack to {total:,} bytes or more, though its end claims fewer.",
                    f"Use at most {MAX_UNPACKED_BYTES:,}: a part of it, say.")


def _is_binary(arrow: Any, kind: Any) -> bool:
    """Whether cells hold bytes that are no text."""
    inner = kind.value_type if arrow.types.is_dictionary(kind) else kind
    return bool(arrow.types.is_binary(inner) or arrow.types.is_large_binary(inner)
                or arrow.types.is_fixed_size_binary(inner))


def _plain(found: Any) -> list[str]:
    return [_said(each) for each in found.to_pylist()]


def _words(found: Any) -> list[str]:
    """The cells (N,) of a column that is neither numbers nor truth; equal ones are the same object."""
    found.validate(full=True)  # of a damaged file places may lie outside of the words
    words: list[str] = []
    for chunk in found.chunks:
        if hasattr(chunk, "dictionary"):
            known = ["" if each is None else _text(each) for each in chunk.dictionary.to_pylist()]
            words += ["" if place is None else known[place] for place in chunk.indices.to_pylist()]
        else:
            words += ["" if each is None else _text(each) for each in chunk.to_pylist()]
    return words


def _text(value: Any) -> str:
    """A cell in words: a day as 2024-05-31, a class or a text as it is."""
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def _said(value: Any) -> str:
    return "" if value is None else str(value)
