"""What components are told of a run, and the code that the address holds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import streamlit as st

from pages.shared import hand
from tests.pages import demo
from vaecore.explore.opening import opened
from vaecore.store import Store


@pytest.fixture
def query(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The address, and an empty session."""
    found: dict[str, str] = {}
    monkeypatch.setattr(st, "query_params", found)
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr("pages.components.heard.heard", lambda *_, **__: None)
    return found


@pytest.mark.parametrize(("text", "expected"), [
    (None, [0, 0, 0]), ("", [0, 0, 0]), ("1.5,,-2", [1.5, 0, -2]), ("1", [1, 0, 0]), ("1,2,3,4,5", [1, 2, 3]),
    ("nan,inf,1e99", [0, 0, 1e4]), ("<b>,2", [0, 2, 0]), (["1"], [0, 0, 0])])
def test_numbers_of_an_address(text: object, expected: list[float]) -> None:
    np.testing.assert_array_equal(hand.numbers(text, 3), expected)


def test_a_run_is_described_in_json() -> None:
    vectors = opened(Store(demo.store()).find("runs/vectors"))
    told: dict[str, Any] = json.loads(json.dumps(hand.described(vectors), allow_nan=False))
    [latent], [modality] = told["latents"], told["modalities"]
    assert told["run"] == "vectors" and latent["parameter"] == "z" and told["prior"] and not told["several"]
    assert latent["size"] == len(latent["order"]) == len(latent["kl"]) == len(latent["centre"])
    assert modality["kind"] == "vector" and modality["shape"] == [8]
    assert told["networks"]["decoder"].startswith("/networks/decoder/vectors?v=")


def test_several_latents_have_a_parameter_each(query: dict[str, str]) -> None:
    model = opened(Store.default().find("gallery/dmvae"))
    query |= {"z.private image": "1,,2", "z": "9"}
    found = hand.positions(model, "test")
    assert [latent["parameter"] for latent in hand.described(model)["latents"]] == ["z.shared", "z.private image"]
    np.testing.assert_array_equal(found["private image"], [1, 0, 2, 0])
    assert not found["shared"].any()


def test_what_a_component_tells_counts_more_than_the_address(query: dict[str, str]) -> None:
    model = opened(Store(demo.store()).find("runs/vae"))
    query["z"] = "1"
    assert hand.positions(model, "test")["z"][0] == 1
    st.session_state["hand-vae-test"] = {"code": {"z": "2,3"}}
    np.testing.assert_array_equal(hand.positions(model, "test")["z"][:3], [2, 3, 0])
    st.session_state["hand-vae-test"] = {"code": "nonsense"}
    assert hand.positions(model, "test")["z"][0] == 1


def test_another_run_takes_the_code_out_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))
    at = demo.open_page("traverse", run="vae", z="1,2", seed="3", other="stays")
    at.selectbox(key="run").set_value("ae").run()
    assert "z" not in at.query_params and "seed" not in at.query_params
    assert at.query_params["other"] in ("stays", ["stays"])
