"""Published values on the pages: beside the shipped runs, each with what differs and its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import demo
from vaecore import literature
from vaecore.literature import Beside, Ours, compared
from vaecore.store import Store

BURDA = next(each for each in literature.TABLE if each.value == -87.01)


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.setenv("VAECORE_GALLERY", str(Path(__file__).parents[3] / "trained" / "gallery"))


def told(at: AppTest, value: str) -> tuple[str, str]:
    """The line that begins with a value, and what is told where it is hovered over."""
    line = next(each for each in at.markdown if each.value.startswith(f"**{value}**"))
    return line.value.replace("\\", ""), line.help.replace("\\", "")


def test_evaluate_shows_the_nearest_and_folds_the_others() -> None:
    at = demo.open_page("evaluate", run="gallery/vae-binary")
    said, source = told(at, "−87.01 nats")
    assert "VAE, dynamic MNIST" in said and ":gray-badge[not the same setting]" in said
    assert "epochs 3,280 (here 300)" in said and "batch of 20 (here 100)" in said and "all test" not in said
    assert "yoonholee/pytorch-vae, README" in source and "read in the source" in source
    assert "−92.37 nats over the whole test set here" in demo.words(at), "not the evaluation's, of another draw"
    assert "**Log p(x)** · −88.41 nats here" in demo.words(at) and "**Fréchet distance** · 38.33 here" in demo.words(at)
    [fold] = [each for each in at.expander if "of settings further away" in each.label]
    kept = literature.beside(Store.default().find("gallery/vae-binary"))
    assert fold.label == f"{len(kept) - 2 * 3} more, of settings further away"
    assert len(fold.markdown) == len(kept) - 2 * 3, "two each of log p(x), ELBO and Fréchet distance stand open"


def test_a_value_of_the_same_setting_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    same = [each for each in compared(Ours("vae", BURDA.setting, {"log_p": -87.2})) if each.published is BURDA]
    assert same == [Beside(BURDA, -87.2, ())]
    monkeypatch.setattr(literature, "beside", lambda _: same)
    said, _ = told(demo.open_page("evaluate", run="gallery/vae-binary"), "−87.01 nats")
    assert said.endswith(":green-badge[same setting]") and "K = 5,000" in said


def test_families_has_values_of_each_kind() -> None:
    at = demo.open_page("families")
    assert "Published on these data" in demo.words(at)
    assert "PixelCNN, dynamic MNIST" in told(at, "−81.45 nats")[0]
    assert "Deep Boltzmann machine" in told(at, "≥ −84.62 nats")[0]
    assert "VAE, dynamic MNIST" in told(at, "−87.01 nats")[0]
    assert "No published value of this kind on these data" in demo.words(at), "of independent components"


def test_a_claim_has_the_numbers_of_its_paper() -> None:
    at = demo.open_page("claims", claim="C16")
    [fold] = [each for each in at.expander if each.label == f"{len(literature.of_claim('C16'))} published values"]
    [table] = fold.dataframe
    rows = table.value.set_index(["Model", "Data"])
    assert rows.loc[("VAE, cyclical annealing", "PTB"), "Perplexity"] == "108.81"
    assert rows.loc[("VAE, monotone annealing", "PTB"), "Mutual information, nats"] == "0.00"
    assert set(rows["Read in"]) == {"S"}
