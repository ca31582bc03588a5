"""`vaecore interpolate`, `directions` and the ranges of `traverse`, on a shipped run: drawn, printed and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.test_cli import call, refused, said
from vaecore.explore import Checkpoint
from vaecore.store import Store

STORE = Path(__file__).parents[2] / "trained"
IN = ("gallery/vae", "--store", str(STORE))


@pytest.fixture(scope="module")
def vae() -> Checkpoint:
    return Checkpoint.load(Store(STORE).find("gallery/vae"))


def test_three_paths_are_three_rows_with_their_lengths(vae: Checkpoint, tmp_path: Path,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "ways.png"
    facts = said(capsys, "interpolate", *IN, "--from", "2", "--to", "9", "--path", "all", "--steps", "5", "-o",
                 str(picture), "--scale", "1")
    start, end = vae.encode([2, 9])
    ways = vae.ways(start, end, 5)
    assert facts["lengths"] == {path: way.length for path, way in ways.ways.items()}
    assert facts["lengths"]["shortest"] < 0.95 * facts["lengths"]["straight"]
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape[:2] == (3 * 29 - 1, 5 * 29 - 1)
    np.testing.assert_array_equal(pixels[58:86, 29:57, 0], vae.decode(ways["shortest"].codes)[1])
    assert call(["interpolate", *IN, "--path", "shortest"]) == 0
    assert "shorter than the straight one" in capsys.readouterr().out


def test_a_traversal_by_quantiles_of_a_standard_prior_is_that_by_sigmas(tmp_path: Path) -> None:
    pictures = {}
    for among in ("sigmas", "prior", "aggregated"):
        path = tmp_path / f"{among}.png"
        assert call(["traverse", *IN, "--range", among, "--steps", "3", "--dimensions", "2", "-o", str(path)]) == 0
        pictures[among] = np.asarray(Image.open(path)).astype(int)
    assert np.abs(pictures["prior"] - pictures["sigmas"]).max() <= 1
    assert np.abs(pictures["aggregated"] - pictures["sigmas"]).max() > 20


def test_directions_are_those_of_the_checkpoint(vae: Checkpoint, tmp_path: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "local.png"
    facts = said(capsys, "directions", *IN, "--at", "3", "--count", "2", "-o", str(picture), "--scale", "1")
    code = vae.encode([3])[0]
    local = vae.directions(code, 2)
    assert facts["directions"] == local.facts() and facts["metric"] == "mean of p(x|z)"
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape[:2] == (2 * 29 - 1, 7 * 29 - 1)
    np.testing.assert_array_equal(pixels[29:57, -28:, 0], vae.decode((code + 3 * local.moves[1])[None])[0])


def test_a_direction_from_class_to_class_and_between_rows(vae: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert vae.labels is not None
    facts = said(capsys, "directions", *IN, "--a", "7", "--b", "1")
    sevens, ones = (np.flatnonzero(vae.labels == label) for label in (7, 1))
    assert facts["count"] == [len(sevens), len(ones)] and facts["name"] == "7 less 1"
    rows = said(capsys, "directions", *IN, "--a", ",".join(map(str, sevens)), "--b", ",".join(map(str, ones)))
    np.testing.assert_allclose(rows["vector"], facts["vector"])


@pytest.mark.parametrize(("words", "said_of_it"), [
    (("interpolate", "--path", "bent"), "--path: there is no such path. Choose one of straight"),
    (("interpolate", "--to", "64"), "--to 64: gallery/vae keeps 64 test images"),
    (("traverse", "--range", "wide", "-o", "never.png"), "--range: there is no such range"),
    (("directions", "--a", "7"), "--b: a direction is from one group to another"),
    (("directions", "--a", "9" * 5000 + ",1", "--b", "7"), "--a: there is no such class"),
    (("directions", "--a", "7", "--b", "seven"), "--b: there is no such class"),
    (("directions", "--a", "0,64", "--b", "1"), "--a 64: gallery/vae keeps 64")])
def test_what_is_wrong_is_named(words: tuple[str, ...], said_of_it: str, capsys: pytest.CaptureFixture[str]) -> None:
    verb, *rest = words
    assert said_of_it in refused(capsys, verb, *IN, *rest)
