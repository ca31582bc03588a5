"""What a page shows stands in its address, so that it can be sent, reloaded and gone back to.

`kept("clip", st.number_input, "Clip", 0, 9, key="clip-of-mine")` draws that widget, and its value is `clip=3` in the
address; its default is left out. The call declares all there is to know: kind, bounds or choices, default. An address
may say anything: what is no value is the default, and a number out of bounds is the nearest within.

An address that says something says everything, so what it leaves out is as usual; the menu's bare one changes nothing.
Streamlit's `bind="query-params"` has labels for choices, and loses what two pages call by one name.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

KEY = "in-the-address"  # in the session
EVERYWHERE = ("talk", "show", "tour")  # parameters of every page, which set nothing on it
TRUTH = {"true": True, "1": True, "false": False, "0": False}
REACH = 2**53 - 1  # what a browser can count to; a widget refuses more


@dataclass(frozen=True)
class Field:
    """A value in the address, as the widget that shows it declares it."""

    default: Any
    low: float = -REACH  # of a number
    high: float = REACH
    choices: dict[str, Any] | None = None  # by their words in the address
    most: int = 0  # choices at once, of those that have several
    longest: int = 1000  # characters of a text
    of_run: bool = False  # whether it means nothing to another run

    def read(self, words: list[str]) -> Any:
        """What an address means by these words."""
        if not words:
            return self.default
        if self.choices is not None:
            found = [self.choices[word] for word in dict.fromkeys(words) if word in self.choices]
            if self.most:
                return found[:self.most] if found or words == [""] else self.default
            return found[-1] if found else self.default
        if isinstance(self.default, bool):
            return TRUTH.get(words[-1], self.default)
        if isinstance(self.default, str):
            return words[-1][:self.longest]
        return self._number(words[-1])

    def _number(self, word: str) -> Any:
        try:
            value = float(word)
        except ValueError:
            return self.default
        if math.isnan(value):
            return self.default
        value = max(self.low, min(self.high, value))
        return int(value) if isinstance(self.default, int) else value

    def fitted(self, value: Any) -> Any:
        """A value that a widget had, which may have had other bounds or choices then."""
        if value is None:
            return None
        if self.choices is None:
            return value if isinstance(value, bool | str) else max(self.low, min(self.high, value))
        there = list(self.choices.values())
        if self.most:
            return [each for each in value if each in there][:self.most]
        return value if value in there else self.default

    def words(self, value: Any) -> list[str]:
        """A value as the address has it; nothing for the default."""
        if value is None or value == self.default:
            return []
        if self.choices is not None:
            said = {choice: word for word, choice in self.choices.items()}
            return [said[choice] for choice in (value if self.most else [value]) if choice in said] or [""]
        if isinstance(value, bool):
            return ["true" if value else "false"]
        return [f"{value:.10g}" if isinstance(value, float) else str(value)]


@dataclass
class View:
    """Where a visitor is, and what of the address is known to the page."""

    page: str
    bare: bool  # the address said nothing when he came
    told: dict[str, list[str]] = field(default_factory=dict)  # what the address said last, by parameter
    fields: dict[str, Field] = field(default_factory=dict)


def enter(page: str) -> None:
    """A page is about to be drawn as a whole; call it before, with the page's address."""
    bare = all(name in EVERYWHERE for name in st.query_params)
    if bare or _view().page != page:
        st.session_state[KEY] = View(page, bare)


def news(name: str) -> list[str] | None:
    """What the address says of a parameter, where that is new: a link, a reload, the way back; else None."""
    view, asked = _view(), st.query_params.get_all(name)
    if asked == view.told.get(name, [] if view.bare else None):
        return None
    view.told[name] = asked
    return asked


def write(name: str, words: Iterable[str]) -> None:
    """Have the address say this of a parameter; nothing takes it out."""
    words = list(words)
    if st.query_params.get_all(name) != words:
        if words:
            st.query_params[name] = words
        else:
            st.query_params.pop(name, None)
    _view().told[name] = words


def tell(**values: Any) -> None:
    """Have the address say these values of parameters whose widgets were drawn, whatever these are set to."""
    for name, value in values.items():
        if name in (fields := _view().fields):
            write(name, fields[name].words(value))


def kept(name: str, widget: Callable[..., Any], *args: Any, key: str, tells: bool = True, of_run: bool = False,
         said: Callable[[Any], str] = str, **more: Any) -> Any:
    """Draw a widget whose value stands in the address as `name`, and return what it returns.

    It stays while other pages are visited; what is `of_run` goes when another run is picked. `said` is the word of a
    choice in the address. Where a widget only prepares what a button does, it `tells` nothing: `tell` has the address
    say what is shown.
    """
    state, last = st.session_state, f"{key}:last"  # tabs do not stay by themselves
    if persists := "persist_state" in inspect.signature(widget).parameters:
        more.setdefault("persist_state", "session")
    elif key not in state and last in state:
        state[key] = state[last]
    found = replace(_declared(widget, args, more, said), of_run=of_run)
    _read(name, found, key)
    drawn = widget(*args, key=key, **more)
    if not persists:
        state[last] = state[key]
    if tells:
        write(name, found.words(state[key]))  # what is drawn of tabs is the places in them
    return drawn


def counted(name: str, key: str) -> int:
    """A number from 0 that no widget shows: buttons count it in the session under `key`."""
    found = Field(0, low=0)
    _read(name, found, key)
    value = int(st.session_state.setdefault(key, 0))
    write(name, found.words(value))
    return value


def names(*, of_run: bool) -> frozenset[str]:
    """The parameters that the page's widgets declare: those that mean nothing to another run, or the others."""
    return frozenset(name for name, each in _view().fields.items() if each.of_run is of_run)


def _read(name: str, found: Field, key: str) -> None:
    """Put what the address says into the session, under the key of a widget, where it is new."""
    state, asked = st.session_state, news(name)
    _view().fields[name] = found
    if asked is None and key not in state:
        asked = st.query_params.get_all(name)  # of another widget by this name, or of this one in a tab that was shut
    if asked or (asked is not None and key in state):
        state[key] = found.read(asked)
    if key in state and (fitted := found.fitted(state[key])) != state[key]:
        state[key] = fitted


def _view() -> View:
    return st.session_state.setdefault(KEY, View("", bare=True))  # type: ignore[no-any-return]


def _declared(widget: Callable[..., Any], args: tuple[Any, ...], more: dict[str, Any],
              said: Callable[[Any], str]) -> Field:
    """What the call of a widget says of its value."""
    call = inspect.signature(widget).bind(*args, **more)
    call.apply_defaults()
    given = call.arguments
    options = given.get("options", given.get("tabs"))
    if options is None:
        low, high = (given.get(each) for each in ("min_value", "max_value"))
        value = given["value"]
        if value is None or value == "min":
            value = 0.0 if low is None else low
        return Field(value, -REACH if low is None else low, REACH if high is None else high,
                     longest=given.get("max_chars") or Field.longest)
    options = list(options)
    choices = {said(option): option for option in options}
    if "max_selections" in given or given.get("selection_mode") == "multi":
        return Field(list(given["default"] or []), choices=choices, most=given.get("max_selections") or len(options))
    default = given.get("default", given.get("value"))
    if "index" in given:
        default = options[given["index"] or 0] if options else None
    elif default is None and ("tabs" in given or "value" in given):
        default = options[0]
    return Field(default, choices=choices)
