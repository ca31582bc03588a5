"""Directions on Traverse: what becomes a further slider of the hand, how it is made and taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from tests.pages.traverse.test_traverse import checkpoint, hand
from vaecore.explore.directions import attribute
from vaecore.explore.groups import labelled


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))


def shown(run: str, **query: str) -> AppTest:
    at = demo.open_page("traverse", run=run, **query)
    at.session_state["view"] = "Directions"
    at.run()
    assert not at.exception
    return at


def sliders(at: AppTest) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The further sliders of the hand, and what one unit of each adds to a code, in units."""
    told, _ = hand(at)
    [latent] = told["latents"]
    [sent] = [each.proto.bytes for each in at.get("bidi_component") if each.proto.component_name == "latent_lab.hand"]
    length = int.from_bytes(sent[:4], "little")
    before = (told["examples"] + 2 * told["bank"]) * latent["size"]
    count = len(told["directions"]) * latent["size"]
    return told["directions"], np.frombuffer(sent, "<f4", count, 4 + length + 4 * before).reshape(-1, latent["size"])


def test_from_class_to_class() -> None:
    at, model = shown("vae"), checkpoint("runs/vae")
    at.selectbox(key="b-vae").set_value("1").run()
    at.selectbox(key="a-vae").set_value("7").run()
    at.button(key="make-between").click().run()
    assert not at.exception
    [told], [vector] = sliders(at)
    known = labelled(model)
    wanted = attribute(known.of(7), known.of(1), "1 to 7")
    assert told["name"] == "1 to 7" and told["help"] == wanted.words and wanted.words in demo.words(at)
    np.testing.assert_allclose(vector, wanted.vector / model.scale()[1], atol=1e-5)
    at.button(key="take-away").click().run()
    assert sliders(at)[0] == []


def test_a_link_brings_the_slider_that_it_speaks_of() -> None:
    at, model = shown("vae", **{"d.1 to 7": "0.5", "d.nothing": "2"}), checkpoint("runs/vae")
    [told], [vector] = sliders(at)
    known = labelled(model)
    wanted = attribute(known.of(7), known.of(1), "1 to 7")
    assert told["name"] == "1 to 7"
    np.testing.assert_allclose(vector, wanted.vector / model.scale()[1], atol=1e-5)
    at.button(key="take-away").click().run()
    assert sliders(at)[0] == [], "what was taken away does not come back"


def test_a_link_to_a_direction_that_there_is_not_brings_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As between classes whose codes have one mean: of constant images, say."""
    def none(*_: Any) -> None:
        raise ValueError("both groups have the same mean code")

    monkeypatch.setattr("vaecore.explore.directions.attribute", none)
    assert sliders(shown("vae", **{"d.1 to 7": "0.5"}))[0] == []


@pytest.mark.parametrize("run", ["vae", "ae", "vectors"])
def test_local_ones_are_those_at_the_code_under_the_hand(run: str) -> None:
    at, model = shown(run, z="0.5,-1"), checkpoint(f"runs/{run}")
    code = np.zeros(model.size, np.float32)
    code[:2] = 0.5, -1
    wanted = model.directions(model.place(code), 6)
    at.button(key="make-local").click().run()
    told, vectors = sliders(at)
    assert [each["name"] for each in told] == [f"local {place + 1}" for place in range(len(wanted.values))]
    np.testing.assert_allclose(vectors, wanted.moves / model.scale()[1], rtol=1e-3, atol=1e-5)
    assert f"{wanted.values[0]:.3g}" in "".join(demo.pictures(at))
    at.button(key="make-local").click().run()
    assert len(sliders(at)[0]) == len(wanted.values), "made anew, not twice"
    at.button(key="take-local").click().run()
    assert sliders(at)[0] == []


def test_lassos_of_the_map_make_one() -> None:
    from pages.components.cloud import Chosen
    from tests.pages.lasso import as_sent

    at, model = shown("vae"), checkpoint("runs/vae")
    assert "make-lasso" not in {button.key for button in at.button}
    a, b = np.array([0, 3, 4, 9, 11]), np.array([1, 2, 20])
    at.session_state["sets-vae"] = ("kept", 64, (as_sent(Chosen(0, a), 64), as_sent(Chosen(0, b), 64)))
    at.run()
    at.button(key="make-lasso").click().run()
    assert not at.exception
    [told], [vector] = sliders(at)
    codes = model.encode(slice(None))
    assert told["name"] == "lasso B to A" and "very codes" in told["help"]
    np.testing.assert_allclose(vector, (codes[a].mean(0) - codes[b].mean(0)) / model.scale()[1], atol=1e-5)
