"""How far the latent spaces of the compared runs agree: a matrix run by run."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from pages.shared import checkpoints, tables
from pages.shared.names import names
from pages.shared.words import escaped
from vaecore.store import Run
from vaecore.tables import Cell, Column, Table
from vaecore.views import SINGLE, views_of

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.agreement import Agreement, Estimate

SHOWN_PAIRS = 8
HOW = ("Above the diagonal CKA (linear, debiased): 1 where the codes differ by a rotation and a scale. Below it the "
       "best match: the mean |correlation| of dimensions in use, paired one to one so that it is largest, beside what "
       "shuffled observations reach by chance. In brackets 95 % intervals, from halves of the observations. Open a "
       "number to see the pairs.")
CELL = "padding:.35rem .6rem;vertical-align:top;border:1px solid var(--st-border-color,rgba(128,134,170,.3))"


@st.fragment
def agreement(runs: list[Run]) -> None:
    """CKA above the diagonal, the best match of dimensions below it."""
    from vaecore.explore.same import FAULTS

    loaded, damaged = [], []
    for run in runs:
        if SINGLE in views_of(run):
            try:
                loaded.append(checkpoints.load(run, SINGLE))
            except FAULTS as error:
                damaged.append(f"{run.id} is left out. {error}")
    others = [run.id for run in runs if SINGLE not in views_of(run)]
    if len(loaded) < 2:
        return
    st.subheader("Agreement of latent spaces", anchor=False, help="How alike two codes of the same observations are, "
                 "whatever their axes are called.")
    key = tuple((one.run.id, checkpoints.stamps(one.run)) for one in loaded)
    groups, left_out = _compared(key, loaded)
    called = names(runs)
    for place, group in enumerate(groups):
        st.html(_matrix([called[one] for one in group.ids], group.found))
        st.caption(escaped(f"Of {group.source}, each encoded by every run to the mean of its posterior. {HOW}"))
        tables.offer(_table(group.ids, group.found), f"agreement{place or ''}")
    left_out += damaged
    if others:
        left_out += [f"{', '.join(others)}: only codes of images and vectors with one latent are compared."]
    for sentence in left_out:
        st.caption(escaped(sentence))


class Compared(NamedTuple):
    """What is kept of a group of runs: no models, and no codes."""

    ids: list[str]
    source: str
    found: dict[tuple[int, int], Agreement]


@st.cache_data(max_entries=16, show_spinner="Comparing latent spaces …")
def _compared(key: tuple[Any, ...], _loaded: list[Checkpoint]  # noqa: ARG001 (the cache's key)
              ) -> tuple[list[Compared], list[str]]:
    from vaecore.explore.agreement import between, encoded

    groups = encoded(_loaded)
    return [Compared([one.run.id for one in group.checkpoints], group.source,
                     {(i, j): between(group, i, j) for j in range(len(group.codes)) for i in range(j)})
            for group in groups.encoded], groups.left_out


def _matrix(called: list[str], found: dict[tuple[int, int], Agreement]) -> str:
    heads = "".join(f'<th style="{CELL};text-align:left">{html.escape(name)}</th>' for name in called)
    lines = []
    for i, name in enumerate(called):
        cells = [f'<th style="{CELL};text-align:left">{html.escape(name)}</th>']
        cells += [f'<td style="{CELL};opacity:.5">–</td>' if i == j else
                  _cell(found[min(i, j), max(i, j)], called, i, j) for j in range(len(called))]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (f'<div style="overflow-x:auto"><table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
            f"<tr><td></td>{heads}</tr>{''.join(lines)}</table></div>")


def _cell(one: Agreement, called: list[str], i: int, j: int) -> str:
    above = i < j
    estimate = one.cka if above else one.match
    pairs = [f"z{p.first} and z{p.second}: {p.correlation:+.2f}".replace("-", "−") for p in one.pairs[:SHOWN_PAIRS]]
    if not pairs:
        pairs.append("none, as one of them has no dimension in use")
    if len(one.pairs) > SHOWN_PAIRS:
        pairs.append(f"and {len(one.pairs) - SHOWN_PAIRS} more pairs")
    first, second = called[min(i, j)], called[max(i, j)]
    title = f"Dimensions of {first} and {second} that go together: {'; '.join(pairs)}"
    share = max(0.0, min(1.0, estimate.value if estimate.value == estimate.value else 0.0))
    tint = f"background:color-mix(in srgb, var(--st-primary-color,#6A6FE0) {45 * share:.0f}%, transparent)"
    chance = "" if above else f'<br><span style="opacity:.7">by chance {one.chance:.2f}</span>'
    body = "<br>".join(html.escape(line) for line in [f"{first} and {second}", *pairs])
    return (f'<td style="{CELL};{tint}" title="{html.escape(title)}"><details><summary style="cursor:pointer">'
            f"{'CKA' if above else 'match'} <strong>{estimate.value:.2f}</strong></summary>"
            f'<div style="font-size:.85rem">{body}</div></details><span style="font-size:.85rem">'
            f"[{estimate.low:.2f}, {estimate.high:.2f}]{chance}</span></td>")


def _table(called: list[str], found: dict[tuple[int, int], Agreement]) -> Table:
    """A row a pair of runs."""
    columns = [Column("first", "Run"), Column("second", "and run"), Column("cka", "CKA", digits=3),
               Column("match", "Best match", digits=3), Column("chance", "Match by chance", digits=3),
               Column("pairs", "Dimensions paired"), Column("observations", "Observations")]
    return Table(columns, [{
        "first": called[i], "second": called[j], "cka": _said(one.cka), "match": _said(one.match), "chance": one.chance,
        "pairs": len(one.pairs), "observations": one.observations} for (i, j), one in found.items()])


def _said(estimate: Estimate) -> Cell:
    return Cell(estimate.value, spread=estimate.value - estimate.low)
