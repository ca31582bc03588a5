"""Runs: every run as a row of one table. Search, order, groups, views, and what is done with many at once. No torch."""

from __future__ import annotations

import streamlit as st

from pages.components.table import table, told
from pages.runs import actions, choosing, controls, importing, listing, panel, ticked, trashed
from pages.runs import look as looks
from pages.shared import checkpoints, sending, tables
from pages.shared.words import counted, escaped
from vaecore.library.query import Query, QueryError
from vaecore.library.records import Record, records

HEIGHT = 620  # CSS pixels of the table
# On a phone the buttons stand in two rows that are moved sideways: in eight, one would have to look for the table. What
# is opened there stands above the table, not a screen below it.
STYLE = """<style>@media (max-width: 640px) {
  .st-key-runs-bar, .st-key-runs-actions { flex-wrap: nowrap; overflow-x: auto; padding: 4px 2px; }
  .st-key-runs-bar > *, .st-key-runs-actions > * { flex-shrink: 0; }
  [data-testid="stColumn"]:has(.st-key-runs-panel) { order: -1; }
}</style>"""


def sort_pressed() -> None:
    """A head was pressed."""
    if isinstance(key := told(ticked.TABLE, "sort"), str):
        controls.sort_by(key[:80], turn=True)


def opened() -> None:
    """A name was pressed; once more closes the panel."""
    if isinstance(name := told(ticked.TABLE, "open"), str):
        looks.ask(open="" if st.session_state[looks.KEPT].open == name else name[:200])


def matching(query: Query | None, every: list[Record]) -> list[Record]:
    """The runs that are looked for; a search that is not understood leaves out nothing but what was put away."""
    return (query or Query("")).of(every)


def rows_of(shown: list[Record], look: looks.Look) -> None:
    """The table itself, beside the panel of the run that is opened."""
    try:
        keys = listing.columns_of(shown, look.columns)
        rows, heads = listing.rows(shown, look, keys), listing.heads(keys, look, shown)
    except QueryError as error:  # an order or a group from the address
        st.warning(escaped(str(error)), icon=":material/sort:")
        look = looks.Look(look.query, columns=look.columns)
        keys = listing.columns_of(shown, look.columns)
        rows, heads = listing.rows(shown, look, keys), listing.heads(keys, look, shown)
    table(heads, rows, ticked=ticked.ticked(), stamp=ticked.stamp(), opened=look.open, height=HEIGHT, noun="run",
          key=ticked.TABLE, on_ticked=ticked.heard, on_sort=sort_pressed, on_open=opened)


def none_found(every: list[Record], query: Query | None) -> None:
    """What to do where the table would be empty."""
    if not every:
        checkpoints.nothing_yet()
        return
    away = sum(each.archived for each in every if query is None or query.holds(each))
    more = f" {away} archived {'is' if away == 1 else 'are'}: add is:archived." if away else ""
    st.info(f"None of {counted(len(every), 'run')} is like this.{more}", icon=":material/search_off:")
    st.button("Clear the search", key="runs-clear-all", icon=":material/filter_alt_off:", on_click=looks.ask,
              kwargs={"query": ""}, help="Show every run again.")


def beside() -> None:
    """How many runs are shown; the ticked ones and the table to take along, and runs that come in."""
    st.caption(("" if len(shown) == len(every) else f"{len(shown)} of ") + counted(len(every), "run"),
               width="content")
    sending.zipped([each.run for each in those], "runs-ticked")
    importing.popover()
    if shown:
        tables.offer(lambda: listing.table(shown, look, keys), "runs")


st.title("Runs", anchor=False)
st.html(STYLE)
choosing.enter()
look = looks.look()
every = records(checkpoints.store())
those = ticked.those(every)
choosing.banner(those)
query = controls.search(look)
shown = matching(query, every)
keys = listing.columns_of(shown, look.columns)
controls.bar(look, every, keys)
actions.bar(those, shown, beside=beside)
open_run = next((each for each in every if each.id == look.open), None)
if look.open and open_run is None:
    st.warning(escaped(checkpoints.absent(look.open)), icon=":material/link_off:")
if not shown:
    none_found(every, query)
elif open_run is None:
    rows_of(shown, look)
else:
    left, right = st.columns([5, 3], gap="small")
    with left:
        rows_of(shown, look)
    with right:
        panel.panel(open_run, every)
if every and not any(each.place == "own" for each in every):
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("None of these is your own yet: the first takes about a minute.", width="content")
        checkpoints.train_first()
trashed.trashed()
checkpoints.tell_away()
looks.write()
