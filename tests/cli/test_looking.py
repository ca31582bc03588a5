"""`vaecore generate`: what it prints and saves, and what it says of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.cli.test_cli import call, refused, said
from vaecore.config import RunConfig
from vaecore.data import Modality
from vaecore.explore.crossmodal import CrossModal
from vaecore.modalities import SPECIALS
from vaecore.schema import parse
from vaecore.store import Store
from vaecore.training.checkpoints import WEIGHTS, save_weights

MODALITIES = {"image": Modality("image", (1, 8, 6)), "label": Modality("label", (4,)),
              "text": Modality("text", (4,), (*SPECIALS, "a", "cat")), "numbers": Modality("vector", (3,))}
NETWORKS = {"image": {"kind": "mlp", "hidden": [8]}, "vector": {"kind": "mlp", "hidden": [8]},
            "text": {"embedding": 4, "hidden": 6}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `mvae`, of random weights."""
    root = tmp_path_factory.mktemp("store")
    config = parse(RunConfig, {"data": {"name": "halves", "images": "digits"},
                               "model": {"family": "multimodal-vae", "latent_size": 3, "networks": NETWORKS}})
    run = Store(root).create(config, "mvae")
    torch.manual_seed(0)
    save_weights(run.path / WEIGHTS, config.model.build(MODALITIES), config, 0)
    save_file({"image": torch.randint(256, (5, 1, 8, 6), dtype=torch.uint8), "label": torch.eye(4)[[0, 1, 2, 3, 0]],
               "text": torch.tensor([[4, 5, 2, 0]] * 5, dtype=torch.int32), "numbers": torch.randn(5, 3)},
              run.path / "examples.safetensors")
    return root


def model(store: Path) -> CrossModal:
    return CrossModal.load(Store(store).find("mvae"))


def test_a_label_gives_images(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "threes.png"
    assert call(["generate", "mvae", "--given", "label=3", "--predict", "image", "--count", "9", "--seed", "2",
                 "--out", str(path), "--scale", "1", "--store", str(store)]) == 0
    picture = np.asarray(Image.open(path))
    found = model(store)
    expected = found.generate({"label": found.label("label", 3)}, ["image"], 9, seed=2)["image"].values
    assert picture.shape[:2] == (3 * 9 - 1, 3 * 7 - 1)
    np.testing.assert_array_equal(picture[:8, :6, 0], expected[0])
    np.testing.assert_array_equal(picture[18:26, 14:20, 0], expected[8])


def test_facts_are_those_of_the_model(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts: Any = said(capsys, "generate", "mvae", "--given", "image=example:2", "--given", "text=a cat", "--count", "5",
                      "--temperature", "0.5", "--store", str(store))
    found = model(store)
    given = {"image": found.sample("image", 2), "text": found.typed("text", "a cat").value}
    expected = found.generate(given, ["label", "numbers"], 5, 0.5)
    made = facts["generated"]
    assert (facts["given"], list(made)) == (["image", "text"], ["label", "numbers"])
    assert made["label"]["classes"] == [str(c) for c in expected["label"].classes]
    assert made["label"]["probabilities"] == pytest.approx(expected["label"].values.mean(0).tolist())
    np.testing.assert_allclose(made["numbers"]["values"], expected["numbers"].values, rtol=1e-6)
    stds = facts["certainty"]["std"]
    assert facts["certainty"]["rule"] == "product" and list(stds) == ["prior", "image", "text", "product"]


def test_what_is_no_picture_is_printed(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["generate", "mvae", "--given", "image=example:0", "--count", "2", "--store", str(store)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["label", "text", "text", "numbers"]
    assert "%" in lines[0] and "--out FILE.png" in lines[-1] and "--json" in lines[-1]


def test_without_anything_given_it_is_the_prior(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                                ) -> None:
    path = tmp_path / "all.png"
    facts = said(capsys, "generate", "mvae", "--count", "3", "--out", str(path), "--store", str(store))
    assert list(facts["generated"]) == list(MODALITIES) and facts["certainty"]["rule"] == "prior"
    with Image.open(path) as picture:
        assert picture.size[0] > 0


def test_a_picture_file_is_given(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "drawn.png"
    Image.fromarray(np.pad(np.full((8, 4), 255, np.uint8), 4)).save(path)
    facts = said(capsys, "generate", "mvae", "--given", f"image={path}", "--predict", "label", "--store", str(store))
    assert len(facts["generated"]["label"]["classes"]) == 16
    Image.new("L", (20, 20)).save(path)
    assert "image: the picture is blank" in refused(capsys, "generate", "mvae", "--given", f"image={path}", "--store",
                                                    str(store))
    path.write_bytes(b"no picture")
    assert "not a picture" in refused(capsys, "generate", "mvae", "--given", f"image={path}", "--store", str(store))


def test_unknown_words_are_told(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["generate", "mvae", "--given", "text=a zebra", "--predict", "label", "--store", str(store)]) == 0
    assert "read as the unknown word: zebra" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    (["--given", "label"], "--given: it does not say what is given"), (["--given", "label="], "it does not say"),
    (["--given", "sound=3"], "mvae has no modality 'sound'. It has image, label, text, numbers"),
    (["--given", "label=9"], "label: '9' is no class"), (["--given", "image=/no/such.png"], "/no/such.png"),
    (["--given", "image=example:x"], "is no number of a test sample"),
    (["--given", "image=example:5"], "image: there is no test sample 5. Choose one from 0 to 4"),
    (["--given", "numbers=1,2,3"], "numbers is a vector and cannot be typed. Choose a test sample"),
    (["--predict", "sound"], "there is no modality 'sound'"),
    (["--given", "label=1", "--predict", "label"], "label is given, so it is not to be generated"),
    (["--predict", "label", "--out", "x.png"], "--out: nothing that a picture could show")])
def test_what_is_wrong_is_said_in_a_line(store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str],
                                         message: str) -> None:
    told = refused(capsys, "generate", "mvae", *arguments, "--store", str(store))
    assert message in " ".join(told.split()) and "Traceback" not in told


def test_help_names_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--help"]) == 0 and "generate" in capsys.readouterr().out
