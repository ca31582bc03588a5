"""The table in a file of any kind."""

from __future__ import annotations

from collections.abc import Collection

from vaecore.data.own.tables import contents
from vaecore.data.own.tables.contents import DELIMITED, Contents
from vaecore.data.own.tables.parquet import ENDING, read_parquet

ENDINGS = (*DELIMITED, ENDING)


def read(data: bytes, path: str, keep: Collection[str] = (), *, blank_rows: bool = False) -> Contents:
    """The table in the bytes of a file of any kind; see `contents.read` and `read_parquet`."""
    if data[:4] == b"PAR1" or path.lower().endswith(ENDING):
        return read_parquet(data, path, keep)
    return contents.read(data, path, keep, blank_rows=blank_rows)
