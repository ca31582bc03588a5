"""All dimensions on Traverse: what each row of the grid goes through, by standard deviations or by quantiles."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from tests.pages.traverse.test_traverse import checkpoint
from vaecore.explore.quantiles import ranges, shares


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))


def message(at: AppTest) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and tables of quantiles."""
    assert not at.exception
    [sent] = [each.proto.bytes for each in at.get("bidi_component") if each.proto.component_name == "latent_lab.grid"]
    length = int.from_bytes(sent[:4], "little")
    header = json.loads(sent[4:4 + length])
    tables = np.frombuffer(sent[4 + length:], "<f4").reshape(len(header["quantiles"]), 11, -1)
    return header, dict(zip(header["quantiles"], tables, strict=True))


def test_quantiles_of_a_standard_prior_are_its_standard_deviations() -> None:
    header, tables = message(demo.open_page("traverse", run="vae"))
    np.testing.assert_allclose(header["values"], np.linspace(-3, 3, 11), atol=1e-6)
    assert header["offered"] == ["sigmas", "prior", "aggregated"] and list(tables) == ["prior"]
    np.testing.assert_allclose(tables["prior"], np.tile(np.linspace(-3, 3, 11)[:, None], 8), atol=1e-5)


@pytest.mark.parametrize("run", ["vae", "ae"])
def test_those_of_the_data_are_computed_when_they_are_asked_for(run: str) -> None:
    at, model = demo.open_page("traverse", run=run), checkpoint(f"runs/{run}")
    at.session_state[f"grid-{run}"] = {"range": "aggregated"}
    header, tables = message(at.run())
    wanted = ranges(model, "aggregated", shares(np.linspace(-3, 3, 11)))[:, model.order]
    np.testing.assert_allclose(tables["aggregated"], wanted, atol=1e-4)
    assert ("prior" in tables) == ("prior" in header["offered"]) == (run == "vae")


@pytest.mark.parametrize("said", [None, 3, "all", {"a": 1}, "sigmas" * 1000])
def test_another_range_is_none(said: object) -> None:
    at = demo.open_page("traverse", run="vae")
    at.session_state["grid-vae"] = {"range": said}
    assert list(message(at.run())[1]) == ["prior"]
