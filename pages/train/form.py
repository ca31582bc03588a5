"""A form drawn from a configuration's declaration: what a field is decides its widget, its place decides nothing.

`config_form(config, key)` draws every field of the tree and returns the values as a mapping for
`vaecore.schema.parse`. A new data set, family or schedule needs nothing here. What the visitor entered lives in
the session: it survives another choice in a union, another page and an error, until another `config` is given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pages.shared.words import escaped
from vaecore.schema import ConfigError, Problem, parse, tagged, title_of

if TYPE_CHECKING:
    from vaecore.config import RunConfig

ICONS = {"data": ":material/database:", "model": ":material/hub:", "training": ":material/model_training:"}


# -- the tree --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaf:
    """One field with one widget. `start` is its value in the configuration that the form began with."""

    path: str
    info: FieldInfo
    start: Any
    group: str = ""  # label of the choice it belongs to, for where it stands apart from it

    @property
    def name(self) -> str:
        return last(self.path)

    @property
    def advanced(self) -> bool:
        return bool(_extra(self.info).get("advanced"))

    @property
    def label(self) -> str:
        """`latent_size` in `dimensions` as "Latent size (dimensions)"."""
        words, unit = title_of(self.name, self.info), str(_extra(self.info).get("unit", ""))
        return words if not unit or unit.lower() in words.lower() else f"{words} ({unit})"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Smallest and largest; an open end counts as closed, and the schema refuses it with its own words."""
        return _bounds(self.info)

    @property
    def help(self) -> str:
        """What it means, what it is by default, and between which bounds."""
        parts = [self.info.description or title_of(self.name, self.info)]
        kind = kind_of(self.info)
        default = kind.shown(self.info.get_default(call_default_factory=True))
        if default is not PydanticUndefined:
            parts.append(f"Default: {default:g}." if isinstance(default, float) else f"Default: {default}.")
        parts.append(_range(self.info))
        return " ".join(filter(None, [*parts, kind.hint]))


@dataclass(frozen=True)
class Group:
    """The fields of a model, after the choice of it where there is one."""

    path: str
    leaves: list[Leaf]
    groups: list[Group]
    tag: str = ""  # the field that says which member of a union it is
    chosen: str = ""
    members: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    info: FieldInfo = field(default_factory=FieldInfo)

    @property
    def tag_path(self) -> str:
        return f"{self.path}.{self.tag}"

    @property
    def label(self) -> str:
        return title_of(last(self.path), self.info)

    def every_leaf(self) -> Iterator[Leaf]:
        """Its own fields and those of the groups in it."""
        yield from self.leaves
        for group in self.groups:
            yield from group.every_leaf()


def _bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    found = {name: getattr(rule, name) for rule in info.metadata
             for name in ("ge", "gt", "le", "lt") if getattr(rule, name, None) is not None}
    return found.get("ge", found.get("gt")), found.get("le", found.get("lt"))


def _range(info: FieldInfo) -> str:
    """What a field accepts, in words; a bound that is itself refused is said so."""
    low, high = _bounds(info)
    above, below = (any(getattr(rule, name, None) is not None for rule in info.metadata) for name in ("gt", "lt"))
    if low is None or high is None:
        return "" if low is None else f"{'More than' if above else 'At least'} {low:,}."
    return f"{'Above' if above else 'From'} {low:,} {'to below' if below else 'to'} {high:,}."


def last(path: str) -> str:
    """The name of the field at a dotted path."""
    return path.rsplit(".", 1)[-1]


def named(tag: str, member: type[BaseModel]) -> str:
    """A choice as the visitor reads it: its own title, or its tag `gaussian-learned` as "Gaussian learned"."""
    return str(getattr(member, "title", "")) or tag.replace("-", " ").capitalize()


def first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n")[0]


def _tree(model: type[BaseModel], start: Any, path: str, state: _State, within: str = "") -> Group:
    """What is to be drawn now, given what is chosen; `start` supplies the values of what was never touched."""
    leaves, groups = [], []
    for name, info in model.model_fields.items():
        here = f"{path}.{name}" if path else name
        if is_tag(info):
            continue
        default = info.get_default(call_default_factory=True)
        value = getattr(start, name) if isinstance(start, model) else default
        if members := tagged(info):
            tag = str(info.discriminator)
            chosen = str(state.get(f"{here}.{tag}", getattr(value, tag, None), members.__contains__))
            inside = "" if not path else title_of(name, None)
            group = _tree(members[chosen], value, here, state, inside)
            groups.append(Group(here, group.leaves, group.groups, tag, chosen, members, info))
        elif isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            inner = _tree(info.annotation, value, here, state)
            groups.append(Group(here, inner.leaves, inner.groups, info=info))
        else:
            leaves.append(Leaf(here, info, value, within))
    return Group(path, leaves, groups)


