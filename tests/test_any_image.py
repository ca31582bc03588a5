"""Images of any size, aspect and number of channels: every family trains on them, and all that opens it shows them.

The data are drawn here; whatever a page or a verb shows has their shape.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vaecore import cli
from vaecore.data import Dataset, Digits, Split
from vaecore.data.base import one_hot
from vaecore.data.image_label import ImageLabel
from vaecore.evaluate import classifier
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.settings import Settings
from vaecore.explore import Checkpoint
from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.loadings import loading_picture
from vaecore.explore.opening import opened
from vaecore.explore.same import reconstructed
from vaecore.explore.uploads import from_upload
from vaecore.lab.previews import write_preview
from vaecore.modalities import Modality
from vaecore.schema import ConfigError
from vaecore.store import MAX_EXAMPLES_BYTES, Run
from vaecore.training import build as building
from vaecore.training.build import build

SHAPES = [(1, 14, 10), (7, 12, 16)]  # small, as every family is tried on each
FULL = [(1, 28, 20), (1, 105, 105), (3, 64, 64), (7, 32, 40),
        *(pytest.param(shape, marks=pytest.mark.slow) for shape in ((4, 64, 64), (3, 128, 128), (3, 256, 192)))]
SIZED = {"kind": "conv", "channels": [], "dense": 8}
TINY = {"kind": "conv", "channels": [2, 4], "dense": 8}
LEARNED = {"kind": "gaussian-learned"}
FAMILIES: dict[str, dict[str, Any]] = {
    "conv": {"family": "vae", "network": SIZED, "likelihood": LEARNED},
    "resconv": {"family": "vae", "network": {"kind": "resconv", "channels": [4, 4]},
                "likelihood": {"kind": "gaussian-per-pixel"}},
    "mlp": {"family": "vae", "network": {"kind": "mlp", "hidden": [8]}, "likelihood": {"kind": "discretised-logistic"}},
    "linear": {"family": "vae", "network": {"kind": "linear"}, "likelihood": LEARNED},
    "wae": {"family": "vae", "network": TINY, "likelihood": LEARNED, "divergence": {"kind": "mmd"}},
    "conditional": {"family": "vae", "network": TINY, "likelihood": LEARNED, "prior": {"kind": "conditional"}},
    "vamp": {"family": "vae", "network": TINY, "likelihood": LEARNED, "prior": {"kind": "vamp", "components": 3}},
    "mixture": {"family": "vae", "network": TINY, "likelihood": LEARNED, "prior": {"kind": "mixture", "components": 3}},
    "ae": {"family": "ae", "network": TINY}, "linear-ae": {"family": "linear-ae"}, "pca": {"family": "pca"},
    "ica": {"family": "ica"}, "made": {"family": "made", "hidden": [4]},
    "pixelcnn": {"family": "pixelcnn", "channels": 2, "layers": 2, "first_kernel": 3},
    "rbm": {"family": "rbm", "hidden": 4, "sampling_sweeps": 3}}
CODELESS = ("made", "pixelcnn", "rbm")
COUNT = 24
Start = Callable[..., Path]


def discs(shape: tuple[int, ...], labels: str = "named") -> Dataset:
    """Discs of three sizes in random colours; where there are four channels, clear around them."""
    channels, height, width = shape
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    splits: Any = {}
    for split, count in (("train", COUNT), ("validation", 12), ("test", 12)):
        classes = np.arange(count) % 3
        across, down = rng.uniform(0.3, 0.7, (2, count, 1, 1)) * np.array([width, height])[:, None, None, None]
        radius = (min(height, width) * (0.15 + 0.1 * classes))[:, None, None]
        inside = np.clip(1.5 - np.hypot(x - across, y - down) / radius, 0, 1)[:, None]
        images = np.rint(255 * inside * rng.uniform(0.3, 1, (count, channels, 1, 1))).astype(np.uint8)
        if channels == 4:
            images[:, 3:] = 255 * (inside > 0)
        given = {"named": classes, "missing": np.where(np.arange(count) % 2, -1, classes), "single": 0 * classes,
                 "all missing": 0 * classes - 1, "none": None}[labels]
        splits[split] = Split({"image": images}, None if given is None else given.astype(np.int64))
    names = ("small", "middle", "large") if labels in ("named", "missing") else ()
    return Dataset("own", "discs", {"image": Modality("image", shape)}, splits, classes=names)


@pytest.fixture
def trained(start: Start, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A run of a family on discs of a shape, after three updates."""
    monkeypatch.setattr(classifier, "UPDATES", 2)

    def make(family: str, shape: tuple[int, ...], labels: str = "named") -> Run:
        dataset = discs(shape, labels)
        monkeypatch.setattr(Digits, "load", lambda _: dataset)
        size = {} if family in CODELESS else {"latent_size": 3}
        return Run(start({"data": {"name": "digits"}, "model": {**FAMILIES[family], **size},
                          "training": {"epochs": 1, "batch_size": 8}}, name=f"of-{labels.replace(' ', '-')}"))

    return make


