"""Traverse: sliders in KL order that change the picture, views of the latent space, and broken checkpoints."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.pages import demo


@pytest.fixture(autouse=True)
def in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.store()))


def pixels(html: str) -> np.ndarray:
    """The picture in an <img>."""
    [source] = re.findall(r"base64,([^\"]+)", html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))


def decoded(at: AppTest) -> np.ndarray:
    return pixels(demo.pictures(at)[0])


def address(at: AppTest) -> str:
    """What `?run=` says."""
    value = at.query_params["run"]
    return value if isinstance(value, str) else value[-1]


def checkpoint(name: str) -> object:
    from vaecore.explore import Checkpoint
    from vaecore.store import Store

    return Checkpoint.load(Store(demo.store()).find(name))


def sliders(at: AppTest) -> list[str]:
    return [slider.key for slider in at.slider if slider.key.startswith("z")]


def test_the_picture_is_what_the_model_decodes() -> None:
    at, model = demo.open_page("traverse", run="vae"), checkpoint("runs/vae")
    np.testing.assert_array_equal(decoded(at), model.decode(np.zeros((1, 8)))[0])
    first = model.order[0]
    at.slider(key=f"z{first}-vae").set_value(2.5).run()
    code = np.zeros((1, 8))
    code[0, first] = 2.5
    np.testing.assert_array_equal(decoded(at), model.decode(code)[0])
    at.button(key="reset").click().run()
    np.testing.assert_array_equal(decoded(at), model.decode(np.zeros((1, 8)))[0])
    assert at.slider(key=f"z{first}-vae").value == 0


def test_sliders_stand_in_order_of_kl_and_say_it() -> None:
    at, model = demo.open_page("traverse", run="vae"), checkpoint("runs/vae")
    active = [d for d in model.order if model.active[d]]
    assert len(active) >= 4
    assert sliders(at) == [f"z{d}-vae" for d in active]
    told = [float(re.search(r"([\d.]+) nats", slider.label)[1]) for slider in at.slider if slider.key in sliders(at)]
    assert told == sorted(told, reverse=True) and told[0] == round(float(model.kl.max()), 2)
    assert all(widget.help for widget in [*at.slider, *at.button, *at.selectbox, *at.number_input])


def test_an_autoencoder_moves_in_units_of_its_own_codes() -> None:
    at, model = demo.open_page("traverse", run="ae"), checkpoint("ae")
    centre, unit = model.scale()
    assert np.abs(centre).max() > 0.01, "a centre that is not 0, or this would show nothing"
    np.testing.assert_array_equal(decoded(at), model.decode(centre[None])[0])
    at.slider(key=f"z{model.order[0]}-ae").set_value(-2.0).run()
    code = centre.copy()
    code[model.order[0]] -= 2 * unit[model.order[0]]
    np.testing.assert_array_equal(decoded(at), model.decode(code[None])[0])
    assert "spread" in at.slider(key=f"z{model.order[0]}-ae").label


@pytest.mark.parametrize("name", ["vae", "ae"])
def test_a_test_image_sets_the_sliders_to_its_code(name: str) -> None:
    at, model = demo.open_page("traverse", run=name), checkpoint(name if name == "ae" else "runs/vae")
    at.number_input(key="example").set_value(7)
    at.button(key="encode").click().run()
    units = model.units(model.encode([7]))[0]
    shown = {int(key[1:key.index("-")]): at.slider(key=key).value for key in sliders(at)}
    assert all(value == pytest.approx(units[dimension], abs=1e-5) for dimension, value in shown.items())
    difference = decoded(at).astype(int) - model.reconstruct([7])[0]
    assert np.abs(difference).max() <= 1
    np.testing.assert_array_equal(pixels(demo.pictures(at)[1]), model.originals([7])[0])


def test_draws_differ_and_a_far_code_widens_its_slider() -> None:
    at = demo.open_page("traverse", run="vae")
    at.button(key="draw").click().run()
    first = decoded(at)
    at.button(key="draw").click().run()
    assert (decoded(at) != first).any()
    kept = at.session_state["code-vae"]
    kept.update(units=[4.2] * 8, reach=[5.0] * 8)
    at.run()
    assert {at.slider(key=key).value for key in sliders(at)} == {4.2}
    assert {at.slider(key=key).max for key in sliders(at)} == {5.0}


def test_each_run_keeps_its_own_code() -> None:
    at = demo.open_page("traverse", run="vae")
    at.button(key="draw").click().run()
    drawn = decoded(at)
    at.selectbox(key="run").set_value("ae").run()
    at.selectbox(key="run").set_value("vae").run()
    np.testing.assert_array_equal(decoded(at), drawn)


def test_a_collapsed_model_is_told_in_a_sentence() -> None:
    at = demo.open_page("traverse", run="collapsed")
    assert "has collapsed" in demo.words(at) and sliders(at) == []


def test_vectors_are_stripes_with_a_sentence() -> None:
    at = demo.open_page("traverse", run="vectors")
    assert "vectors, not pictures" in demo.words(at)
    height, width = decoded(at).shape
    assert width == 8 and height >= 4


def test_only_the_open_tab_is_drawn() -> None:
    at, model = demo.open_page("traverse", run="vae"), checkpoint("runs/vae")
    [grid] = demo.pictures(at)[1:]
    assert grid.count("<img") == 8 and grid.count(" nats") == 8
    assert not [widget for widget in at.slider if widget.key in ("temperature", "steps", "count-reconstructions")]
    rows = re.findall(r"<strong>z(\d+)</strong>", grid)
    assert [int(row) for row in rows] == model.order


@pytest.mark.parametrize(("tab", "said"), [("Reconstructions", "Reconstructed"), ("Samples", "samples at temperature")])
@pytest.mark.parametrize("run", ["vae", "ae", "vectors", "collapsed"])
def test_every_view_of_every_family(tab: str, said: str, run: str) -> None:
    at = demo.open_page("traverse", run=run)
    at.session_state["view"] = tab
    at.run()
    assert not at.exception
    assert said in demo.pictures(at)[1]
    assert ("no prior to sample from" in demo.words(at)) == (tab == "Samples" and run == "ae")


def test_reconstructions_and_samples_are_the_models() -> None:
    at, model = demo.open_page("traverse", run="vae"), checkpoint("runs/vae")
    at.session_state["view"] = "Samples"
    at.run()
    at.slider(key="temperature").set_value(0.0).run()
    sheet = pixels(demo.pictures(at)[1])
    np.testing.assert_array_equal(sheet[:8, :8, 0], model.decode(np.zeros((1, 8)))[0])
    np.testing.assert_array_equal(sheet[:8, :8], sheet[9:17, 9:17], "at temperature 0 all are the mean")
    at.slider(key="temperature").set_value(1.0).run()
    before = demo.pictures(at)[1]
    at.button(key="draw-again").click().run()
    assert at.number_input(key="seed").value == 1 and demo.pictures(at)[1] != before


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
    assert demo.pictures(at), "something is shown"
    at.button(key="draw").click().run()
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
    assert "There is no run called 'ae'" in demo.words(at) and demo.pictures(at)


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
    assert not at.error and demo.pictures(at), "another run can be chosen"


@pytest.mark.parametrize("content", ["{}", '{"validation": 3}', '{"validation": {"kl": {"z": ["a", 1, 2, 3]}}}'])
def test_a_summary_without_numbers_still_shows_the_model(root: Path, content: str) -> None:
    (root / "runs" / "vae" / "summary.json").write_text(content)
    assert len(sliders(demo.open_page("traverse", run="vae"))) >= 4


def test_an_empty_store_tells_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    at = demo.open_page("traverse")
    assert "No checkpoint is here yet" in demo.words(at)
