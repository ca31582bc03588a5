"""Compare: one table of the numbers, the fields that differ, the same images and codes through every run."""

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


def compare(*runs: str) -> AppTest:
    return demo.open_page("compare", runs=list(runs)) if runs else demo.open_page("compare")


def rows(html: str) -> dict[str, np.ndarray]:
    """Label to picture."""
    labels = re.findall(r"<strong>([^<]+)</strong>", html)
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))
              for source in re.findall(r"base64,([^\"]+)", html)]
    assert len(labels) == len(images)
    return dict(zip(labels, images, strict=True))


def tiles(sheet: np.ndarray, size: int = 8) -> np.ndarray:
    """The images of a strip, (B, H, W)."""
    return np.stack([sheet[:, at:at + size, 0] for at in range(0, sheet.shape[1], size + 1)])


def load(name: str) -> object:
    from vaecore.explore import Checkpoint
    from vaecore.store import Store

    return Checkpoint.load(Store(demo.store()).find(name))


def test_numbers_are_those_of_the_files() -> None:
    table = compare("vae", "ae").dataframe[0].value
    assert list(table.index) == ["vae", "ae"]
    summary = json.loads((demo.store() / "runs/vae/summary.json").read_text())
    vae = table.loc["vae"]
    assert vae["ELBO"] == pytest.approx(summary["test"]["elbo"])
    assert vae["ELBO"] == pytest.approx(vae["reconstruction"] - vae["KL"], rel=1e-4)
    assert (vae["r"], vae["active"]) == (8, summary["test"]["active"])
    told = json.loads((demo.store() / "runs/ae/summary.json").read_text())["test"]["elbo"]
    assert table.loc["ae", "log p(x|z)"] == pytest.approx(told) and np.isnan(table.loc["ae", "reconstruction"])
    assert np.isnan(table.loc["ae", "ELBO"]) and np.isnan(table.loc["ae", "KL"])


def test_only_fields_that_differ() -> None:
    table = compare("vae", "collapsed").dataframe[1].value
    assert list(table.columns) == ["vae", "collapsed"]
    assert {"training.epochs", "training.beta.kind"} <= set(table.index)
    assert not {"seed", "model.latent_size", "data.name"} & set(table.index)
    assert list(table.loc["training.epochs"]) == ["10", "2"]


def test_runs_with_nothing_between_them() -> None:
    at = compare("vae", "gallery/shipped")
    assert "same configuration" in demo.words(at) and "not comparable" not in demo.words(at)


@pytest.mark.parametrize(("runs", "reason"), [(("vae", "vectors"), "data sets"), (("vae", "ae"), "")])
def test_numbers_that_do_not_compare_are_told(runs: tuple[str, ...], reason: str) -> None:
    said = demo.words(compare(*runs))
    if reason:
        assert "not comparable" in said and reason in said
    else:
        assert "pays for its code" in said


def test_pixels_and_likelihood_count_too(root: Path) -> None:
    for run, part, field, value in (("ae", "data", "pixels", "binary-fixed"), ("collapsed", "model", "likelihood",
                                                                               {"kind": "discretised-logistic"})):
        path = root / "runs" / run / "config.json"
        config = json.loads(path.read_text())
        config[part][field] = value
        path.write_text(json.dumps(config))
        at = compare("vae", run)
        [warning] = at.warning
        assert {"ae": "kinds of pixels", "collapsed": "likelihoods"}[run] in warning.value


def test_the_same_images_go_through_every_run() -> None:
    found = rows(demo.pictures(compare("vae", "ae", "gallery/pca"))[0])
    vae, ae = load("runs/vae"), load("ae")
    assert list(found) == ["Test images", "vae", "ae", "gallery/pca"]
    np.testing.assert_array_equal(tiles(found["Test images"]), vae.originals(slice(0, 10)))
    np.testing.assert_array_equal(tiles(found["vae"]), vae.reconstruct(slice(0, 10)))
    np.testing.assert_array_equal(tiles(found["ae"]), ae.reconstruct(slice(0, 10)))


