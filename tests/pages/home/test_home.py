"""Home: paints without torch, tells each run by its files, and survives broken ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.home import minute
from pages.home.groups import grouped, likelihood
from pages.home.purposes import PURPOSES
from pages.shared import changing
from pages.shared.checkpoints import gallery
from tests.pages import demo
from vaecore.evaluate.families import measured
from vaecore.evaluate.results import shown
from vaecore.library import marks
from vaecore.library.headline import headline
from vaecore.store import Run, Store


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the demo store, in use."""
    copy = tmp_path / "store"
    shutil.copytree(demo.store(), copy)
    monkeypatch.setenv("VAECORE_STORE", str(copy))
    return copy


def home() -> AppTest:
    return demo.open_page("home")


def test_it_paints_before_torch_is_imported() -> None:
    script = """
import sys
import time
from streamlit.testing.v1 import AppTest
import pages.shared.warm as warm
warm.up = lambda: None
warm.ready = lambda: time.sleep(60)  # who waits for its imports waits
at = AppTest.from_file("pages/index.py", default_timeout=60).run()
assert not at.exception and at.title[0].value == "Latent Lab" and len(at.button) == 9, at.exception
heavy = sorted({"torch", "pandas", "sklearn", "scipy", "vaecore.explore"} & set(sys.modules))
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=demo.ROOT, env=os.environ | {
        "PYTHONPATH": str(demo.ROOT)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_double_click_is_one_press(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "DOUBLE_CLICK", float("inf"))
    monkeypatch.setattr(st, "session_state", state := dict[str, Any]())
    minute._press()
    assert state.pop("minute:pressed")  # the run is made
    minute._press()
    assert "minute:pressed" not in state


def test_cards_show_the_numbers_of_the_files(root: Path) -> None:
    path = root / "gallery" / "shipped" / "summary.json"
    summary = json.loads(path.read_text())
    summary["test"] |= {"elbo": -87.654321, "mse": {"image": 0.012345}, "active": 5}
    path.write_text(json.dumps(summary | {"parameters": 1_234_567}))
    at = home()
    assert {metric.label for metric in at.metric} == {"Reconstruction error"}, "the one that counts for its group"
    assert "0.0123" in [metric.value for metric in at.metric] and all(metric.help for metric in at.metric)


def test_a_family_without_a_kl_has_no_elbo(root: Path) -> None:
    for run in (root / "runs").iterdir():
        if run.name != "ae":
            shutil.rmtree(run)
    said = demo.words(home())
    assert "Test log p(x|z) **" in said and "Test ELBO" not in said


def test_a_number_that_compares_with_no_other_is_not_large(root: Path) -> None:
    shutil.rmtree(root / "gallery" / "pca")
    at = home()
    assert not at.metric and "Reconstruction error: 0.0" in demo.words(at)


def test_the_gallery_is_grouped_by_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(demo.ROOT / "trained"))
    found = {group.title: {card.run.path.name: card for card in cards} for group, cards in grouped(gallery())}
    assert list(found) == ["Images as a few numbers", "When the code is ignored", "Where codes come from",
                           "One from another", "What comes next"]
    assert {"pca", "ae", "vae", "vae-plane"} <= set(found["Images as a few numbers"])
    assert {"lagging-basic", "lagging-aggressive"} <= set(found["When the code is ignored"])
    priors = found["Where codes come from"]
    assert priors["vae-vamp"].large and priors["pixelcnn"].large
    assert not priors["ica"].large, "a density of grey pixels is no probability of black and white ones"
    figures = {card.figure.label for cards in found.values() for card in cards.values() if card.figure}
    assert figures == {"Reconstruction error", "Dimensions in use", "Test log p(x), nats", "Test log p(x|u), nats",
                       "Right class across", "Likeness of futures", "Perplexity"}
    conditional = priors["vae-conditional"]
    assert conditional.figure and conditional.figure.label == "Test log p(x|u), nats"
    assert not conditional.large, "what is known of x given its label is no log p(x)"


def test_the_number_of_several_modalities_is_the_mean_over_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only from one modality alone to another: what is given does not count for itself."""
    root = demo.ROOT / "trained"
    monkeypatch.setenv("VAECORE_STORE", str(root))
    found = json.loads((root / "gallery" / "mvae" / "evaluation.json").read_text())[-1]["coherence"]["subsets"]
    by_given = {tuple(each["given"]): each["coherence"] for each in found}
    expected = (by_given["image",]["label"] + by_given["label",]["image"]) / 2
    cards = {card.run.path.name: card for _, held in grouped(gallery()) for card in held}
    figure = cards["mvae"].figure
    assert figure is not None and figure.value == f"{100 * expected:.0f} %"
    likelihood = json.loads((root / "gallery" / "vae-vamp" / "evaluation.json").read_text())[-1]["likelihood"]
    told = cards["vae-vamp"].figure
    assert told is not None and float(told.value.replace("−", "-")) == pytest.approx(
        likelihood["log_likelihood"], abs=0.005)


def test_open_goes_to_the_page_of_the_run() -> None:
    at = home()
    at.button(key="open-gallery/pca").click().run()
    assert at.title[0].value == "Traverse" and at.query_params["run"] in ("gallery/pca", ["gallery/pca"])


