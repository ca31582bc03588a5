"""The judge of a run's data: the one of evaluations, kept without the data, shared, and made only when asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vaecore.data import DataUnavailable
from vaecore.data.digits import Digits
from vaecore.data.image_label import ImageLabel
from vaecore.data.mnist import MNIST
from vaecore.data.omics import Omics
from vaecore.evaluate import classifier as classifiers
from vaecore.evaluate.judges import judge
from vaecore.explore import judged
from vaecore.explore.judged import judge_of, judgeable, kept, made
from vaecore.explore.opening import opened
from vaecore.modalities import Modality
from vaecore.store import Store
from vaecore.training.feed import Feed

IMAGE = Modality("image", (1, 8, 8))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and judges that learn for a moment."""
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path))
    monkeypatch.setattr(classifiers, "UPDATES", 60)
    return tmp_path


def test_it_is_the_judge_of_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    found = made(Digits(), "image", IMAGE, lambda done, of: told.append((done, of)))
    dataset = Digits().load()
    wanted = judge(dataset, "image")
    x = Feed(dataset, "test", torch.device("cpu")).at(torch.arange(100))["image"] * 1.2 - 0.1  # beyond black and white
    assert (found.name, found.accuracy, found.tested) == (wanted.name, wanted.accuracy, 250)
    assert found.accuracy > 0.5 and told == [(50, 60)]
    np.testing.assert_array_equal(found.predict(x), wanted.predict(x))
    np.testing.assert_allclose(found.probabilities(x).sum(1), 1)
    monkeypatch.setattr(Digits, "load", lambda _: pytest.fail("the data are not needed again"))
    again = kept(Digits(), "image", IMAGE)
    assert again is not None
    assert (again.name, again.accuracy, again.classes, again.digest) == (found.name, found.accuracy,
                                                                         tuple("0123456789"), found.digest)
    torch.testing.assert_close(again.logits(x), found.logits(x), rtol=0, atol=0)


def test_nothing_is_trained_until_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged, "judge", lambda *_, **__: pytest.fail("a judge was trained"))
    assert kept(Digits(), "image", IMAGE) is None
    run = opened(Store.default().find("gallery/vae"))
    assert run.judge() is None
    assert judge_of(run.run, "label", Modality("label", (10,)), make=True) is None


def test_runs_that_see_less_of_the_same_data_share_it() -> None:
    found = made(Digits(train_limit=100), "image", IMAGE)
    again = kept(Digits(), "image", IMAGE)
    assert again is not None and again.digest == found.digest and "1,297" in found.name
    assert kept(Digits(pixels="binary-fixed"), "image", IMAGE) is None, "other pixels are other data"


def test_where_the_data_are_not_here_the_copy_of_the_package_is_learned_from(monkeypatch: pytest.MonkeyPatch,
                                                                             tmp_path: Path) -> None:
    monkeypatch.setenv("VAECORE_DATA", str(tmp_path))
    full = MNIST(source="full")
    if not _away(full):
        pytest.skip("the full MNIST is installed on this machine")
    found = made(full, "image", Modality("image", (1, 28, 28)))
    assert "4,000" in found.name and found.tested == 500
    assert kept(full, "image", Modality("image", (1, 28, 28))) is not None


def _away(data: MNIST) -> bool:
    try:
        data.here()
    except DataUnavailable:
        return True
    return False


def test_of_several_modalities_each_image_has_one() -> None:
    data = ImageLabel(source="embedded")
    modalities = dict(data.load().modalities)
    assert judgeable(modalities) == ["image"]
    assert made(data, "image", modalities["image"]).tested == 500


def test_vectors_have_logits_of_the_regression_that_judges_them() -> None:
    try:
        dataset = Omics().load()
    except DataUnavailable:
        pytest.skip("the tumours are not on this machine")
    name = "genes" if "genes" in dataset.modalities else next(iter(dataset.modalities))
    found, wanted = made(Omics(), name, dataset.modalities[name]), judge(dataset, name)
    x = Feed(dataset, "test", torch.device("cpu")).at(torch.arange(50))[name]
    np.testing.assert_array_equal(found.predict(x), wanted.predict(x))


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"\xff" * 100])
def test_a_damaged_file_is_none(cache: Path, damage: bytes) -> None:
    made(Digits(), "image", IMAGE)
    [path] = (cache / "judges").glob("*.safetensors")
    path.write_bytes(damage)
    assert kept(Digits(), "image", IMAGE) is None
    assert kept(Digits(), "image", Modality("image", (1, 9, 9))) is None


def test_data_without_labels_have_none() -> None:
    from vaecore.data.gaussian import Gaussian

    with pytest.raises(ValueError, match="label"):
        made(Gaussian(), "vector", next(iter(Gaussian().load().modalities.values())))