def judged(run: Run) -> dict[str, Any]:
    return evaluate_run(run, Settings(importance_samples=3, observations=5, naive_samples=2, samples=10))


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def saved(run: Run, tmp_path: Path, *arguments: str) -> np.ndarray:
    """What a verb writes of a run."""
    path = tmp_path / "saved.png"
    verb, *rest = arguments
    given = [verb, run.id, *([run.id] if verb == "compare" else []), *rest, "-o", str(path), "--store",
             str(run.path.parents[1])]
    before, sys.argv = sys.argv, ["vaecore", *given]
    try:
        cli.main()
    except SystemExit as end:
        assert not end.code
    finally:
        sys.argv = before
    return picture(path)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_on_images_of_a_shape(family: str, shape: tuple[int, ...], trained: Callable[..., Run],
                                       tmp_path: Path) -> None:
    run = trained(family, shape)
    checkpoint = opened(run)
    look = (shape[1], shape[2], *([] if shape[0] == 1 else [3]))
    drawn = checkpoint.sample(4)
    assert drawn.shape == (4, *look) and drawn.dtype == np.uint8
    write_preview(checkpoint)
    assert picture(run.path / "preview.png").shape[1] <= 1100
    assert saved(run, tmp_path, "sample", "--count", "4", "--scale", "1").shape[:2] == (2 * shape[1] + 1,
                                                                                       2 * shape[2] + 1)
    found = judged(run)
    size = math.prod(shape)
    assert math.isfinite(found["evidence"]["elbo"]) and "cost" in found
    if family in ("ae", "linear-ae", "pca"):
        assert "no prior to sample from" in found["not_applicable"]["samples"]
    else:
        assert found["samples"]["pixels"] == ("draws" if family in ("made", "pixelcnn") else "means of p(x|z)")
    bits = found["likelihood"].get("bits_per_dimension") if "likelihood" in found else None
    if family == "mlp":
        assert bits == pytest.approx(-found["likelihood"]["log_likelihood"] / (size * math.log(2)))
    else:
        assert bits is None
    if family in ("made", "pixelcnn"):
        return
    assert found["probe"]["classes"] == 3 and found["reconstruction"]["image"]["ssim"] is not None
    if isinstance(checkpoint, Checkpoint):
        ramp = io.BytesIO()
        Image.fromarray(np.tile(np.arange(0, 250, 5, dtype=np.uint8), (70, 1))).convert("RGB").save(ramp, "PNG")
        upload = checkpoint.read(ramp.getvalue())
        read = checkpoint.encode_picture(upload.pixels, 0 if checkpoint.classes else None)
        assert read.reconstruction.shape == shape and read.code.shape == (3,) and math.isfinite(read.error)
        assert checkpoint.originals([0, 1]).shape == checkpoint.reconstruct([0, 1]).shape == (2, *look)
        assert checkpoint.traverse(checkpoint.scale()[0], [0, 1], [-1.0, 0.0, 1.0]).shape == (2, 3, *look)
        assert checkpoint.interpolate(0, 1, 5).shape == (5, *look)
        assert reconstructed(checkpoint, checkpoint, [0, 1]).shape == (2, *look)
        for verb, rows in (("reconstruct", 2), ("compare", 3)):
            sheet = saved(run, tmp_path, verb, "--count", "2", "--scale", "1")
            assert sheet.shape[:2] == (rows * (shape[1] + 1) - 1, 2 * shape[2] + 1)
        assert saved(run, tmp_path, "traverse", "--steps", "4").shape[1] == 4 * (4 * (shape[2] + 1) - 1)


