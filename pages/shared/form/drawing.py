"""A form drawn from a configuration's declaration: what a field is decides its widget, its place decides nothing.

`config_form(config, key)` draws every field of the tree and returns the values as a mapping for
`vaecore.schema.parse`. A new data set, family or schedule needs nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st
from pydantic.fields import FieldInfo

from pages.shared.form.draft import Draft, entered, now
from pages.shared.form.fields import column_titles, first_line, kind_of
from pages.shared.form.tree import Group, Leaf
from pages.shared.form.widgets import widget
from pages.shared.words import escaped
from vaecore.schema import ConfigError, Problem, named, parse, title_of

if TYPE_CHECKING:
    from vaecore.config import RunConfig

ICONS = {"data": ":material/database:", "model": ":material/hub:", "training": ":material/model_training:"}


def config_form(config: RunConfig, key: str, *, problems: Iterable[Problem] | None = None,
                beside: Mapping[str, Callable[[], None]] | None = None, locked: Mapping[str, str] | None = None,
                unused: Collection[str] = (), fitting: Mapping[str, Collection[str]] | None = None,
                around: Mapping[str, tuple[Callable[[], None], Callable[[], None]]] | None = None,
                mend: Callable[[Problem], None] | None = None) -> dict[str, Any]:
    """Draw the form; what was entered, for `parse`.

    `problems` are said under the fields concerned (found here when not given). `beside` maps a section's name to
    what is drawn next to its fields, `around` to what comes before and after them, `locked` to why it can only be
    read. Fields and groups at `unused` are not asked for; of the choices at `fitting` only those named are offered.
    `mend` draws what would help against a problem.
    """
    root, draft = now(config, key), Draft(key)
    found = entered(root, draft)
    if problems is None:
        problems = _problems(type(config), found)
    pen = Pen(draft, tuple(problems), frozenset(unused), fitting or {}, mend)
    for index, section in enumerate(root.groups):
        last = index == len(root.groups) - 1
        pen.section(section, root.leaves if last else [], (beside or {}).get(section.path),
                    (locked or {}).get(section.path, ""), (around or {}).get(section.path))
    return found


def _problems(model: type[RunConfig], found: dict[str, Any]) -> tuple[Problem, ...]:
    try:
        parse(model, found)
    except ConfigError as error:
        return error.problems
    return ()


@dataclass(frozen=True)
class Pen:
    """What draws the parts of a form."""

    draft: Draft
    problems: tuple[Problem, ...]
    unused: frozenset[str] = frozenset()
    fitting: Mapping[str, Collection[str]] = field(default_factory=dict)
    mend: Callable[[Problem], None] | None = None

    def section(self, group: Group, more: list[Leaf], beside: Callable[[], None] | None, locked: str,
                around: tuple[Callable[[], None], Callable[[], None]] | None = None) -> None:
        """A bordered part of the form, its advanced fields folded away."""
        everything = [*group.every_leaf(), *more]
        folded = [leaf for leaf in everything if leaf.advanced and self.used(leaf.path)]
        with st.container(border=True, key=f"{self.draft.key}-{group.path}"):
            st.markdown(f"#### {ICONS.get(group.path, '')} {title_of(group.path, None)}")
            left, right = st.columns([7, 4], gap="medium") if beside else (st.container(), None)
            with left:
                if around and not locked:
                    around[0]()
                if locked:
                    self.closed(group, locked)
                else:
                    self.rows(group, more)
                if folded and not locked:
                    wrong = any(self.of(leaf.path) for leaf in folded)
                    # A label that changes would close it under the visitor's hand.
                    with st.expander("Advanced", icon=":material/tune:", expanded=wrong,
                                     key=f"{self.draft.key}-{group.path}-advanced"), self.grid():
                        for leaf in folded:
                            self.leaf(leaf, apart=True)
                if around and not locked:
                    around[1]()
            if right is not None and beside is not None:
                with right:
                    beside()

    def closed(self, group: Group, why: str) -> None:
        """The fields as words: to be read, not changed."""
        st.caption(f":material/lock: {escaped(why)}")
        self.complain(group.tag_path)
        for leaf in group.every_leaf():
            self.complain(leaf.path, leaf.info)
        title = named(group.chosen, group.members[group.chosen])
        with st.expander(title, key=f"{self.draft.key}-{group.path}-closed"):
            st.markdown("\n".join(f"- {label}: **{escaped(str(value))}**" for label, value in self.told(group)))

    def told(self, group: Group) -> Iterator[tuple[str, Any]]:
        if group.tag:
            yield group.label, named(group.chosen, group.members[group.chosen])
        for leaf in group.leaves:
            yield leaf.label, self.draft.leaf(leaf)
        for inner in group.groups:
            yield from self.told(inner)

    def rows(self, group: Group, more: Iterable[Leaf] = ()) -> None:
        """A row for the choice and its fields, then what needs a line of its own, then each choice inside."""
        own = [leaf for leaf in (*group.leaves, *more) if not leaf.advanced and self.used(leaf.path)]
        if group.tag or own:
            with st.container(gap="xsmall"):
                with self.grid():
                    if group.tag:
                        self.choice(group)
                    for leaf in own:
                        if not kind_of(leaf.info).wide:
                            self.leaf(leaf)
                for leaf in own:
                    if kind_of(leaf.info).wide:
                        self.leaf(leaf)
                if group.tag:
                    st.caption(first_line(group.members[group.chosen]))
        for inner in sorted(group.groups, key=lambda inner: not inner.tag):  # what is chosen, before what it is made of
            if self.used(inner.path):
                self.rows(inner)

    def used(self, path: str) -> bool:
        """Whether a field, or a group that it lies in, is asked for."""
        return not any(path == each or path.startswith(f"{each}.") for each in self.unused)

    def choice(self, group: Group) -> None:
        """Which member of a union."""
        titles = {tag: named(tag, member) for tag, member in group.members.items()}
        fit = self.fitting.get(group.tag_path, titles)
        offered = [tag for tag in titles if tag in fit or tag == group.chosen]
        lines = "\n".join(f"- **{titles[tag]}**: {first_line(group.members[tag])}" for tag in offered)
        with st.container(gap=None):
            st.selectbox(group.label, offered, index=offered.index(group.chosen),
                         key=self.draft.place(group.tag_path, group.chosen),
                         format_func=lambda tag: titles.get(tag, tag), help=f"{group.info.description}\n\n{lines}")
            self.complain(group.tag_path)

    def leaf(self, leaf: Leaf, *, apart: bool = False) -> None:
        """A field's widget, and what is wrong with it."""
        if apart and leaf.group:
            leaf = _Apart(leaf.path, leaf.info, leaf.start, leaf.group)
        with st.container(gap=None):
            widget(leaf, self.draft.place(leaf.path, self.draft.leaf(leaf)))
            self.complain(leaf.path, leaf.info)

    def complain(self, path: str, info: FieldInfo | None = None) -> None:
        for problem in self.of(path):
            cell = re.fullmatch(r"\.(\d+)\.(\d+)", problem.field.removeprefix(path))
            titles = column_titles(info) if cell and info else []
            where = f"Row {int(cell[1]) + 1}, {titles[int(cell[2])].lower()}: " if cell and titles else ""
            what = "the cell is empty." if cell and problem.value is None else problem.message
            st.caption(f":red[:material/error: {escaped(f'{where}{what} {problem.remedy}'.strip())}]")
            if problem.ways and self.mend:
                self.mend(problem)

    def of(self, path: str) -> list[Problem]:
        return [p for p in self.problems if p.field == path or p.field.startswith(f"{path}.")]

    @staticmethod
    def grid() -> Any:
        return st.grid(3, min_column_width=132, gap="small")


class _Apart(Leaf):
    """A field drawn away from its choice: its label says whose it is."""

    @property
    def label(self) -> str:
        words = super().label
        return f"{self.group}: {words[0].lower()}{words[1:]}"
