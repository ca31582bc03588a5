"""Codes of groups: of classes and of rows, as the encoder gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vaecore.explore import Checkpoint
from vaecore.explore.groups import codes_of, labelled
from vaecore.store import Store

GALLERY = Store(Path(__file__).parents[2] / "trained")


@pytest.fixture(scope="module")
def vae() -> Checkpoint:
    return Checkpoint.load(GALLERY.find("gallery/vae"))


def test_classes_have_the_codes_of_their_observations(vae: Checkpoint) -> None:
    found = labelled(vae, 300)
    assert found is not None and len(found.codes) == len(found.labels) == 300
    assert found.names == tuple("0123456789") and "validation" in found.source
    assert len(found.of(7)) == (found.labels == 7).sum() and len(found.of(7)) + len(found.others(7)) == 300
    rows = np.flatnonzero(found.labels == 7)
    np.testing.assert_allclose(codes_of(vae, "validation", rows), found.of(7), atol=1e-5)


def test_kept_rows_have_the_codes_of_the_examples(vae: Checkpoint) -> None:
    np.testing.assert_allclose(codes_of(vae, "kept", [5, 0, 5]), vae.encode([5, 0, 5]), atol=1e-6)
    assert codes_of(vae, "kept", []).shape == (0, vae.size)
    for row in (64, -1):
        with pytest.raises(ValueError, match=f"has rows 0 to 63, and not {row}"):
            codes_of(vae, "kept", [3, row])


def test_without_labels_there_are_no_classes(vae: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    from vaecore.data import DataUnavailable
    from vaecore.explore.maps import population

    def gone(_: object) -> object:
        raise DataUnavailable("gone")

    monkeypatch.setattr(population, "_loaded", gone)
    found = labelled(vae)
    assert found is not None and len(found.codes) == 64 and "kept with" in found.source
    assert labelled(Checkpoint(vae.run, vae.model, vae.summary, vae.examples, None)) is None
