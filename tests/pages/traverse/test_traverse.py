"""Traverse: what the sliders in the browser are given, views of the latent space, and broken checkpoints."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from vaecore.explore import Checkpoint


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))


def pixels(html: str) -> np.ndarray:
    """The picture in an <img>."""
    [source] = re.findall(r"base64,([^\"]+)", html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))


def hand(at: AppTest) -> tuple[dict[str, Any], np.ndarray]:
    """What the component of the sliders is given: its header, and the numbers behind it."""
    [sent] = [each.proto.bytes for each in at.get("bidi_component") if each.proto.component_name == "latent_lab.hand"]
    length = int.from_bytes(sent[:4], "little")
    header: dict[str, Any] = json.loads(sent[4:4 + length])
    count = (header["examples"] + 2 * header["bank"]) * sum(latent["size"] for latent in header["latents"])
    return header, np.frombuffer(sent, "<f4", count, 4 + length)


def latent_of(at: AppTest) -> dict[str, Any]:
    [latent] = hand(at)[0]["latents"]
    return latent


def address(at: AppTest) -> str:
    """What `?run=` says."""
    value = at.query_params["run"]
    return value if isinstance(value, str) else value[-1]


def checkpoint(name: str) -> object:
    from vaecore.explore import Checkpoint
    from vaecore.store import Store

    return Checkpoint.load(Store(demo.store()).find(name))


def test_the_sliders_have_the_models_order_and_what_each_dimension_carries() -> None:
    at, model = demo.open_page("traverse", run="vae"), checkpoint("runs/vae")
    latent = latent_of(at)
    assert latent["order"] == model.order and latent["active"] == model.active.tolist()
    np.testing.assert_allclose(latent["kl"], model.kl, rtol=1e-6)
    assert (latent["centre"], latent["unit"]) == ([0] * 8, [1] * 8)
    assert all(widget.help for widget in [*at.slider, *at.button, *at.selectbox, *at.number_input])


def test_an_autoencoder_moves_in_units_of_its_own_codes() -> None:
    at, model = demo.open_page("traverse", run="ae"), checkpoint("ae")
    latent, (centre, unit) = latent_of(at), model.scale()
    assert np.abs(centre).max() > 0.01, "a centre that is not 0, or this would show nothing"
    np.testing.assert_allclose(latent["centre"], centre, rtol=1e-6)
    np.testing.assert_allclose(latent["unit"], unit, rtol=1e-6)
    assert latent["kl"] is None and not hand(at)[0]["prior"] and not hand(at)[0]["bank"]


@pytest.mark.parametrize("name", ["vae", "ae"])
def test_the_codes_of_test_images_travel_along(name: str) -> None:
    at, model = demo.open_page("traverse", run=name), checkpoint(name if name == "ae" else "runs/vae")
    told, numbers = hand(at)
    np.testing.assert_allclose(numbers.reshape(told["examples"], -1), model.units(model.encode(slice(None))), atol=1e-5)
    assert told["modalities"][0]["original"] == "uint8" and told["examples"] == len(model.examples)


def test_a_tab_that_the_server_draws_follows_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the address has it when the page is entered, then as the component tells it."""
    from vaecore.explore import Checkpoint

    model, plain, asked = checkpoint("runs/vectors"), Checkpoint.moves, []

    def moves(self: Checkpoint, dimension: int, base: np.ndarray | None = None) -> np.ndarray:
        asked.append(base)
        return plain(self, dimension, base)

    monkeypatch.setattr(Checkpoint, "moves", moves)
    at = demo.open_page("traverse", run="vectors", z="1,0,-2")
    at.session_state["view"] = "Columns"
    at.run()
    code = np.zeros(model.size, np.float32)
    code[[0, 2]] = 1, -2
    np.testing.assert_allclose(asked[-1], model.place(code), atol=1e-6)
    at.session_state["hand-vectors-columns"] = {"code": {"z": "0,2"}}
    at.run()
    np.testing.assert_allclose(asked[-1], model.place(np.float32([0, 2, *[0] * (model.size - 2)])), atol=1e-6)


def test_a_collapsed_model_is_told_in_a_sentence() -> None:
    at = demo.open_page("traverse", run="collapsed")
    assert "has collapsed" in demo.words(at) and not any(latent_of(at)["active"])


def test_a_model_with_kl_whose_codes_do_not_vary_has_learned_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoint, "rate", property(lambda _: 21.4))
    said = demo.words(demo.open_page("traverse", run="collapsed"))
    assert "its KL is 21.4 nats" in said and "has collapsed" not in said


def test_vectors_are_stripes_with_a_sentence() -> None:
    at = demo.open_page("traverse", run="vectors")
    assert "vectors, not pictures" in demo.words(at)
    [modality] = hand(at)[0]["modalities"]
    assert (modality["kind"], modality["shape"], modality["original"]) == ("vector", [8], "float32")


def test_only_the_open_tab_is_drawn() -> None:
    at, model = demo.open_page("traverse", run="vae"), checkpoint("runs/vae")
    assert not demo.pictures(at) and not [
        widget for widget in at.slider if widget.key in ("temperature", "steps", "count-reconstructions")]
    [sent] = [each.proto.bytes for each in at.get("bidi_component") if each.proto.component_name == "latent_lab.grid"]
    header = json.loads(sent[4:4 + int.from_bytes(sent[:4], "little")])
    assert header["rows"] == model.order and len(header["values"]) == 11