def is_tag(info: FieldInfo) -> bool:
    return get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1


def _extra(info: FieldInfo) -> Mapping[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


# -- kinds of fields -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """How fields of one type are drawn, what the widget holds for a value, and what is meant by what it holds."""

    draw: Callable[[Leaf, str], object]
    fits: Callable[[Leaf, Any], bool]
    shown: Callable[[Any], Any] = lambda value: value
    meant: Callable[[Any], Any] = lambda raw: raw
    hint: str = ""  # how to enter one
    wide: bool = False  # takes a line of its own


def _choice(leaf: Leaf, key: str) -> object:
    options = list(get_args(leaf.info.annotation))
    if len(options) <= 3 and sum(len(str(option)) for option in options) <= 12:
        return st.segmented_control(leaf.label, options, key=key, help=leaf.help, required=True)
    return st.selectbox(leaf.label, options, key=key, help=leaf.help)


def _toggle(leaf: Leaf, key: str) -> object:
    return st.toggle(leaf.label, key=key, help=leaf.help)


# A widget with bounds keeps what is outside them to itself and the form the last good value: the visitor would see
# one number and train another. Without bounds it is sent, and the schema says what is wrong with it.
def _integer(leaf: Leaf, key: str) -> object:
    return st.number_input(leaf.label, step=1, format="%d", key=key, help=leaf.help)


def _real(leaf: Leaf, key: str) -> object:
    return st.number_input(leaf.label, step=_step(leaf), format="%.6g", key=key, help=leaf.help)


def _step(leaf: Leaf) -> float:
    """Half of the default, to one digit; a fraction of the range where the default is nothing."""
    default, high = leaf.info.get_default(call_default_factory=True), leaf.bounds[1]
    if isinstance(default, int | float) and default:
        return float(f"{abs(default) / 2:.0e}")
    return 1.0 if high is None or high > 10 else high / 20 if high <= 1 else 0.01


def _text(leaf: Leaf, key: str) -> object:
    return st.text_input(leaf.label, key=key, help=leaf.help, max_chars=1000)


def entries_text(values: Iterable[Any] | str) -> str:
    """(32, 64) as "32, 64"; what is text already stays."""
    if isinstance(values, str):
        return values
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def entries(text: Any) -> list[Any]:
    """The numbers of "32, 64"; what is not a number stays as it was written, for the schema to name."""
    words = str(text).strip().strip("[]()").replace(";", ",").replace(",", " ").split()
    return [_number(word) for word in words]


def pairs_text(values: Mapping[str, Any] | str) -> str:
    """{"label": 50.0} as "label=50"; what is text already stays."""
    if isinstance(values, str):
        return values
    return ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
                     for name, value in values.items())


def pairs(text: Any) -> dict[str, Any] | str:
    """The values by name of "label=50, image=1"; text that is no such list stays, for the schema to refuse."""
    words = [word.strip() for word in re.split(r"[,;]", str(text)) if word.strip()]
    if not all("=" in word for word in words):
        return str(text)
    return {name.strip(): _number(value.strip()) for name, _, value in (word.partition("=") for word in words)}


def _number(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


@dataclass(frozen=True)
class _Editor:
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


def _table(leaf: Leaf, key: str) -> object:
    import pandas as pd

    columns = get_args(get_args(leaf.info.annotation)[0])
    names = column_titles(leaf.info)
    editor = st.session_state.get(f"{key}:editor")
    if editor is None or editor.key not in st.session_state:
        number = st.session_state["form:editors"] = st.session_state.get("form:editors", 0) + 1  # never one's old edits
        editor = st.session_state[f"{key}:editor"] = _Editor(f"{key}:{number}", names, st.session_state[key])
    st.markdown(f":small[{leaf.label}]", help=leaf.help)
    return st.data_editor(
        pd.DataFrame(editor.rows, columns=names, dtype=float), key=editor.key, num_rows="dynamic", hide_index=True,
        width=420, height="content", placeholder="", alt=leaf.label,
        column_config={name: st.column_config.NumberColumn(name, format="%.6g", help=_range(
            FieldInfo.from_annotation(column))) for name, column in zip(names, columns, strict=True)})


def column_titles(info: FieldInfo) -> list[str]:
    """What the columns of a table are called."""
    columns = get_args(get_args(info.annotation)[0])
    return [title_of(str(place), FieldInfo.from_annotation(column)) for place, column in enumerate(columns)]


def _is_table(leaf: Leaf, raw: Any) -> bool:
    width = len(get_args(get_args(leaf.info.annotation)[0]))
    return isinstance(raw, list) and all(isinstance(row, list) and len(row) == width for row in raw)


def _is_number(_: Leaf, raw: Any) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw)


