"""Cross-modal: something to see at once, switches, every way to give, certainty, swaps; and what is said when not."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

from tests.pages import demo

NETWORKS = {"image": {"kind": "mlp", "hidden": [16]}, "vector": {"kind": "mlp", "hidden": [16]},
            "text": {"embedding": 8, "hidden": 12}}
BRIEF = {"epochs": 1, "batch_size": 20, "threads": 1, "device": "cpu", "snapshots": 0, "checkpoints": 0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """runs/: label (image + label), texts, split (DMVAE of halves), jive, digits (one modality). gallery/: shipped."""
    from vaecore.config import RunConfig
    from vaecore.schema import parse
    from vaecore.store import Store
    from vaecore.training import train

    root = tmp_path_factory.mktemp("cross")
    own = root / "own.npz"
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (60, 6, 6), np.uint8)
    np.savez(own, image=image, label=np.arange(60) % 4, labels=np.arange(60) % 4)
    folder = root / "texts"
    folder.mkdir()
    animals = ["cat", "dog", "bird"]
    (folder / "en.txt").write_text("".join(f"a {animals[n % 3]} runs\n" for n in range(60)))
    (folder / "de.txt").write_text("".join(f"{animals[n % 3]} läuft\n" for n in range(60)))
    shared = {"family": "multimodal-vae", "latent_size": 4, "networks": NETWORKS}
    halves = {"name": "halves", "images": "digits", "train_limit": 200}
    configs = {
        "label": ({"name": "aligned", "path": str(own)}, shared),
        "texts": ({"name": "aligned", "path": str(folder), "least_count": 1}, {**shared, "posterior": {
            "kind": "mixture"}}),
        "split": (halves, {"family": "dmvae", "shared_size": 3, "private_size": 2, "networks": NETWORKS}),
        "jive": (halves, {"family": "jive", "ranks": {"kind": "fixed", "joint": 2, "individual": 1}}),
        "digits": ({"name": "digits"}, {"family": "pca", "latent_size": 2})}
    for name, (data, model) in configs.items():
        run = Store(root).create(parse(RunConfig, {"data": data, "model": model, "training": BRIEF}), name)
        train(run.path, demo.Unwatched())
    shutil.copytree(root / "runs" / "label", root / "gallery" / "shipped")
    return root


@pytest.fixture(autouse=True)
def store(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may break, in use."""
    copy = tmp_path / "store"
    for part in ("runs", "gallery"):
        shutil.copytree(trained / part, copy / part)
    monkeypatch.setenv("VAECORE_STORE", str(copy))
    return copy


def model(store: Path, name: str) -> Any:
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.store import Store

    return CrossModal.load(Store(store).find(name))


