"""`vaecore encode`: what it prints and saves of pictures, and what it says of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.cli.test_cli import call, refused, said
from vaecore.explore import Checkpoint
from vaecore.store import Run

ROOT = Path(__file__).parents[2] / "trained"


@pytest.fixture(scope="module")
def vae() -> Checkpoint:
    return Checkpoint.load(Run(ROOT / "gallery" / "vae"))


@pytest.fixture
def picture(vae: Checkpoint, tmp_path: Path) -> Path:
    """A test image, dark on light paper."""
    pixels = 255 - (vae.examples[0, 0] * 255).round().to(torch.uint8).numpy()
    path = tmp_path / "<b>[red]seven.png"
    Image.fromarray(pixels).save(path)
    return path


def test_facts_are_those_of_the_checkpoint(vae: Checkpoint, picture: Path, capsys: pytest.CaptureFixture[str],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaecore.explore.reading.COMPARED", 64)
    facts: Any = said(capsys, "encode", "vae", str(picture), "--store", str(ROOT))
    [found] = facts["pictures"]
    read = vae.encode_picture(vae.read(picture.read_bytes()).pixels)
    assert found["file"] == str(picture) and found["done"] == [
        {"step": "invert", "words": "inverted: its paper is light, and the data's is dark"}]
    np.testing.assert_allclose(found["code"], vae.encode([0])[0], atol=1e-5)
    np.testing.assert_allclose(found["kl"], read.kl, rtol=1e-5)
    assert found["mean_squared_error"] == pytest.approx(read.error, rel=1e-5)
    assert 0 <= found["percentile"] <= 100 and len(found["nearest"]) == 8


def test_words_and_a_picture(vae: Checkpoint, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
                             ) -> None:
    output = tmp_path / "read.png"
    assert call(["encode", "vae", str(picture), str(picture), "--undo", "invert", "-o", str(output), "--scale", "1",
                 "--store", str(ROOT)]) == 0
    text = capsys.readouterr().out
    assert "<b>[red]seven.png: only fitted to the size" in text and "are reconstructed better" in text
    assert "nats, and" in text and "nearest by code: " in text
    sheet = np.asarray(Image.open(output))
    assert sheet.shape[:2] == (2 * 29 - 1, 2 * 29 - 1)
    np.testing.assert_array_equal(sheet[:28, :28, 0], 255 - vae.originals([0])[0])


@pytest.mark.parametrize(("arguments", "says"), [
    (["vae", "{picture}", "--undo", "fade"], "there is no step 'fade'. Choose of turn, stretch"),
    (["vae", "{picture}", "--label", "7"], "reads no class beside a picture"),
    (["vae-conditional", "{picture}"], "reads the class beside the picture. Give one of 0, 1"),
    (["vae-conditional", "{picture}", "--label", "x"], "the labels of vae-conditional are"),
    (["vae", "nowhere.png"], "No such file or directory: nowhere.png"),
    (["vae", "{zip}"], "a ZIP archive, whatever its name says"),
    (["ivae", "{picture}"], "models vectors, and reads no pictures"),
    (["made", "{picture}"], "made is"),
    (["vae", "{picture}", "-o", "{folder}/x.csv"], "a picture is no .csv")])
def test_what_is_wrong_is_said_in_a_line(arguments: list[str], says: str, picture: Path, tmp_path: Path,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "packed.png").write_bytes(b"PK\x03\x04" + bytes(50))
    given = [each.format(picture=picture, zip=tmp_path / "packed.png", folder=tmp_path) for each in arguments]
    assert says in refused(capsys, "encode", *given, "--store", str(ROOT))