def test_the_same_codes_are_paired_by_rank() -> None:
    found = rows(demo.pictures(compare("vae", "ae"))[1])
    bank = np.stack([np.random.default_rng([0, 2 + rank]).standard_normal(10, np.float32) for rank in range(8)], 1)
    for name, reference in (("vae", "runs/vae"), ("ae", "ae")):
        model = load(reference)
        units = np.zeros((10, model.size), np.float32)
        for rank, dimension in enumerate(model.order):
            units[:, dimension] = bank[:, rank]
        np.testing.assert_array_equal(tiles(found[name]), model.decode(model.place(units)))


def test_other_shapes_are_left_out_and_named() -> None:
    at = compare("vae", "vectors")
    assert list(rows(demo.pictures(at)[0])) == ["Test images", "vae"]
    assert list(rows(demo.pictures(at)[1])) == ["vae", "vectors"]
    assert "vectors is left out: it takes vectors of 8 numbers" in demo.words(at)


def test_the_first_three_to_begin_with_and_in_the_address() -> None:
    at = compare()
    assert len(at.multiselect(key="compare-runs").value) == 3
    assert list(at.query_params["runs"]) == at.multiselect(key="compare-runs").value


def test_unknown_runs_are_told_and_the_others_shown() -> None:
    at = compare("vae", "nowhere", "ae")
    assert at.multiselect(key="compare-runs").value == ["vae", "ae"]
    assert "no run called 'nowhere'" in at.warning[0].value


def test_more_than_twelve_are_cut(root: Path) -> None:
    for index in range(14):
        shutil.copytree(root / "runs" / "ae", root / "runs" / f"copy-{index}")
    at = compare(*[f"copy-{index}" for index in range(14)])
    assert len(at.multiselect(key="compare-runs").value) == 12


@pytest.mark.parametrize(("file", "said"), [("config.json", "config.json"), ("weights.safetensors", "truncated"),
                                            ("examples.safetensors", "examples.safetensors")])
def test_a_broken_run_is_named_and_the_others_compared(root: Path, file: str, said: str) -> None:
    path = root / "runs" / "ae" / file
    path.write_bytes(path.read_bytes()[:100])
    at = compare("ae", "vae")
    [error] = at.error
    assert said in error.value
    assert list(rows(demo.pictures(at)[0])) == ["Test images", "vae"]


def test_damaged_metrics_cost_themselves(root: Path) -> None:
    path = root / "runs" / "ae" / "metrics.jsonl"
    path.write_text('{"kind": "evaluation", "step": "x"}\n{"kind": "evaluation", "step": 1, "mse": {}}\n\0\n')
    compare("ae", "vae")


def test_choosing_none() -> None:
    at = compare("vae")
    at.multiselect(key="compare-runs").set_value([]).run()
    assert not at.exception and "Choose two runs" in demo.words(at)


def test_a_family_without_a_code_is_a_calm_row_and_draws_its_own_samples(root: Path) -> None:
    """Nothing is wrong with it: no error, words that say why it is left out, and what it draws."""
    from vaecore.explore import Codeless, opened
    from vaecore.store import Store

    shutil.copytree(Path(__file__).parents[3] / "trained" / "gallery" / "made", root / "gallery" / "made")
    at = compare("vae", "gallery/made")
    assert not at.error and "gallery/made has no latent code" in demo.words(at)
    images, codes, own = (rows(html) for html in demo.pictures(at))
    assert list(images) == ["Test images", "vae"] and list(codes) == ["vae"] and list(own) == ["gallery/made"]
    made = opened(Store(root).find("gallery/made"))
    assert isinstance(made, Codeless)
    np.testing.assert_array_equal(tiles(own["gallery/made"], 28), made.sample(10, seed=0))
    assert not compare("gallery/made").error