@pytest.mark.parametrize(("tab", "said"), [("Reconstructions", "Reconstructed"), ("Samples", "samples at temperature")])
@pytest.mark.parametrize("run", ["vae", "ae", "vectors", "collapsed"])
def test_every_view_of_every_family(tab: str, said: str, run: str) -> None:
    at = demo.open_page("traverse", run=run)
    at.session_state["view"] = tab
    at.run()
    assert not at.exception
    assert said in demo.pictures(at)[0]
    assert ("no prior to sample from" in demo.words(at)) == (tab == "Samples" and run == "ae")


def test_reconstructions_and_samples_are_the_models() -> None:
    at, model = demo.open_page("traverse", run="vae"), checkpoint("runs/vae")
    at.session_state["view"] = "Samples"
    at.run()
    at.slider(key="temperature").set_value(0.0).run()
    sheet = pixels(demo.pictures(at)[0])
    np.testing.assert_array_equal(sheet[:8, :8, 0], model.decode(np.zeros((1, 8)))[0])
    np.testing.assert_array_equal(sheet[:8, :8], sheet[9:17, 9:17], "at temperature 0 all are the mean")
    at.slider(key="temperature").set_value(1.0).run()
    before = demo.pictures(at)[0]
    at.button(key="draw-again").click().run()
    assert at.number_input(key="seed").value == 1 and demo.pictures(at)[0] != before


# -- the address and broken files


def test_the_address_names_the_run_the_default_too() -> None:
    at = demo.open_page("traverse", run="ae")
    assert at.selectbox(key="run").value == "ae" and address(at) == "ae"
    at = demo.open_page("traverse")
    assert address(at) == at.selectbox(key="run").value
    at.selectbox(key="run").set_value("gallery/pca").run()
    assert address(at) == "gallery/pca"


def test_a_name_from_the_gallery_needs_no_place() -> None:
    assert demo.open_page("traverse", run="shipped").selectbox(key="run").value == "gallery/shipped"


@pytest.mark.parametrize("name", ["nowhere", "../../etc/passwd", "![x](http://example.org/x.png)", "a" * 5000])
def test_an_unknown_run_is_told_until_one_is_chosen(name: str) -> None:
    at = demo.open_page("traverse", run=name)
    [note] = at.warning
    assert "There is no run called" in note.value and "Shown instead" in note.value
    assert len(note.value) < 300 and "](" not in note.value
    assert hand(at), "something is shown"
    at.run()
    assert at.warning, "still there after a rerun, though the address has been put right"
    at.selectbox(key="run").set_value("gallery/pca").run()
    assert not at.warning


def test_a_run_without_weights_is_told(root: Path) -> None:
    (root / "runs" / "ae" / "weights.safetensors").unlink()
    assert "ae has no weights yet" in demo.words(demo.open_page("traverse", run="ae"))


def test_a_run_removed_while_it_is_looked_at(root: Path) -> None:
    at = demo.open_page("traverse", run="ae")
    shutil.rmtree(root / "runs" / "ae")
    at.run()
    assert not at.exception
    assert "There is no run called 'ae'" in demo.words(at) and hand(at)


def _truncate(run: Path) -> None:
    data = (run / "weights.safetensors").read_bytes()
    (run / "weights.safetensors").write_bytes(data[: len(data) // 2])


def _pretend(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    config["model"]["latent_size"] = 5
    (run / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(("harm", "said"), [
    (_truncate, "truncated"),
    (lambda run: (run / "config.json").unlink(), "has no config.json"),
    (lambda run: (run / "config.json").write_text('{"data": {"name": "nothing"}}'), "data.name"),
    (lambda run: shutil.copy(demo.store() / "runs/vectors/weights.safetensors", run), "belongs to another run"),
    (lambda run: shutil.copy(demo.store() / "runs/collapsed/weights.safetensors", run), "belongs to another run"),
    (_pretend, "model.latent_size = 4, but config.json says 5"),
    (lambda run: (run / "examples.safetensors").write_bytes(b"\0" * 40), "examples.safetensors"),
    (lambda run: shutil.copy(demo.store() / "runs/vectors/examples.safetensors", run), "examples.safetensors"),
    (lambda run: (run / "summary.json").write_text("{"), "summary.json"),
])
def test_a_broken_checkpoint_is_an_error_that_names_the_file(root: Path, harm: object, said: str) -> None:
    harm(root / "runs" / "ae")  # type: ignore[operator]
    at = demo.open_page("traverse", run="ae")
    [error] = at.error
    assert said in error.value.replace("\\", "") and "Traceback" not in error.value
    at.selectbox(key="run").set_value("vae").run()
    assert not at.error and hand(at), "another run can be chosen"


@pytest.mark.parametrize("content", ["{}", '{"validation": 3}', '{"validation": {"kl": {"z": ["a", 1, 2, 3]}}}'])
def test_a_summary_without_numbers_still_shows_the_model(root: Path, content: str) -> None:
    (root / "runs" / "vae" / "summary.json").write_text(content)
    latent = latent_of(demo.open_page("traverse", run="vae"))
    assert latent["kl"] is None and sum(latent["active"]) >= 4


@pytest.mark.parametrize(("asked", "shown"), [("Samples", True), ("Nonsense", False)])
def test_the_open_tab_is_in_the_address(asked: str, shown: bool) -> None:
    at = demo.open_page("traverse", run="vae", view=asked)
    assert any(each.label == "Temperature" for each in at.slider) == shown


@pytest.mark.parametrize(("view", "names"), [
    ("Samples", ("images", "temperature", "draws")), ("Prior", ("across", "up", "dimension"))])
def test_its_address_holds_the_view(view: str, names: tuple[str, ...]) -> None:
    at = demo.keeps_its_view("traverse", *names, run="vae", view=view)
    assert at.session_state["view"] == view
