"""A widget's value in the page's address: what an address means, and what the page says in it."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st

from pages.shared.address import REACH, Field, _declared


@pytest.mark.parametrize(("widget", "args", "more", "words", "value"), [
    (st.number_input, ("n", 1, 9, 5), {}, ["7"], 7), (st.number_input, ("n", 1, 9, 5), {}, ["12"], 9),
    (st.number_input, ("n", 1, 9, 5), {}, ["-1e999"], 1), (st.number_input, ("n", 1, 9, 5), {}, ["nan"], 5),
    (st.number_input, ("n", 1, 9, 5), {}, ["three"], 5), (st.number_input, ("n", 1, 9), {}, [], 1),
    (st.number_input, ("n",), {"value": 3}, ["1e30"], REACH), (st.slider, ("s", 0.0, 1.5, 1.0), {}, ["0.25"], 0.25),
    (st.toggle, ("t",), {}, ["true"], True), (st.toggle, ("t", True), {}, ["perhaps"], True),
    (st.text_input, ("t",), {"max_chars": 3}, ["abcdef"], "abc"),
    (st.selectbox, ("s", range(4)), {}, ["3"], 3), (st.selectbox, ("s", range(4), 1), {}, ["4"], 1),
    (st.segmented_control, ("s", ["a", "b"]), {"default": "a"}, ["b"], "b"),
    (st.select_slider, ("s", ["a", "b"]), {}, ["c"], "a"), (st.tabs, (["a", "b"],), {}, ["b"], "b"),
    (st.pills, ("p", ["a", "b"]), {"selection_mode": "multi", "default": ["a", "b"]}, [""], []),
    (st.multiselect, ("m", ["a", "b", "c"]), {"max_selections": 2}, ["c", "x", "a", "b"], ["c", "a"])])
def test_an_address_means_a_value_within_bounds(widget: Any, args: tuple[Any, ...], more: dict[str, Any],
                                                words: list[str], value: Any) -> None:
    field = _declared(widget, args, more, str)
    read = field.read(words)
    assert read == value and type(read) is type(value)
    assert field.read(field.words(value)) == value, "and what is written means the same"


def test_the_default_is_left_out_and_nothing_chosen_is_said() -> None:
    assert Field(5).words(5) == [] and Field(0.1).words(0.25) == ["0.25"] and Field(False).words(True) == ["true"]
    both = Field(["a", "b"], choices={"a": "a", "b": "b"}, most=2)
    assert both.words(["a", "b"]) == [] and both.words(["b"]) == ["b"] and both.words([]) == [""]
