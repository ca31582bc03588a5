"""The Families page: the four approaches on one data set, drawn from runs and their evaluations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.evaluate.test_families import result
from tests.pages import demo
from vaecore.evaluate.kept import keep
from vaecore.store import Run, Store


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny machine, a tiny PixelCNN and a tiny VAE of the same digits, and FastICA of others."""
    from vaecore.config import changed, preset
    from vaecore.training import train

    root = tmp_path_factory.mktemp("families")
    same, few = ["data.name=digits", "data.pixels=binary-fixed"], ["training.epochs=1"]
    configs = {
        "machine": changed(preset("rbm-mnist"), [*same, *few, "model.hidden=8", "model.sampling_sweeps=5"]),
        "pixels": changed(preset("pixelcnn-mnist"), [*same, *few, "model.channels=2", "model.layers=2"]),
        "coder": changed(preset("vae-digits"), [*same, *few, "model.latent_size=2"]),
        "sources": changed(preset("ica-sources"), ["data.per_segment=20"])}
    for name, config in configs.items():
        train(Store(root).create(config, name).path, demo.Unwatched())
    return root


@pytest.fixture
def store(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    import shutil

    shutil.copytree(trained, tmp_path / "store")
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "store"))
    return Store(tmp_path / "store")


def judged(run: Run, value: float, **more: Any) -> None:
    step = json.loads((run.path / "summary.json").read_text())["step"]
    keep(run, result(value, step=step, **more))


def metrics(at: AppTest) -> list[str]:
    return [metric.value for metric in at.metric]


def test_without_runs_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    assert "No model of the four families is here yet" in demo.words(demo.open_page("families"))


@pytest.mark.usefixtures("store")
def test_the_data_with_most_approaches_comes_first_and_the_missing_one_has_a_way_to_it() -> None:
    at = demo.open_page("families")
    assert "3 models" in at.selectbox(key="families-data").options[0]
    said = demo.words(at)
    assert said.count("No model of this kind on these data yet.") == 1  # independent components
    assert at.dataframe[0].value["Run"].tolist() == ["pixels", "machine", "coder"]  # in the order of the slide
    at.selectbox(key="families-data").select_index(1).run()
    assert at.dataframe[0].value["Run"].tolist() == ["sources"]


def test_what_was_measured_is_told_with_what_kind_it_is(store: Store) -> None:
    judged(store.find("coder"), -33.25)
    judged(store.find("machine"), -30.5, exact=True, log_z={"value": 1.0, "standard_error": 0.25})
    judged(store.find("pixels"), -20.0, exact=True)
    at = demo.open_page("families")
    assert {"−33.2 nats", "−30.5 nats", "−20.0 nats"} <= set(metrics(at))
    assert [metric.value for metric in at.metric if metric.delta == "7 passes"] == ["2 ms"] * 3
    table = at.dataframe[0].value
    assert table["Which"].tolist() == ["exact", "log Z estimated", "estimate, K = 500"]
    assert table["log p(x)"].tolist() == [-20.0, -30.5, -33.25]
    assert not any("Nats compare only" in info.value for info in at.info)


def test_likelihoods_of_another_kind_are_told_apart(store: Store) -> None:
    judged(store.find("coder"), -33.0)
    judged(store.find("machine"), -30.0)
    judged(store.find("pixels"), 40.0, likelihood_name="gaussian")
    at = demo.open_page("families")
    assert any("pixels (gaussian) scores something else" in info.value for info in at.info)


@pytest.mark.usefixtures("store")
def test_new_samples_are_drawn_and_timed() -> None:
    at = demo.open_page("families")
    before = demo.pictures(at)
    at.button(key="draw-machine").click().run()
    assert not at.exception
    assert len(demo.pictures(at)) == len(before) + 1  # it had no preview
    assert any("16 drawn here in" in caption.value for caption in at.caption)
    first = demo.pictures(at)
    at.button(key="draw-machine").click().run()
    assert demo.pictures(at) != first  # other ones


def test_a_damaged_model_is_told_and_not_drawn(store: Store) -> None:
    weights = store.find("machine").path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    at = demo.open_page("families")
    at.button(key="draw-machine").click().run()
    assert not at.exception and "machine cannot be opened." in at.error[0].value


def test_a_hostile_evaluation_is_shown_as_words(store: Store) -> None:
    run = store.find("coder")
    judged(run, -33.0, likelihood_name="<script>alert(1)</script>")
    judged(store.find("machine"), -30.0)
    judged(store.find("pixels"), -30.0)
    at = demo.open_page("families")
    assert not any("<script>" in info.value.replace("\\<", "") for info in at.info)


@pytest.mark.usefixtures("store")
def test_a_link_to_a_run_that_is_gone_is_said() -> None:
    at = demo.open_page("families", run="deleted")
    assert at.warning[0].value == "There is no run called 'deleted' here." and "run" not in at.query_params
    at = demo.open_page("families", run="runs/sources")
    assert not at.warning and at.dataframe[0].value["Run"].tolist() == ["sources"]


@pytest.mark.usefixtures("store")
def test_its_address_holds_the_view() -> None:
    demo.keeps_its_view("families", "data")