@pytest.mark.parametrize("shape", FULL, ids=str)
def test_images_of_full_size(shape: tuple[int, ...], trained: Callable[..., Run], tmp_path: Path) -> None:
    run = trained("conv", shape)
    checkpoint = opened(run)
    assert isinstance(checkpoint, Checkpoint) and checkpoint.model.parameter_count < 8_000_000
    assert checkpoint.reconstruct([0]).shape[1:3] == shape[1:]
    write_preview(checkpoint)
    assert (run.path / "preview.png").stat().st_size < 1_000_000
    across = 4 * (shape[2] + 1) - 1
    assert saved(run, tmp_path, "traverse", "--steps", "4").shape[1] == across * min(4, max(1, 2000 // across))
    found = judged(run)
    times = -(-max(shape[1:]) // 64)
    assert ("times smaller" in found["samples"]["features"]) == (times > 1)
    assert times == 1 or f"{times} times smaller" in found["samples"]["features"]


@pytest.mark.parametrize(("labels", "told"), [("named", 3), ("missing", 3), ("single", 1), ("all missing", 0),
                                              ("none", 0)])
def test_labels_of_any_kind(labels: str, told: int, trained: Callable[..., Run]) -> None:
    run = trained("conv", (3, 12, 16), labels)
    found = judged(run)
    if told == 3:
        assert found["probe"]["classes"] == 3 and found["probe"]["test"] == (6 if labels == "missing" else 12)
        assert "samples" in found
    else:
        assert "label" in found["not_applicable"]["probe"] and "label" in found["not_applicable"]["samples"]
    checkpoint = opened(run)
    assert isinstance(checkpoint, Checkpoint) and (checkpoint.labels is None) == (labels == "none")


def test_a_single_class_can_be_a_prior_of_its_own(trained: Callable[..., Run]) -> None:
    checkpoint = opened(trained("conditional", (4, 12, 9), "single"))
    assert isinstance(checkpoint, Checkpoint) and checkpoint.classes == 1
    assert checkpoint.sample(2, labels=[0, 0]).shape == (2, 12, 9, 3)
    with pytest.raises(ConfigError, match=r"model\.prior\.kind"):
        trained("conditional", (4, 12, 9), "missing")


NETWORKS = {"image": TINY, "vector": {"kind": "mlp", "hidden": [8]}}
SEVERAL: dict[str, dict[str, Any]] = {
    "mvae": {"family": "multimodal-vae", "latent_size": 2, "networks": NETWORKS, "posterior": {"kind": "product"}},
    "dmvae": {"family": "dmvae", "networks": NETWORKS}, "separate": {"family": "separate-vaes", "networks": NETWORKS},
    "cca": {"family": "cca", "latent_size": 2}, "jive": {"family": "jive"}}


@pytest.mark.parametrize("shape", [(1, 14, 10), (4, 12, 16)], ids=str)
@pytest.mark.parametrize("family", SEVERAL)
def test_images_among_several_modalities(family: str, shape: tuple[int, ...], start: Start,
                                         monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(classifier, "UPDATES", 2)
    alone = discs(shape)
    splits: Any = {name: Split({"image": part.arrays["image"], "label": one_hot(part.labels, 3)}, part.labels)
                   for name, part in alone.splits.items() if part.labels is not None}
    label = Modality("label", (3,), classes=alone.classes)
    dataset = Dataset("own", "discs", {"image": Modality("image", shape), "label": label}, splits,
                      classes=alone.classes)
    monkeypatch.setattr(ImageLabel, "load", lambda _: dataset)
    run = Run(start({"data": {"name": "image-label"}, "model": SEVERAL[family],
                     "training": {"epochs": 1, "batch_size": 8}}))
    checkpoint = opened(run)
    assert isinstance(checkpoint, CrossModal)
    look = (shape[1], shape[2], *([] if shape[0] == 1 else [3]))
    write_preview(checkpoint)
    made = checkpoint.generate({"label": checkpoint.typed("label", "large").value}, ["image"], 3)["image"]
    assert made.images.shape == (3, *look)
    ramp = Image.fromarray(np.tile(np.arange(0, 250, 5, dtype=np.uint8), (70, 1))).convert("RGB")
    ramp.save(tmp_path / "ramp.png")
    pixels = from_upload((tmp_path / "ramp.png").read_bytes(), (shape[0], shape[1], shape[2])).pixels
    given = checkpoint.picture("image", pixels)
    assert given.shape == (1, *shape)
    assert checkpoint.generate({"image": given}, ["label"], 2)["label"].values.shape == (2, 3)
    if "image" in checkpoint.private:
        assert checkpoint.swap("image", [0, 1], [2, 3, 4]).shape == (2, 3, *look)
    if checkpoint.linear:
        assert checkpoint.loading_picture(next(iter(checkpoint.loadings())), 0, "image").shape == (*shape[1:], 3)
    found = judged(run)
    assert found["reconstruction"]["image"]["ssim"] is not None and found["probe"]["classes"] == 3


def test_loadings_of_channels_against_each_other_are_seen() -> None:
    column = np.zeros((2, 1, 3))
    column[:, 0, 0], column[:, 0, 1] = (1, -0.5), (0.25, -0.5)
    seen = loading_picture(Modality("image", (2, 1, 3)), column.ravel())
    assert seen[0].tolist() == [[255, 150, 50], [35, 80, 128], [0, 0, 0]]


def test_examples_that_travel_fit_into_what_is_read(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaecore.training.session.MAX_EXAMPLES_BYTES", 20_000)
    dataset = discs((16, 20, 10))
    monkeypatch.setattr(Digits, "load", lambda _: dataset)
    run = Run(start({"data": {"name": "digits"}, "model": {"family": "pca", "latent_size": 2}}))
    checkpoint = opened(run)
    assert isinstance(checkpoint, Checkpoint) and len(checkpoint.examples) == 20_000 // 2 // 3_200
    assert checkpoint.labels is not None and len(checkpoint.labels) == len(checkpoint.examples)
    assert MAX_EXAMPLES_BYTES // 2 < 64 * 16 * 256 * 256  # of the largest images that are read, 64 are too many


def test_a_model_too_large_to_be_read_again_is_refused_before_it_is_made(configure: Any, monkeypatch: Any) -> None:
    dataset = discs((3, 256, 192))
    config = configure({"data": {"name": "digits"}, "training": {"batch_size": 8},
                        "model": {"family": "vae", "network": {"kind": "mlp", "hidden": [4096]}}})
    drawn: list[int] = []
    monkeypatch.setattr(torch.random, "fork_rng", lambda **_: drawn.append(1))
    with pytest.raises(ConfigError) as said:
        build(config, dataset)
    words = str(said.value)
    assert not drawn and "14.5 GB" in words and "4.3 GB are read" in words and "4,096 x 147,456" in words
    assert "convolutional network with more stages (model.network.channels=[])" in words
    monkeypatch.undo()
    monkeypatch.setattr(building, "MAX_WEIGHTS_BYTES", 2_000_000)
    small = configure({"data": {"name": "digits"}, "training": {"batch_size": 8},
                       "model": {"family": "vae", "network": {"kind": "conv", "channels": [2, 2], "dense": 2}}})
    with pytest.raises(ConfigError, match=r"5\.3 MB, and at most 2\.0 MB are read"):
        build(configure({"data": {"name": "digits"}, "training": {"batch_size": 8},
                         "model": {"family": "vae", "network": {"kind": "mlp", "hidden": [1]}}}), dataset)
    assert build(small, dataset).parameter_count < 2_000_000 / 12


def test_a_picture_keeps_its_aspect_on_a_page() -> None:
    from vaecore.explore.pictures import fitted, png

    assert [fitted(np.zeros(size, np.uint8), 560) for size in ((28, 28), (28, 20), (256, 192), (16, 64))] == [
        560, 400, 420, 560]
    assert Image.open(io.BytesIO(png(np.zeros((28, 20), np.uint8)))).size == (20, 28)