def bodies(at: AppTest) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def plain(at: AppTest) -> str:
    """What a reader sees of the page's own HTML."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bodies(at))))


def switch(at: AppTest, run: str, **states: str) -> AppTest:
    for name, state in states.items():
        at.segmented_control(key=f"switch-{run}-{name}").set_value(state)
    return at.run()


def tab(at: AppTest, run: str, name: str) -> AppTest:
    at.session_state[f"view-{run}"] = name
    return at.run()


def cells(at: AppTest, name: str) -> list[np.ndarray]:
    """The generated pictures of a modality."""
    found = re.findall(r'base64,([^"]+)" alt="Generated ' + name + r' \d+"', bodies(at))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


# -- the switchboard -------------------------------------------------------------------------------


def test_something_is_generated_at_once_and_it_is_the_models(store: Path) -> None:
    at = demo.open_page("cross_modal", run="label")
    assert [at.segmented_control(key=f"switch-label-{name}").value for name in ("image", "label")] \
        == ["Generate", "Given"]
    checkpoint = model(store, "label")
    expected = checkpoint.generate({"label": checkpoint.label("label", 3)}, ["image"], 16)["image"].values
    np.testing.assert_array_equal(cells(at, "image"), expected)
    assert "q(z | label)" in demo.words(at) and at.pills(key="class-label-label").value == 3
    at.button(key="redraw").click().run()
    again = checkpoint.generate({"label": checkpoint.label("label", 3)}, ["image"], 16, seed=1)["image"].values
    np.testing.assert_array_equal(cells(at, "image"), again)


def test_samples_temperature_and_class_are_obeyed(store: Path) -> None:
    at, checkpoint = demo.open_page("cross_modal", run="label"), model(store, "label")
    at.segmented_control(key="count-cross").set_value(4)
    at.slider(key="temperature-cross").set_value(0.0)
    at.pills(key="class-label-label").set_value(1)
    at.run()
    expected = checkpoint.generate({"label": checkpoint.label("label", 1)}, ["image"], 4, 0.0)["image"].values
    np.testing.assert_array_equal(cells(at, "image"), expected)
    assert "at its mean" in demo.words(at)


def test_presets_turn_all_switches(store: Path) -> None:
    at = demo.open_page("cross_modal", run="label")
    at.button(key="preset-label-image → label").click().run()
    assert at.segmented_control(key="switch-label-image").value == "Given"
    checkpoint = model(store, "label")
    chances = checkpoint.generate({"image": checkpoint.sample("image", 0)}, ["label"], 16)["label"].values.mean(0)
    assert all(f"{100 * chance:.0f} %" in plain(at) for chance in chances)
    own = checkpoint.shown("label", checkpoint.sample("label", 0)).classes[0]
    assert f"The sample's own: {own}" in demo.words(at)
    at.button(key="preset-label-nothing → all").click().run()
    assert "drawn from the prior p(z)" in demo.words(at) and len(cells(at, "image")) == 16


def test_all_absent_and_all_given_are_answered_in_words() -> None:
    at = switch(demo.open_page("cross_modal", run="label"), "label", image="Absent", label="Absent")
    assert "All modalities are absent" in at.info[0].value and "Set one to Generate" in at.info[0].value
    at = switch(at, "label", image="Given", label="Given")
    assert not at.exception and "Nothing is to be generated. Set a modality to Generate" in at.info[0].value
    assert "certainty" in plain(at)


def test_switches_of_one_checkpoint_leave_another_alone() -> None:
    at = switch(demo.open_page("cross_modal", run="label"), "label", label="Absent")
    at.selectbox(key="cross-run").set_value("gallery/shipped").run()
    assert at.segmented_control(key="switch-gallery/shipped-label").value == "Given"
    at.selectbox(key="cross-run").set_value("label").run()
    assert at.segmented_control(key="switch-label-label").value == "Absent"


# -- giving ----------------------------------------------------------------------------------------


def test_a_typed_class_and_one_that_is_none(store: Path) -> None:
    at = demo.open_page("cross_modal", run="label")
    at.segmented_control(key="way-label-label").set_value("Type").run()
    at.text_input(key="typed-label-label").set_value("2").run()
    checkpoint = model(store, "label")
    expected = checkpoint.generate({"label": checkpoint.label("label", 2)}, ["image"], 16)["image"].values
    np.testing.assert_array_equal(cells(at, "image"), expected)
    at.text_input(key="typed-label-label").set_value("<b>7</b>").run()
    assert "is no class. Type one of 0, 1, 2, 3" in at.warning[0].value and "<b>7" not in bodies(at)
    assert "Waits for label" in at.info[0].value and not cells(at, "image")


def test_a_blank_drawing_waits_and_a_drawing_is_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.components import pad

    at = demo.open_page("cross_modal", run="label")
    at.button(key="preset-label-image → label").click().run()
    at.segmented_control(key="way-label-image").set_value("Draw").run()
    assert not at.exception and "Waits for image. Give it, or set its switch to Absent" in at.info[0].value
    assert "Draw with mouse, pen or finger" in demo.words(at)
    drawing = np.zeros((6, 6), np.uint8)
    drawing[1:5, 2] = 255
    monkeypatch.setattr(pad, "drawing_pad", lambda *_, **__: drawing)
    at.run()
    checkpoint = model(store, "label")
    chances = checkpoint.generate({"image": checkpoint.picture("image", drawing)}, ["label"], 16)["label"].values
    assert not at.info and all(f"{100 * chance:.0f} %" in plain(at) for chance in chances.mean(0))


def test_uploads_are_read_or_refused() -> None:
    at = demo.open_page("cross_modal", run="label")
    at.button(key="preset-label-image → label").click().run()
    at.segmented_control(key="way-label-image").set_value("Upload").run()
    assert "Waits for image" in at.info[0].value
    at.file_uploader(key="file-label-image").upload("x.png", b"this is no picture").run()
    assert not at.exception and "not a picture" in at.warning[0].value and "Waits for image" in at.info[0].value
    file = io.BytesIO()
    Image.fromarray(np.pad(np.full((8, 4), 255, np.uint8), 4)).save(file, "PNG")
    at.file_uploader(key="file-label-image").upload("y.png", file.getvalue()).run()
    assert not at.exception and not at.warning and not at.info
    assert "p(label" in demo.words(at)


def test_what_was_done_to_an_upload_is_said_and_can_be_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.drawing import Ink

    monkeypatch.setattr(CrossModal, "ink", lambda *_: Ink(light=False, box=0.75))
    at = demo.open_page("cross_modal", run="label")
    at.button(key="preset-label-image → label").click().run()
    at.segmented_control(key="way-label-image").set_value("Upload").run()
    file = io.BytesIO()
    Image.fromarray(np.pad(np.full((8, 4), 20, np.uint8), 30, constant_values=220)).save(file, "PNG")
    at.file_uploader(key="file-label-image").upload("y.png", file.getvalue()).run()
    assert "What is drawn found, cropped and placed as in the data; inverted: its paper is light" in demo.words(at)
    at.toggle(key="undo-label-image-find").set_value(False).run()
    assert not at.exception and "around its middle" in demo.words(at) and "found, cropped" not in demo.words(at)
    at.toggle(key="undo-label-image-invert").set_value(False).run()
    assert not at.exception and "nverted" not in demo.words(at)
    assert not at.toggle(key="undo-label-image-find").value, "what is undone stays so, and can be had again"


def test_sentences_are_typed_and_unknown_words_marked(store: Path) -> None:
    at, checkpoint = demo.open_page("cross_modal", run="texts"), model(store, "texts")
    first = checkpoint.sentence("en", 0)
    assert at.text_input(key="typed-texts-en").value == first
    made = checkpoint.generate({"en": checkpoint.typed("en", first).value}, ["de"], 16)["de"].sentences
    assert all(sentence in plain(at) for sentence in made)
    assert f"The sample's own: {checkpoint.sentence('de', 0)}" in demo.words(at)
    at.button(key="another-texts-en").click().run()
    assert at.text_input(key="typed-texts-en").value == checkpoint.sentence("en", 1)
    at.text_input(key="typed-texts-en").set_value("a zebra <img src=x onerror=alert(1)>").run()
    assert "not in the model" in bodies(at) and "<img src=x" not in bodies(at) and "do" in demo.words(at)
    at.text_input(key="typed-texts-en").set_value(" ").run()
    assert "there is no word here. Type a sentence" in at.warning[0].value and "Waits for en" in at.info[0].value


# -- what stands behind ----------------------------------------------------------------------------


def test_certainties_add_up_on_the_page(store: Path) -> None:
    at = switch(demo.open_page("cross_modal", run="label"), "label", image="Given", label="Given")
    checkpoint = model(store, "label")
    beliefs = checkpoint.experts({"image": checkpoint.sample("image", 0), "label": checkpoint.label("label", 3)})
    shown = re.findall(r"certainty ([\d.]+) prior \+ ([\d.]+) image \+ ([\d.]+) label = ([\d.]+)", plain(at))
    assert len(shown) == 3
    for dimension, sums in zip(beliefs.order, shown, strict=False):
        *parts, total = map(float, sums)
        assert sum(parts) == pytest.approx(total, abs=0.03 + 0.01 * total)
        assert total == pytest.approx(beliefs.certainty(dimension)["product"], abs=0.01 + 0.01 * total)
    at.multiselect(key="dimensions-label").set_value([2]).run()
    assert len(re.findall(r"certainty [\d.]+ prior", plain(at))) == 1 and "z2" in plain(at)
    assert "A product of experts" in demo.words(at)


def test_a_mixture_is_called_one() -> None:
    at = switch(demo.open_page("cross_modal", run="texts"), "texts", de="Given", en="Given")
    assert "A mixture of experts: q(z | given) is the mean of the coloured curves" in demo.words(at)
    assert "certainty 1" not in plain(at) and len(re.findall(r"σ: prior", plain(at))) == 3


def test_swaps_and_traversals_are_the_models() -> None:
    at = tab(demo.open_page("cross_modal", run="split"), "split", "Swap")
    assert "Rows: **shared** code" in demo.words(at) and "shared code by row" in bodies(at)
    before = bodies(at)
    at.button(key="swap-other").click().run()
    assert bodies(at) != before
    at.segmented_control(key="swap-from-split").set_value("left").run()
    assert not at.exception
    at = tab(at, "split", "Private and shared")
    assert [part.value for part in at.subheader] == ["Private moves, shared stays", "Shared moves, private stays"]
    assert bodies(at).count('alt="Private moves') == 2 and bodies(at).count('alt="Shared moves') == 3


@pytest.mark.parametrize("run", ["label", "split", "jive", "texts"])
def test_latents_are_under_the_hand_and_no_judge_is_made_unasked(run: str, tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    at = tab(demo.open_page("cross_modal", run=run), run, "Latents under the hand")
    assert not at.exception and len(at.get("bidi_component")) >= 2
    assert ("Make the judge" in [button.label for button in at.button]) == (run != "texts")
    assert not (tmp_path / "cache" / "judges").exists()


def test_an_address_with_a_code_opens_the_hand() -> None:
    at = demo.open_page("cross_modal", run="split", **{"z.shared": "1,2"})
    assert len(at.get("bidi_component")) >= 2 and "certainty" not in plain(at)


def test_a_linear_method_shows_scores_loadings_and_variance(store: Path) -> None:
    at = demo.open_page("cross_modal", run="jive")
    assert [tab.label for tab in at.tabs] == ["Scores and loadings", "Latents under the hand", "Swap",
                                              "Private and shared", "Coherence", "Take it with you"]
    assert len(at.get("plotly_chart")) == 1 and not [slider.key for slider in at.slider]
    assert "it draws no others" in demo.words(at) and bodies(at).count("Loadings of") == 2
    shares = model(store, "jive").explained()
    assert all(f"{100 * share:.1f}%".replace("-", "−") in plain(at) for share in shares["left"].values())
    at = switch(at, "jive", left="Generate", right="Absent")
    assert "no prior to draw from. Give at least one modality" in at.info[0].value
    at = tab(at, "jive", "Swap")
    assert not at.exception and "shared code by row" in bodies(at)


def test_coherence_is_shown_where_it_is_kept_and_asked_for_where_not(store: Path) -> None:
    from vaecore.evaluate.kept import keep
    from vaecore.evaluate.settings import Settings
    from vaecore.store import Store

    at = tab(demo.open_page("cross_modal", run="label"), "label", "Coherence")
    assert "Coherence is not measured for this run yet" in demo.words(at)
    assert at.code[0].value == "vaecore evaluate label --parts coherence"
    assert any("Evaluate it" in link.proto.label and "label" in str(link.proto) for link in at.get("page_link"))
    subsets = [{"given": ["label"], "coherence": {"image": 0.91}, "own": {}, "observations": 5},
               {"given": ["image"], "coherence": {"label": 0.82}, "own": {}, "observations": 5}, "junk", {"given": 3}]
    keep(Store(store).find("label"), {
        "settings": Settings().model_dump(mode="json"), "partial": False, "date": "", "split": "test", "evidence": {},
        "coherence": {"subsets": subsets, "ceiling": {"image": 0.97, "label": 1.0}, "joint": 0.5,
                      "generated": "draws"}})
    at = tab(demo.open_page("cross_modal", run="label"), "label", "Coherence")
    assert "coherence 91.0%" in "\n".join(badge.value for badge in at.markdown)
    assert 0.91 in at.dataframe[0].value["→ image"].tolist()


# -- what is opened --------------------------------------------------------------------------------


def test_only_models_of_several_modalities_are_offered_the_gallery_first() -> None:
    at = demo.open_page("cross_modal")
    options = [option.split(" · ")[0] for option in at.selectbox(key="cross-run").options]
    assert options[0] == "gallery/shipped" and set(options) == {"gallery/shipped", "label", "texts", "split", "jive"}
    assert at.selectbox(key="cross-run").value == "gallery/shipped" and "gallery/shipped" in at.query_params["run"]


def test_a_link_to_another_kind_of_run_leads_to_its_page() -> None:
    at = demo.open_page("cross_modal", run="digits")
    assert "digits" in at.warning[0].value and "Shown instead" in at.warning[0].value
    assert any(found.proto.label == "Open it in Traverse" for found in at.get("page_link"))


def test_without_such_a_model_the_page_says_what_to_do(store: Path) -> None:
    from pages.cross_modal.page import PRESET
    from vaecore.named import presets

    shutil.rmtree(store / "gallery")
    for name in ("label", "texts", "split", "jive"):
        shutil.rmtree(store / "runs" / name)
    at = demo.open_page("cross_modal")
    assert "No model of several modalities is here yet" in demo.words(at) and PRESET in presets()
    assert any(PRESET in str(link.proto) for link in at.get("page_link"))


@pytest.mark.parametrize("file", ["config.json", "weights.safetensors", "examples.safetensors"])
def test_a_broken_run_is_an_error_that_names_the_file(store: Path, file: str) -> None:
    path = store / "runs" / "label" / file
    path.write_bytes(path.read_bytes()[:50])
    at = demo.open_page("cross_modal", run="label")
    [error] = at.error
    assert file in error.value


def test_fewer_samples_than_were_chosen_from(store: Path) -> None:
    at = demo.open_page("cross_modal", run="split")
    at.number_input(key="sample-split-right").set_value(20).run()
    path = store / "runs" / "split" / "examples.safetensors"
    save_file({name: x[:5].clone() for name, x in load_file(path).items()}, path)
    (store / "runs" / "split" / "summary.json").touch()
    at.run()
    assert not at.exception and at.number_input(key="sample-split-right").value <= 4


def test_a_sample_without_a_modality_is_told(store: Path) -> None:
    path = store / "runs" / "split" / "examples.safetensors"
    tensors = load_file(path)
    observed = torch.ones(len(tensors["left"]), 2, dtype=torch.bool)
    observed[0, 1] = False
    save_file(tensors | {"observed": observed}, path)
    at = demo.open_page("cross_modal", run="split")
    assert "test sample 0 has none. Choose another sample" in at.warning[0].value and not at.exception


def test_hostile_names_stay_text(store: Path) -> None:
    about = store / "runs" / "label" / "about.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"family": "<img src=x>", "data": "**x**"}))
    assert "<img src=x>" not in bodies(demo.open_page("cross_modal", run="label"))


def test_its_address_holds_the_view() -> None:
    at = demo.keeps_its_view("cross_modal", "samples", "temperature", "redraw", "dimensions", run="split",
                             view="Certainty")
    assert at.slider(key="temperature-cross").value == 1.1
    demo.keeps_its_view("cross_modal", "swap", "shared", "others", run="split", view="Swap")
