"""A picture from outside as a checkpoint reads it, and how it stands beside the data."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vaecore.explore import Checkpoint, reading
from vaecore.explore.reading import Yardstick
from vaecore.explore.uploads import AS_IS
from vaecore.probability.gaussian import DiagonalGaussian
from vaecore.store import Run

GALLERY = Path(__file__).parents[2] / "trained" / "gallery"


@pytest.fixture(scope="module")
def vae() -> Checkpoint:
    return Checkpoint.load(Run(GALLERY / "vae"))


def pixels_of(checkpoint: Checkpoint, number: int) -> np.ndarray:
    found: np.ndarray = (checkpoint.examples[number] * 255).round().to(torch.uint8).numpy()
    return found


def test_an_example_is_read_as_the_model_reads_it(vae: Checkpoint) -> None:
    read = vae.encode_picture(pixels_of(vae, 7))
    np.testing.assert_allclose(read.code, vae.encode([7])[0], atol=1e-5)
    assert read.sigma is not None and read.kl is not None
    by_hand = 0.5 * (read.code.astype(float)**2 + read.sigma.astype(float)**2 - 2 * np.log(read.sigma) - 1)
    np.testing.assert_allclose(read.kl, by_hand, atol=1e-5)
    seen = (read.reconstruction[0] * 255).round().numpy()
    np.testing.assert_allclose(seen, vae.reconstruct([7])[0], atol=1)
    assert read.error == pytest.approx(float(((read.reconstruction - vae.examples[7]) ** 2).mean()), rel=1e-5)
    assert read.nearest[0].number == 7 and read.nearest[0].distance < 1e-4
    apart = np.linalg.norm(vae.encode(slice(None)) - read.code, axis=1)  # its unit is 1: the prior is N(0, I)
    assert [each.number for each in read.nearest] == np.argsort(apart)[:8].tolist()
    assert read.nearest[3].distance == pytest.approx(np.sort(apart)[3], rel=1e-4)


def test_the_percentile_is_the_share_that_is_reconstructed_better(vae: Checkpoint) -> None:
    errors = vae.yardstick.errors
    assert len(errors) == len(vae.examples)
    best, worst = int(errors.argmin()), int(errors.argmax())
    assert vae.encode_picture(pixels_of(vae, best)).percentile <= 100 / 64  # itself, but for the last digit
    assert vae.encode_picture(pixels_of(vae, worst)).percentile >= 100 * 63 / 64
    noise = np.random.default_rng(0).integers(0, 256, vae.shape).astype(np.uint8)
    assert vae.encode_picture(noise).percentile == 100
    few = Yardstick(np.array([0.0, 0.1, 1.0, 2.0]), np.zeros((4, vae.size), np.float32), "four")
    assert [few.percentile(error) for error in (0, 0.1, 0.5, 3)] == [0, 25, 50, 100]


def test_a_model_that_reads_the_class_wants_it() -> None:
    found = Checkpoint.load(Run(GALLERY / "vae-conditional"))
    picture = pixels_of(found, 0)
    with pytest.raises(ValueError, match=r"reads the class beside the picture\. Give one of 0, 1, 2"):
        found.encode_picture(picture)
    with pytest.raises(ValueError, match="Give one of"):
        found.encode_picture(picture, 10)
    seven, one = (found.encode_picture(picture, label) for label in (7, 1))
    assert seven.kl is not None and one.kl is not None
    assert seven.kl.sum() < one.kl.sum(), "example 0 is a 7, and costs more under the prior of another class"


@pytest.mark.parametrize("name", ["ae", "pca", "vae-vamp", "ica"])
def test_what_has_no_kl_by_dimension_is_read_without(name: str) -> None:
    found = Checkpoint.load(Run(GALLERY / name))
    read = found.encode_picture(pixels_of(found, 3))
    assert read.kl is None and read.nearest[0].number == 3 and np.isfinite(read.error)


def test_what_is_no_picture_for_it_is_refused(vae: Checkpoint) -> None:
    with pytest.raises(ValueError, match="reads no class beside the picture"):
        vae.encode_picture(pixels_of(vae, 0), 3)
    with pytest.raises(ValueError, match="blank"):
        vae.encode_picture(np.zeros((1, 28, 28), np.uint8))
    with pytest.raises(ValueError, match="does not fit"):
        vae.encode_picture(np.ones((1, 27, 28), np.uint8))
    vectors = Checkpoint.load(Run(GALLERY / "ivae"))
    with pytest.raises(ValueError, match="models vectors, and reads no pictures"):
        vectors.read(b"")
    with pytest.raises(ValueError, match="models vectors, and reads no pictures"):
        vectors.encode_picture(np.zeros((1, 28, 28), np.uint8), 0)


def test_a_photograph_of_an_example_is_found_and_read_as_itself(vae: Checkpoint) -> None:
    """An example, dark on a wide grey sheet with a scanner's black edge, comes back as nearly the same code."""
    digit = np.asarray(Image.fromarray(pixels_of(vae, 1)[0]).resize((140, 140), Image.Resampling.BICUBIC)) / 255
    sheet = np.full((300, 640), 190.0)
    sheet[80:220, 60:200] = sheet[80:220, 60:200] * (1 - digit) + 40 * digit
    sheet[:, -12:] = sheet[-12:] = 5
    file = io.BytesIO()
    Image.fromarray(sheet.round().astype(np.uint8)).save(file, "PNG")
    upload = vae.read(file.getvalue())
    assert [done.step for done in upload.done] == ["edge", "find", "invert"]
    read = vae.encode_picture(upload.pixels)
    assert read.nearest[0].number == 1, "the example that it was made of is the nearest"
    other = vae.encode_picture(vae.read(file.getvalue(), undone=AS_IS).pixels)
    assert other.error > 10 * read.error and other.percentile == 100


def test_the_priors_by_which_kl_is_told_are_those_of_the_model() -> None:
    [(mean, std)] = reading.normal_priors(Checkpoint.load(Run(GALLERY / "vae-plane")))
    assert mean.tolist() == [0, 0] and std.tolist() == [1, 1]
    assert reading.normal_priors(Checkpoint.load(Run(GALLERY / "vae-vamp"))) == [], "a mixture has none by dimension"
    conditional = Checkpoint.load(Run(GALLERY / "vae-conditional"))
    u = torch.eye(10)
    prior = conditional.priors(u)["z"]
    found = reading.normal_priors(conditional)
    assert len(found) == 10 and isinstance(prior, DiagonalGaussian)
    np.testing.assert_allclose(np.array([mean for mean, _ in found]), prior.mean.numpy())
    np.testing.assert_allclose(np.array([std for _, std in found]) ** 2, prior.logvar.exp().numpy(), rtol=1e-5)