KINDS: dict[Any, Kind] = {
    Literal: Kind(_choice, fits=lambda leaf, raw: raw in get_args(leaf.info.annotation)),
    bool: Kind(_toggle, fits=lambda _, raw: isinstance(raw, bool)),
    int: Kind(_integer, fits=lambda _, raw: isinstance(raw, int) and not isinstance(raw, bool)),
    float: Kind(_real, shown=lambda v: float(v) if isinstance(v, int) else v, fits=_is_number),
    str: Kind(_text, fits=lambda _, raw: isinstance(raw, str), wide=True),
    tuple: Kind(_text, shown=entries_text, meant=entries, fits=lambda _, raw: isinstance(raw, str),
                hint="With commas between them."),
    dict: Kind(_text, shown=pairs_text, meant=pairs, fits=lambda _, raw: isinstance(raw, str), wide=True,
               hint="Write name=value, with commas between them; empty for none."),
}
TABLE = Kind(_table, shown=lambda rows: [list(row) for row in rows], fits=_is_table, wide=True,
             meant=lambda rows: [row for row in rows if any(cell is not None for cell in row)],
             hint="Double-click a cell to change it; the + adds a row, and marked rows can be deleted.")


def kind_of(info: FieldInfo) -> Kind:
    """The kind of a field, by its type."""
    annotation = info.annotation
    if get_origin(annotation) is tuple and get_origin(get_args(annotation)[0]) is tuple:
        return TABLE
    return KINDS[get_origin(annotation) or annotation]


# -- the session -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _State:
    """What was entered: widgets forget themselves when they are not drawn, the draft does not."""

    key: str

    @property
    def draft(self) -> dict[str, Any]:
        kept: dict[str, Any] = st.session_state.setdefault(f"{self.key}:draft", {})
        return kept

    def widget(self, path: str) -> str:
        return f"{self.key}.{path}"

    def get(self, path: str, start: Any, fits: Callable[[Any], bool]) -> Any:
        editor = st.session_state.get(f"{self.widget(path)}:editor")
        if editor and (rows := editor.now()) is not None:
            return rows
        raw = st.session_state.get(self.widget(path), self.draft.get(path, start))
        return raw if fits(raw) else start

    def leaf(self, leaf: Leaf) -> Any:
        kind = kind_of(leaf.info)
        return kind.shown(self.get(leaf.path, kind.shown(leaf.start), lambda raw: kind.fits(leaf, raw)))

    def place(self, path: str, raw: Any) -> str:
        """Put a value where its widget will find it; the widget's key."""
        key = self.widget(path)
        self.draft[path] = raw
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
    _State(key).place(path, value)


def values(config: RunConfig, key: str) -> dict[str, Any]:
    """The form's values as they stand, before it is drawn: `config` at first, or when another one is given."""
    return _values(_now(config, key), _State(key))


def _now(config: RunConfig, key: str) -> Group:
    given = config.to_json()
    if st.session_state.get(f"{key}:base") != given:
        reset(key)
        st.session_state[f"{key}:base"] = given
    return _tree(type(config), config, "", _State(key))


def _values(group: Group, state: _State) -> dict[str, Any]:
    found: dict[str, Any] = {group.tag: group.chosen} if group.tag else {}
    found |= {leaf.name: kind_of(leaf.info).meant(state.leaf(leaf)) for leaf in group.leaves}
    return found | {last(inner.path): _values(inner, state) for inner in group.groups}


# -- drawing ---------------------------------------------------------------------------------------


