"""Lineage: which run was forked from which, at which step, and what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.shared.checkpoints import choose_several
from pages.shared.words import escaped
from vaecore.store import NAME, Run, StoreError

MAX_LINES = 60
TOLD = 3  # changes of one fork
INDENT = 40  # px a generation


@dataclass(frozen=True)
class Parent:
    """Of which run, and which of its weights, a fork began with."""

    run: str
    weights: str
    step: int | None
    anew: str = ""  # what of it began anew instead


@dataclass(frozen=True)
class Line:
    """One run of the tree."""

    id: str
    depth: int
    parent: Parent | None  # None for a root
    run: Run | None  # None where it is here no more


def lineage(chosen: list[Run], every: list[Run]) -> None:
    """The trees of forks to which the `chosen` runs belong; nothing where there are none."""
    lines = trees([run.id for run in chosen], {run.id: run for run in every})
    if not lines:
        return
    st.subheader("Lineage", anchor=False, help="A fork begins with weights that another run, its parent, has kept.")
    with st.container(gap="xxsmall", key="lineage"):
        for line in lines[:MAX_LINES]:
            _draw(line, any(line.id == run.id for run in chosen), {run.id: run for run in every})
        if len(lines) > MAX_LINES:
            st.caption(f"and {len(lines) - MAX_LINES} more")


def trees(chosen: list[str], runs: Mapping[str, Run]) -> list[Line]:
    """The runs related to `chosen` by forks, each parent before its children; a run without relatives is left out."""
    parents = {name: parent for name, run in runs.items() if (parent := _parent(run))}
    children: dict[str, list[str]] = {}
    for name, parent in reversed(parents.items()):  # runs are newest first; a tree is read from its beginning
        children.setdefault(parent.run, []).append(name)

    def root(name: str) -> str:
        passed = {name}
        while name in parents and parents[name].run not in passed:  # a circle is damage: it has no beginning
            name = parents[name].run
            passed.add(name)
        return name

    drawn: set[str] = set()

    def below(name: str) -> Iterator[Line]:
        waiting = [(name, 0)]
        while waiting:
            name, depth = waiting.pop()
            if name in drawn:
                continue
            drawn.add(name)
            yield Line(name, depth, parents.get(name) if depth else None, runs.get(name))
            waiting += [(child, depth + 1) for child in reversed(children.get(name, []))]

    related = [name for name in chosen if name in parents or name in children]
    return [line for start in dict.fromkeys(map(root, related)) for line in below(start)]


def _parent(run: Run) -> Parent | None:
    parent = run.about().get("parent")
    if not isinstance(parent, dict):
        return None
    name, weights, step, anew = (parent.get(field) for field in ("run", "weights", "step", "anew"))
    if not isinstance(name, str) or not all(NAME.fullmatch(part) for part in name.split("/", 1)):
        return None
    return Parent(name, weights if isinstance(weights, str) else "", step if isinstance(step, int) else None,
                  anew[:20] if isinstance(anew, str) else "")


def _draw(line: Line, chosen: bool, runs: Mapping[str, Run]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if line.depth:
            st.space(INDENT * min(line.depth, 8))
            st.markdown(":material/subdirectory_arrow_right:", width="content")
        name = f"**{escaped(line.id)}**" if chosen else escaped(line.id)
        if line.run is None:
            st.markdown(f"{name} · here no more", width="content")
        else:
            # Not a link: one to the page it stands on would leave the browser's address as it is.
            st.button(name, key=f"lineage-{line.id}", type="tertiary", on_click=_choose, args=(line.id,),
                      help="Show this run alone.")
        if line.parent is not None and line.run is not None:
            st.markdown(escaped(_words(line.parent, line.run, runs.get(line.parent.run))), width="content")


def _choose(name: str) -> None:
    choose_several([name], "monitor")


def _words(parent: Parent, run: Run, before: Run | None) -> str:
    kind = f"the {parent.weights} weights" if parent.weights in ("best", "last") else "the weights"
    start = f"from {kind}" + (f" at step {parent.step:,}" if parent.step is not None else "")
    if parent.anew:
        start += f", {parent.anew} anew"
    try:
        changes = _changes(before.values(), run.values()) if before else None
    except StoreError:
        changes = None
    if changes is None:
        return start
    if not changes:
        return f"{start}; nothing changed"
    more = f" and {len(changes) - TOLD} more" if len(changes) > TOLD else ""
    return f"{start}; {', '.join(changes[:TOLD])}{more}"


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Each changed field with its old and new value."""
    from vaecore.config import differences

    return [f"{name} {_value(old)} → {_value(new)}" for name, (old, new) in differences([before, after]).items()]


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)[:40]
