"""Views of the table of runs, kept under a name in `<store>/views.json`: query, order, groups and columns.

The file may come from anywhere: what cannot be read of it is left out, and all of it is bounded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pydantic import Field

from vaecore import permission
from vaecore.files import BrokenFile, read_json, trouble, write_json_atomic
from vaecore.library.marks import alone
from vaecore.store import Store, StoreError
from vaecore.untrusted import Untrusted

LARGEST_VIEWS = 500_000  # bytes
MOST_VIEWS, LONGEST_NAME, LONGEST_QUERY, MOST_COLUMNS = 100, 60, 1_000, 60


class TableView(Untrusted):
    """A way to look at the runs of a store: the words are those of the page's address and of the command line."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    query: str = Field("", max_length=LONGEST_QUERY)
    sort: str = Field("", max_length=80)  # a column's key; with a minus before it, the largest first
    group: str = Field("", max_length=80)
    columns: list[str] = Field(default_factory=list, max_length=MOST_COLUMNS)  # empty: those that are shown anyway


class _File(Untrusted):
    views: list[TableView] = Field(default_factory=list)


def views(store: Store) -> list[TableView]:
    """The views kept in `store`, by name; raises `StoreError` where the file cannot be read."""
    try:
        found = read_json(store.root / "views.json", LARGEST_VIEWS)
    except BrokenFile as error:
        raise StoreError(f"The kept views of {store.root} cannot be read: {error} Remove the file to begin anew."
                         ) from None
    named = {view.name: view for view in _File.kept(found if isinstance(found, dict) else {}).views[:MOST_VIEWS]}
    return sorted(named.values(), key=lambda view: view.name.casefold())


def keep(store: Store, view: TableView) -> None:
    """Keep a view under its name, in place of another of that name.

    Raises `StoreError` where there are `MOST_VIEWS` already, the store is only read, or the file cannot be read or
    written.
    """
    permission.require("keep a view")
    with _writing(store):
        others = [each for each in views(store) if each.name != view.name]
        if len(others) >= MOST_VIEWS:
            raise StoreError(f"There are {MOST_VIEWS} views already. Forget one first.")
        _write(store, [*others, view])


def forget(store: Store, name: str) -> None:
    """Remove the view called `name`, if there is one."""
    permission.require("forget a view")
    with _writing(store):
        _write(store, [each for each in views(store) if each.name != name])


@contextlib.contextmanager
def _writing(store: Store) -> Iterator[None]:
    """One writer at a time, of all processes; what the disk refuses is a `StoreError`."""
    store.require_own()
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        with alone(store.root / ".views.lock"):
            yield
    except OSError as error:
        raise StoreError(f"The view cannot be kept. {trouble(error)}") from None


def _write(store: Store, those: list[TableView]) -> None:
    write_json_atomic(store.root / "views.json", {"views": [view.model_dump() for view in those]})
