"""Films of the latent space: they close without a seam, are the codes that they say, and are bounded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.training.runs import Start, small
from vaecore.explore import Checkpoint
from vaecore.explore.codes import ROUTES, Route
from vaecore.explore.export.frames import KINDS, Kind, Motion, film, pictures, walk
from vaecore.schema import ConfigError
from vaecore.store import Run


@pytest.fixture
def checkpoint(start: Start) -> Checkpoint:
    return Checkpoint.load(Run(start(small(epochs=2))))


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_closes_without_a_seam(checkpoint: Checkpoint, kind: Kind) -> None:
    """The step from the last frame to the first is as one of those between the others."""
    units = checkpoint.units(Motion(kind, frames=40, seed=2).codes(checkpoint))
    steps = np.linalg.norm(np.roll(units, -1, 0) - units, axis=1)
    assert units.shape == (40, 4)
    assert steps[-1] <= steps[:-1].max() * 1.01
    assert len(np.unique((units / steps.max()).round(3), axis=0)) >= 20, "it goes somewhere"


def test_a_traversal_moves_one_dimension_to_both_ends(checkpoint: Checkpoint) -> None:
    units = checkpoint.units(Motion("traversal", frames=80, dimension=2, span=2, start=(0.5, -1, 3)).codes(checkpoint))
    np.testing.assert_allclose([units[0, 2], units[20, 2], units[40, 2], units[60, 2]], [0, 2, 0, -2], atol=1e-5)
    np.testing.assert_allclose(units[:, [0, 1, 3]], np.tile([0.5, -1, 0], (80, 1)), atol=1e-5)
    first = checkpoint.units(Motion("traversal", frames=8).codes(checkpoint))
    assert np.flatnonzero(first.std(0) > 0.1).tolist() == [checkpoint.order[0]]


@pytest.mark.parametrize("path", ROUTES)
def test_an_interpolation_goes_there_and_back(checkpoint: Checkpoint, path: Route) -> None:
    codes = Motion("interpolation", frames=12, first=3, last=5, path=path).codes(checkpoint)
    start, end = checkpoint.encode([3, 5])
    np.testing.assert_allclose(codes[0], start, atol=1e-5)
    np.testing.assert_allclose(codes[6], end, atol=1e-5)
    np.testing.assert_allclose(codes[1:6], codes[7:][::-1], atol=1e-6)


def test_a_walk_is_as_far_out_as_draws_of_the_prior() -> None:
    units = np.stack([walk(16, 8, seed) for seed in range(400)])
    assert abs(units.mean()) < 0.05 and abs(units.var() - 1) < 0.05
    np.testing.assert_array_equal(walk(16, 8, 3), walk(16, 8, 3))
    assert not np.allclose(walk(16, 8, 3), walk(16, 8, 4))


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_frames_of_a_film_are_what_is_decoded(checkpoint: Checkpoint, ending: str) -> None:
    motion = Motion("walk", frames=6, seed=1)
    image = Image.open(io.BytesIO(film(checkpoint, motion, ending, rate=10, scale=3)))
    decoded = pictures(checkpoint, motion)
    assert (image.n_frames, image.size, image.info["loop"]) == (6, (24, 24), 0)
    for place in range(6):
        image.seek(place)
        shown = np.asarray(image.convert("RGB"), int)[1::3, 1::3, 0]
        assert np.abs(shown - decoded[place]).max() <= (0 if ending == ".webp" else 6)
        assert image.info["duration"] == 100


def test_an_mp4_has_all_frames(checkpoint: Checkpoint) -> None:
    av = pytest.importorskip("av")
    data = film(checkpoint, Motion("traversal", frames=20), ".mp4", rate=25, scale=4)
    with av.open(io.BytesIO(data)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 25
    assert len(frames) == 20 and frames[0].shape == (32, 32)


@pytest.mark.parametrize(("motion", "said"), [
    (Motion(frames=3), "--count"), (Motion(frames=1001), "--count"), (Motion("interpolation", frames=13), "even"),
    (Motion(dimension=4), "--dimension"), (Motion(span=0), "--span"), (Motion("interpolation", last=9999), "--to"),
    (Motion(start=(0.0,) * 5), "--z"), (Motion(start=(float("nan"),)), "--z")])
def test_what_a_checkpoint_does_not_have_is_refused(checkpoint: Checkpoint, motion: Motion, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        motion.codes(checkpoint)


def test_a_film_is_bounded(checkpoint: Checkpoint) -> None:
    with pytest.raises(ConfigError, match="scale"):
        film(checkpoint, Motion(frames=1000), ".webp", scale=32 * 2)
    with pytest.raises(ConfigError, match=r"End it in .gif"):
        film(checkpoint, Motion(), ".avi")