def test_cards_say_which_copy_of_the_data() -> None:
    assert "8×8 digits · 1,797 digits of scikit-learn" in demo.words(home())


def test_previews_are_in_the_page_with_a_description() -> None:
    shown = demo.pictures(home())
    assert len(shown) == 2 + 4, "of the gallery, and of one's own"
    assert all('src="data:image/png;base64,' in html and 'alt="Samples that' in html and "pixelated" in html
               for html in shown)


@pytest.mark.parametrize(("file", "content", "said"), [
    ("config.json", None, "has no config.json"),
    ("config.json", "{\"data\": ", "config.json is not valid JSON"),
    ("config.json", "[1, 2]", "config.json does not hold a set of fields"),
    ("summary.json", "{\"test\": ", "summary.json is not valid JSON"),
])
@pytest.mark.parametrize("place", ["gallery/shipped", "runs/ae"])
def test_a_broken_file_is_named_with_a_remedy_and_costs_one_card(
        root: Path, place: str, file: str, content: str | None, said: str) -> None:
    path = root / place / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    at = home()
    told = [element.value for element in [*at.error, *at.warning]]
    assert len(told) == 1 and said in told[0] and "opy the run again" in told[0]
    assert any(b.label == "Open" for b in at.button) and "collapsed" in demo.words(at), "the others are still there"


@pytest.mark.parametrize("content", ["{}", '{"test": 3}', '{"test": {"elbo": "x", "mse": {"image": [[]]}, "kl": 7}}',
                                     '{"test": {"elbo": 1e999}, "parameters": -1e300, "data": 5, "seconds": []}'])
def test_numbers_that_make_no_sense_are_left_out(root: Path, content: str) -> None:
    shutil.rmtree(root / "gallery" / "pca")
    (root / "gallery" / "shipped" / "summary.json").write_text(content)
    assert "Reconstruction error: –" in demo.words(home())


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" * 20])
def test_a_preview_that_is_no_picture_leaves_a_place(root: Path, content: bytes | None) -> None:
    path = root / "gallery" / "shipped" / "preview.png"
    path.unlink() if content is None else path.write_bytes(content)
    assert len(demo.pictures(home())) == 1 + 4


def test_runs_show_where_they_stand(root: Path) -> None:
    (root / "runs" / "ae" / "exit.json").write_text(json.dumps(
        {"attempt": 1, "state": "failed", "detail": "The disk is full: free some space.", "time": 0}))
    said = demo.words(home())
    assert "The disk is full" in said and "failed" in said


def test_the_newest_few_runs_and_the_way_to_all(root: Path) -> None:
    for index in range(14):
        shutil.copytree(root / "runs" / "ae", root / "runs" / f"copy-{index}")
    at = home()
    assert sum(button.label == "Train one like it" for button in at.button) == 2 + 6
    [link] = [each.proto for each in at.get("page_link") if each.proto.page == "runs"]
    assert link.label == "All 18 runs" and "q=is%3Aown" in link.query_string


def test_what_was_put_away_is_not_among_the_newest(root: Path) -> None:
    marks.archive([Store(root).find("ae")])
    marks.rename(Store(root).find("vae"), "My *first*")
    at = home()
    said = demo.words(at)
    assert r"**My \*first\***" in said and "**ae**" not in said
    assert "All 3 runs" in [each.proto.label for each in at.get("page_link")], "as many as the link lists"


def test_an_empty_store_tells_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "nothing"))
    at = home()
    assert "make gallery" in demo.words(at) and "the first takes about a minute" in demo.words(at)
    assert not (tmp_path / "nothing").exists(), "looking leaves no trace"


def test_train_one_like_it_hands_the_run_over() -> None:
    at = home()
    at.button(key="like-gallery/pca").click().run()
    assert at.title[0].value == "Train" and "gallery/pca" in at.session_state["train:origin"].name


def test_home_and_families_say_one_log_p(tmp_path: Path) -> None:
    """That of the test set, and not the newer one of the validation set."""
    shutil.copytree(Path(__file__).parents[3] / "trained" / "gallery" / "made", tmp_path / "runs" / "made")
    run = Run(tmp_path / "runs" / "made")
    [*others, last] = json.loads((run.path / "evaluation.json").read_text())
    elsewhere = {**last, "split": "validation", "settings": {**last["settings"], "split": "validation", "seed": 9},
                 "likelihood": {**last["likelihood"], "log_likelihood": -1.0}}
    (run.path / "evaluation.json").write_text(json.dumps([*others, last, elsewhere]))
    figure, found = likelihood(run, headline(run)), measured(run)
    assert figure.value == shown(found.log_p) == shown(last["likelihood"]["log_likelihood"])
    assert f"Over {found.observations:,} observations" in figure.help


def test_every_shipped_checkpoint_says_what_it_is_for() -> None:
    from scripts.recipes import RECIPES

    assert {recipe.name for recipe in RECIPES} == set(PURPOSES), "add a sentence to pages/home/purposes.py"
    assert demo.words(home()).count(PURPOSES["pca"]) == 1
