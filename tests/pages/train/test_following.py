"""The choice of data leads the choice of model on Train: what is offered, folded away, changed, and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.pages.train.test_train_page import good, page, said
from tests.pages.train.test_train_page import store as _store

store = _store


def choose(at: AppTest, key: str, value: str) -> AppTest:
    return good(at.selectbox(key=f"train.{key}").set_value(value).run())


def family(at: AppTest) -> Any:
    return at.selectbox(key="train.model.family")


def table(folder: Path, rows: int) -> str:
    path, r = folder / "mice.csv", np.random.default_rng(0)
    path.write_text("\n".join(["a,b,c", *(",".join(f"{x:.3f}" for x in row) for row in r.normal(size=(rows, 3)))]))
    return str(path)


def test_families_that_fit_are_offered_and_the_rest_is_folded_away_with_the_reason() -> None:
    at = page(preset="vae-digits")
    assert {"VAE", "PCA", "MADE"} <= set(family(at).options) and "SVG-LP (learned prior)" not in family(at).options
    words = said(at)
    assert "**SV2P** reads videos, but this data set has images." in words
    assert "**JIVE** models several modalities, but this data set has one." in words
    assert not [button for button in at.button if str(button.key).startswith("train-fit-model.family=sv2p")]


def test_another_data_set_leads_to_another_model_and_back() -> None:
    at = choose(page(preset="vae-digits"), "data.name", "synthetic-text")
    assert family(at).value == "sentence-vae"
    assert "Family: Sentence VAE, because VAE reads images and vectors, but this data set has texts." in said(at)
    assert not at.button(key="train-start").disabled
    at.number_input(key="train.training.epochs").set_value(777).run()
    good(at.button(key="train-adapted-undo").click().run())
    assert at.number_input(key="train.training.epochs").value == 777, "what was typed since stays"
    assert family(at).value == "vae" and at.text_input(key="train.model.network.hidden").value == "128"
    assert at.button(key="train-start").disabled and "VAE reads images and vectors" in said(at)
    good(at.button(key="train-mend-model.family").click().run())
    assert family(at).value == "sentence-vae" and not at.button(key="train-start").disabled


def test_a_family_that_fits_stays_and_what_is_in_it_follows(tmp_path: Path) -> None:
    at = choose(page(preset="vae-mnist"), "data.name", "gaussian")
    assert family(at).value == "vae"
    assert at.selectbox(key="train.model.network.kind").value == "mlp"
    assert at.selectbox(key="train.model.likelihood.kind").value == "gaussian-learned"
    assert "Bernoulli" not in at.selectbox(key="train.model.likelihood.kind").options
    assert "**Bernoulli** describes pixels, but this data set has vectors." in said(at)
    assert "Network: MLP, because a convolutional network needs images" in said(at)
    at = choose(at, "data.name", "table")
    at = good(at.text_input(key="train.data.path").set_value(table(tmp_path, 40)).run())
    assert not at.button(key="train-start").disabled, said(at)
    assert int(at.number_input(key="train.training.batch_size").value or 0) <= 32
    at = choose(at, "model.family", "pca")
    assert at.number_input(key="train.model.latent_size").value == 3
    assert not [w for w in (*at.selectbox, *at.number_input) if str(w.key).startswith("train.training.")
                and not str(w.key).endswith(("device", "pictures", "precision", "threads"))]


def test_photographs_begin_with_a_learned_gaussian(tmp_path: Path) -> None:
    for i, picture in enumerate(np.random.default_rng(0).integers(40, 200, (60, 28, 20, 3)).astype(np.uint8)):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    at = page(preset="vae-images")
    assert at.button(key="train-start").disabled
    at = good(at.text_input(key="train.data.path").set_value(str(tmp_path)).run())
    assert at.selectbox(key="train.model.likelihood.kind").value == "gaussian-learned"
    assert "0% of the pixels are black or white: colour photographs" in said(at)
    assert not at.button(key="train-start").disabled, said(at)
    assert not [w for w in at.number_input if w.key == "train.data.binarisation_seed"]


def test_pictures_in_colour_with_much_black_and_white_are_called_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(60):
        picture = np.full((20, 20, 3), 255, np.uint8)
        picture[:10] = rng.integers(40, 200, 3)  # half of it is white
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    at = page(preset="vae-images")
    at = good(at.text_input(key="train.data.path").set_value(str(tmp_path)).run())
    assert "the pictures are in colour, though 50% of the pixels are black or white" in said(at)


def test_a_button_makes_what_is_folded_away_fit() -> None:
    at = page(preset="vae-mnist")
    at.number_input(key="train.seed").set_value(7)  # just typed: the click comes before a drawing
    good(at.button(key="train-fit-model.family=multimodal-vae").click().run())
    assert at.number_input(key="train.seed").value == 7
    assert at.selectbox(key="train.data.name").value == "image-label"
    assert family(at).value == "multimodal-vae" and not at.button(key="train-start").disabled
    assert not [w for w in at.number_input if w.key == "train.model.networks.text.hidden"]
