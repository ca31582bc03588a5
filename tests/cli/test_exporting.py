"""`vaecore export`: what each kind of file is, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.test_cli import call, refused
from tests.training.runs import Start, small

GALLERY = str(Path(__file__).parents[2] / "trained")


@pytest.fixture
def store(start: Start) -> str:
    return str(start(small(epochs=1)).parents[1])


def test_every_kind_is_written_under_its_name(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for options in (["--codes"], ["--codes", "--kl", "-o", "c.npz"], ["--frames", "--count", "8"], ["--snippet"],
                    ["--frames", "--show", "walk", "--seed", "3", "--rate", "10", "--scale", "2", "-o", "w.webp"],
                    ["--notebook", "--show", "samples", "--count", "4"]):
        assert call(["export", "run", *options, "--store", store]) == 0, options
    assert {path.name for path in tmp_path.glob("*.*")} == {"run-codes.csv", "c.npz", "run.gif", "run.py", "w.webp",
                                                           "run.ipynb"}
    with Image.open("w.webp") as walk, Image.open("run.gif") as film, np.load("c.npz") as codes:
        assert (walk.size, film.n_frames) == ((16, 16), 8) and "z.kl" in codes


def test_a_film_has_what_the_run_drew_and_its_steps(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(["film", "run", "--scale", "2", "--rate", "2", "--store", store]) == 0
    with Image.open("run-learning.gif") as made:
        assert made.size == (2 * (10 * 8 + 9), 36 + 2 * (4 * 8 + 3)) and made.info["duration"] == 500
    assert call(["film", "run", "-o", "l.webp", "--store", store]) == 0 and Path("l.webp").read_bytes()[:4] == b"RIFF"
    assert "End it in .gif or .webp" in refused(capsys, "film", "run", "-o", "l.avi", "--store", store)
    assert "drew no pictures" in refused(capsys, "film", "gallery/vae", "--store", GALLERY)


def test_a_page_is_written_whole(store: str, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    assert call(["export", "run", "--html", "--split", "validation", "-o", str(path), "--store", store]) == 0
    page = path.read_text()
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    assert "250 of 250 validation observations" in page


def test_a_comparison_is_written_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "compared.html"
    runs = ["gallery/vae", "gallery/pca", "gallery/ica"]
    assert call(["compare", *runs, "--html", str(path), "--count", "3", "--store", GALLERY]) == 0
    page = path.read_text()
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>") and "3 runs compared" in page
    assert all(run in page for run in runs) and page.count("data:image/png;base64,") == 3 + 4
    assert "two to 12" in refused(capsys, "compare", "gallery/vae", "--html", str(path), "--store", GALLERY)


@pytest.mark.slow
def test_onnx_writes_both_networks_or_one(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    assert call(["export", "gallery/pca", "--onnx", "-o", str(tmp_path / "p.onnx"), "--store", GALLERY]) == 0
    assert call(["export", "gallery/pca", "--onnx", "--network", "encoder", "-o", str(tmp_path / "e.onnx"), "--store",
                 GALLERY]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"p-decoder.onnx", "p-encoder.onnx", "e.onnx"}


@pytest.mark.parametrize(("options", "what"), [
    ([], "one kind of file"), (["--codes", "--onnx"], "one kind of file"), (["--codes", "--seed", "3"], "--seed"),
    (["--frames", "--show", "code"], "nothing in it moves"), (["--frames", "--show", "dance"], "no such view"),
    (["--frames", "--path", "scenic", "--show", "interpolation"], "no such path"),
    (["--codes", "--split", "all"], "no split"),
    (["--snippet", "--z", "1,two"], "no numbers"), (["--snippet", "--z", "1,2,3,4,5"], "4 dimensions"),
    (["--frames", "-o", "film.avi"], ".gif, .webp, .mp4"), (["--codes", "-o", "codes.xls"], ".csv, .npz, .parquet"),
    (["--onnx", "--network", "middle"], "no such network"), (["--frames", "--rate", "0"], "frames a second")])
def test_what_is_wrong_is_said(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str], options: list[str], what: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert what in refused(capsys, "export", "run", *options, "--store", store)
    assert not list(tmp_path.glob("*.*"))
