"""One widget a field, by the type of the field.

What a field holds stands in the session, and is given to its widget as the default besides: a browser first paints
that, and else would show a 0, an empty line or the first choice for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import streamlit as st
from pydantic.fields import FieldInfo

from pages.shared.form.draft import Editor
from pages.shared.form.fields import TABLE, accepted, column_titles, type_of
from pages.shared.form.tree import Leaf

EXACT = 2**53  # whole numbers below are told exactly to a browser, and Streamlit takes no larger default


def widget(leaf: Leaf, key: str) -> None:
    """Draw the field."""
    WIDGETS[type_of(leaf.info)](leaf, key)


def _choice(leaf: Leaf, key: str) -> object:
    options, now = list(get_args(leaf.info.annotation)), st.session_state.get(key)
    if len(options) <= 3 and sum(len(str(option)) for option in options) <= 12:
        return st.segmented_control(leaf.label, options, default=now if now in options else options[0], key=key,
                                    help=leaf.help, required=True)
    return st.selectbox(leaf.label, options, index=options.index(now) if now in options else 0, key=key,
                        help=leaf.help)


def _toggle(leaf: Leaf, key: str) -> object:
    return st.toggle(leaf.label, value=st.session_state.get(key) is True, key=key, help=leaf.help)


# A widget with bounds keeps what is outside them to itself and the form the last good value: the visitor would see
# one number and train another. Without bounds it is sent, and the schema says what is wrong with it.
def _integer(leaf: Leaf, key: str) -> object:
    now = st.session_state.get(key)
    return st.number_input(leaf.label, value=now if isinstance(now, int) and abs(now) < EXACT else 0, step=1,
                           format="%d", key=key, help=leaf.help)


def _real(leaf: Leaf, key: str) -> object:
    now = st.session_state.get(key)
    return st.number_input(leaf.label, value=float(now) if isinstance(now, int | float) and abs(now) < EXACT else 0.0,
                           step=_step(leaf), format="%.6g", key=key, help=leaf.help)


def _step(leaf: Leaf) -> float:
    """Half of the default, to one digit; a fraction of the range where the default is nothing."""
    default, high = leaf.info.get_default(call_default_factory=True), leaf.bounds[1]
    if isinstance(default, int | float) and default:
        return float(f"{abs(default) / 2:.0e}")
    return 1.0 if high is None or high > 10 else high / 20 if high <= 1 else 0.01


def _text(leaf: Leaf, key: str) -> object:
    return st.text_input(leaf.label, value=str(st.session_state.get(key) or ""), key=key, help=leaf.help,
                         max_chars=1000)


def _table(leaf: Leaf, key: str) -> object:
    import pandas as pd

    columns = get_args(get_args(leaf.info.annotation)[0])
    names = column_titles(leaf.info)
    editor = st.session_state.get(f"{key}:editor")
    if editor is None or editor.key not in st.session_state:
        number = st.session_state["form:editors"] = st.session_state.get("form:editors", 0) + 1  # never one's old edits
        editor = st.session_state[f"{key}:editor"] = Editor(f"{key}:{number}", names, st.session_state[key])
    st.markdown(f":small[{leaf.label}]", help=leaf.help)
    return st.data_editor(
        pd.DataFrame(editor.rows, columns=names, dtype=float), key=editor.key, num_rows="dynamic", hide_index=True,
        width=420, height="content", placeholder="", alt=leaf.label,
        column_config={name: st.column_config.NumberColumn(name, format="%.6g", help=accepted(
            FieldInfo.from_annotation(column))) for name, column in zip(names, columns, strict=True)})


WIDGETS: dict[Any, Callable[[Leaf, str], object]] = {
    Literal: _choice, bool: _toggle, int: _integer, float: _real, str: _text, tuple: _text, dict: _text, TABLE: _table}