def config_form(config: RunConfig, key: str, *, problems: Iterable[Problem] | None = None,
                beside: Mapping[str, Callable[[], None]] | None = None, locked: Mapping[str, str] | None = None,
                unused: Collection[str] = ()) -> dict[str, Any]:
    """Draw the form; what was entered, for `parse`.

    `problems` are said under the fields concerned (found here when not given). `beside` maps a section's name to
    what is drawn next to its fields, `locked` to why it can only be read. Fields at `unused` are not asked for.
    """
    root, state = _now(config, key), _State(key)
    entered = _values(root, state)
    if problems is None:
        problems = _problems(type(config), entered)
    pen = _Pen(state, tuple(problems), frozenset(unused))
    for index, section in enumerate(root.groups):
        last = index == len(root.groups) - 1
        pen.section(section, root.leaves if last else [], (beside or {}).get(section.path),
                    (locked or {}).get(section.path, ""))
    return entered


def _problems(model: type[RunConfig], entered: dict[str, Any]) -> tuple[Problem, ...]:
    try:
        parse(model, entered)
    except ConfigError as error:
        return error.problems
    return ()


@dataclass(frozen=True)
class _Pen:
    state: _State
    problems: tuple[Problem, ...]
    unused: frozenset[str] = frozenset()

    def section(self, group: Group, more: list[Leaf], beside: Callable[[], None] | None, locked: str) -> None:
        """A bordered part of the form, its advanced fields folded away."""
        everything = [*group.every_leaf(), *more]
        folded = [leaf for leaf in everything if leaf.advanced]
        with st.container(border=True, key=f"{self.state.key}-{group.path}"):
            st.markdown(f"#### {ICONS.get(group.path, '')} {title_of(group.path, None)}")
            left, right = st.columns([7, 4], gap="medium") if beside else (st.container(), None)
            with left:
                if locked:
                    self.closed(group, locked)
                else:
                    self.rows(group, more)
                if folded and not locked:
                    wrong = any(self.of(leaf.path) for leaf in folded)
                    # A label that changes would close it under the visitor's hand.
                    with st.expander("Advanced", icon=":material/tune:", expanded=wrong,
                                     key=f"{self.state.key}-{group.path}-advanced"), self.grid():
                        for leaf in folded:
                            self.leaf(leaf, apart=True)
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
        with st.expander(title, key=f"{self.state.key}-{group.path}-closed"):
            st.markdown("\n".join(f"- {label}: **{escaped(str(value))}**" for label, value in self.told(group)))

    def told(self, group: Group) -> Iterator[tuple[str, Any]]:
        if group.tag:
            yield group.label, named(group.chosen, group.members[group.chosen])
        for leaf in group.leaves:
            yield leaf.label, self.state.leaf(leaf)
        for inner in group.groups:
            yield from self.told(inner)

    def rows(self, group: Group, more: Iterable[Leaf] = ()) -> None:
        """A row for the choice and its fields, then what needs a line of its own, then each choice inside."""
        own = [leaf for leaf in (*group.leaves, *more) if not leaf.advanced and leaf.path not in self.unused]
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
            self.rows(inner)

    def choice(self, group: Group) -> None:
        """Which member of a union."""
        titles = {tag: named(tag, member) for tag, member in group.members.items()}
        lines = "\n".join(f"- **{titles[tag]}**: {first_line(member)}" for tag, member in group.members.items())
        with st.container(gap=None):
            st.selectbox(group.label, list(group.members), key=self.state.place(group.tag_path, group.chosen),
                         format_func=lambda tag: titles.get(tag, tag), help=f"{group.info.description}\n\n{lines}")
            self.complain(group.tag_path)

    def leaf(self, leaf: Leaf, *, apart: bool = False) -> None:
        """A field's widget, and what is wrong with it."""
        if apart and leaf.group:
            leaf = _Apart(leaf.path, leaf.info, leaf.start, leaf.group)
        with st.container(gap=None):
            kind_of(leaf.info).draw(leaf, self.state.place(leaf.path, self.state.leaf(leaf)))
            self.complain(leaf.path, leaf.info)

    def complain(self, path: str, info: FieldInfo | None = None) -> None:
        for problem in self.of(path):
            cell = re.fullmatch(r"\.(\d+)\.(\d+)", problem.field.removeprefix(path))
            titles = column_titles(info) if cell and info else []
            where = f"Row {int(cell[1]) + 1}, {titles[int(cell[2])].lower()}: " if cell and titles else ""
            what = "the cell is empty." if cell and problem.value is None else problem.message
            st.caption(f":red[:material/error: {escaped(f'{where}{what} {problem.remedy}'.strip())}]")

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
