"""The same noise and the same data through several runs, and along their training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.pages import demo
from vaecore.explore import Checkpoint
from vaecore.explore.along import moment_at, moments, opened_at, shared_steps, thinned
from vaecore.explore.same import Line, bank, cells, same, tables_of
from vaecore.store import Run, Store
from vaecore.training.checkpoints import BrokenCheckpoint, kept_steps

GALLERY = Path(__file__).parents[2] / "trained" / "gallery"


def run(name: str) -> Run:
    return Store(demo.store()).find(name)


def shipped(*names: str) -> list[Run]:
    return [Run(GALLERY / name) for name in names]


def test_the_bank_begins_the_same_for_every_size_and_count() -> None:
    whole = bank(12, 9, 3)
    np.testing.assert_array_equal(bank(5, 4, 3), whole[:5, :4])
    assert (bank(12, 9, 4) != whole).all() and abs(bank(4_000, 3, 0).mean()) < 0.05


def test_a_run_is_drawn_alike_whatever_stands_beside_it() -> None:
    [(_, [alone])] = same([run("runs/vae")], 4, what=["noise"]).tables
    [(_, both)] = same([run("ae"), run("runs/vae")], 4, what=["noise"]).tables
    np.testing.assert_array_equal(alone.cells.images, both[1].cells.images)


@pytest.mark.parametrize(("name", "law"), [
    ("vae", ""), ("vae-vamp", ", prior: VampPrior"), ("ae-fitted", ", prior: Mixture, fitted afterwards"),
    ("pca", ", no prior: from a Gaussian fitted to its codes")])
def test_a_row_says_by_what_law_its_codes_are_drawn(name: str, law: str) -> None:
    [(_, [row])] = same(shipped(name), 1, what=["noise"]).tables
    assert row.cells.note.removeprefix("r = ").lstrip("0123456789") == law


def test_tables_of_all_kinds_and_their_originals() -> None:
    names = ("vae", "made", "ivae", "mvae", "lagging-basic", "predictor-mnist", "jive")
    found = same(shipped(*names), 2)
    tables = {table.key: lines for table, lines in found.tables}
    assert [drawn.line.run.id for drawn in tables["noise"]] == ["gallery/vae", "gallery/made", "gallery/ivae"]
    assert [drawn.line.recipe for drawn in tables["data"]] == ["original", "data"]
    assert tables["data1"][1].cells.images.shape == (2, 1, 5)
    assert tables["cross-label-image"][0].cells.words == ("0", "1")
    assert tables["cross-label-image"][2].cells.images.shape == (2, 28, 28)
    assert len(tables["sentences"][1].cells.words) == 2 and tables["clips"][1].cells.images.shape == (2, 32, 32)
    assert tables["cross1-expression-methylation"][2].cells.images is not None
    assert found.left_out == ["gallery/made has no latent code, so there is nothing to encode the same data into: what "
                              "is drawn stands among the noise."]


def test_reconstructions_are_those_of_the_checkpoint() -> None:
    [(_, lines)] = same([run("runs/vae"), run("ae")], 5, what=["data"]).tables
    vae, ae = (Checkpoint.load(run(name)) for name in ("runs/vae", "ae"))
    for drawn, wanted in zip(lines, (vae.originals(slice(5)), vae.reconstruct(slice(5)), ae.reconstruct(slice(5))),
                             strict=True):
        np.testing.assert_array_equal(drawn.cells.images, wanted)


@pytest.fixture
def aged(tmp_path: Path) -> Run:
    """A copy of the VAE that kept other weights at steps 10 and 20: those of each are scaled."""
    path = tmp_path / "runs" / "aged"
    shutil.copytree(run("runs/vae").path, path)
    shutil.rmtree(path / "kept", ignore_errors=True)
    (path / "kept").mkdir()
    from safetensors import safe_open

    with safe_open(path / "weights.safetensors", "pt") as file:
        told = file.metadata()
    for step, scale in ((10, 0.0), (20, 0.5)):
        tensors = {name: x * scale for name, x in load_file(path / "weights.safetensors").items()}
        save_file(tensors, path / "kept" / f"step-{step:08d}.safetensors", told)
    return Run(path)


def test_weights_nearest_to_a_step_and_not_after_it(aged: Run) -> None:
    assert kept_steps(aged.path) == [10, 20] and [moment.step for moment in moments(aged)] == [10, 20, None]
    assert [found and found.step for step in (9, 10, 19, 20, 10**6) for found in [moment_at(aged, step)]] == [
        None, 10, 10, 20, 20]
    last = moment_at(aged, None)
    assert last is not None and last.step is None and last.path == aged.weights
    assert moment_at(run("ae"), 5) == moments(run("ae"))[-1] or kept_steps(run("ae").path)


def test_a_step_is_drawn_with_its_weights(aged: Run) -> None:
    line = Line(aged, "data", aged)
    early = cells(line, 3, moment=moment_at(aged, 10)).images
    assert early is not None and len(np.unique(early)) == 1, "all weights are 0, so every pixel is the same"
    model = opened_at(aged, moment_at(aged, 20))
    assert isinstance(model, Checkpoint) and not model.summary
    tensors = load_file(aged.path / "kept" / "step-00000020.safetensors")
    assert all(torch.equal(x, tensors[name]) for name, x in model.model.state_dict().items())
    np.testing.assert_array_equal(cells(line, 3).images, Checkpoint.load(run("runs/vae")).reconstruct(slice(3)))
    [(_, lines)] = same([aged], 3, step=15, what=["noise"]).tables
    assert [drawn.step for drawn in lines] == [10]
    assert same([aged], 3, step=5, what=["noise"]).left_out == ["aged kept no weights up to step 5."]


def test_weights_of_another_model_are_refused(aged: Run) -> None:
    shutil.copy(run("ae").weights, aged.path / "kept" / "step-00000020.safetensors")
    with pytest.raises(BrokenCheckpoint, match="does not fit its run"):
        opened_at(aged, moment_at(aged, 20))
    assert any("does not fit" in said for said in same([aged], 2, step=20).left_out)


def test_steps_of_a_comparison_are_few(aged: Run) -> None:
    assert shared_steps([aged, Run(GALLERY / "vae")]) == [10, 20]
    assert thinned(list(range(100)), 5) == [0, 25, 50, 74, 99] and thinned([1, 2], 5) == [1, 2]


def test_a_broken_run_is_left_out_with_its_reason(aged: Run) -> None:
    aged.weights.write_bytes(b"nothing")
    assert "aged cannot be opened" in tables_of([aged, run("runs/vae")]).faults[0]
