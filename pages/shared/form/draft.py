"""What the visitor entered: it lives in the session, and survives another choice in a union, another page and an error,
until another configuration is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.shared.form.fields import kind_of
from pages.shared.form.tree import Group, Leaf, last, tree
from vaecore.schema import Strict


@dataclass(frozen=True)
class Editor:
    """A table's widget holds only what was changed in it: `rows` are what it was drawn with."""

    key: str
    names: list[str]
    rows: list[list[Any]]

    def now(self) -> list[list[Any]] | None:
        """The rows as they stand; None when the widget is not on the page."""
        changes = st.session_state.get(self.key)
        if not changes:
            return None
        found = [list(row) for row in self.rows]
        for place, cells in changes["edited_rows"].items():
            for name, value in cells.items():
                found[int(place)][self.names.index(name)] = value
        found = [row for place, row in enumerate(found) if place not in changes["deleted_rows"]]
        return found + [[cells.get(name) for name in self.names] for cells in changes["added_rows"]]


@dataclass(frozen=True)
class Draft:
    """What was entered: widgets forget themselves when they are not drawn, the draft does not."""

    key: str

    @property
    def kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = st.session_state.setdefault(f"{self.key}:draft", {})
        return kept

    def widget(self, path: str) -> str:
        return f"{self.key}.{path}"

    def get(self, path: str, start: Any, fits: Callable[[Any], bool]) -> Any:
        editor = st.session_state.get(f"{self.widget(path)}:editor")
        if editor and (rows := editor.now()) is not None:
            return rows
        raw = st.session_state.get(self.widget(path), self.kept.get(path, start))
        return raw if fits(raw) else start

    def leaf(self, leaf: Leaf) -> Any:
        kind = kind_of(leaf.info)
        return kind.shown(self.get(leaf.path, kind.shown(leaf.start), lambda raw: kind.fits(leaf.info, raw)))

    def place(self, path: str, raw: Any) -> str:
        """Put a value where its widget will find it; the widget's key."""
        key = self.widget(path)
        self.kept[path] = raw
        if key not in st.session_state or st.session_state[key] != raw:
            st.session_state[key] = raw
        return key


def reset(key: str) -> None:
    """Forget what was entered: the form begins again with its configuration. Only before it is drawn."""
    for name in [name for name in st.session_state if str(name).startswith(f"{key}.")]:
        del st.session_state[name]
    st.session_state[f"{key}:draft"] = {}


def fill(key: str, path: str, value: Any) -> None:
    """Enter a value for the visitor. Only before the form is drawn."""
    Draft(key).place(path, value)


def enter(key: str, config: Strict, instead: Strict | None = None) -> None:
    """Enter a configuration for the visitor, whole or where it differs from what stood `instead` of it. Only before the
    form is drawn."""
    there = dict(_entries(instead)) if instead else {}
    for path, value in _entries(config):
        if path not in there or there[path] != value:
            fill(key, path, value)
            st.session_state.pop(f"{key}.{path}:editor", None)  # or a table would lay its old edits over it


def go_on(key: str, config: Strict, instead: Strict) -> None:
    """Let the form begin with `config` `instead`, and keep what was entered. Only before it is drawn."""
    if st.session_state.get(f"{key}:base") == instead.model_dump_json():
        st.session_state[f"{key}:base"] = config.model_dump_json()
        enter(key, config, instead)


def _entries(config: Strict) -> Iterator[tuple[str, Any]]:
    """What stands in each field of the form, and each choice, by its path."""
    def group_of(group: Group) -> Iterator[tuple[str, Any]]:
        if group.tag:
            yield group.tag_path, group.chosen
        for leaf in group.leaves:
            yield leaf.path, kind_of(leaf.info).shown(leaf.start)
        for inner in group.groups:
            yield from group_of(inner)

    return group_of(tree(type(config), config, "", lambda _, start, __: start))


def values(config: Strict, key: str) -> dict[str, Any]:
    """The form's values as they stand, before it is drawn: `config` at first, or when another one is given."""
    return entered(now(config, key), Draft(key))


def now(config: Strict, key: str) -> Group:
    """What is to be asked now; the draft begins anew where another `config` is given."""
    given = config.model_dump_json()
    if st.session_state.get(f"{key}:base") != given:
        reset(key)
        st.session_state[f"{key}:base"] = given
    return tree(type(config), config, "", Draft(key).get)


def entered(group: Group, draft: Draft) -> dict[str, Any]:
    """The values of a group and of those in it, as `vaecore.schema.parse` takes them."""
    found: dict[str, Any] = {group.tag: group.chosen} if group.tag else {}
    found |= {leaf.name: kind_of(leaf.info).meant(draft.leaf(leaf)) for leaf in group.leaves}
    return found | {last(inner.path): entered(inner, draft) for inner in group.groups}
